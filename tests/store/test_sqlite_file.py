"""What is SQLite's own: the file, its errors, its log, and its plans."""

from pathlib import Path

import apsw
import pytest

from gateway.store import sqlite_file
from gateway.store.accounts import NewEntry, Wanted
from gateway.store.asking import adding
from gateway.store.base import Lane
from gateway.store.migrate import APPLICATION_ID
from gateway.store.ops import Claim, Settle, to_us
from gateway.store.read import claimed
from gateway.store.sql import load
from gateway.store.sqlite import SqliteStore, from_url
from gateway.store.sqlite_commit import CHECKPOINT_IDLE, Committer
from normalizer.errors import ConfigError, StoreError
from tests.store import make


async def opens(path: Path, *, owner: bool = True) -> str:
    """Return the error of opening this store, empty if there is none."""
    return await make.opens(SqliteStore(path, owner=owner, busy_s=0.1))


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Return where a store with one ticket lies, closed."""
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    await store.add(make.acceptance(key="k"))
    await store.close()
    return tmp_path / "gateway.db"


def ask(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Return the rows of a statement on the closed file."""
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def damage(path: Path) -> None:
    """Overwrite every page but the first."""
    content = bytearray(path.read_bytes())
    for start in range(sqlite_file.PAGE_SIZE, len(content)):
        content[start] = (start * 37 + 11) % 251
    path.write_bytes(content)


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("version", "safe"),
    [("3.40.1", False), ("3.51.2", False), ("3.51.3", True), ("3.54.1", True), ("4.0.0", True)],
)
def test_an_old_sqlite_is_refused(version: str, safe: bool) -> None:
    """An SQLite with the bug that corrupts a database is named and refused."""
    if safe:
        sqlite_file.check_version(version)
        return
    with pytest.raises(StoreError, match=version):
        sqlite_file.check_version(version)


@pytest.mark.parametrize(
    ("url", "expected", "process"),
    [
        ("sqlite:///var/gateway.db", "var/gateway.db", False),
        ("sqlite:////var/gateway.db", "/var/gateway.db", False),
        ("sqlite:////var/a%20b.db?writer=process", "/var/a b.db", True),
        ("sqlite:///g.db?writer=thread", "g.db", False),
    ],
)
def test_urls(url: str, expected: str, process: bool) -> None:
    """A URL names the file and the kind of writer."""
    store = from_url(url)
    assert (store._path, store._in_process) == (Path(expected), process)


@pytest.mark.parametrize(
    "url",
    ["", "g.db", "sqlite://", "sqlite:///", "sqlite:///?writer=process", "postgresql:///x",
     "sqlite:///g.db?writer=both", "sqlite:///g.db?mode=ro", "sqlite:///g.db?writer="],
)  # fmt: skip
def test_wrong_urls(url: str) -> None:
    """Another engine, no path and unknown parameters are errors of the configuration."""
    with pytest.raises(ConfigError, match=r"store\.url"):
        from_url(url)


