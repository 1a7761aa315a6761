"""A call as an inbound message: pure, so that a repeat makes the same one.

Source: contract section 5: every answered call is one ticket, a broken-off one a draft; the called
number is ``channel.called``.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from channels.phone.g711 import RATE
from channels.phone.link import Call
from normalizer.phone import to_e164
from normalizer.schema import Attachment, Inbound, Requester, Value

#: What stands for words that nobody has understood yet. It names no telephone and no power (电): a
#: ticket of which nothing is known must not go to the units that are in charge of those.
UNHEARD = "（接通后未说明诉求即挂断，请回拨）"
RECORDED = "（语音来件，待转写，请收听）"
WITHOUT_SOUND = "（已接通，未能留下语音，请回拨）"
TRANSFERRED = "（已转接人工坐席）"
ASKED_FOR_HELP = "（来电人按9键紧急求助）"
#: `Call.how` of a call that a seat took.
TAKEN = "transferred"


class Account(Value, frozen=True, kw_only=True):
    """Whose calls they are."""

    name: str
    area_code: str | None = None  #: of callers whose number has none


def key_of(call: Call) -> str:
    """Return what a call is known by: one INVITE, however often it is sent.

    Two workers may have answered the same one, the first of which died: what the second heard is
    a call of its own.
    """
    key = f"{call.call_id};{call.from_tag}"
    return f"{key};{call.id}" if call.again else key


def words_of(call: Call, heard: str) -> str:
    """Return the text of a call's ticket.

    Args:
        call: The finished call.
        heard: What the recognizer understood; empty: nothing, or there is none.
    """
    said = heard.strip()
    if not said:
        if call.how == TAKEN:
            said = TRANSFERRED
        else:
            said = UNHEARD if not call.spoke else RECORDED if call.octets else WITHOUT_SOUND
    return f"{ASKED_FOR_HELP}{said}" if call.reported else said


def whole(
    call: Call,
    account: Account,
    heard: str,
    recording: Sequence[Attachment],
    now: datetime,
    *,
    continues: str | None = None,
) -> Inbound:
    """Return the message of a finished call.

    A call in which something was said that nobody has understood goes to a human at once: it may
    be an emergency. Where no word was said the caller is to be called back.

    Args:
        call: It.
        account: Whose.
        heard: What the recognizer understood.
        recording: The recording, stored already.
        now: Our clock.
        continues: Number of the ticket that its first words made.
    """
    understood = bool(heard.strip()) or call.how == TAKEN  # by whoever sits there
    continues = continues or call.number or None
    inbound = _inbound(call, account, words_of(call, heard), now)
    return msgspec.structs.replace(
        inbound,
        key=key_of(call) + (":end" if continues else ""),
        digest=_digest("whole", call),
        attachments=tuple(recording),
        draft=not (call.spoke or call.reported or understood),
        undecodable=not understood and (call.spoke or call.reported),
        continues=continues,
    )


def early(call: Call, account: Account, heard: str, now: datetime) -> Inbound:
    """Return the message of a call that goes on and cannot wait for its end.

    Its ticket is the call's only one: what follows is added to it.
    """
    text = heard.strip() or ASKED_FOR_HELP
    return msgspec.structs.replace(
        _inbound(call, account, text, now),
        digest=_digest("early", call),
        undecodable=not heard.strip(),
    )


def ended(call: Call, message: Inbound) -> Inbound:
    """Return the message of first words as one that only repeats the finished call, if that is known."""
    return msgspec.structs.replace(message, digest=_digest("whole", call))


def more(call: Call, account: Account, heard: str, now: datetime, number: str) -> Inbound:
    """Return the message of words that tell of an emergency in a call that is a ticket already."""
    return msgspec.structs.replace(
        _inbound(call, account, heard.strip() or ASKED_FOR_HELP, now),
        key=f"{key_of(call)}:more",
        digest=_digest("more", call),
        continues=number,
    )


def _inbound(call: Call, account: Account, text: str, now: datetime) -> Inbound:
    caller = to_e164(call.caller, account.area_code) if call.caller else None
    began = datetime.fromtimestamp(call.answered_at, UTC) if call.answered_at else now
    return Inbound(
        channel="phone",
        account=account.name,
        message_id=call.call_id,
        key=key_of(call),
        key_name="Call-ID",
        text=text,
        received_at=now,
        sent_at=began,
        raw=msgspec.json.encode(call),
        raw_type="application/json",
        requester=Requester(phone=caller or call.caller),
        called=call.called,
        # Calls of nobody in particular must not meet in one conversation.
        thread=caller or call.caller or f"call:{key_of(call)}",
        extra={"how": call.how, "keys": call.keys, "diverted_by": call.diverted_by},
    )


def _digest(part: str, call: Call) -> str:
    return hashlib.sha256(f"{part}:{key_of(call)}:{call.id}".encode()).hexdigest()


def attachment(call: Call, sha256: str, octets: int, side: int = 0) -> Attachment:
    """Return a recording as an attachment: the caller's, or the one of a side of the call."""
    began, who = datetime.fromtimestamp(call.answered_at, UTC), ""
    if side:
        other = call.sides[side - 1]
        began += timedelta(seconds=other.begins / RATE)
        who = f"-{other.to}"
    return Attachment(
        id=f"{side + 1}-{sha256[:16]}",
        name=f"recording-{began:%Y%m%dT%H%M%SZ}{who}.wav",
        media_type="audio/wav",
        bytes=octets,
        sha256=sha256,
    )


def shown(call: Call, number: str | None, text: str) -> dict[str, Any]:
    """Return what a page shows of a call that is about to ring there.

    Args:
        call: The call so far.
        number: Of the ticket that its first words made, if they made one.
        text: What was understood so far.
    """
    return {
        "id": call.id,
        "caller": call.caller,
        "called": call.called,
        "at": datetime.fromtimestamp(call.answered_at, UTC).isoformat(),
        "keys": call.keys,
        "number": number,
        "text": text,
    }
