"""Reading long letters beside the loop: one at a time, what sounds urgent first."""

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

from gateway.judge.rulebook import Rulebook
from normalizer.text import fold, normalize_text

T = TypeVar("T")

#: Code points; a text of this length is read in about a millisecond.
LONG_TEXT = 600
#: A place in the line: whether it sounds ordinary, its length, its order of arrival.
_Turn = tuple[bool, int, int]


def sounds_urgent(text: str, rulebook: Rulebook) -> bool:
    """Return whether a letter's beginning or end plainly names a happening: a quick look."""
    if len(text) > 2 * LONG_TEXT:
        text = f"{text[:LONG_TEXT]}\n{text[-LONG_TEXT:]}"
    return bool(rulebook.alarming.find_matches_as_indexes(fold(normalize_text(text))))


class Letters:
    """A line of long letters. Used on one event loop.

    Two at a time would only take the interpreter from the loop, where short texts are read, so
    there is one; and a letter that sounds urgent, or a shorter one, need not wait for the others.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[_Turn, Callable[[], Any], asyncio.Future[Any]]] = []
        self._order = count()
        self._reader: asyncio.Task[None] | None = None

    async def read(self, text: str, rulebook: Rulebook, work: Callable[[], T]) -> T:
        """Return what ``work`` makes of ``text``; a short one is read here and now."""
        if len(text) <= LONG_TEXT:
            return work()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        turn = (not sounds_urgent(text, rulebook), len(text), next(self._order))
        heappush(self._waiting, (turn, work, future))
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_all())
        return await future

    async def _read_all(self) -> None:
        try:
            while self._waiting:
                _, work, future = heappop(self._waiting)
                if not future.done():  # else whoever asked was cancelled
                    await self._read_one(work, future)
        finally:
            self._reader = None

    async def _read_one(self, work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        read = asyncio.get_running_loop().run_in_executor(None, work)
        await asyncio.wait((read,))
        if future.done():
            read.exception()
        elif (error := read.exception()) is not None:
            future.set_exception(error)
        else:
            future.set_result(read.result())
