"""One batch under way while the next one collects, and a thread that carries batches out.

The loop's side owns what waits, so there are no locks: a batch is handed over whole, and its
answers come back in one call, whatever their number. What is urgent goes to the thread behind the
batch that is under way, so that it need not wait for a turn at the loop before its own commit.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import chain
from queue import SimpleQueue
from typing import Any, Protocol

from normalizer.errors import StoreError

#: Changes in one batch: what a commit costs is spread thin enough, and an emergency that has just
#: missed one waits a few milliseconds for its end.
MOST_IN_BATCH = 64

#: Askers who are answered in one round of the loop. Each goes on at once: with all of a batch, a
#: message that has just arrived would wait for the end of sixty others.
ANSWERED_AT_ONCE = 8

#: More than this waiting means that the disk does not keep up; the rest is turned away at once.
MOST_WAITING = 20_000

#: Results in order, and what went wrong by position.
Answers = tuple[Sequence[Any], dict[int, str]]


class Engine(Protocol):
    """Carries out one batch at a time in the order of sending, away from the loop."""

    #: Whether a batch may be sent while another is under way.
    express: bool

    def send(self, items: list[Any]) -> None:
        """Begin a batch; `Line.answered` is called on the loop when it is done."""
        ...

    async def stop(self) -> None:
        """Let go of everything. No batch is under way."""
        ...


class Line:
    """Questions waiting for an engine. Used on one event loop.

    Args:
        unwanted: Told the question and the answer when the asker was cancelled meanwhile.
    """

    def __init__(self, unwanted: Callable[[Any, Any], None] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self._unwanted = unwanted
        self._urgent: deque[tuple[Any, asyncio.Future[Any]]] = deque()
        self._waiting: deque[tuple[Any, asyncio.Future[Any]]] = deque()
        self._under_way: deque[list[tuple[Any, asyncio.Future[Any]]]] = deque()
        self._scheduled = False
        self._engine: Engine | None = None
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self, engine: Engine) -> None:
        """Take questions from now on."""
        self._engine = engine

    def ask(self, item: Any, *, urgent: bool = False) -> asyncio.Future[Any]:
        """Return the future answer. The item is carried out even if the future is cancelled.

        Raises:
            StoreError: The store is closed, or too much waits already.
        """
        if self._closed or self._engine is None:
            raise StoreError("the store is closed")
        # What is urgent has room of its own: no ordinary flood turns an emergency away.
        if len(self._urgent if urgent else self._waiting) >= MOST_WAITING:
            raise StoreError(f"{MOST_WAITING} changes wait for the disk; try again later")
        future: asyncio.Future[Any] = self._loop.create_future()
        (self._urgent if urgent else self._waiting).append((item, future))
        if self._may_send(urgent=urgent):
            self._idle.clear()
            if urgent:  # at once; what is ready to run may take milliseconds
                self._send()
            elif not self._scheduled:
                # After the callbacks that are ready now: what they ask shares the commit.
                self._scheduled = True
                self._loop.call_soon(self._send)
        return future

    def _may_send(self, *, urgent: bool) -> bool:
        """Return whether a batch can go now: one at a time, and one of what is urgent behind it."""
        if not self._under_way:
            return True
        express = self._engine is not None and self._engine.express
        return urgent and express and len(self._under_way) == 1

    def _send(self) -> None:
        self._scheduled = False
        if not self._may_send(urgent=bool(self._urgent)):
            return
        alone = bool(self._under_way)
        asked: list[tuple[Any, asyncio.Future[Any]]] = []
        while len(asked) < MOST_IN_BATCH and (self._urgent or (self._waiting and not alone)):
            asked.append((self._urgent or self._waiting).popleft())
        if asked and self._engine is not None:
            self._under_way.append(asked)
            self._engine.send([item for item, _ in asked])
        elif not self._under_way:
            self._idle.set()

    def answered(self, answers: Answers) -> None:
        """Give the askers of the oldest batch under way their answers and begin the next batch."""
        asked = self._under_way.popleft()
        self._send()
        self._give(asked, *answers)

    def _give(
        self,
        asked: Sequence[tuple[Any, asyncio.Future[Any]]],
        results: Sequence[Any],
        errors: dict[int, str],
        start: int = 0,
    ) -> None:
        end = min(start + ANSWERED_AT_ONCE, len(asked))
        if end < len(asked):
            self._loop.call_soon(self._give, asked, results, errors, end)
        for position in range(start, end):
            (item, future), result = asked[position], results[position]
            if future.done():
                if self._unwanted is not None and position not in errors:
                    self._unwanted(item, result)
            elif position in errors:
                future.set_exception(StoreError(errors[position]))
            else:
                future.set_result(result)

    def failed(self, reason: str) -> None:
        """Fail the askers of what is under way and begin the next batch."""
        under_way, self._under_way = self._under_way, deque()
        for _, future in chain.from_iterable(under_way):
            if not future.done():
                future.set_exception(StoreError(reason))
        self._send()

    async def close(self) -> None:
        """Finish what was asked, then stop the engine. Later questions are refused."""
        self._closed = True
        await self._idle.wait()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()


class ThreadEngine:
    """Carries batches out in a thread of its own.

    Args:
        line: Whose batches.
        run: Carries out a batch; must not raise.
        after: Called between batches with whether nothing waits.
        close: Called in the thread at its end.
    """

    express = True

    def __init__(
        self,
        line: Line,
        run: Callable[[list[Any]], Answers],
        after: Callable[[bool], None],
        close: Callable[[], None],
        name: str,
    ) -> None:
        self._line = line
        self._run = run
        self._after = after
        self._close = close
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._batches: SimpleQueue[list[Any] | None] = SimpleQueue()
        # A daemon: a loop that was torn down without `stop` must not keep the process alive.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def send(self, items: list[Any]) -> None:
        """Begin a batch."""
        self._batches.put(items)

    def _work(self) -> None:
        while (items := self._batches.get()) is not None:
            answers = self._run(items)
            if not self._tell(self._line.answered, answers):
                break
            self._after(self._batches.empty())
        self._close()
        self._tell(self._ended.set)

    def _tell(self, callback: Callable[..., None], *values: Any) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback, *values)
        except RuntimeError:  # the loop is closed: nobody is left to answer
            return False
        return True

    async def stop(self) -> None:
        """Wait for the end of the thread."""
        self._batches.put(None)
        await self._ended.wait()
        self._thread.join()
