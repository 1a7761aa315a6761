"""Rounds: short messages that wait together are read together, each step for all of them.

Reading a message takes many small steps through much code and large tables. Taken one step at a
time for a whole round, the processor's caches hold what a step needs; it is a third faster than
message by message. A round has an end, so that the loop looks at its sockets in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Messages of one round: read in about two milliseconds.
MOST_IN_ROUND = 8


def read_each(
    read: Callable[[Sequence[T]], Sequence[R]], items: Sequence[T]
) -> list[R | Exception]:
    """Return the results of reading items together; where that fails, each one's, or its fault."""
    try:
        return list(read(items))
    except Exception as error:  # noqa: BLE001 - one bad message must not fail the others
        if len(items) == 1:
            # No future takes a StopIteration.
            return [RuntimeError("nothing more") if isinstance(error, StopIteration) else error]
    return [read_each(read, [item])[0] for item in items]


class Rounds(Generic[T, R]):
    """Collects what arrives and reads it round by round. Used on one event loop.

    Args:
        read: Returns the results of a round's items in order. If it raises, each item is read alone,
            and what it raises then is raised to whoever asked.
        most: Items of one round.
    """

    def __init__(
        self, read: Callable[[Sequence[T]], Sequence[R]], most: int = MOST_IN_ROUND
    ) -> None:
        self._read = read
        self._most = most
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for their round."""
        return len(self._waiting)

    def ask(self, item: T) -> asyncio.Future[R]:
        """Return the future result of an item."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # After the callbacks that are ready now: what they bring shares the round.
            loop.call_soon(self._next)
        future: asyncio.Future[R] = loop.create_future()
        self._waiting.append((item, future))
        return future

    def _next(self) -> None:
        taken: list[tuple[T, asyncio.Future[R]]] = []
        while self._waiting and len(taken) < self._most:
            asked = self._waiting.popleft()
            if not asked[1].done():  # else whoever asked was cancelled
                taken.append(asked)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._next)
        results = read_each(self._read, [item for item, _ in taken])
        for (_, future), result in zip(taken, results, strict=True):
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)
