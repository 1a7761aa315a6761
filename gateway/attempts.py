"""Counting tries: wrong query codes, so that nobody guesses their way to a ticket, and texts asked for."""

from collections import OrderedDict, deque
from ipaddress import IPv6Address, ip_address, ip_network

from normalizer.errors import GatewayError

#: Wrong codes that a number or an address may give within the window (contract section 4).
ALLOWED = 10
WINDOW_S = 600.0
#: Numbers and addresses remembered; the one whose last try is oldest is forgotten first.
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


class TooMany(GatewayError):
    """Too many tries.

    Attributes:
        after_s: Seconds until the next try.
    """

    code = "too_many"

    def __init__(self, after_s: float) -> None:
        super().__init__("too many wrong query codes; please wait")
        self.after_s = after_s


class Attempts:
    """Tries a key within a sliding window.

    Args:
        allowed: So many within the window; then no more.
        window_s: Its length.
    """

    def __init__(self, allowed: int = ALLOWED, window_s: float = WINDOW_S) -> None:
        self._allowed = allowed
        self._window_s = window_s
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def blocked_for(self, key: str, now: float) -> float:
        """Return the seconds until ``key`` may try again, 0 if it may now."""
        tries = self._tries.get(key)
        if tries is None:
            return 0.0
        while tries and tries[0] <= now - self._window_s:
            tries.popleft()
        if not tries:
            del self._tries[key]
            return 0.0
        return tries[0] + self._window_s - now if len(tries) >= self._allowed else 0.0

    def count(self, key: str, now: float) -> None:
        """Count a try."""
        tries = self._tries.setdefault(key, deque(maxlen=self._allowed))
        tries.append(now)
        self._tries.move_to_end(key)
        if len(self._tries) > KEPT:
            self._tries.popitem(last=False)
