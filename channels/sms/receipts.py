"""What a centre tells of messages that we sent. Sans-io.

Source: SMPP 3.4 appendix B, whose form is an example only: every centre writes it a little
differently, so each word is looked for by itself.
"""

import re

from channels.sms.smpp import STATES, ShortMessage, Tag
from normalizer.schema import Value

_ID = re.compile(rb"\bid:\s*([^\s]+)", re.IGNORECASE)
_STATE = re.compile(rb"\bstat:\s*([A-Za-z_]+)", re.IGNORECASE)
_ERROR = re.compile(rb"\berr:\s*([^\s]+)", re.IGNORECASE)
#: States after which nothing more comes.
_FINAL = frozenset({"DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "REJECTD"})
#: Words that some centres write out, cut to seven letters.
_SPELT_OUT = {"DELIVER": "DELIVRD", "REJECTE": "REJECTD", "ACCEPTE": "ACCEPTD"}


class DeliveryReport(Value, frozen=True, kw_only=True):
    """What became of a message that we sent."""

    message_id: str
    state: str  #: a word of SMPP 3.4 appendix B or of the carrier, in capitals, seven at most
    error: str = ""
    final: bool  #: whether nothing more will come

    @property
    def arrived(self) -> bool:
        """Whether the telephone has it."""
        return self.state == "DELIVRD"


def report_of(message: ShortMessage) -> DeliveryReport | None:
    """Return the report in a deliver_sm, None where it names no message."""
    text = message.content
    parameter = message.parameter(Tag.RECEIPTED_MESSAGE_ID)
    found = _ID.search(text)
    octets = parameter.partition(b"\0")[0] if parameter else found[1] if found else b""
    if not octets:
        return None
    state = message.parameter(Tag.MESSAGE_STATE)
    told = _STATE.search(text)
    if state:
        word = STATES.get(state[0], "UNKNOWN")
    else:
        word = told[1].decode("ascii").upper()[:7] if told else "UNKNOWN"
    word = _SPELT_OUT.get(word, word)
    error = _ERROR.search(text)
    return DeliveryReport(
        message_id=octets.decode("ascii", "replace"),
        state=word,
        error=error[1].decode("ascii", "replace") if error else "",
        final=word in _FINAL,
    )


def same_ids(message_id: str) -> tuple[str, ...]:
    """Return the forms in which a centre may name a message: as it is, and in hex and decimal.

    Centres are known to answer in hexadecimal digits and to report in decimal ones, or the other
    way round, with or without leading zeros.
    """
    forms = [message_id, message_id.lstrip("0").lower()]
    if re.fullmatch(r"[0-9]+", message_id):
        forms.append(f"{int(message_id):x}")
    if re.fullmatch(r"[0-9A-Fa-f]+", message_id):
        forms.append(str(int(message_id, 16)))
    return tuple(dict.fromkeys(forms))
