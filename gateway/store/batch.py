"""One transaction under way: sequence numbers, rows not handed to the database yet, counts.

An engine brings a `Batch` that knows how its statements are run; what is collected, and when it
has to be written, is the same for all.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.store.ops import DeliveryRow, EventRow, TicketRow

#: How long a delivery that is handed out with the answer of `Store.add` stays leased.
LEASE_US = 30_000_000

#: A ticket's number without its check digit is the day times this plus the count.
SPAN = 10**10

#: Values of one ticket and of one delivery in the flat lists of a batch.
TICKET_COLUMNS = 18
DELIVERY_COLUMNS = 14


class Origin(msgspec.Struct, frozen=True):
    """The event that deliveries tell of."""

    stream: int
    subject: str  #: id of the ticket or incident that ``stream`` stands for
    ticket: int
    ticket_id: str
    event_seq: int
    at: int
    fresh: bool  #: the stream is new: no older delivery of it can be waiting
    lease: bool  #: hand emergency deliveries out at once


class Last(msgspec.Struct, frozen=True):
    """The last numbers that were given out."""

    seq: int  #: to a ticket or an event
    delivery: int
    counts: Mapping[int, int]  #: to tickets by day, as far as it is known


class Repeated(Exception):
    """A ticket that was taken for a new one is stored already."""


class Batch(ABC):
    """Changes of one transaction.

    Tickets, events and deliveries are collected and written by few calls in the end, or before a
    change that reads them. Repeats are rare, so tickets are taken for new ones until then.

    Args:
        last: The numbers after the last transaction.
        leasing: The asker will deliver what it is handed.
        closely: Write each ticket at once, to see whether it is a repeat.
    """

    def __init__(self, last: Last, *, leasing: bool, closely: bool) -> None:
        self._closely = closely
        self._leasing = leasing
        self._seq, self._delivery_seq, self._counts = last.seq, last.delivery, last.counts
        self._tickets: list[Any] = []
        self._events: list[tuple[Any, ...]] = []
        self._deliveries: list[Any] = []
        self._numbers: dict[int, int] = {}  # day -> last count given out
        self.counted: Counter[str] = Counter()
        self.files: list[str] = []
        self.handed: list[int] = []  #: numbers of the deliveries leased to askers

    @abstractmethod
    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Run a statement and return all its rows."""

    @abstractmethod
    def changed(self, name: str, *bindings: Any) -> int:
        """Run a statement and return how many rows it changed."""

    @abstractmethod
    def many(self, name: str, bindings: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these bindings."""

    @abstractmethod
    def add_tickets(self, flat: Sequence[Any]) -> int:
        """Write tickets, their columns one behind the other; return how many were not repeats."""

    @abstractmethod
    def add_deliveries(self, flat: Sequence[Any]) -> None:
        """Write deliveries, their columns one behind the other."""

    @abstractmethod
    def add_totals(
        self, files: Sequence[str], numbers: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Write the files' hashes, the last numbers of days, and what counters grew by."""

    @property
    def last(self) -> Last:
        """The numbers after this transaction."""
        return Last(self._seq, self._delivery_seq, {**self._counts, **self._numbers})

    def _last_number(self, day: int) -> int:
        if day in self._counts:
            return self._counts[day]
        found = self.rows("last_number", day)
        return found[0][0] if found else 0

    def ticket(self, day: int, row: TicketRow) -> tuple[int, int] | None:
        """Take a ticket on; return its sequence number and its count within the day.

        None: it turned out at once to be a repeat.
        """
        count = (self._numbers.get(day) or self._last_number(day)) + 1
        seq = self._seq + 1
        if self._closely:
            if not self.add_tickets((seq, day * SPAN + count, *row)):
                return None
        else:
            self._tickets += (seq, day * SPAN + count, *row)
        self._seq = seq
        self._numbers[day] = count
        self.counted["tickets"] += 1
        return seq, count

    def event(self, stream: int | None, version: int, row: EventRow) -> int:
        """Take an event on and return its sequence number, which a new stream (None) has too."""
        self._seq = seq = self._seq + 1
        self._events.append((seq, seq if stream is None else stream, version, *row))
        return seq

    def deliver(self, rows: Sequence[DeliveryRow], origin: Origin) -> list[tuple[Any, ...]]:
        """Take deliveries on and return those handed out at once, as a claim returns them."""
        leased = []
        seen: set[str] = set()
        about = (origin.stream, origin.ticket, origin.event_seq, origin.at)
        until = origin.at + LEASE_US if origin.lease and self._leasing else 0
        for row in rows:
            _, destination, lane, _, due_at, _ = row
            turn = destination not in seen and (origin.fresh or self._first(destination, origin))
            seen.add(destination)
            if lane == 0 and not turn:
                self.flush()
                self.rows("hurry", destination, origin.stream, origin.at)
            self._delivery_seq = seq = self._delivery_seq + 1
            if turn and lane == 0 and until and due_at <= origin.at:
                leased.append(_handed(seq, row, origin))
                self._deliveries += (seq, *row, *about, until, "leased", 1)
            else:
                self._deliveries += (seq, *row, *about, due_at, "due", int(turn))
        self.counted["due"] += len(rows)
        self.handed += [one[0] for one in leased]
        return leased

    def deliver_first(self, row: DeliveryRow, stream: int, at: int) -> None:
        """Take the one ordinary delivery on that tells of a new ticket's only event."""
        self._delivery_seq = seq = self._delivery_seq + 1
        self._deliveries += (seq, *row, stream, stream, stream, at, row[4], "due", 1)
        self.counted["due"] += 1

    def _first(self, destination: str, origin: Origin) -> bool:
        self.flush()
        return not self.rows("is_waiting", destination, origin.stream)

    def flush(self) -> None:
        """Hand the collected rows to the database.

        Raises:
            Repeated: A ticket among them is stored already; the transaction must be undone.
        """
        if self._tickets:
            if self.add_tickets(self._tickets) * TICKET_COLUMNS != len(self._tickets):
                raise Repeated
            self._tickets = []
        if self._events:
            self.many("add_event", self._events)
            self._events = []
        if self._deliveries:
            self.add_deliveries(self._deliveries)
            self._deliveries = []

    def finish(self) -> None:
        """Hand everything to the database, the counts and the last numbers too."""
        self.flush()
        counts = {name: grown for name, grown in self.counted.items() if grown}
        self.add_totals(self.files, self._numbers, counts)


def _handed(seq: int, row: DeliveryRow, origin: Origin) -> tuple[Any, ...]:
    new_id, destination, lane, kind, due_at, data = row
    who = (seq, new_id, destination, lane, kind, origin.subject, origin.ticket_id)
    return (*who, origin.event_seq, origin.at, 0, due_at, data, None, "leased", None)
