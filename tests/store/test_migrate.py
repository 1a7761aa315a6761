"""How the schema is brought up to date, and the files that say how."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import apsw
import pytest

from gateway.store import sql
from gateway.store.migrate import migrate, version_of
from normalizer.errors import StoreError

HERE = Path("test.db")
FIRST = "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1), (2);"
SECOND = "CREATE TABLE b (a INTEGER REFERENCES a (id)); INSERT INTO b SELECT id FROM a;"


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    """Yield an empty database in memory."""
    opened = apsw.Connection(":memory:")
    yield opened
    opened.close()


def schema(connection: apsw.Connection) -> Sequence[object]:
    """Return every table and index as SQLite keeps it."""
    return connection.execute("SELECT sql FROM sqlite_schema ORDER BY name").fetchall()


def test_steps_are_applied_once_and_in_order(connection: apsw.Connection) -> None:
    """A new database gets every step, an old one those it lacks, a current one none."""
    assert migrate(connection, HERE, (FIRST,)) == 1
    assert migrate(connection, HERE, (FIRST, SECOND)) == 1
    assert migrate(connection, HERE, (FIRST, SECOND)) == 0
    assert version_of(connection, HERE, 2) == 2
    assert connection.execute("SELECT a FROM b").fetchall() == [(1,), (2,)]


def test_the_schema_is_the_sum_of_the_steps(connection: apsw.Connection) -> None:
    """Step by step, or all at once, the schema is the same."""
    steps = (*sql.migrations(), FIRST, SECOND)
    for count in range(1, len(steps) + 1):
        migrate(connection, HERE, steps[:count])
    other = apsw.Connection(":memory:")
    migrate(other, HERE, steps)
    assert schema(connection) == schema(other)
    other.close()


@pytest.mark.parametrize(
    ("bad", "error"),
    [
        ("CREATE TABLE b (x); INSERT INTO nowhere VALUES (1);", apsw.SQLError),
        ("CREATE TABLE b (a REFERENCES a (id)); INSERT INTO b VALUES (9);", StoreError),
    ],
)
def test_a_failing_step_leaves_no_trace(
    connection: apsw.Connection, bad: str, error: type[Exception]
) -> None:
    """A step that fails in its middle, or leaves dangling references, is undone whole."""
    migrate(connection, HERE, (FIRST,))
    before = schema(connection)
    with pytest.raises(error):
        migrate(connection, HERE, (FIRST, bad))
    assert schema(connection) == before
    assert version_of(connection, HERE, 2) == 1
    assert migrate(connection, HERE, (FIRST, SECOND)) == 1


def test_a_newer_schema_is_refused(connection: apsw.Connection) -> None:
    """A database with more steps than the program knows is not touched."""
    migrate(connection, HERE, (FIRST, SECOND))
    with pytest.raises(StoreError, match=r"version 2.*knows 1"):
        migrate(connection, HERE, (FIRST,))


def test_the_files_are_numbered_without_gaps() -> None:
    """The steps of the package are there, from 0001 on."""
    assert len(sql.migrations()) >= 1
    assert "CREATE TABLE tickets" in sql.migrations()[0]


@pytest.mark.parametrize("file", ["read", "write"])
def test_every_statement_is_sound(file: str) -> None:
    """Every statement of the package fits the schema of the package."""
    connection = apsw.Connection(":memory:")
    migrate(connection, HERE, sql.migrations())
    statements = sql.load(file, f"sqlite_{file}", f"accounts_{file}")
    assert len(statements) > 10
    for statement in statements.values():
        count = max((n for n in range(1, 25) if f"?{n}" in statement), default=0)
        connection.execute(f"EXPLAIN {statement}", (None,) * count)
    connection.close()


@pytest.mark.parametrize(
    "files",
    [
        ("postgres_link", "read", "postgres_read", "accounts_read"),
        ("postgres_link", "write", "postgres_write", "accounts_write"),
    ],
)
def test_no_statement_hides_another(files: tuple[str, ...]) -> None:
    """What one connection asks has names of its own; `load` refuses a name that is there twice."""
    assert len(sql.load(*files)) > 10


def test_a_statement_is_widened_row_by_row() -> None:
    """A wide statement takes the bindings of one row after the other."""
    one = "INSERT INTO t (a, b) VALUES (?1, ?2) ON CONFLICT DO NOTHING;"
    assert sql.widened(one, 1) == one
    assert sql.widened(one, 3) == (
        "INSERT INTO t (a, b) VALUES (?1, ?2), (?3, ?4), (?5, ?6) ON CONFLICT DO NOTHING;"
    )
