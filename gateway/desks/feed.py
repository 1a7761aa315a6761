"""Live changes of incidents for the desks' pages: made once, sent to all.

A report that was just stored is shown from what is in hand, before anything else is done with it.
What happened otherwise (a desk's answer, a rung of the ladder, a report that another process
stored) is read from the store, many incidents together. Independent of the liaison queue and of
the outbox, so pages stay live when either is in trouble.

Whoever publishes writes to the pages himself, so that nothing waits for its turn at the loop.
A page whose connection does not take more gets each incident's newest state once it does; one that
does not keep up is dropped, reconnects and gets the open incidents anew.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.clock import Clock
from gateway.desks import board
from gateway.desks.board import Card, Change
from gateway.desks.roster import Roster
from gateway.desks.view import desk_views, words_of
from gateway.ports import Told
from gateway.store.base import IncidentChange, IncidentReport, Store, StoredIncident
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Incidents whose newest states wait for one listener before it is dropped.
BOUND = 256
#: Incidents read together: they share the store's answers, so that in a flood the newest does not
#: wait while those before it are read one by one.
_AT_ONCE = 32
_RETRY_S = 0.5
#: Incidents kept as they were last shown, and events known by their ids; what is forgotten is read.
_KEPT = 4096
#: What a record that cannot be shown brings.
_UNFIT = (ArithmeticError, LookupError, TypeError, ValueError)

#: Takes a change, and where to resume behind it; returns False if the page does not take more now.
Send = Callable[[Change, int], bool]


class Listener:
    """One page: sent to at once while nothing waits for it, else what waits for it."""

    def __init__(self, desk: str) -> None:
        self.desk = desk
        self.dropped = False  #: too slow, or the gateway stops
        self.woken = asyncio.Event()
        self.send: Send | None = None  #: while nothing is under way to the page
        self._waiting: dict[str, tuple[Card, int]] = {}
        self._calls: deque[bytes] = deque(maxlen=BOUND)

    def put(self, card: Card, resume: int) -> None:
        """Send a change, or keep it; drop the listener if it is `BOUND` incidents behind."""
        if self.dropped:
            return
        if self.send is not None and not self._waiting and not self.woken.is_set():
            if not self.send(card.change(), resume):
                self.woken.set()
            return
        self._waiting.pop(card.incident, None)  # behind those that changed before it
        if len(self._waiting) >= BOUND:
            self.drop()
        else:
            self._waiting[card.incident] = (card, resume)
            self.woken.set()

    def drop(self) -> None:
        """Let the listener's connection end."""
        self._waiting.clear()
        self.dropped = True
        self.woken.set()

    def ring(self, call: bytes) -> None:
        """Keep a call that is about to ring, and wake the page's connection."""
        self._calls.append(call)
        self.woken.set()

    def rings(self) -> list[bytes]:
        """Return the calls that are about to ring, each once."""
        rings = list(self._calls)
        self._calls.clear()
        return rings

    def take(self) -> list[tuple[Change, int]]:
        """Return what waits, in its newest state, oldest change first, and where to resume."""
        self.woken.clear()
        changes = [(card.change(), resume) for card, resume in self._waiting.values()]
        self._waiting.clear()
        return changes


