"""One transaction under way: sequence numbers, rows not handed to SQLite yet, counts."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import apsw
import msgspec

from gateway.store.ops import DeliveryRow, EventRow, TicketRow
from gateway.store.sql import load, widened

SQL = load("write")

#: How long a delivery that is handed out with the answer of `Store.add` stays leased.
LEASE_US = 30_000_000

#: A ticket's number without its check digit is the day times this plus the count.
SPAN = 10**10

#: Rows that one statement writes. Each call into SQLite gives the interpreter's lock to the loop,
#: which gives it back when it pleases: so a batch is written by few calls.
WIDTHS = (64, 32, 16, 8, 4, 2, 1)


def _wide(name: str, widths: Iterable[int] = WIDTHS) -> Mapping[int, str]:
    return MappingProxyType({rows: widened(SQL[name], rows) for rows in widths})


_ADD_TICKETS = _wide("add_ticket")
_ADD_DELIVERIES = _wide("add_delivery")
_COUNT = _wide("count", range(1, 6))  # of five counters
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


class Batch:
    """Changes of one transaction.

    Tickets, events and deliveries are collected and written by few calls in the end, or before a
    change that reads them. Repeats are rare, so tickets are taken for new ones until then.

    Args:
        last: The numbers after the last transaction; None: the store must be asked.
        leasing: The asker will deliver what it is handed.
        closely: Write each ticket at once, to see whether it is a repeat.
    """

    def __init__(
        self, cursor: apsw.Cursor, last: Last | None = None, *, leasing: bool, closely: bool
    ) -> None:
        self.cursor = cursor
        self._closely = closely
        self._leasing = leasing
        if last is None:
            seq, delivery = self.rows(SQL["last_seqs"])[0]
            last = Last(seq, delivery, {})
        self._seq, self._delivery_seq, self._counts = last.seq, last.delivery, last.counts
        self._tickets: list[Any] = []
        self._events: list[tuple[Any, ...]] = []
        self._deliveries: list[Any] = []
        self._numbers: dict[int, int] = {}  # day -> last count given out
        self.counted: Counter[str] = Counter()
        self.files: list[str] = []
        self.handed: list[int] = []  #: numbers of the deliveries leased to askers

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        """Return all rows of a statement."""
        found: list[Any] = self.cursor.execute(statement, bindings).fetchall()
        return found

    def changed(self, statement: str, *bindings: Any) -> int:
        """Run a statement and return how many rows it changed."""
        self.cursor.execute(statement, bindings)
        changes: int = self.cursor.connection.changes()
        return changes

    @property
    def last(self) -> Last:
        """The numbers after this transaction."""
        return Last(self._seq, self._delivery_seq, {**self._counts, **self._numbers})

    def _last_number(self, day: int) -> int:
        if day in self._counts:
            return self._counts[day]
        found = self.rows(SQL["last_number"], day)
        return found[0][0] if found else 0

    def ticket(self, day: int, row: TicketRow) -> tuple[int, int] | None:
        """Take a ticket on; return its sequence number and its count within the day.

        None: it turned out at once to be a repeat.
        """
        count = (self._numbers.get(day) or self._last_number(day)) + 1
        seq = self._seq + 1
        if self._closely:
            if not self.changed(_ADD_TICKETS[1], seq, day * SPAN + count, *row):
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
                self.rows(SQL["hurry"], destination, origin.stream, origin.at)
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
        return not self.rows(SQL["is_waiting"], destination, origin.stream)

    def flush(self) -> None:
        """Hand the collected rows to SQLite.

        Raises:
            Repeated: A ticket among them is stored already; the transaction must be undone.
        """
        if self._tickets:
            self._flush_tickets()
        if self._events:
            self.cursor.executemany(SQL["add_event"], self._events)
            self._events = []
        if self._deliveries:
            for statement, bindings in _parts(_ADD_DELIVERIES, self._deliveries, DELIVERY_COLUMNS):
                self.cursor.execute(statement, bindings)
            self._deliveries = []

    def _flush_tickets(self) -> None:
        connection = self.cursor.connection
        for statement, bindings in _parts(_ADD_TICKETS, self._tickets, TICKET_COLUMNS):
            self.cursor.execute(statement, bindings)
            if connection.changes() * TICKET_COLUMNS != len(bindings):
                raise Repeated
        self._tickets = []

    def finish(self) -> None:
        """Hand everything to SQLite, the counts and the last numbers too."""
        self.flush()
        if self._numbers:
            self.cursor.executemany(SQL["set_number"], list(self._numbers.items()))
        if self.files:
            self.rows(SQL["add_attachments"], json.dumps(self.files))
        counts = [item for item in self.counted.items() if item[1]]
        if counts:
            flat = [value for item in counts for value in item]
            self.cursor.execute(_COUNT[len(counts)], flat)


def _handed(seq: int, row: DeliveryRow, origin: Origin) -> tuple[Any, ...]:
    new_id, destination, lane, kind, due_at, data = row
    who = (seq, new_id, destination, lane, kind, origin.subject, origin.ticket_id)
    return (*who, origin.event_seq, origin.at, 0, due_at, data, None, "leased", None)


def _parts(
    wide: Mapping[int, str], values: list[Any], columns: int
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the statements that write rows, flat in one list, and the bindings of each."""
    start = 0
    for rows in WIDTHS:
        step = rows * columns
        while len(values) - start >= step:
            yield wide[rows], values[start : start + step]
            start += step
