"""The SQL statements and migrations that lie beside this module as files, for both engines."""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

from normalizer.errors import StoreError

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PARAMETER = re.compile(r"\?(\d+)")
_VALUES = re.compile(r"VALUES \(([?0-9, ]+)\)")
_MIGRATION = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
_HERE = "gateway.store"


def load(*names: str, numbered: str = "?") -> Mapping[str, str]:
    """Return the statements of ``queries/NAME.sql`` by their own names.

    Args:
        names: Of the files.
        numbered: What an engine has before a parameter's number; the files have ``?``.

    Raises:
        ValueError: Two statements have the same name.
    """
    statements: dict[str, str] = {}
    for name in names:
        text = files(_HERE).joinpath("queries", f"{name}.sql").read_text("utf-8")
        _, *parts = _NAME.split(_PARAMETER.sub(rf"{numbered}\1", text))
        for key, body in zip(parts[::2], parts[1::2], strict=True):
            if key in statements:
                raise ValueError(f"queries/{name}.sql: {key} is there twice")
            statements[key] = body.strip()
    return MappingProxyType(statements)


def widened(statement: str, rows: int) -> str:
    """Return an ``INSERT … VALUES (?1, … ?n)`` statement that takes so many rows at once.

    Their bindings follow each other row by row.
    """
    head, group, tail = _VALUES.split(statement, maxsplit=1)
    width = group.count("?")
    groups = (
        "(" + ", ".join([f"?{n}" for n in range(row * width + 1, (row + 1) * width + 1)]) + ")"
        for row in range(rows)
    )
    return f"{head}VALUES {', '.join(groups)}{tail}"


def too_old(name: str) -> StoreError:
    """Return the error of a command on a store that an older program made."""
    return StoreError(f"{name}: its schema is older; run `gateway migrate` first")


def too_new(name: str, version: int, newest: int) -> StoreError:
    """Return the error of a store that a newer program made."""
    return StoreError(
        f"{name}: its schema has version {version}, this program knows {newest} and older; "
        "run the newer program"
    )


def migrations(engine: str = "") -> tuple[str, ...]:
    """Return an engine's scripts, ``migrations/NNNN_name.sql``, in order; the first makes version 1.

    Args:
        engine: The folder below; empty: SQLite's lie in ``migrations`` itself.

    Raises:
        ValueError: A file is not named so, or a number is missing or there twice.
    """
    folder = files(_HERE).joinpath("migrations", engine)
    found = sorted((entry.name, entry) for entry in folder.iterdir() if entry.name.endswith(".sql"))
    for number, (name, _) in enumerate(found, start=1):
        match = _MIGRATION.fullmatch(name)
        if match is None or int(match[1]) != number:
            raise ValueError(f"migrations/{name}: expected {number:04d}_name.sql here")
    return tuple(entry.read_text("utf-8") for _, entry in found)
