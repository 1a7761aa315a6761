"""Live changes of incidents for the desks' pages: read once from the store, sent to all.

Independent of the liaison queue and of the outbox, so pages stay live when either is in trouble.
Each listener has a queue of its own; one that does not keep up is dropped, reconnects and gets
the open incidents anew.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from gateway.clock import Clock
from gateway.desks.roster import Roster
from gateway.desks.view import desk_views
from gateway.outbox.answers import concerns
from gateway.store.base import Store, StoredIncident
from normalizer.errors import StoreError
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: Changes that wait for one listener before it is dropped.
BOUND = 256
#: Incidents read together: they share the store's answers, so that in a flood the newest emergency
#: does not wait while those before it are read one by one.
_AT_ONCE = 32
_RETRY_S = 0.5


class Change(Value, frozen=True, kw_only=True):
    """The newest state of an incident."""

    incident: str
    version: int
    seq: int  #: of its newest event: grows over all incidents
    body: bytes  #: its view as JSON


class Listener:
    """One page's queue."""

    def __init__(self, desk: str) -> None:
        self.desk = desk
        self.dropped = False  #: too slow, or the gateway stops
        self.woken = asyncio.Event()
        self._changes: deque[Change] = deque()

    def put(self, change: Change) -> None:
        """Queue a change, or drop the listener if it is `BOUND` changes behind."""
        if len(self._changes) >= BOUND:
            self.drop()
        else:
            self._changes.append(change)
            self.woken.set()

    def drop(self) -> None:
        """Let the listener's connection end."""
        self._changes.clear()
        self.dropped = True
        self.woken.set()

    def take(self) -> list[Change]:
        """Return what waits, oldest first."""
        self.woken.clear()
        changes = list(self._changes)
        self._changes.clear()
        return changes


class Feed:
    """Reads what changed and hands it to every listener concerned."""

    def __init__(
        self, store: Store, roster: Callable[[], Roster], zone: ZoneInfo, clock: Clock
    ) -> None:
        self._store = store
        self._roster = roster
        self._zone = zone
        self._clock = clock
        self._listeners: set[Listener] = set()
        self._dirty: dict[str, None] = {}
        self._woken = asyncio.Event()

    def touch(self, incident_id: str) -> None:
        """Have an incident that has just changed read and sent."""
        if self._listeners:
            self._dirty[incident_id] = None
            self._woken.set()

    def listen(self, desk: str) -> Listener:
        """Return a queue of all changes that concern a desk from now on."""
        listener = Listener(desk)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        self._listeners.discard(listener)

    def listening_at(self, desk: str) -> int:
        """Return how many of a desk's pages are connected."""
        return sum(one.desk == desk for one in self._listeners)

    def close(self) -> None:
        """End every page's connection, as before a stop: they connect again by themselves."""
        for listener in tuple(self._listeners):
            listener.drop()

    async def run(self) -> None:
        """Send changes until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            dirty, self._dirty = list(self._dirty), {}
            for position in range(0, len(dirty), _AT_ONCE):
                try:
                    await self._send(dirty[position : position + _AT_ONCE])
                except StoreError:
                    log.warning("feed.store_failed", extra={"incidents": len(dirty) - position})
                    self._dirty = dict.fromkeys((*dirty[position:], *self._dirty))
                    await self._clock.wait(asyncio.Event(), _RETRY_S)
                    self._woken.set()
                    break

    async def _send(self, ids: Sequence[str]) -> None:
        found = await asyncio.gather(*(self._store.incident(one) for one in ids))
        desks = {listener.desk for listener in self._listeners}
        told = [s for s in found if s is not None and any(concerns(s, desk) for desk in desks)]
        told.sort(key=lambda stored: stored.events[-1].seq)
        for stored, change in zip(told, await self.changes_of(told), strict=True):
            for listener in [one for one in self._listeners if concerns(stored, one.desk)]:
                listener.put(change)
                if listener.dropped:
                    self.leave(listener)
                    log.warning("feed.listener_dropped", extra={"desk": listener.desk})

    async def changes_of(self, incidents: Sequence[StoredIncident]) -> list[Change]:
        """Return the newest states of incidents as they are sent. Raises `StoreError`."""
        views = await desk_views(self._store, incidents, self._zone, self._roster())
        return [
            Change(
                incident=stored.incident.id,
                version=stored.version,
                seq=stored.events[-1].seq,
                body=msgspec.json.encode(view),
            )
            for stored, view in zip(incidents, views, strict=True)
        ]
