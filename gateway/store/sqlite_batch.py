"""One transaction under way: sequence numbers, rows not handed to SQLite yet, counts."""

from collections import Counter
from typing import Any

import apsw
import msgspec

from gateway.store.base import NewDelivery, NewEvent
from gateway.store.ops import encode, to_us
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


class Batch:
    """Changes of one transaction.

    Events and deliveries are collected and written by two calls in the end, or before a change
    that reads them.
    """

    def __init__(self, cursor: apsw.Cursor, *, leasing: bool) -> None:
        self.cursor = cursor
        self._leasing = leasing  #: the asker will deliver what it is handed
        self._event_seq, self._delivery_seq = self.rows(SQL["last_seqs"])[0]
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

    def last_number(self, day: int) -> int:
        """Return the last count given out on a day, 0 if none was."""
        last = self.numbers.get(day)
        if last is None:
            found = self.rows(SQL["last_number"], day)
            last = self.numbers[day] = found[0][0] if found else 0
        return last

    def event(self, stream: str, version: int, new: NewEvent) -> int:
        """Take an event on and return its sequence number."""
        self._event_seq = seq = self._event_seq + 1
        data = encode(new.data) if new.data else None
        self._events.append(
            (seq, stream, version, to_us(new.at), new.event, new.by, new.text, data, new.key)
        )
        return seq

    def deliver(self, news: tuple[NewDelivery, ...], origin: Origin) -> list[tuple[Any, ...]]:
        """Take deliveries on and return the rows of those handed out at once."""
        leased = []
        seen: set[str] = set()
        for new in news:
            turn = int(new.destination not in seen and self._first(new.destination, origin))
            seen.add(new.destination)
            due_at = to_us(new.due_at)
            lease = origin.lease and self._leasing and new.lane == 0 and turn == 1
            lease = lease and due_at <= origin.at
            row = self._row(new, origin, due_at, turn, lease=lease)
            if lease:
                leased.append(row)
        self.counted["due"] += len(news)
        return leased

    def _first(self, destination: str, origin: Origin) -> bool:
        if origin.fresh:
            return True
        self.flush()
        return not self.rows(SQL["is_waiting"], destination, origin.stream)

    def _row(
        self, new: NewDelivery, origin: Origin, due_at: int, turn: int, *, lease: bool
    ) -> tuple[Any, ...]:
        self._delivery_seq = seq = self._delivery_seq + 1
        data = encode(new.data) if new.data else None
        ready_at = origin.at + LEASE_US if lease else due_at
        state = "leased" if lease else "due"
        head = (seq, new.id, new.destination, int(new.lane), new.type, origin.stream)
        tail = (origin.event_seq, origin.at)
        self._deliveries.append((*head, origin.ticket, *tail, due_at, ready_at, state, turn, data))
        # In the order in which a claim returns a delivery.
        return (*head, origin.ticket or origin.stream, *tail, 0, due_at, data, None, state)

    def flush(self) -> None:
        """Hand the collected rows to SQLite."""
        if self._events:
            self.cursor.executemany(SQL["add_event"], self._events)
            self._events = []
        if self._deliveries:
            self.cursor.executemany(SQL["add_delivery"], self._deliveries)
            self._deliveries = []

    def finish(self) -> None:
        """Hand everything to SQLite, the counts and the last numbers too."""
        self.flush()
        if self.numbers:
            self.cursor.executemany(SQL["set_number"], list(self.numbers.items()))
        counts = [item for item in self.counted.items() if item[1]]
        if counts:
            self.cursor.executemany(SQL["count"], counts)