async def test_the_file_is_durable_and_private(path: Path) -> None:
    """The log is a WAL, every commit is forced to the disk, and only the owner may read."""
    committer = Committer(path, 1, owner=True)
    pragmas = {
        name: committer._connection.pragma(name)
        for name in ("journal_mode", "synchronous", "foreign_keys", "wal_autocheckpoint")
    }
    committer.close()
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "wal_autocheckpoint": 0,
    }
    assert mode(path) == 0o600
    assert all(strict for (strict,) in ask(path, "SELECT strict FROM pragma_table_list "
               "WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'"))  # fmt: skip
    assert ask(path, "PRAGMA foreign_key_check") == []


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 500, b"SQLite format 3\0" + b"x" * 9000]
)
async def test_what_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is an error that names it, and keeps its content."""
    path = tmp_path / "gateway.db"
    path.write_bytes(content)
    assert str(path) in await opens(path)
    assert path.read_bytes() == content


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    """A database that is not ours gets no tables of ours."""
    path = tmp_path / "other.db"
    ask(path, "CREATE TABLE theirs (x)")
    assert "another program's database" in await opens(path)
    assert ask(path, "SELECT name FROM sqlite_schema") == [("theirs",)]


async def test_a_newer_schema_is_left_alone(path: Path) -> None:
    """A store of a newer program is an error that says so; nothing is changed."""
    ask(path, "PRAGMA user_version = 99")
    assert "version 99" in await opens(path)
    assert "version 99" in await opens(path, owner=False)
    assert ask(path, "PRAGMA application_id") == [(APPLICATION_ID,)]


async def test_a_command_needs_a_store_that_is_up_to_date(path: Path, tmp_path: Path) -> None:
    """A command neither makes a store nor brings one up to date."""
    assert "there is no store" in await opens(tmp_path / "none.db", owner=False)
    assert not (tmp_path / "none.db").exists()
    ask(path, "PRAGMA user_version = 0")
    assert "gateway migrate" in await opens(path, owner=False)


@pytest.mark.parametrize("where", ["/proc/gateway.db", "/proc/none/gateway.db"])
async def test_a_folder_that_cannot_be_written(where: str) -> None:
    """A folder that takes no files is an error that names the file."""
    assert "/proc/" in await opens(Path(where))


async def test_a_folder_is_no_store(tmp_path: Path) -> None:
    """A folder, or a file for a folder, is an error that names it."""
    (tmp_path / "folder.db").mkdir()
    assert "folder.db" in await opens(tmp_path / "folder.db")
    (tmp_path / "file").write_bytes(b"")
    assert "file" in await opens(tmp_path / "file" / "gateway.db")


async def test_a_damaged_file_is_told(path: Path) -> None:
    """Damaged pages are reported as damage, not as an empty answer, and never end the reader."""
    store = SqliteStore(path)
    await store.open()
    found = (await store.page("", 1))[0].number
    await store.close()
    damage(path)
    store = SqliteStore(path)

    async def ask_for_it() -> None:
        await store.open()
        await store.ticket(found)

    with pytest.raises(StoreError, match="damaged"):
        await ask_for_it()
    await store.close()


async def test_a_locked_store_recovers(path: Path) -> None:
    """While another program holds the write lock changes fail clearly; afterwards they work."""
    store = SqliteStore(path, busy_s=0.05)
    await store.open()
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="write lock"):
        await store.add(make.acceptance())
    assert (await store.counts())["tickets"] == 1
    other.execute("ROLLBACK")
    other.close()
    await store.add(make.acceptance())
    assert (await store.counts())["tickets"] == 2
    await store.close()


async def test_a_full_disk_is_told_and_left_behind(path: Path) -> None:
    """A change that does not fit fails alone and says why; when there is room all goes on."""
    committer = Committer(path, 1, owner=True)
    pages = committer._connection.pragma("page_count")
    committer._connection.pragma("max_page_count", pages + 4)
    big = make.acceptance(raw=bytes(sqlite_file.PAGE_SIZE * 9))
    results, errors = committer.run([adding(a) for a in (make.acceptance(), big)])
    assert list(errors) == [1]
    assert "disk is full" in errors[1]
    assert results[0].startswith("20261122-000002-")
    committer._connection.pragma("max_page_count", 10_000)
    (result,), errors = committer.run([adding(big)])
    assert errors == {}
    assert result.startswith("20261122-000003-")
    committer.close()
    assert ask(path, "PRAGMA integrity_check") == [("ok",)]


async def test_a_fault_of_the_program_fails_alone(path: Path) -> None:
    """A change that no handler knows fails, named without its content; the others are written."""
    committer = Committer(path, 1, owner=True)
    results, errors = committer.run([adding(make.acceptance()), "13800138000", Settle(())])
    assert list(errors) == [1]
    assert "13800138000" not in errors[1]
    assert results[0] is not None
    committer.close()


async def test_the_log_is_copied_back(path: Path) -> None:
    """The writer checkpoints when the log has grown, so that the log stays bounded."""
    committer = Committer(path, 1, owner=True)
    log = path.with_name(path.name + "-wal")
    sizes = []
    for _ in range(6):
        committer.run([adding(make.acceptance(raw=bytes(CHECKPOINT_IDLE * sqlite_file.PAGE_SIZE)))])
        committer.tidy(idle=True)
        sizes.append(log.stat().st_size)
    assert len(set(sizes[1:])) == 1
    committer.close()
    assert not log.exists()


@pytest.mark.parametrize(
    ("file", "name", "index"),
    [
        ("write", "claimable", "deliveries_claim"),
        ("write", "is_waiting", "deliveries_order"),
        ("write", "promote", "deliveries_order"),
        ("write", "with_successors", "deliveries_order"),
        ("write", "free_leases", "deliveries_rare"),
        ("write", "ticket_of_key", "tickets_key"),
        ("read", "next_due", "deliveries_claim"),
        ("read", "deliveries_rare", "deliveries_rare"),
        ("read", "dead", "deliveries_rare"),
        ("read", "held_heads", "quarantine_state"),
        ("read", "newest_incidents", "incidents_state"),
        ("read", "tickets_of_thread", "tickets_thread"),
        ("read", "tickets_before", "sqlite_autoindex_tickets_1"),
        ("read", "public_before", "tickets_public"),
        ("read", "events_of", "events_version"),
        ("read", "ladder_next", "incidents_ladder"),
        ("read", "ladder_due", "incidents_ladder"),
        ("read", "incidents_at_desk", "incidents_desk"),
        ("read", "quarantined", "quarantine_state"),
    ],
)
async def test_no_question_reads_a_whole_table(
    path: Path, file: str, name: str, index: str
) -> None:
    """Each question is answered from its index, without sorting, however long the tables."""
    connection = apsw.Connection(str(path))
    statement = load(file, f"sqlite_{file}")[name]
    count = max((n for n in range(1, 25) if f"?{n}" in statement), default=0)
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", (None,) * count).fetchall()
    plan = [str(row[3]) for row in rows]
    connection.close()
    assert any(index in line for line in plan), plan
    assert not any("TEMP B-TREE" in line for line in plan), plan
    scans = [line for line in plan if line.startswith("SCAN")]
    whole = ("json_each", "VIRTUAL TABLE", "USING COVERING INDEX incidents_ladder", "(subquery-1)")
    assert not [one for one in scans if not any(word in one for word in whole)], plan


async def test_a_claim_touches_only_what_it_takes(path: Path) -> None:
    """Claiming from a queue with thousands waiting ahead of their time reads a handful of rows."""
    committer = Committer(path, 1, owner=True)
    later = [make.delivery(due_at=make.after(3600)) for _ in range(3000)]
    ops = [adding(make.acceptance(deliveries=(one,))) for one in later]
    for start in range(0, len(ops), 500):
        _, errors = committer.run(ops[start : start + 500])
        assert errors == {}
    now = to_us(make.NOW)
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    committer._connection.set_progress_handler(count, 100)
    (rows,), _ = committer.run([Claim("backoffice", int(Lane.ORDINARY), now, 200, now + 1)])
    committer.close()
    assert len(claimed(rows)) == 1
    assert steps < 20


async def test_a_batch_gives_back_what_it_leased(path: Path) -> None:
    """Giving back a batch frees its leases, those of changes carried out alone too; no other's."""
    committer = Committer(path, 1, owner=True)

    def batch(*names: str) -> list[object]:
        given = [make.acceptance(deliveries=(make.urgent(id=one),)) for one in names]
        return [adding(one) for one in given]

    _, errors = committer.run(batch("early"), 1)
    assert errors == {}
    _, errors = committer.run([*batch("a"), "a fault of the program", *batch("b")], 2)
    assert list(errors) == [1]
    _, errors = committer.run(batch("unnumbered"))
    assert errors == {}
    leased = "SELECT id FROM deliveries WHERE state = 'leased' ORDER BY id"
    for nothing in (0, 3):  # every answer came
        committer.give_back(nothing)
        assert len(ask(path, leased)) == 4
    committer.give_back(2)
    assert ask(path, leased) == [("early",), ("unnumbered",)]
    committer.close()
    store = SqliteStore(path)
    await store.open()
    await store.close()
    assert ask(path, leased) == []