class Feed:
    """Hands every change of an incident to every listener concerned."""

    def __init__(
        self, store: Store, roster: Callable[[], Roster], zone: ZoneInfo, clock: Clock
    ) -> None:
        self._store = store
        self._roster = roster
        self._zone = zone
        self._clock = clock
        self._listeners: dict[str, set[Listener]] = {}
        self._cards: OrderedDict[str, Card] = OrderedDict()
        self._shown: OrderedDict[str, None] = OrderedDict()  #: ids of events that pages have seen
        self._dirty: dict[str, None] = {}
        self._woken = asyncio.Event()
        self._reading: Collection[str] = ()
        self._resume = 0  #: every event up to this one was handed to the listeners
        self._latest = 0  #: newest event known

    def told(self, report: IncidentReport, incident: str, told: Told | None) -> Card | None:
        """Show what a report that is durable now makes of its incident.

        Return its card; None if what is in hand is not all there is, and the store is read.
        """
        self._note(*(d.id for d in (*report.on_raise, *report.on_join)))
        try:
            card = None if told is None else self._joined(report, incident, told)
        except _UNFIT as error:
            # It is stored, and whoever sent it must be told so. The trace may quote a citizen.
            log.error(  # noqa: TRY400 - see above
                "feed.unfit", extra={"incident": incident, "error": type(error).__name__}
            )
            card = None
        if card is None:
            self.touch(incident)
            return None
        self._put(card)
        return None if self._is_behind(incident) else card

    def _joined(self, report: IncidentReport, incident: str, told: Told) -> Card | None:
        """Return the incident's card with the report, None if it is not at hand."""
        seq, is_new = board.event_of(told.leased, incident)
        card = self._cards.get(incident)
        if is_new and seq is not None:
            card = board.raised(report, incident, told, seq, self._zone, self._roster())
            self._keep(card)
        elif card is not None:
            words = words_of(board.ticket_of(told), self._zone)
            card.join(told.number, report.incident.contacts, words)
        if card is not None and seq is not None:
            self._latest = max(self._latest, seq)
            self._advance()
        return card

    def touch(self, incident: str) -> None:
        """Have an incident that has just changed read and sent."""
        self._dirty[incident] = None
        self._woken.set()

    def arrived(self, event: str, incident: str) -> None:
        """Have an incident read if an event of it came by the queue that no page has seen.

        So come the reports that another process stored, and those from before a crash.
        """
        if event not in self._shown:
            self._note(event)
            self.touch(incident)

    def moved(self, incident: str, version: int) -> None:
        """Have an incident read if another gateway has made more of it than is shown."""
        known = self._version(incident)
        if known is None or known < version:
            self.touch(incident)

    def stepped(self, change: IncidentChange) -> None:
        """Show what a step that is durable now makes of its incident."""
        self._note(*(delivery.id for delivery in change.deliveries))
        incident = change.incident_id
        card = self._cards.get(incident)
        if card is None or self._is_behind(incident):
            self.touch(incident)
            return
        card.step(change, self._zone, self._roster())
        self._keep(card)
        self._put(card)

    def listen(self, desk: str) -> Listener:
        """Return a queue of all changes that concern a desk from now on."""
        listener = Listener(desk)
        self._listeners.setdefault(desk, set()).add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Stop listening."""
        listeners = self._listeners.get(listener.desk)
        if listeners is not None:
            listeners.discard(listener)
            if not listeners:
                del self._listeners[listener.desk]

    def listening_at(self, desk: str) -> int:
        """Return how many of a desk's pages are connected."""
        return len(self._listeners.get(desk, ()))

    def pop(self, desk: str, call: Mapping[str, Any]) -> None:
        """Show a call that is about to ring on a desk's pages; it is kept nowhere."""
        body = msgspec.json.encode(call)
        for listener in self._listeners.get(desk, ()):
            listener.ring(body)

    def close(self) -> None:
        """End every page's connection, as before a stop: they connect again by themselves."""
        self._cards.clear()  # the desks' settings may have changed
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.drop()

    async def run(self) -> None:
        """Read and send what was touched, until cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            await self._send_dirty()
            self._advance()

    async def _send_dirty(self) -> None:
        while self._dirty:
            some = list(islice(self._dirty, _AT_ONCE))
            for one in some:
                del self._dirty[one]
            self._reading = some
            try:
                await self._send(some)
            except StoreError:
                self._dirty = dict.fromkeys((*some, *self._dirty))
                log.warning("feed.store_failed", extra={"incidents": len(self._dirty)})
                await self._clock.wait(asyncio.Event(), _RETRY_S)
            finally:
                self._reading = ()

    async def _send(self, ids: Sequence[str]) -> None:
        before = [self._version(one) for one in ids]
        found = await asyncio.gather(*(self._store.incident(one) for one in ids))
        told = [stored for stored in found if stored is not None]
        told.sort(key=lambda stored: stored.events[-1].seq)
        cards = await self._cards_of(told)
        for one, version in zip(ids, before, strict=True):
            if self._version(one) != version:
                self.touch(one)  # a report joined meanwhile: what was read may lack it
        for card in cards:
            known = self._cards.get(card.incident)
            if known is None or known.version <= card.version:
                self._keep(card)
                self._put(card)

    async def changes_of(self, incidents: Sequence[StoredIncident]) -> list[Change]:
        """Return the newest states of incidents as they are sent. Raises `StoreError`."""
        unknown = []
        for stored in incidents:
            known = self._version(stored.incident.id)
            if known is None or known < stored.version:
                unknown.append(stored)
                if known is not None:
                    self.touch(stored.incident.id)
        made = {card.incident: card for card in await self._cards_of(unknown)}
        for card in made.values():
            if self._version(card.incident) is None:
                self._keep(card)
        shown = [made.get(i.incident.id) or self._cards.get(i.incident.id) for i in incidents]
        return [card.change() for card in shown if card is not None]

    async def _cards_of(self, incidents: Sequence[StoredIncident]) -> list[Card]:
        views = await desk_views(self._store, incidents, self._zone, self._roster())
        return [
            Card(stored, view, self._zone) for stored, view in zip(incidents, views, strict=True)
        ]

    def _put(self, card: Card) -> None:
        for desk in card.desks:
            for listener in tuple(self._listeners.get(desk, ())):
                listener.put(card, self._resume)
                if listener.dropped:
                    self.leave(listener)
                    log.warning("feed.listener_dropped", extra={"desk": desk})

    def _advance(self) -> None:
        """Bring up where a page may resume, unless something older is still to be read."""
        if not self._dirty and not self._reading:
            self._resume = self._latest

    def _keep(self, card: Card) -> None:
        if card.is_open:
            self._cards[card.incident] = card
            self._cards.move_to_end(card.incident)
            if len(self._cards) > _KEPT:
                self._cards.popitem(last=False)
        else:
            self._cards.pop(card.incident, None)

    def _note(self, *events: str) -> None:
        self._shown.update(dict.fromkeys(events))
        while len(self._shown) > 4 * _KEPT:
            self._shown.popitem(last=False)

    def _is_behind(self, incident: str) -> bool:
        """Return whether more has happened than its card shows."""
        return incident in self._dirty or incident in self._reading

    def _version(self, incident: str) -> int | None:
        card = self._cards.get(incident)
        return None if card is None else card.version
