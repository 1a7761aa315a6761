"""Brings the schema of an SQLite store up to date, one transaction a step."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apsw

from gateway.store.sql import too_new
from normalizer.errors import StoreError

#: ``PRAGMA application_id`` of our files, "GWAY" in ASCII: no other program's database is touched.
APPLICATION_ID = 0x47574159


def version_of(connection: apsw.Connection, path: Path, newest: int) -> int:
    """Return the schema's version, 0 of a new file.

    Raises:
        StoreError: The file belongs to another program, or to a newer version of this one.
    """
    version = _number(connection, "PRAGMA user_version")
    application = _number(connection, "PRAGMA application_id")
    tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    if application != APPLICATION_ID and (tables or version or application):
        raise StoreError(f"{path}: this is another program's database; name another file")
    if version > newest:
        raise too_new(str(path), version, newest)
    return version


def _number(connection: apsw.Connection, statement: str) -> int:
    rows: list[Any] = connection.execute(statement).fetchall()
    return int(rows[0][0])


def migrate(connection: apsw.Connection, path: Path, scripts: Sequence[str]) -> int:
    """Apply the scripts that are missing and return how many there were.

    Each runs in a transaction together with the new ``PRAGMA user_version``, so that a crash
    leaves the schema of before or after a step. Foreign keys are checked at the end of each.

    Raises:
        StoreError: The file is not ours or too new, or a step does not fit its data.
    """
    have = version_of(connection, path, len(scripts))
    for number, script in enumerate(scripts[have:], start=have + 1):
        _step(connection, path, number, script)
    return len(scripts) - have


def _check_references(connection: apsw.Connection, path: Path, step: int) -> None:
    broken = connection.execute("PRAGMA foreign_key_check").fetchall()
    if broken:
        raise StoreError(f"{path}: schema step {step} leaves {len(broken)} dangling references")


def _step(connection: apsw.Connection, path: Path, number: int, script: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(script)
        _check_references(connection, path, number)
        connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except (apsw.Error, StoreError):
        connection.execute("ROLLBACK")
        raise
