"""Recording what became of deliveries, many in one transaction."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.store.base import Outcome, Store
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: How long a store that refused gets before it is asked again.
PAUSE_S = 1.0


class Settler:
    """Writes outcomes; those that come while one batch is written make the next.

    An outcome that cannot be written is kept and written later. Should its lease end before, the
    delivery is made once more under the same id, which is what "at least once" allows.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settled: Callable[[Sequence[Outcome], bool], None],
        *,
        urgent: bool = False,
    ) -> None:
        self._urgent = urgent
        self._store = store
        self._clock = clock
        self._settled = settled
        self._waiting: list[Outcome] = []
        self._unwritten: set[int] = set()
        self._task: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    @property
    def pending(self) -> int:
        """How many outcomes are not written yet."""
        return len(self._unwritten)

    def holds(self, seq: int) -> bool:
        """Return whether this delivery's outcome is known and not written yet."""
        return seq in self._unwritten

    def put(self, outcome: Outcome) -> None:
        """Have an outcome written soon."""
        self._waiting.append(outcome)
        self._unwritten.add(outcome.seq)
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def close(self) -> None:
        """Write what is left; what the store refuses is left to the leases' end."""
        self._closing.set()
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    more = await self._store.settle(batch, urgent=self._urgent)
                except StoreError as error:
                    self._waiting[:0] = batch
                    log.warning(
                        "dispatch.unsettled", extra={"count": len(batch), "why": str(error)}
                    )
                    if self._closing.is_set():
                        return
                    await self._clock.wait(self._closing, PAUSE_S)
                else:
                    self._unwritten.difference_update(outcome.seq for outcome in batch)
                    self._settled(batch, more)
        finally:
            self._task = None
