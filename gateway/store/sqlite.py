"""The embedded store: one SQLite file, one writer, one reader."""

import asyncio
import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import apsw

from gateway.line import Line
from gateway.store.lined import LinedStore
from gateway.store.locking import lock_of, take_lock
from gateway.store.sqlite_commit import Committer
from gateway.store.sqlite_file import check_version, meaning, prepare
from gateway.store.sqlite_process import ProcessEngine
from gateway.store.sqlite_read import SqliteReader
from normalizer.errors import ConfigError, StoreError

WRITERS = ("thread", "process")

LOCK_TRIES = 10
LOCK_PAUSE_S = 0.05


def from_url(url: str, *, owner: bool = True) -> "SqliteStore":
    """Return the store of ``sqlite:///PATH``, or with ``?writer=process`` a writer of its own.

    ``sqlite:////PATH`` is absolute, ``sqlite:///PATH`` relative to the working directory.

    Raises:
        ConfigError: The URL is another engine's, or has an unknown parameter.
    """
    head, _, query = url.partition("?")
    path = unquote(head.removeprefix("sqlite:///"))
    given = dict(parse_qsl(query, keep_blank_values=True))
    writer = given.pop("writer", "thread")
    if head == path or not path or given or writer not in WRITERS:
        raise ConfigError("store.url: expected sqlite:///PATH or sqlite:///PATH?writer=process")
    return SqliteStore(Path(path), owner=owner, writer=writer)


class SqliteStore(LinedStore):
    """A `gateway.store.base.Store` in one file.

    Args:
        path: The database; ``.lock``, ``-wal`` and ``-shm`` files lie beside it.
        owner: Whether this is the one gateway process of the store. A command that works
            beside it is not: it takes no lock, leases nothing and never checkpoints.
        writer: ``thread``, or ``process`` for a writer beside this interpreter.
        busy_s: Seconds to wait while another process writes.
    """

    def __init__(
        self, path: Path, *, owner: bool = True, writer: str = "thread", busy_s: float = 5.0
    ) -> None:
        super().__init__(str(path))
        self._path = path
        self._owner = owner
        self._in_process = writer == "process" and owner
        self._busy_s = busy_s
        self._lock: int | None = None

    async def open(self) -> None:
        """Bring the schema up to date and take the store for this process.

        Raises:
            StoreError: Another process has it, or the file cannot be used as it is.
        """
        check_version(apsw.sqlite_lib_version())
        if self._owner:
            self._lock = await self._take()
        try:
            self._secret = await asyncio.to_thread(
                prepare, self._path, self._busy_s, owner=self._owner
            )
            self._read_by(SqliteReader(self._path, self._busy_s))
            await self._start_writer()
        except (StoreError, apsw.Error) as error:
            await self.close()
            raise StoreError(meaning(error, self._path)) from error

    async def _take(self) -> int:
        # A writer process that is dying with its killed parent holds the lock a moment longer.
        for pause in (*[LOCK_PAUSE_S] * LOCK_TRIES, 0):
            if (lock := take_lock(self._path)) is not None:
                return lock
            await asyncio.sleep(pause)
        raise StoreError(
            f"{self._path}: another gateway process runs on this store "
            f"(it holds {lock_of(self._path)}); stop it first"
        )

    async def _start_writer(self) -> None:
        if self._in_process:
            self._writer = line = Line(self._give_back)
            line.start(await ProcessEngine.start(line, self._path, self._busy_s, self._lock))
        else:
            writer = Committer(self._path, self._busy_s, owner=self._owner)
            self._write_by(writer.run, lambda idle: writer.tidy(idle=idle), writer.close)

    async def close(self) -> None:
        """Finish what was asked and let go of the store. May be called twice."""
        await super().close()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None
