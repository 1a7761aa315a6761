"""What other gateways on the same store do: followed, so that each knows every open incident.

Tickets, deliveries and the ladder need nothing of this: they are in the store, and whoever comes
first takes them. But which incident a report joins is decided from memory, and the desks' pages are
shown what has just happened; so each gateway follows the incidents' events in the order of the store.
"""

import asyncio
import logging
from datetime import datetime
from typing import Protocol, cast

from gateway.clock import Clock
from gateway.desks.emergency import Emergency
from gateway.store.base import Store
from gateway.store.watching import Moved
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Seconds between two looks: until then a report that comes here does not join an incident that was
#: raised there.
LOOK_S = 0.25
#: Looks between two for gateways that are gone; what they had leased is due after two of those.
_TEND_EVERY = 4
#: Events looked at again at a start: what was raised while the open incidents were being read.
_OVERLAP = 200


class Meeting(Protocol):
    """A store that several gateways share."""

    async def moved(self, since: int | None) -> tuple[list[Moved], int]:
        """Return the incidents that have changed behind an event, and the newest event there is.

        ``since`` None: only where the events end now. Raises `StoreError`.
        """
        ...

    async def tend(self) -> int:
        """Make due what gateways that are gone had leased; return how much. Raises `StoreError`."""
        ...


def meeting_of(store: Store) -> Meeting | None:
    """Return a store as one that several gateways may share; None: it is this one's alone."""
    return cast("Meeting", store) if hasattr(store, "moved") else None


class Neighbours:
    """Follows what other gateways do.

    Args:
        meeting: The store they meet at.
        store: The same, to read incidents from.
        emergency: Who is told.
        clock: The time.
    """

    def __init__(self, meeting: Meeting, store: Store, emergency: Emergency, clock: Clock) -> None:
        self._meeting = meeting
        self._store = store
        self._emergency = emergency
        self._clock = clock
        self._since: int | None = None
        self._looks = 0

    async def run(self) -> None:
        """Follow until cancelled; the store's failures are waited out."""
        never = asyncio.Event()
        while True:
            try:
                await self.look()
            except StoreError as error:
                log.warning("neighbours.store_failed", extra={"why": type(error).__name__})
            await self._clock.wait(never, LOOK_S)

    async def look(self) -> None:
        """Take in what has happened since the last look. Raises `StoreError`."""
        if self._looks % _TEND_EVERY == 0:
            await self._meeting.tend()
        self._looks += 1
        if self._since is None:
            _, head = await self._meeting.moved(None)
            self._since = max(0, head - _OVERLAP)
        moved, head = await self._meeting.moved(self._since)
        now = self._clock.now()
        for one in moved:
            await self._take(one, now)
        self._since = head  # not before: what failed is looked at again

    async def _take(self, one: Moved, now: datetime) -> None:
        emergency = self._emergency
        emergency.feed.moved(one.incident, one.version)
        if not one.is_open:
            emergency.index.forget(one.incident)
        elif not emergency.index.knows(one.incident):
            stored = await self._store.incident(one.incident)
            if stored is not None:
                await emergency.index.learn(self._store, stored, now)
        if one.ladder_at is not None:
            emergency.ladder.wake(one.ladder_at)
