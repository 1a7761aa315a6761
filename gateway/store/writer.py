"""A thread that carries the store's batches out."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from gateway.line import Answers, Line


class ThreadEngine:
    """Carries batches out in a thread of its own.

    Args:
        line: Whose batches.
        run: Carries out a batch; must not raise.
        after: Called between batches with whether nothing waits.
        close: Called in the thread at its end.
    """

    depth = 1  #: what waits meanwhile shares the next commit
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

    def send(self, items: list[Any]) -> bool:
        """Begin a batch."""
        self._batches.put(items)
        return True

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
