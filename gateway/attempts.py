"""Counting wrong query codes, so that nobody can guess their way to a ticket."""

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network

#: Wrong codes that a number or an address may give within the window (contract section 4).
ALLOWED = 10
WINDOW_S = 600.0
#: Numbers and addresses remembered; the least recently wrong is forgotten first.
KEPT = 50_000


def network_of(address: str) -> str:
    """Return whose an address is: of IPv6 its /64, as one line has all addresses in it.

    Source: RFC 6177 §2, what a subscriber is given at least.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ip_network((int(parsed), 64), strict=False))


class Attempts:
    """Wrong tries a key within a sliding window."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def blocked_for(self, key: str, now: float) -> float:
        """Return the seconds until ``key`` may try again, 0 if it may now."""
        tries = self._wrong.get(key)
        if tries is None:
            return 0.0
        while tries and tries[0] <= now - WINDOW_S:
            tries.popleft()
        if not tries:
            del self._wrong[key]
            return 0.0
        return tries[0] + WINDOW_S - now if len(tries) >= ALLOWED else 0.0

    def wrong(self, key: str, now: float) -> None:
        """Count a wrong try."""
        tries = self._wrong.setdefault(key, deque(maxlen=ALLOWED))
        tries.append(now)
        self._wrong.move_to_end(key)
        if len(self._wrong) > KEPT:
            self._wrong.popitem(last=False)
