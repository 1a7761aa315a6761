"""Message-IDs of ours: they tell which ticket a mail answers, and nobody else can make one.

``<NUMBER.KEY.MAC@domain>``: the ticket's number, the delivery's key (so that every try has the
same id) and the first 16 hexadecimal digits of a keyed hash over both.
"""

import hashlib
import hmac
import re

from normalizer.schema import Value

_OURS = re.compile(r"([0-9-]{5,40}|none)\.([0-9A-Za-z-]{1,64})\.([0-9a-f]{16})@[^@\s]{1,255}")


class Sent(Value, frozen=True, kw_only=True):
    """What a Message-ID of ours tells."""

    number: str | None  #: of the ticket; None of an alarm
    key: str  #: of the delivery


class OwnIds:
    """Makes our Message-IDs and knows them again.

    Args:
        secret: Of the instance.
        domain: What stands behind the @.
    """

    def __init__(self, secret: bytes, domain: str) -> None:
        self._secret = secret
        self._domain = domain

    def make(self, key: str, number: str | None) -> str:
        """Return the id, without brackets, of the mail that is sent for a delivery."""
        plain = re.sub(r"[^0-9A-Za-z-]", "-", key)[:64] or "-"
        told = number or "none"
        return f"{told}.{plain}.{self._mac(told, plain)}@{self._domain}"

    def read(self, message_id: str) -> Sent | None:
        """Return what an id of ours tells; None for everybody else's."""
        found = _OURS.fullmatch(message_id.strip().strip("<>"))
        if found is None or not hmac.compare_digest(found[3], self._mac(found[1], found[2])):
            return None
        return Sent(number=None if found[1] == "none" else found[1], key=found[2])

    def _mac(self, number: str, key: str) -> str:
        told = f"mail:{number}:{key}".encode()
        return hmac.new(self._secret, told, hashlib.sha256).hexdigest()[:16]
