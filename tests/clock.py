"""A clock that moves only when a test says so."""

import asyncio
from datetime import UTC, datetime, timedelta

#: Where every fake clock starts unless told otherwise: a Monday morning in China.
START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class FakeClock:
    """Time that a test advances; whoever waits on it wakes when their instant is reached."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._now = start
        self._waiting: list[tuple[datetime, asyncio.Future[bool]]] = []

    def now(self) -> datetime:
        """Return the fake instant."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds advanced so far."""
        return (self._now - self._start).total_seconds()

    async def wait(self, event: asyncio.Event, timeout_s: float | None) -> bool:
        """Return True once ``event`` is set, False when the fake time has passed first."""
        if event.is_set():
            await asyncio.sleep(0)
            return True
        woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        entry = None
        if timeout_s is not None:
            entry = (self._now + timedelta(seconds=timeout_s), woken)
            self._waiting.append(entry)
        watcher: asyncio.Future[bool] = asyncio.ensure_future(event.wait())
        try:
            futures: set[asyncio.Future[bool]] = {woken, watcher}
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
            return event.is_set()
        finally:
            watcher.cancel()
            woken.cancel()
            if entry is not None and entry in self._waiting:
                self._waiting.remove(entry)

    async def settle(self, rounds: int = 20, real_s: float = 0.005) -> None:
        """Let whatever can run now run; ``real_s`` is for sockets and threads that take real time."""
        for _ in range(rounds):
            await asyncio.sleep(0)
        await asyncio.sleep(real_s)
        for _ in range(rounds):
            await asyncio.sleep(0)

    async def advance(self, seconds: float, step: float | None = None) -> None:
        """Move time on by ``seconds``, waking each waiter at its own instant, in order.

        Args:
            seconds: How far.
            step: Settle at least every so many seconds, for code that reads the time only.
        """
        end = self._now + timedelta(seconds=seconds)
        await self.settle()
        while self._now < end:
            due = [at for at, _ in self._waiting if at > self._now]
            target = min([end, *due])
            if step is not None:
                target = min(target, self._now + timedelta(seconds=step))
            self._now = target
            for at, woken in list(self._waiting):
                if at <= self._now and not woken.done():
                    woken.set_result(False)
            await self.settle()
