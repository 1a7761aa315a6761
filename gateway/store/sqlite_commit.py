"""Carries out batches of changes on the one connection that writes, and checkpoints."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from gateway.store.batch import Last
from gateway.store.changes import HANDLERS
from gateway.store.commit import Answers, carried_out
from gateway.store.sqlite_batch import SQL, SqliteBatch
from gateway.store.sqlite_file import connect, meaning

log = logging.getLogger(__name__)

#: Pages of log from which the writer checkpoints when nothing waits, and in any case. 8 MiB and
#: 32 MiB: a checkpoint of the former takes a few milliseconds on a fast disk.
CHECKPOINT_IDLE = 1_000
CHECKPOINT_BUSY = 4_000

#: No single change can be the cause of these, so trying the others alone is of no use.
_HOPELESS = (apsw.BusyError, apsw.ReadOnlyError, apsw.CorruptError, apsw.NotADBError)


class Committer:
    """The writing side of a store. Used by one thread at a time."""

    def __init__(self, path: Path, busy_s: float, *, owner: bool) -> None:
        self._path = path
        self._owner = owner
        self._connection = connect(path, busy_s, write=True)
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._cursor = self._connection.cursor()
        self._log_pages = 0
        self._number = 0
        self._handed: list[int] = []
        self._last: Last | None = None
        self._version = 0

    def run(self, ops: Sequence[Any], number: int = 0) -> Answers:
        """Carry out all changes in one transaction, or, if one fails, each in its own.

        What has no error is durable on return; what has one left no trace.

        Args:
            ops: The changes.
            number: What `give_back` will know this batch by, greater than any before; 0: the
                askers live and die with this process.
        """
        self._number, self._handed = number, []
        return carried_out(ops, self._transaction, _HOPELESS, lambda e: meaning(e, self._path))

    def _transaction(self, ops: Sequence[Any], *, closely: bool) -> list[Any]:
        cursor, connection = self._cursor, self._connection
        cursor.execute("BEGIN IMMEDIATE")
        try:
            # Unless a command beside this process has written meanwhile.
            last = self._last if connection.data_version() == self._version else None
            batch = SqliteBatch(cursor, last, leasing=self._owner, closely=closely)
            results = [HANDLERS[type(op)](batch, op) for op in ops]
            batch.finish()
            handed = self._handed + batch.handed
            if self._number and batch.handed:
                batch.rows("hand_out", self._number, json.dumps(handed))
            cursor.execute("COMMIT")
        except BaseException:
            self._cursor = self._connection.cursor()  # the old one may hold a half-read result
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._handed = handed
        self._last, self._version = batch.last, connection.data_version()
        return results

    def give_back(self, number: int) -> None:
        """Make due again what this batch and later ones leased to askers who never had an answer.

        Raises:
            apsw.Error: The disk refused.
        """
        self._connection.execute(SQL["give_back"], (number,))

    def tidy(self, *, idle: bool) -> None:
        """Copy the log into the database if it has grown; readers are not waited for."""
        # Not by a hook, which would enter the interpreter in the middle of each commit.
        self._log_pages += self._connection.status(apsw.SQLITE_DBSTATUS_CACHE_WRITE, True)[0]
        if self._owner and self._log_pages >= (CHECKPOINT_IDLE if idle else CHECKPOINT_BUSY):
            self._checkpoint(apsw.SQLITE_CHECKPOINT_PASSIVE)

    def _checkpoint(self, mode: int) -> None:
        self._log_pages = 0
        try:
            self._connection.wal_checkpoint(mode=mode)
        except apsw.Error as error:
            # The log keeps everything meanwhile; if the disk is at fault the next commit says so.
            log.warning("store.checkpoint_failed", extra={"reason": meaning(error, self._path)})

    def close(self) -> None:
        """Copy the whole log into the database and let go of it."""
        if self._owner:
            self._checkpoint(apsw.SQLITE_CHECKPOINT_TRUNCATE)
        self._connection.close()
