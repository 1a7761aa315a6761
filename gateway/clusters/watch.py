"""Looks through new tickets for those of one matter, beside intake and never in its way."""

import asyncio
import logging
from datetime import timedelta

from gateway.clock import Clock
from gateway.clusters.index import Cluster, ClusterIndex
from gateway.clusters.sameness import WINDOW, sketch_of
from gateway.ids import new_id
from gateway.outbox.events import GROWN
from gateway.ports import Outbox
from gateway.store.base import Change, Lane, NewDelivery, NewEvent, Store, StoredTicket
from normalizer.errors import StoreError
from normalizer.schema import Urgency

log = logging.getLogger(__name__)

#: The event of a ticket that was found to be of a cluster.
CLUSTERED = "clustered"
#: Citizens of a cluster at which the back office is told again.
STEPS = frozenset({5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000})
#: How old a ticket is before it is looked at: what its citizen adds or takes back at once is done,
#: and whoever watches one ticket has seen its own events first.
SETTLED = timedelta(minutes=2)
#: Tickets looked at in one round, and seconds between rounds: a flood is looked through behind it.
_ROUND = 40
_PAUSE_S = 1.0
#: Days before tomorrow that tickets may still be added to.
_LATEST = 2


class ClusterWatch:
    """Finds clusters in the order of the tickets' numbers.

    What it finds is written as events with a key of their own, so that a ticket looked at again
    after a restart is not written again.
    """

    def __init__(
        self, store: Store, clock: Clock, outbox: Outbox, index: ClusterIndex | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._index = index or ClusterIndex()
        self._seen: dict[str, str] = {}  #: by day, the last number looked at
        self._caught_up = False

    async def run(self) -> None:
        """Look through what comes until cancelled; the store's failures are waited out."""
        never = asyncio.Event()
        while True:
            try:
                looked_at = await self.look()
            except StoreError as error:
                log.warning("clusters.store_failed", extra={"why": type(error).__name__})
                looked_at = 0
            if looked_at < _ROUND:
                await self._clock.wait(never, _PAUSE_S)
            else:
                await asyncio.sleep(0)

    async def look(self) -> int:
        """Look at the next tickets, and return how many there were."""
        for day in self._days():
            found = await self._store.numbered(day, self._seen.get(day), _ROUND)
            settled = self._clock.now() - SETTLED
            found = [stored for stored in found if stored.ticket.received_at <= settled]
            for stored in found:
                await self._take(stored)
                self._seen[day] = stored.number
                await asyncio.sleep(0)  # between two, the loop is everybody's
            if found:
                return len(found)
        self._caught_up = True
        return 0

    def _days(self) -> list[str]:
        """Return the days to look through, oldest first: all at first, then the latest."""
        # A day more on both sides: a ticket's day is the instance's, ours is counted in UTC.
        today = self._clock.now() + timedelta(days=1)
        back = _LATEST if self._caught_up else WINDOW.days + 1
        days = [f"{today - timedelta(days=ago):%Y%m%d}" for ago in range(back, -1, -1)]
        self._seen = {day: number for day, number in self._seen.items() if day in days}
        return days

    async def _take(self, stored: StoredTicket) -> None:
        if stored.ticket.urgency is Urgency.EMERGENCY or self._index.knows(stored.number):
            return  # an emergency's reports are joined by its incident
        known = next((e.data["cluster"] for e in stored.events if e.event == CLUSTERED), None)
        cluster, grew = self._index.put(sketch_of(stored.number, stored.ticket), known)
        if known is not None or cluster.size == 1:
            return
        if cluster.size == 2:  # the first did not know yet that it was one
            first = await self._store.ticket(cluster.name)
            if first is not None:
                await self._write(first, cluster, told=False)
        await self._write(stored, cluster, told=grew and cluster.count in STEPS)

    async def _write(self, stored: StoredTicket, cluster: Cluster, *, told: bool) -> None:
        now = self._clock.now()
        event = NewEvent(
            at=now,
            event=CLUSTERED,
            by="gateway",
            data={"cluster": cluster.name},
            key=f"cluster:{cluster.name}",
        )
        deliveries: tuple[NewDelivery, ...] = ()
        if told:
            data = {
                "cluster": cluster.name,
                "count": cluster.count,
                "numbers": list(cluster.numbers),
            }
            to = stored.ticket.route.to
            deliveries = (
                NewDelivery(
                    id=new_id(),
                    destination=to,
                    lane=Lane.ORDINARY,
                    type=GROWN,
                    due_at=now,
                    data=data,
                ),
            )
        changed = await self._store.change(
            Change(ticket_id=stored.ticket.id, events=(event,), deliveries=deliveries)
        )
        self._outbox.hand_over(changed.leased)
        for delivery in deliveries:
            self._outbox.wake(delivery.destination, delivery.lane)
