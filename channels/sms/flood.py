"""Slowing a sender who floods, so that the others do not wait behind them."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

#: Messages of one sender within a minute that go through at full speed.
FREE = 20
#: Messages of one sender within a minute that go through at full speed for what they say.
URGENT = 5
_WINDOW_S = 60.0
#: Each further one waits a little longer, but less than carriers wait for an answer.
_STEP_S = 0.25
_MOST_S = 5.0
_SENDERS = 10_000


class Flood:
    """Counts what each sender sent within the last minute."""

    def __init__(self, free: int = FREE) -> None:
        self._free = free
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._urgent: OrderedDict[str, deque[float]] = OrderedDict()

    def delay(self, sender: str, now_s: float, urgent: Callable[[], bool]) -> float:
        """Return for how many seconds a sender's message should wait, and count it.

        Args:
            sender: Whose it is.
            now_s: Our clock.
            urgent: Whether the message sounds like an emergency; asked of a flood only.
        """
        count = _count(self._seen, sender, now_s, self._free + 64)
        if count <= self._free:
            return 0.0
        if urgent() and _count(self._urgent, sender, now_s, URGENT + 1) <= URGENT:
            return 0.0
        return min(_MOST_S, (count - self._free) * _STEP_S)

    async def wait(self, sender: str, now_s: float, urgent: Callable[[], bool]) -> None:
        """Wait for as long as a sender's message should."""
        delay = self.delay(sender, now_s, urgent)
        if delay:
            await asyncio.sleep(delay)


def _count(seen: OrderedDict[str, deque[float]], sender: str, now_s: float, most: int) -> int:
    """Return how many there were within the window, this one included."""
    times = seen.setdefault(sender, deque(maxlen=most))
    seen.move_to_end(sender)
    if len(seen) > _SENDERS:
        seen.popitem(last=False)
    while times and now_s - times[0] >= _WINDOW_S:
        times.popleft()
    times.append(now_s)
    return len(times)
