"""Who calls, and which number they dialled, out of the headers of an INVITE.

A merged hotline (12315, 12329 …) is reached by diversion: the network sends the call to 12345 and
tells in Diversion or History-Info what was dialled. Source: RFC 3261 (Request-URI, To), RFC 3966
(``tel:``), RFC 5806 (Diversion), RFC 7044 (History-Info), RFC 3325 (P-Asserted-Identity).
"""

import re
from collections.abc import Iterator
from urllib.parse import unquote

from channels.phone.sip import SipMessage, address_of, split_list
from normalizer.schema import Value

#: A user part may have parameters and, as of old, a password.
_SIP_USER = re.compile(r"sips?:([^@:]+)(?::[^@]*)?@", re.IGNORECASE)
_TEL = re.compile(r"tel:([^;?]+)", re.IGNORECASE)
_NUMBER = re.compile(r"\+?[0-9*#]{2,20}")
#: What a network writes in From where the caller is withheld.
_NOBODY = frozenset({"anonymous", "unavailable", "unknown", "restricted"})
_INDEX = re.compile(r";\s*index\s*=\s*([0-9.]+)", re.IGNORECASE)


class Parties(Value, frozen=True, kw_only=True):
    """Who calls whom."""

    caller: str | None  #: as the network wrote it; None: withheld
    withheld: bool  #: the caller asked that their number is not shown
    called: str | None  #: what was dialled first
    diverted_by: str = ""  #: header that told it: diversion, history-info, to or request-uri


def number_of(uri: str) -> str | None:
    """Return the number in a ``sip:`` or ``tel:`` URI, separators left out; None: it has none."""
    found = _TEL.match(uri) or _SIP_USER.match(uri)
    if found is None:
        return None
    # RFC 3966 section 5.1.1: visual separators; a user part may have parameters behind it.
    digits = re.sub(r"[-.() ]", "", unquote(found[1]).split(";")[0])
    return digits if _NUMBER.fullmatch(digits) else None


def read(invite: SipMessage) -> Parties:
    """Return who calls and what they dialled."""
    caller = _caller(invite)
    called, told_by = next(_dialled(invite), (None, ""))
    return Parties(
        caller=caller,
        withheld=caller is None or _asked_for_privacy(invite),
        called=called,
        diverted_by=told_by,
    )


def _caller(invite: SipMessage) -> str | None:
    """Return the number that the network vouches for, else the one that the caller gives."""
    asserted = [v for line in invite.all("p-asserted-identity") for v in split_list(line)]
    preferred = invite.get("p-preferred-identity")
    sources = [*asserted, *([preferred] if preferred else []), invite.get("from") or ""]
    for value in sources:
        uri = address_of(value)
        user = _SIP_USER.match(uri)
        if user is not None and user[1].lower() in _NOBODY:
            continue
        if number := number_of(uri):
            return number
    return None


def _asked_for_privacy(invite: SipMessage) -> bool:
    """Return whether the number may be used but not shown. Source: RFC 3323 section 4.2."""
    privacy = (invite.get("privacy") or "").lower()
    return any(word.strip() in ("id", "user", "header") for word in privacy.split(";"))


def _dialled(invite: SipMessage) -> Iterator[tuple[str, str]]:
    """Yield what may have been dialled, the surest first, with the header that tells it."""
    # The last Diversion is the oldest: each hop puts its own on top (RFC 5806 section 6).
    for value in reversed(invite.all("diversion")):
        if number := number_of(address_of(value)):
            yield number, "diversion"
    # The lowest index of History-Info is what was dialled first (RFC 7044 section 10.3).
    for value in sorted(invite.all("history-info"), key=_index):
        if number := number_of(address_of(value)):
            yield number, "history-info"
    if number := number_of(address_of(invite.get("to") or "")):
        yield number, "to"
    if number := number_of(invite.uri):
        yield number, "request-uri"


def _index(value: str) -> tuple[int, ...]:
    found = _INDEX.search(value)
    return tuple(int(n) for n in found[1].split(".") if n) if found else (1 << 30,)


def to_dial(number: str) -> str:
    """Return a number as it is dialled from within mainland China."""
    if number.startswith("+86"):
        national = number[3:]
        mobile = re.fullmatch(r"1[3-9][0-9]{9}", national) is not None
        return national if mobile or len(national) < 9 else "0" + national
    return "00" + number[1:] if number.startswith("+") else number