@pytest.mark.parametrize("count", [1, 2, 3, 63, 64, 65, 200])
async def test_batches_of_any_size_are_whole(path: Path, count: int) -> None:
    """However many tickets a batch has, each is written once with its own delivery."""
    committer = Committer(path, 1, owner=True)
    given = [make.acceptance(key=str(n)) for n in range(count)]
    results, errors = committer.run([adding(one) for one in given])
    committer.close()
    assert errors == {}
    assert len(set(results)) == count
    rows = ask(
        path,
        "SELECT t.id, d.id FROM tickets t JOIN deliveries d ON d.stream = t.seq "
        "WHERE t.key <> 'k' ORDER BY t.nr",
    )
    assert rows == [(one.ticket.id, one.deliveries[0].id) for one in given]


async def test_tickets_of_an_older_store_are_news(tmp_path: Path) -> None:
    """Brought up to date, a store of the first version has its tickets noted from the first on."""
    path = tmp_path / "gateway.db"
    old = SqliteStore(path)
    await old.open()
    added = await old.add(make.acceptance())
    await old.close()
    connection = apsw.Connection(str(path))
    later = ("watched", "watch", "audit", "console_sessions", "console_users", "routes_versions")
    for table in later:
        connection.execute(f"DROP TABLE {table}")
    for index in ("events_told", "events_rungs", "tickets_public"):
        connection.execute(f"DROP INDEX {index}")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    new = SqliteStore(path)
    await new.open()
    stored = await new.ticket(added.number)
    assert stored is not None
    news = (await new.unwatched(10)).news
    assert [(one.seq, one.limits is not None) for one in news] == [(stored.events[0].seq, True)]
    await new.close()


async def test_no_entry_of_the_audit_is_replaced(tmp_path: Path) -> None:
    """REPLACE, which fires no trigger of what it takes out, is refused, too."""
    path = tmp_path / "gateway.db"
    store = SqliteStore(path)
    await store.open()
    for by in ("chen", "li"):
        await store.accounts.note(NewEntry(at=make.NOW, by=by, remote="", action="login"))
    connection = apsw.Connection(str(path))
    anew = "audit SELECT seq, at, 'wang', remote, action, subject, detail FROM audit"
    for statement in ("INSERT OR REPLACE INTO ", "REPLACE INTO "):
        with pytest.raises(apsw.ConstraintError, match="append-only"):
            connection.execute(statement + anew)
    connection.close()
    found = await store.accounts.audit(Wanted(), None, 9)
    assert [one.by for one in found] == ["li", "chen"]
    await store.close()
