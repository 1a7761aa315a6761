"""The outbox worker: every delivery reaches its destination, or an operator hears of it.

Each destination has two workers that share nothing but the adapter, one a lane. An emergency never
waits for an ordinary delivery: it has its own claims, its own tries, its own schedule and, in the
adapter, its own connections. The breaker spares a destination that is down the backlog of the
ordinary lane; it never holds the emergency lane.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from random import Random, SystemRandom

from gateway.clock import Clock
from gateway.health import Part
from gateway.outbox.destination import Counters, Destination, Nowhere, Options, Outlet, Pace, Shared
from gateway.outbox.fresh import Fresh
from gateway.outbox.worker import Worker
from gateway.store.base import Delivery, Lane, Store
from gateway.view import Public
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: A worker's looks at its queue between two looks for destinations that nobody named.
_STRAYS_POLLS = 4


class Dispatcher:
    """All workers, by destination and lane."""

    def __init__(
        self,
        store: Store,
        outlets: Mapping[str, Outlet],
        public: Public,
        clock: Clock,
        counters: Counters,
        *,
        options: Options | None = None,
        random: Random | None = None,
    ) -> None:
        """Make a dispatcher that does nothing yet.

        Args:
            store: Where the outbox is.
            outlets: Adapters, opened, by destination, or by what stands before its colon:
                ``backoffice``, ``liaison`` (for ``liaison:119``), ``notify``.
            public: What views need to know.
            clock: The time.
            counters: Where deliveries and alarms are counted.
            options: Bounds of the workers.
            random: For jitter.
        """
        self._outlets = outlets
        #: Where who stores an event leaves its item.
        self.fresh = Fresh()
        #: Told when ordinary deliveries have to go slow.
        self.pace = Pace()
        self._shared = Shared(
            store,
            clock,
            public,
            counters,
            options or Options(),
            random or SystemRandom(),
            self.fresh,
            self.pace,
        )
        self._destinations: dict[str, Destination] = {}
        self._workers: dict[tuple[str, Lane], Worker] = {}
        self._search: asyncio.Task[None] | None = None
        self._stopping = False

    def start(self, destinations: Iterable[str] | None = None) -> None:
        """Start the workers of these destinations, by default of the outlets; others when woken."""
        for name in self._outlets if destinations is None else destinations:
            self._to(name)
        self._search = asyncio.create_task(self._find_strays())

    def wake(self, destination: str, lane: Lane) -> None:
        """Look for new deliveries now."""
        if not self._stopping:
            self._worker(destination, lane).wake()

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Carry away deliveries that are leased to this process already."""
        if self._stopping:
            return  # the end of their lease gives them back
        for delivery in deliveries:
            self._worker(delivery.destination, delivery.lane).hand_over([delivery])

    def enable(self, destination: str | None = None) -> None:
        """Try again what was switched off by a 410, one destination or all."""
        now = self._shared.clock.now()
        for to in self._destinations.values():
            if not to.configured or destination not in (None, to.name):
                continue
            to.off = None
            for lane in Lane:
                self._workers[to.name, lane].resume()
            to.note(now)

    def health(self) -> dict[str, Part]:
        """Return the state of each destination."""
        return {
            name: Part(state=to.state, since=to.since, why=to.why)
            for name, to in self._destinations.items()
        }

    async def stop(self, grace_s: float) -> None:
        """Finish what is under way, for ``grace_s`` at most, and give all other leases back."""
        self._stopping = True
        if self._search is not None:
            self._search.cancel()
        await asyncio.gather(*(worker.stop(grace_s) for worker in self._workers.values()))

    def _worker(self, name: str, lane: Lane) -> Worker:
        self._to(name)
        return self._workers[name, lane]

    def _to(self, name: str) -> Destination:
        """Return a destination with its workers, made now if nobody has named it before."""
        to = self._destinations.get(name)
        if to is None:
            outlet = self._outlets.get(name) or self._outlets.get(name.partition(":")[0])
            now = self._shared.clock.now()
            to = Destination(name, outlet or Outlet(Nowhere()), now)
            self._destinations[name] = to
            for lane in Lane:
                self._workers[name, lane] = Worker(to, lane, self._shared)
            if outlet is None:
                to.switch_off("no adapter of this name is configured; its deliveries wait", now)
                log.error("destination.unknown", extra={"destination": name})
                self._shared.counters.count("unknown_destination", name)
        return to

    async def _find_strays(self) -> None:
        """Start the workers of destinations that only the outbox knows.

        Those of an earlier process, and those that a command beside this one has written to.
        """
        never = asyncio.Event()
        while not self._stopping:
            try:
                for name in await self._shared.store.destinations():
                    self._to(name)
            except StoreError as error:
                log.warning("dispatch.no_store", extra={"where": "strays", "why": str(error)})
            await self._shared.clock.wait(never, _STRAYS_POLLS * self._shared.options.poll_s)
