"""One transaction under way: sequence numbers, rows not handed to SQLite yet, counts."""

from collections import Counter
from typing import Any

import apsw
import msgspec

from gateway.store.ops import DeliveryRow, EventRow
from gateway.store.sql import load

SQL = load("write")

#: How long a delivery that is handed out with the answer of `Store.add` stays leased.
LEASE_US = 30_000_000

#: A ticket's row id is the day times this plus the count.
SPAN = 10**10


class Origin(msgspec.Struct, frozen=True):
    """The event that deliveries tell of."""

    stream: str
    ticket: str | None  #: None: the stream itself
    event_seq: int
    at: int
    fresh: bool  #: the stream is new: no older delivery of it can be waiting
    lease: bool  #: hand emergency deliveries out at once


class Repeated(Exception):
    """A ticket that was taken for a new one is stored already."""


class Batch:
    """Changes of one transaction.

    Tickets, events and deliveries are collected and written by three calls in the end, or before
    a change that reads them. Repeats are rare, so tickets are taken for new ones until then.

    Args:
        leasing: The asker will deliver what it is handed.
        closely: Write each ticket at once, to see whether it is a repeat.
    """

    def __init__(self, cursor: apsw.Cursor, *, leasing: bool, closely: bool) -> None:
        self.cursor = cursor
        self.closely = closely
        self._leasing = leasing
        last: tuple[int, int] = self.rows(SQL["last_seqs"])[0]
        self._event_seq, self._delivery_seq = last
        self._tickets: list[tuple[Any, ...]] = []
        self._events: list[tuple[Any, ...]] = []
        self._deliveries: list[tuple[Any, ...]] = []
        self.numbers: dict[int, int] = {}  #: day -> last count given out
        self.counted: Counter[str] = Counter()

    def rows(self, statement: str, *bindings: Any) -> list[Any]:
        """Return all rows of a statement."""
        found: list[Any] = self.cursor.execute(statement, bindings).fetchall()
        return found

    def changed(self, statement: str, *bindings: Any) -> int:
        """Run a statement and return how many rows it changed."""
        self.cursor.execute(statement, bindings)
        changes: int = self.cursor.connection.changes()
        return changes

    def changed_by_all(self, statement: str, bindings: list[tuple[Any, ...]]) -> int:
        """Run a statement with each of the bindings and return how many rows changed in all."""
        connection = self.cursor.connection
        before: int = connection.total_changes()
        self.cursor.executemany(statement, bindings)
        after: int = connection.total_changes()
        return after - before

    def last_number(self, day: int) -> int:
        """Return the last count given out on a day, 0 if none was."""
        if day not in self.numbers:
            found = self.rows(SQL["last_number"], day)
            self.numbers[day] = found[0][0] if found else 0
        return self.numbers[day]

    def ticket(self, row: tuple[Any, ...]) -> bool:
        """Take a ticket on; False if it turned out at once to be a repeat."""
        if self.closely:
            return self.changed(SQL["add_ticket"], *row) > 0
        self._tickets.append(row)
        return True

    def event(self, stream: str, version: int, row: EventRow) -> int:
        """Take an event on and return its sequence number."""
        self._event_seq = seq = self._event_seq + 1
        self._events.append((seq, stream, version, *row))
        return seq

    def deliver(self, rows: tuple[DeliveryRow, ...], origin: Origin) -> list[tuple[Any, ...]]:
        """Take deliveries on and return those handed out at once, as a claim returns them."""
        leased = []
        seen: set[str] = set()
        lease_until = origin.at + LEASE_US if origin.lease and self._leasing else 0
        for new_id, destination, lane, kind, due_at, data in rows:
            turn = destination not in seen and (origin.fresh or self._first(destination, origin))
            seen.add(destination)
            if lane == 0 and not turn:
                self.flush()
                self.rows(SQL["hurry"], destination, origin.stream, origin.at)
            self._delivery_seq = seq = self._delivery_seq + 1
            head = (seq, new_id, destination, lane, kind, origin.stream)
            tail = (origin.event_seq, origin.at)
            if turn and lane == 0 and lease_until and due_at <= origin.at:
                leased.append(
                    (
                        *head,
                        origin.ticket or origin.stream,
                        *tail,
                        0,
                        due_at,
                        data,
                        None,
                        "leased",
                        None,
                    )
                )
                times = (due_at, lease_until, "leased")
            else:
                times = (due_at, due_at, "due")
            self._deliveries.append((*head, origin.ticket, *tail, *times, int(turn), data))
        self.counted["due"] += len(rows)
        return leased

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
            self.cursor.executemany(SQL["add_delivery"], self._deliveries)
            self._deliveries = []

    def _flush_tickets(self) -> None:
        if self.changed_by_all(SQL["add_ticket"], self._tickets) != len(self._tickets):
            raise Repeated
        self._tickets = []

    def finish(self) -> None:
        """Hand everything to SQLite, the counts and the last numbers too."""
        self.flush()
        if self.numbers:
            self.cursor.executemany(SQL["set_number"], list(self.numbers.items()))
        counts = [item for item in self.counted.items() if item[1]]
        if counts:
            self.cursor.executemany(SQL["count"], counts)
