"""Keys that a caller presses: telephone events inside RTP, and INFO requests.

Source: RFC 4733 sections 2.3 and 2.5; RFC 6086 for INFO, whose bodies ``application/dtmf-relay``
and ``application/dtmf`` are what gateways send.
"""

import re
from collections import deque

KEYS = "0123456789*#ABCD"
#: Events whose time stamps are remembered, for packets that come thrice or late.
_REMEMBERED = 8

_SIGNAL = re.compile(rb"^\s*signal\s*=\s*([0-9A-D*#]|1[01])\s*$", re.IGNORECASE | re.MULTILINE)
_BARE = re.compile(rb"\s*([0-9A-D*#])\s*", re.IGNORECASE)


class Events:
    """Tells each key once, however many packets of it come and whichever of them is lost."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, int]] = deque(maxlen=_REMEMBERED)

    def put(self, ssrc: int, timestamp: int, payload: bytes) -> str | None:
        """Return the key that a packet tells of for the first time.

        All packets of one event have the time stamp of its beginning, which is what tells events
        apart: the marker of the first may be lost. What is no key (16 is a flash) is passed over.
        """
        if len(payload) < 4 or payload[0] >= len(KEYS) or (ssrc, timestamp) in self._seen:
            return None
        self._seen.append((ssrc, timestamp))
        return KEYS[payload[0]]


def of_info(body: bytes) -> str | None:
    """Return the key that the body of an INFO request tells; None: it tells none."""
    found = _SIGNAL.search(body) or _BARE.fullmatch(body)
    if found is None:
        return None
    signal = found[1].decode("ascii").upper()
    return {"10": "*", "11": "#"}.get(signal, signal)
