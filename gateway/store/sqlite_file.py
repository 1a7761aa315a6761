"""The database file: who may open it, how, and what its errors mean."""

import os
import secrets
from pathlib import Path
from typing import Any

import apsw

from gateway.store.migrate import migrate, version_of
from gateway.store.sql import load, migrations, too_old
from normalizer.errors import StoreError

#: Older ones can corrupt a database in WAL mode when a checkpoint meets a commit that resets the
#: log. Source: https://www.sqlite.org/wal.html, "The WAL-Reset Bug".
OLDEST_SQLITE = (3, 51, 3)

#: Octets a page. Tickets are 2-3 kB: with 8 KiB fewer of them spill into overflow pages.
PAGE_SIZE = 8192

SECRET_OCTETS = 32

_MEANINGS: tuple[tuple[type[apsw.Error], str], ...] = (
    (apsw.BusyError, "another program holds the store's write lock; end it and try again"),
    (apsw.LockedError, "another program holds the store's write lock; end it and try again"),
    (apsw.FullError, "the disk is full; free space on it"),
    (apsw.ReadOnlyError, "the file or its folder may not be written; check their owner and mode"),
    (apsw.CorruptError, "the file is damaged; stop, keep a copy, and restore a backup"),
    (apsw.NotADBError, "the file is no database; name another one, or restore a backup"),
    (apsw.CantOpenError, "the file cannot be opened; check the path, its owner and mode"),
    (apsw.IOError, "the disk does not answer; check it and the system's log"),
)


def meaning(error: Exception, path: Path) -> str:
    """Return what an error in the database means and what to do, without any stored value."""
    if isinstance(error, StoreError):
        return str(error)
    for kind, text in _MEANINGS:
        if isinstance(error, kind):
            return f"{path}: {text} ({type(error).__name__})"
    if isinstance(error, apsw.Error):  # its text names columns, never values
        return f"{path}: the database refused: {type(error).__name__}: {error}"
    return f"{path}: {type(error).__name__} while writing; this is a fault of the program"


def check_version(version: str) -> None:
    """Return if this SQLite is safe to write with.

    Raises:
        StoreError: It is older than `OLDEST_SQLITE`.
    """
    if tuple(int(part) for part in version.split(".")[:3]) < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise StoreError(
            f"SQLite {version} can corrupt the store; {oldest} or newer is needed: "
            "install the apsw wheel from PyPI, which brings one"
        )


def _create(path: Path) -> None:
    # SQLite gives its log and index files the mode of the database: the owner's eyes only.
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: cannot be opened: {error.strerror}") from None


def connect(path: Path, busy_s: float, *, write: bool) -> apsw.Connection:
    """Return a connection: durable at every commit, never checkpointing by itself.

    Raises:
        apsw.Error: The file is no usable database.
    """
    mode = apsw.SQLITE_OPEN_READWRITE if write else apsw.SQLITE_OPEN_READONLY
    connection = apsw.Connection(str(path), flags=mode)
    try:
        connection.set_busy_timeout(round(busy_s * 1000))
        connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
        if write:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            # What a statement of many changes may have to undo is kept in memory: the other way
            # is a file made and removed for each.
            connection.execute("PRAGMA temp_store = MEMORY")
        connection.wal_autocheckpoint(0)
        connection.execute("PRAGMA cache_size = -32768")
    except apsw.Error:
        connection.close()
        raise
    return connection


def prepare(path: Path, busy_s: float, *, owner: bool) -> bytes:
    """Make the store ready and return its secret.

    An owner creates it, brings its schema up to date and frees the leases of the process that
    had it before; it must hold the lock. Others only check that it is as they know it.

    Raises:
        StoreError: The file cannot be used as it is.
    """
    scripts = migrations()
    if owner:
        _create(path)
    elif not path.is_file():
        raise StoreError(
            f"{path}: there is no store; `gateway serve` or `gateway migrate` makes it"
        )
    try:
        connection = connect(path, busy_s, write=True)
        try:
            if owner:
                migrate(connection, path, scripts)
                _settle_in(connection)
            elif version_of(connection, path, len(scripts)) < len(scripts):
                raise too_old(str(path))
            rows: list[Any] = connection.execute(load("read")["secret"]).fetchall()
            return bytes(rows[0][0])
        finally:
            connection.close()
    except apsw.Error as error:
        raise StoreError(meaning(error, path)) from error


def _settle_in(connection: apsw.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO meta (key, value) VALUES ('secret', ?) ON CONFLICT (key) DO NOTHING",
        (secrets.token_bytes(SECRET_OCTETS),),
    )
    connection.execute(load("sqlite_write")["free_leases"])
    connection.execute(load("sqlite_write")["hand_out_nothing"])
    connection.execute("COMMIT")
