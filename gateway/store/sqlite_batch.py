"""A transaction under way on SQLite."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import apsw

from gateway.store.batch import DELIVERY_COLUMNS, TICKET_COLUMNS, Batch, Last
from gateway.store.sql import load, widened

SQL = load("write", "sqlite_write", "accounts_write")

#: Rows that one statement writes. Each call into SQLite gives the interpreter's lock to the loop,
#: which gives it back when it pleases: so a batch is written by few calls.
WIDTHS = (64, 32, 16, 8, 4, 2, 1)


def _wide(name: str, widths: Iterable[int] = WIDTHS) -> Mapping[int, str]:
    return MappingProxyType({rows: widened(SQL[name], rows) for rows in widths})


_ADD_TICKETS = _wide("add_ticket")
_ADD_DELIVERIES = _wide("add_delivery")
_COUNT = _wide("count", range(1, 6))  # of five counters


class SqliteBatch(Batch):
    """Changes of one transaction that was begun on a cursor.

    Args:
        cursor: Of the connection that writes.
        last: The numbers after the last transaction; None: the store must be asked.
        leasing: As with `Batch`.
        closely: As with `Batch`.
    """

    def __init__(
        self, cursor: apsw.Cursor, last: Last | None = None, *, leasing: bool, closely: bool
    ) -> None:
        self._cursor = cursor
        if last is None:
            seq, delivery = self.rows("last_seqs")[0]
            last = Last(seq, delivery, {})
        super().__init__(last, leasing=leasing, closely=closely)

    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Run a statement and return all its rows."""
        found: list[Any] = self._cursor.execute(SQL[name], bindings).fetchall()
        return found

    def changed(self, name: str, *bindings: Any) -> int:
        """Run a statement and return how many rows it changed."""
        self._cursor.execute(SQL[name], bindings)
        return self._changes()

    def many(self, name: str, bindings: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these bindings."""
        self._cursor.executemany(SQL[name], bindings)

    def _changes(self) -> int:
        changes: int = self._cursor.connection.changes()
        return changes

    def add_tickets(self, flat: Sequence[Any]) -> int:
        """Write tickets; return how many were not repeats, or fewer where one was found."""
        written = 0
        for statement, bindings in _parts(_ADD_TICKETS, flat, TICKET_COLUMNS):
            self._cursor.execute(statement, bindings)
            changes = self._changes()
            written += changes
            if changes * TICKET_COLUMNS != len(bindings):
                break
        return written

    def add_deliveries(self, flat: Sequence[Any]) -> None:
        """Write deliveries."""
        for statement, bindings in _parts(_ADD_DELIVERIES, flat, DELIVERY_COLUMNS):
            self._cursor.execute(statement, bindings)

    def add_totals(
        self, files: Sequence[str], numbers: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Write the files' hashes, the last numbers of days, and what counters grew by."""
        if numbers:
            self.many("set_number", list(numbers.items()))
        if files:
            self.rows("add_attachments", json.dumps(files))
        if counts:
            flat = [value for item in counts.items() for value in item]
            self._cursor.execute(_COUNT[len(counts)], flat)


def _parts(
    wide: Mapping[int, str], values: Sequence[Any], columns: int
) -> Iterator[tuple[str, Sequence[Any]]]:
    """Yield the statements that write rows, flat in one list, and the bindings of each."""
    start = 0
    for rows in WIDTHS:
        step = rows * columns
        while len(values) - start >= step:
            yield wide[rows], values[start : start + step]
            start += step
