"""What every store does alike: its changes go to a line of writing, its questions to one of reading."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypeVar

from gateway.line import Line
from gateway.store import asking, ops
from gateway.store.accounts import Accounts, RoutesKept
from gateway.store.base import (
    Acceptance,
    Added,
    Change,
    Changed,
    Delivery,
    IncidentChange,
    Lane,
    Outcome,
    Quarantined,
    StoredIncident,
    StoredTicket,
    Watched,
)
from gateway.store.commit import Answers
from gateway.store.ops import from_us, to_us
from gateway.store.read import Reader, claimed, delivery_of
from gateway.store.watching import Look, Unwatched
from gateway.store.writer import ThreadEngine
from normalizer.errors import StoreError
from normalizer.number import parse

T = TypeVar("T")

#: What can wait for the next commit: one of its own for each would be most of what a push costs.
_PATIENT = frozenset({ops.Claim, ops.Settle})


class LinedStore(ABC):
    """A `gateway.store.base.Store` but for how it is opened.

    Args:
        name: What its errors call it; never a secret.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._secret: bytes | None = None
        self._writer: Line | None = None
        self._questions: Line | None = None
        self._reader: Reader | None = None
        self.accounts = Accounts(self._write, self._read)
        self.routes_kept = RoutesKept(self._write, self._read)

    @abstractmethod
    async def open(self) -> None:
        """Bring the schema up to date and take the store for this process."""

    def _read_by(self, reader: Reader) -> None:
        """Answer questions by this reader from now on."""
        self._reader = reader
        self._questions = line = Line()
        line.start(ThreadEngine(line, reader.run, lambda _: None, reader.close, "store-reader"))

    def _write_by(
        self,
        run: Callable[[Sequence[Any]], Answers],
        after: Callable[[bool], None],
        close: Callable[[], None],
    ) -> None:
        """Carry changes out in a thread from now on, by what `ThreadEngine` calls there."""
        self._writer = line = Line(self._give_back)
        line.start(ThreadEngine(line, run, after, close, "store-writer"))

    async def close(self) -> None:
        """Finish what was asked and let go of the store. May be called twice."""
        for line in (self._writer, self._questions):
            if line is not None:
                await line.close()
        self._reader = None

    @property
    def secret(self) -> bytes:
        """32 octets made when the store was.

        Raises:
            StoreError: The store was not opened yet.
        """
        if self._secret is None:
            raise StoreError(f"{self._name}: not open yet")
        return self._secret

    async def _write(self, op: ops.Op, *, urgent: bool = False) -> Any:
        if self._writer is None:
            raise StoreError(f"{self._name}: not open yet")
        future = self._writer.ask(op, urgent=urgent, patient=type(op) in _PATIENT)
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                self._give_back(op, future.result())
            raise

    def _give_back(self, op: ops.Op, result: Any) -> None:
        """Make due again what was handed to somebody who is gone."""
        leased = tuple(Outcome(seq=row[0], state="due") for row in _handed_out(op, result))
        if not leased or self._writer is None:
            return
        # A store that is being closed refuses; its leases are freed when it is opened next.
        with contextlib.suppress(StoreError):
            self._writer.ask(asking.settling(leased), urgent=True)

    async def _read(self, question: Callable[[Reader], T], *, urgent: bool = False) -> T:
        reader, questions = self._reader, self._questions
        if reader is None or questions is None:
            raise StoreError(f"{self._name}: not open")
        answer: T = await questions.ask(lambda: question(reader), urgent=urgent)
        return answer

    async def add(self, acceptance: Acceptance) -> Added:
        """Write a ticket with its number, or return the one that was written under its key."""
        result = await self._write(asking.adding(acceptance), urgent=asking.is_urgent(acceptance))
        ticket_id, digest = acceptance.ticket.id, acceptance.digest
        if isinstance(result, str):
            return Added(id=ticket_id, number=result, duplicate=False, digest=digest)
        number, stored, incidents, leased = result
        if stored is not None:
            ticket_id, digest = stored
        return Added(
            id=ticket_id,
            number=number,
            duplicate=stored is not None,
            digest=digest,
            incidents=tuple(incidents),
            leased=tuple(map(delivery_of, leased)),
        )

    async def change(self, change: Change) -> Changed:
        """Write events on a ticket, if its version is as expected."""
        return _changed(await self._write(asking.changing(change), urgent=asking.is_urgent(change)))

    async def step(self, change: IncidentChange) -> Changed:
        """Write one step of an incident, if its version is as expected."""
        return _changed(await self._write(asking.stepping(change), urgent=True))

    async def claim(
        self, destination: str, lane: Lane, now: datetime, limit: int, lease_until: datetime
    ) -> list[Delivery]:
        """Lease due deliveries, oldest first, at most one of a stream."""
        op = ops.Claim(destination, int(lane), to_us(now), limit, to_us(lease_until))
        rows = await self._write(op, urgent=lane is Lane.EMERGENCY)
        return list(map(delivery_of, claimed(rows)))

    async def settle(self, outcomes: Sequence[Outcome], *, urgent: bool = False) -> bool:
        """Record what became of claimed deliveries; return whether more can be claimed for it."""
        return bool(await self._write(asking.settling(outcomes), urgent=urgent))

    async def redo(self, id: str, state: str, now: datetime, why: str | None) -> bool:  # noqa: A002 - the protocol's name
        """Make a dead delivery due again (``due``) or ``discarded``; False if it is not dead."""
        return bool(await self._write(ops.Redo(id, state, to_us(now), why)))

    async def quarantine(self, item: Quarantined) -> None:
        """Keep an inbound message whole. The same id again changes nothing."""
        await self._write(asking.holding(item))

    async def release(self, id: str, state: str, why: str | None) -> bool:  # noqa: A002 - the protocol's name
        """Set a held message's state; False if it is not held."""
        return bool(await self._write(ops.Release(id, state, why)))

    async def watch(self, looks: Sequence[Look], upto: int = 0) -> None:
        """Note when to look at tickets, and that all news up to an event were seen to."""
        await self._write(asking.watching(looks, upto))

    async def ticket(self, number: str, *, urgent: bool = False) -> StoredTicket | None:
        """Return the ticket with this number."""
        return await self._read(lambda reader: reader.ticket(number), urgent=urgent)

    async def known(self, channel: str, account: str, key: str) -> str | None:
        """Return the number of the ticket that was made of the message with this key."""
        return await self._read(lambda reader: reader.known(channel, account, key), urgent=True)

    def stalled_s(self) -> float:
        """Return for how long the writer has been busy with one batch; 0: it has none."""
        return 0.0 if self._writer is None else self._writer.oldest_s

    async def tickets(self, ids: Sequence[str], *, urgent: bool = False) -> dict[str, StoredTicket]:
        """Return those of the tickets with these ids that exist."""
        return await self._read(lambda reader: reader.tickets(ids), urgent=urgent)

    async def page(self, after: str, limit: int) -> list[StoredTicket]:
        """Return tickets in the order in which they were committed, behind the one with id ``after``."""
        return await self._read(lambda reader: reader.page(after, limit))

    async def numbered(self, day: str, after: str | None, limit: int) -> list[StoredTicket]:
        """Return tickets of a day, ``YYYYMMDD``, by number, behind the number ``after``."""
        found = parse(after) if after is not None else None
        count = found[1] if found else 0
        return await self._read(lambda reader: reader.numbered(int(day), count, limit))

    async def newest(
        self, day: str, before: str | None, limit: int, *, public: bool = False
    ) -> list[StoredTicket]:
        """Return tickets of a day, ``YYYYMMDD``, and of those before it, by number, newest first."""
        found = parse(before) if before is not None else None
        at, count = (int(found[0]), found[1]) if found else (int(day), 0)
        return await self._read(lambda reader: reader.newest(at, count, limit, public=public))

    async def conversation(
        self, channel: str, account: str, thread: str, since: datetime, *, urgent: bool = False
    ) -> list[StoredTicket]:
        """Return tickets that came from one conversation, newest first, 20 at most."""
        of, at = (channel, account, thread), to_us(since)
        return await self._read(lambda reader: reader.conversation(*of, at), urgent=urgent)

    async def raw(self, ticket_id: str) -> tuple[bytes, str] | None:
        """Return a ticket's raw message and its media type."""
        return await self._read(lambda reader: reader.raw(ticket_id))

    async def attached(self, hashes: Sequence[str]) -> set[str]:
        """Return those of these SHA-256 that a ticket or what was added to one names."""
        return await self._read(lambda reader: reader.attached(hashes))

    async def next_due(self, destination: str, lane: Lane) -> datetime | None:
        """Return when the next delivery becomes due; None when there is none."""
        found = await self._read(lambda reader: reader.next_due(destination, int(lane)))
        return None if found is None else from_us(found)

    async def deliveries(self, states: Sequence[str], limit: int) -> list[Delivery]:
        """Return deliveries in these states, oldest first."""
        return await self._read(lambda reader: reader.deliveries(states, limit))

    async def deliveries_of(self, events: Sequence[int]) -> list[Delivery]:
        """Return the deliveries that tell of events, by their ``seq``, whatever their state."""
        return await self._read(lambda reader: reader.deliveries_of(events))

    async def destinations(self) -> list[str]:
        """Return the destinations that have unfinished deliveries."""
        return await self._read(lambda reader: reader.destinations())

    async def delivery(self, id: str) -> Delivery | None:  # noqa: A002 - the protocol's name
        """Return the delivery of this event id."""
        return await self._read(lambda reader: reader.delivery(id))

    async def incident(
        self,
        id: str,  # noqa: A002 - the protocol's name
        events: Collection[int] = (),
    ) -> StoredIncident | None:
        """Return the incident with this id, and these of its events however old."""
        # The desks' pages show it: before whatever the outbox reads for its pushes.
        return await self._read(lambda reader: reader.incident(id, events), urgent=True)

    async def incidents(
        self, desk: str | None, states: Sequence[str], limit: int, after: str = ""
    ) -> list[StoredIncident]:
        """Return incidents at ``desk`` (None: at any) in these states, ids ascending."""
        return await self._read(lambda reader: reader.incidents(desk, states, limit, after))

    async def newest_incidents(self, states: Sequence[str], limit: int) -> list[StoredIncident]:
        """Return incidents in these states, whatever their desk, newest first."""
        return await self._read(lambda reader: reader.newest_incidents(states, limit))

    async def ladder_due(self, now: datetime, limit: int) -> list[StoredIncident]:
        """Return incidents whose ladder's clock has run out, most overdue first."""
        return await self._read(lambda reader: reader.ladder_due(to_us(now), limit))

    async def ladder_next(self) -> datetime | None:
        """Return when the next ladder's clock runs out; None when none is running."""
        found = await self._read(lambda reader: reader.ladder_next())
        return None if found is None else from_us(found)

    async def unwatched(self, limit: int) -> Unwatched:
        """Return the oldest news that `watch` was not told of; ``limit`` tickets and events at most."""
        return await self._read(lambda reader: reader.unwatched(limit))

    async def watched(self, now: datetime, limit: int) -> list[Watched]:
        """Return tickets whose time to be looked at has come, the longest overdue first."""
        return await self._read(lambda reader: reader.watched(to_us(now), limit))

    async def quarantined(self, states: Sequence[str], limit: int) -> list[Quarantined]:
        """Return quarantined messages in these states, oldest first."""
        return await self._read(lambda reader: reader.quarantined(states, limit))

    async def held_heads(self, limit: int, after: Quarantined | None = None) -> list[Quarantined]:
        """Return what is held, oldest first, without the messages themselves."""
        behind = (0, "") if after is None else (to_us(after.at), after.id)
        return await self._read(lambda reader: reader.held_heads(limit, *behind))

    async def dead(self, limit: int, after: int = 0) -> list[Delivery]:
        """Return dead deliveries, oldest first, those behind the one with this ``seq``."""
        return await self._read(lambda reader: reader.dead(limit, after))

    async def held(self, id: str) -> Quarantined | None:  # noqa: A002 - the protocol's name
        """Return the quarantined message with this id, whatever its state."""
        return await self._read(lambda reader: reader.held(id))

    async def counts(self) -> dict[str, int]:
        """Return ``tickets``, ``due`` (leased ones too), ``dead``, ``held``, ``incidents_open``."""
        return await self._read(lambda reader: reader.counts())


def _handed_out(op: ops.Op, result: Any) -> Sequence[Any]:
    """Return the rows of the deliveries that an answer hands to its asker."""
    if isinstance(op, ops.Claim):
        return claimed(result)
    plain = isinstance(result, str) or not isinstance(op, (ops.AddTicket, ops.ChangeTicket))
    return () if plain else result[-1]


def _changed(result: Sequence[Any]) -> Changed:
    written, duplicate, incidents, leased = result
    return Changed(
        written=written,
        duplicate=duplicate,
        incidents=tuple(incidents),
        leased=tuple(map(delivery_of, leased)),
    )
