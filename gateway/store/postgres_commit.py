"""Carries out batches of changes on a connection to PostgreSQL.

Whoever writes holds one row of the database until its commit, so all gateways write one after
another, each many changes at a time: numbers and sequence have no gaps that a reader could fall
into, and whether a report raises an incident is decided once.
"""

import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import asyncpg

from gateway.store.batch import Batch, Last
from gateway.store.changes import HANDLERS
from gateway.store.commit import Answers, carried_out
from gateway.store.ops import Claim, Swap, Tend
from gateway.store.postgres_batch import PostgresBatch
from gateway.store.postgres_link import BROKEN, Link, Unsure, asked, meaning

log = logging.getLogger(__name__)

#: First half of the locks that say which gateways live: "GWAY" in ASCII.
LOCKS = 0x47574159
#: For how long a transaction whose commit got no answer is asked after.
_FATE_S = 10.0
_PAUSE_S = 0.2

#: No single change can be the cause of these, so trying the others alone is of no use.
_HOPELESS = (
    *BROKEN,
    Unsure,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
)


class PostgresCommitter:
    """The writing side of a store. Used by one thread at a time.

    Args:
        url: The server and the database.
        node: This gateway's number; 0: a command beside it, which leases nothing.
    """

    def __init__(self, url: str, node: int) -> None:
        self._node = node
        self._link = Link(url, asked("write", "postgres_write", "accounts_write"), self._settle_in)
        self._name = secrets.token_hex(8)
        self._mark = 0  #: counts transactions that were begun
        self._last: Last | None = None
        self._missing: frozenset[int] = frozenset()
        self._handlers: Mapping[type, Callable[[Batch, Any], Any]] = MappingProxyType(
            {**HANDLERS, Swap: swap, Tend: self._tend}
        )

    def _settle_in(self, link: Link) -> None:
        """Say that this gateway lives, for as long as the connection does."""
        if not self._mark:
            link.changed("introduce", self._name)
        link.execute(f"SET gateway.node = {self._node:d}")
        if self._node:
            # The session before may hold it for a moment still; without it others would take this
            # gateway for gone, and deliver what it is delivering.
            link.execute(f"SELECT pg_advisory_lock({LOCKS:d}, {self._node:d})")

    def run(self, ops: Sequence[Any]) -> Answers:
        """Carry out all changes in one transaction, or, if one fails, each in its own.

        What has no error is durable on return. What has one left no trace, unless the server was
        lost at a commit and did not come back: the error says so.
        """
        return carried_out(
            ops, self._transaction, _HOPELESS, lambda error: meaning(error, self._link.name)
        )

    def _transaction(self, ops: Sequence[Any], *, closely: bool) -> list[Any]:
        try:
            return self._try(ops, closely=closely)
        except BROKEN:
            # It was not committed, so nothing was written. The server may only have been restarted.
            self._link.drop()
            return self._try(ops, closely=closely)

    def _try(self, ops: Sequence[Any], *, closely: bool) -> list[Any]:
        link = self._link
        link.ensure()
        if all(type(op) is Claim for op in ops) and not any(map(self._is_claimable, ops)):
            return ["[]"] * len(ops)  # no lock and no commit for those who look in vain
        try:
            link.execute("BEGIN")
            self._mark += 1
            seq, delivery = link.rows("heads")[0]
            last = self._last
            if last is None or (last.seq, last.delivery) != (seq, delivery):
                last = Last(seq, delivery, {})  # another gateway has written
            mark = (self._name, self._mark)
            batch = PostgresBatch(link, mark, last, leasing=self._node > 0, closely=closely)
            results = [self._handlers[type(op)](batch, op) for op in ops]
            batch.finish()
        except BROKEN:
            raise
        except BaseException:
            link.execute("ROLLBACK")
            raise
        self._commit()
        self._last = batch.last
        return results

    def _is_claimable(self, op: Claim) -> bool:
        found = self._link.rows("is_claimable", op.destination, op.lane, op.now)
        return bool(found[0][0])

    def _commit(self) -> None:
        """Commit; where the answer is lost, find out what it was.

        Raises:
            ConnectionError: The connection broke, and nothing was written.
            Unsure: It broke, and the server does not come back to tell.
        """
        try:
            self._link.execute("COMMIT")
        except BROKEN as error:
            log.warning("store.commit_unanswered", extra={"error": type(error).__name__})
            if self._last_mark() != self._mark:
                raise ConnectionError("the connection broke before a commit") from error
        self._link.well()

    def _last_mark(self) -> int:
        """Return the mark of this writer's last transaction that was committed."""
        until = time.monotonic() + _FATE_S
        while time.monotonic() < until:
            self._link.drop()
            try:
                self._link.ensure()
                return int(self._link.rows("last_mark", self._name)[0][0])
            except (*BROKEN, asyncpg.PostgresError):
                # It is not back yet, or has yet to end the session before. Whatever it refuses
                # with, the transaction may have been committed.
                time.sleep(_PAUSE_S)
        raise Unsure

    def _tend(self, batch: Batch, _op: Tend) -> int:
        """Make due what gateways had leased that have been gone for two looks; return how much."""
        gone = frozenset(row[0] for row in batch.rows("gone", LOCKS))
        lost, self._missing = gone & self._missing, gone
        if not lost:
            return 0
        freed = batch.changed("free_leases", json.dumps(sorted(lost)))
        log.warning("store.leases_freed", extra={"count": freed})
        return freed

    def close(self) -> None:
        """Let go of the connection, and with it of this gateway's leases."""
        self._link.close()


def swap(batch: Batch, op: Swap) -> bool:
    """Put a shared value where the expected version lies; return whether it did."""
    if op.version == 0:
        return batch.changed("swap", op.name, op.value, 0) > 0
    return batch.changed("swap_again", op.name, op.value, op.version) > 0
