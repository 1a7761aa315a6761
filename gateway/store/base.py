"""What every store can do, and the values it is asked with.

Every change is one value that a store executes in one transaction; the values of concurrent
requests share a commit. A change is durable when the call returns, and has left no trace when
it raised `StoreError`. Nothing is ever updated that a citizen sent: tickets are inserted once,
and what happens to them are events. Instants are aware; a store may keep microseconds only.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol

from gateway.store.accounts import Consoled
from gateway.store.watching import Look, Unwatched
from normalizer.schema import Incident, Ticket, Value


class Lane(IntEnum):
    """Which queue a delivery waits in; the emergency lane never waits for the ordinary one."""

    EMERGENCY = 0
    ORDINARY = 1


class NewEvent(Value, frozen=True, kw_only=True):
    """Something that happened to a ticket or an incident (its *stream*)."""

    at: datetime
    event: str  #: accepted, refused, draft, added, withdrawn, rated, signed … raised, joined …
    by: str
    text: str | None = None
    data: dict[str, Any] = {}  #: JSON-able details, e.g. the message of ``added``
    key: str | None = None  #: unique within the stream: a second event with it is not written


class Event(Value, frozen=True, kw_only=True):
    """A stored `NewEvent`."""

    seq: int  #: grows over the whole store
    stream: str  #: id of the ticket or incident
    version: int  #: 1, 2, 3 … within the stream
    at: datetime
    event: str
    by: str
    text: str | None = None
    data: dict[str, Any] = {}
    key: str | None = None


class NewDelivery(Value, frozen=True, kw_only=True):
    """An item for the outbox: CloudEvent ``type`` about ``subject`` for ``destination``.

    Its body is not stored: it is the view of the subject as of the event it was written with, so
    that every try sends the same bytes.
    """

    id: str  #: the CloudEvent's id, the same on every try
    destination: str  #: an adapter's name, ``liaison:119``, ``notify:sms`` …
    lane: Lane
    type: str  #: e.g. hotline.ticket.accepted
    due_at: datetime
    data: dict[str, Any] = {}  #: what the event's ``data`` holds beside ticket and incident


class Delivery(Value, frozen=True, kw_only=True):
    """An item claimed from the outbox."""

    seq: int
    id: str
    destination: str
    lane: Lane
    type: str
    stream: str  #: ticket or incident id; items of one stream and destination keep their order
    ticket_id: str | None  #: the ticket shown in ``data.ticket``
    event_seq: int  #: the event that it tells of: the view is as of this one
    created_at: datetime
    attempts: int  #: tries that failed so far
    due_at: datetime
    data: dict[str, Any] = {}
    last_error: str | None = None
    state: str = "leased"  #: due, leased, done, dead or discarded
    why: str | None = None  #: the operator's reason for discarding it


class Outcome(Value, frozen=True, kw_only=True):
    """What became of a claimed delivery."""

    seq: int
    state: str  #: done, due (again at ``due_at``) or dead
    due_at: datetime | None = None
    error: str | None = None


class IncidentReport(Value, frozen=True, kw_only=True):
    """One ticket raising an incident, or joining it when it is stored and open already.

    If ``incident`` is not stored it is written with a ``raised`` event and ``on_raise``; if it is
    open, a ``joined`` event and ``on_join`` are written; if it was closed meanwhile, a new one
    is raised under ``fresh_id``.
    """

    incident: Incident  #: as it is if this report opens it; ``reports`` is left empty
    fresh_id: str
    ladder_at: datetime | None  #: when its ladder's clock next runs, if this opens it
    joined_data: dict[str, Any]  #: of the ``raised`` / ``joined`` event: summary, contacts, place
    on_raise: tuple[NewDelivery, ...]
    on_join: tuple[NewDelivery, ...]  #: their ids must differ from those of ``on_raise``


class Acceptance(Value, frozen=True, kw_only=True):
    """All that accepting one message writes."""

    ticket: Ticket
    key: str | None
    digest: str
    raw: bytes
    raw_type: str
    number_on: str  #: ``YYYYMMDD`` in the instance's time zone; the number begins with it
    events: tuple[NewEvent, ...]
    deliveries: tuple[NewDelivery, ...] = ()  #: of the last of ``events``
    reports: tuple[IncidentReport, ...] = ()


class Added(Value, frozen=True, kw_only=True):
    """What `Store.add` wrote, or found."""

    id: str
    number: str
    duplicate: bool  #: True: (channel, account, key) was stored before; nothing was written
    digest: str  #: of the stored message
    incidents: tuple[str, ...] = ()  #: ids joined or raised
    leased: tuple[Delivery, ...] = ()  #: emergency deliveries, claimed already for this process


class StoredTicket(Value, frozen=True, kw_only=True):
    """A ticket with all that happened to it."""

    number: str
    ticket: Ticket
    events: tuple[Event, ...]
    incidents: tuple[str, ...] = ()
    digest: str = ""

    @property
    def version(self) -> int:
        """Version of the newest event."""
        return self.events[-1].version


class Change(Value, frozen=True, kw_only=True):
    """Events on one ticket, with the deliveries and incident reports that follow from them."""

    ticket_id: str
    events: tuple[NewEvent, ...]
    deliveries: tuple[NewDelivery, ...] = ()  #: of the last of ``events``
    reports: tuple[IncidentReport, ...] = ()
    if_version: int | None = None  #: write only if the ticket's newest event has this version


class Changed(Value, frozen=True, kw_only=True):
    """What `Store.change` did."""

    written: bool  #: False: the version had moved on; read again and decide again
    duplicate: bool = False  #: True: an event with this key was there; nothing was written
    incidents: tuple[str, ...] = ()
    leased: tuple[Delivery, ...] = ()


class IncidentChange(Value, frozen=True, kw_only=True):
    """One step of an incident: an event, its new state, and the deliveries that tell of it."""

    incident_id: str
    event: NewEvent
    state: str
    desk: str  #: whose turn it is: the service, or ``duty`` after a return
    rung: int  #: rungs of the ladder done since it was last raised to ``desk``
    ladder_at: datetime | None  #: when the ladder's clock next runs; None: stopped
    deliveries: tuple[NewDelivery, ...] = ()
    #: Write only if nothing but reports that joined has come since this version: they change no
    #: state, and a stream of them must keep neither a desk's answer nor the ladder out.
    if_version: int | None = None
    #: When it was raised to ``desk``; None: at the event if ``desk`` changes, else as before.
    rung_from: datetime | None = None


class StoredIncident(Value, frozen=True, kw_only=True):
    """An incident with its clock and events."""

    incident: Incident  #: with the numbers of every report
    desk: str
    rung: int
    rung_from: datetime  #: when it was last raised to ``desk``
    ladder_at: datetime | None
    #: Without the repetitions of the ladder's rungs, which have no end, but for the last ones:
    #: where versions are missing there are only events ``escalated``, and none is the first of its
    #: kind of rung.
    events: tuple[Event, ...]
    tickets: tuple[str, ...] = ()  #: ids of the reports

    @property
    def version(self) -> int:
        """Version of the newest event."""
        return self.events[-1].version


class Quarantined(Value, frozen=True, kw_only=True):
    """An inbound message that could not be understood, whole."""

    id: str
    at: datetime
    channel: str
    account: str
    reason: str
    raw: bytes
    raw_type: str
    state: str = "held"  #: held, replayed or discarded
    why: str | None = None


class Watched(Value, frozen=True, kw_only=True):
    """A ticket whose time to be looked at has come."""

    stored: StoredTicket
    handed_over: bool  #: its first event has reached the destination of its route


class Store(Consoled, Protocol):
    """Where everything is kept. Every method may raise `StoreError`."""

    async def open(self) -> None:
        """Bring the schema up to date and take the store for this process."""
        ...

    async def close(self) -> None:
        """Finish what was asked and let go of the store."""
        ...

    @property
    def secret(self) -> bytes:
        """32 octets made when the store was, for query codes and signed links."""
        ...

    async def known(self, channel: str, account: str, key: str) -> str | None:
        """Return the number of the ticket that was made of the message with this key."""
        ...

    def stalled_s(self) -> float:
        """Return for how long the writer has been busy with one batch; 0: it has none."""
        ...

    async def add(self, acceptance: Acceptance) -> Added:
        """Write a ticket with its number, or return the one that was written under its key."""
        ...

    async def change(self, change: Change) -> Changed:
        """Write events on a ticket, if its version is as expected."""
        ...

    async def ticket(self, number: str, *, urgent: bool = False) -> StoredTicket | None:
        """Return the ticket with this number; ``urgent``: before whatever else waits to be read."""
        ...

    async def tickets(self, ids: Sequence[str], *, urgent: bool = False) -> dict[str, StoredTicket]:
        """Return those of the tickets with these ids that exist; ``urgent`` as with `ticket`."""
        ...

    async def page(self, after: str, limit: int) -> list[StoredTicket]:
        """Return tickets in the order in which they were committed, behind the one with id ``after``.

        ``after`` empty: from the first on; unknown: none.
        """
        ...

    async def numbered(self, day: str, after: str | None, limit: int) -> list[StoredTicket]:
        """Return tickets of a day, ``YYYYMMDD``, by number, behind the number ``after``."""
        ...

    async def newest(
        self, day: str, before: str | None, limit: int, *, public: bool = False
    ) -> list[StoredTicket]:
        """Return tickets of a day, ``YYYYMMDD``, and of those before it, by number, newest first.

        Behind the number ``before``; ``public``: only what citizens agreed to have published.
        """
        ...

    async def conversation(
        self, channel: str, account: str, thread: str, since: datetime, *, urgent: bool = False
    ) -> list[StoredTicket]:
        """Return tickets that came from one conversation, newest first, 20 at most.

        ``urgent``: before whatever else waits to be read.
        """
        ...

    async def claim(
        self, destination: str, lane: Lane, now: datetime, limit: int, lease_until: datetime
    ) -> list[Delivery]:
        """Lease due deliveries, oldest first, at most one of a stream.

        One whose stream has an older unfinished delivery to the same destination is not due.
        An expired lease counts as due.
        """
        ...

    async def settle(self, outcomes: Sequence[Outcome], *, urgent: bool = False) -> bool:
        """Record what became of claimed deliveries; return whether more may be claimed for it.

        ``urgent``: before whatever else waits to be written.
        """
        ...

    async def next_due(self, destination: str, lane: Lane) -> datetime | None:
        """Return when the next delivery becomes due; None when there is none."""
        ...

    async def deliveries(self, states: Sequence[str], limit: int) -> list[Delivery]:
        """Return deliveries in these states, oldest first."""
        ...

    async def destinations(self) -> list[str]:
        """Return the destinations that have unfinished deliveries."""
        ...

    async def delivery(self, id: str) -> Delivery | None:  # noqa: A002 - the CloudEvent's own word
        """Return the delivery of this event id."""
        ...

    async def redo(self, id: str, state: str, now: datetime, why: str | None) -> bool:  # noqa: A002 - as above
        """Make a dead delivery due again (``due``) or ``discarded``; False if it is not dead."""
        ...

    async def incident(self, id: str, events: Collection[int] = ()) -> StoredIncident | None:  # noqa: A002 - as above
        """Return the incident with this id; its events by these ``seq`` are never left out."""
        ...

    async def incidents(
        self, desk: str | None, states: Sequence[str], limit: int, after: str = ""
    ) -> list[StoredIncident]:
        """Return incidents at ``desk`` (None: at any) in these states, ids ascending."""
        ...

    async def step(self, change: IncidentChange) -> Changed:
        """Write one step of an incident, if no other step has come since the expected version."""
        ...

    async def ladder_due(self, now: datetime, limit: int) -> list[StoredIncident]:
        """Return incidents whose ladder's clock has run out, most overdue first."""
        ...

    async def ladder_next(self) -> datetime | None:
        """Return when the next ladder's clock runs out; None when none is running."""
        ...

    async def unwatched(self, limit: int) -> Unwatched:
        """Return the oldest news that `watch` was not told of; ``limit`` tickets and events at most."""
        ...

    async def watch(self, looks: Sequence[Look], upto: int = 0) -> None:
        """Note when to look at tickets, and that all news up to an event were seen to."""
        ...

    async def watched(self, now: datetime, limit: int) -> list[Watched]:
        """Return tickets whose time to be looked at has come, the longest overdue first."""
        ...

    async def quarantine(self, item: Quarantined) -> None:
        """Keep an inbound message whole. The same id again changes nothing."""
        ...

    async def quarantined(self, states: Sequence[str], limit: int) -> list[Quarantined]:
        """Return quarantined messages in these states, oldest first."""
        ...

    async def held(self, id: str) -> Quarantined | None:  # noqa: A002 - as above
        """Return the quarantined message with this id, whatever its state."""
        ...

    async def release(self, id: str, state: str, why: str | None) -> bool:  # noqa: A002 - as above
        """Set a held message's state; False if it is not held."""
        ...

    async def raw(self, ticket_id: str) -> tuple[bytes, str] | None:
        """Return a ticket's raw message and its media type."""
        ...

    async def attached(self, hashes: Sequence[str]) -> set[str]:
        """Return those of these SHA-256 that a ticket or what was added to one names."""
        ...

    async def counts(self) -> dict[str, int]:
        """Return cheap counts: ``tickets``, ``due``, ``dead``, ``held``, ``incidents_open``."""
        ...
