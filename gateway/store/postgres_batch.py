"""A transaction under way on PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.store.batch import DELIVERY_COLUMNS, TICKET_COLUMNS, Batch, Last
from gateway.store.postgres_link import Link, fitting


class PostgresBatch(Batch):
    """Changes of one transaction that was begun on a link.

    Args:
        link: What it was begun on.
        mark: The writer's name, and what it will know by that the transaction was committed.
        last: The numbers after the last transaction.
        leasing: As with `Batch`.
        closely: As with `Batch`.
    """

    def __init__(
        self, link: Link, mark: tuple[str, int], last: Last, *, leasing: bool, closely: bool
    ) -> None:
        super().__init__(last, leasing=leasing, closely=closely)
        self._link = link
        self._mark = mark

    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Run a statement and return all its rows."""
        return self._link.rows(name, *bindings)

    def changed(self, name: str, *bindings: Any) -> int:
        """Run a statement and return how many rows it changed."""
        return self._link.changed(name, *bindings)

    def many(self, name: str, bindings: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these bindings."""
        self._link.many(name, bindings)

    def add_tickets(self, flat: Sequence[Any]) -> int:
        """Write tickets; return how many were not repeats."""
        return self._link.changed("add_tickets", *_columns(flat, TICKET_COLUMNS))

    def add_deliveries(self, flat: Sequence[Any]) -> None:
        """Write deliveries."""
        self._link.changed("add_deliveries", *_columns(flat, DELIVERY_COLUMNS))

    def add_totals(
        self, files: Sequence[str], numbers: Mapping[int, int], counts: Mapping[str, int]
    ) -> None:
        """Write the last numbers given out, the files' hashes, and what counters grew by."""
        last = self.last
        days = (list(numbers), list(numbers.values()))
        grown = (list(counts), list(counts.values()))
        more = (list(files), *days, *grown, *self._mark)
        self._link.changed("add_totals", last.seq, last.delivery, *more)


def _columns(flat: Sequence[Any], width: int) -> list[list[Any]]:
    """Return the columns of rows that lie one behind the other."""
    return [[fitting(value) for value in flat[column::width]] for column in range(width)]
