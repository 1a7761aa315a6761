"""Processes killed at random while they store: what was acknowledged is there, once."""

import asyncio
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from gateway.store.base import Lane, Outcome
from gateway.store.sqlite import SqliteStore
from gateway.store.sqlite_process import ProcessEngine
from normalizer.errors import StoreError
from normalizer.number import parse
from tests.store import make

ROOT = Path(__file__).parents[2]


def url_of(path: Path, writer: str) -> str:
    """Return the address of a store in a file."""
    return f"sqlite:///{path}?writer={writer}"


def start(url: str, turn: str) -> "subprocess.Popen[str]":
    """Start a process that stores tickets."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.store.victim", url, turn],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed_at_random(url: str, turn: str, chance: random.Random) -> dict[str, str]:
    """Kill a storing process at random and return key -> number of what it acknowledged."""
    victim = start(url, turn)
    assert victim.stdout is not None
    lines = [victim.stdout.readline() for _ in range(chance.randint(1, 60))]
    try:
        # Somewhere within the next few batches, not just when an answer is out.
        victim.wait(chance.uniform(0, 0.02))
    except subprocess.TimeoutExpired:
        victim.kill()
    lines += victim.stdout.read().splitlines()
    victim.stdout.close()
    assert victim.wait() == -signal.SIGKILL
    words = [line.split() for line in lines]
    # The last line may be cut short by the kill.
    return {w[1]: w[0] for w in words[:-1] if len(w) == 2}


def check_file(path: Path, acknowledged: dict[str, str]) -> None:
    """Check a store in a file."""
    connection = apsw.Connection(str(path))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    check(
        lambda statement: [list(map(str, row)) for row in connection.execute(statement)],
        acknowledged,
    )
    connection.close()


def check(ask: Callable[[str], list[list[str]]], acknowledged: dict[str, str]) -> None:
    """Check that the store holds what was acknowledged, whole and once, and is sound.

    Args:
        ask: Asks the closed store past the program.
        acknowledged: Keys and their numbers.
    """
    keys = [key for (key,) in ask("SELECT key FROM tickets ORDER BY nr")]
    assert len(keys) == len(set(keys))
    nrs = [int(nr) for (nr,) in ask("SELECT nr FROM tickets ORDER BY nr")]
    assert [nr % 10**10 for nr in nrs] == list(range(1, len(nrs) + 1))
    for key, number in acknowledged.items():
        found = parse(number)
        assert found is not None
        assert keys[found[1] - 1] == key
    whole = (
        "SELECT count(*) FROM tickets t WHERE "
        "NOT EXISTS (SELECT 1 FROM events e WHERE e.stream = t.seq OR e.seq = t.seq) AND "
        "(SELECT count(*) FROM deliveries d WHERE d.stream = t.seq AND d.event_seq = t.seq) = 1"
    )
    tenth = "SELECT count(*) FROM tickets WHERE key LIKE '%0' AND seq NOT IN (SELECT ticket FROM reports)"
    turns = (
        "SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE turn IS NOT NULL "
        "GROUP BY destination, stream HAVING sum(turn) <> 1) AS odd"
    )
    for statement, expected in ((whole, len(nrs)), (tenth, 0), (turns, 0)):
        assert ask(statement) == [[str(expected)]]
    counted = ask(
        "SELECT name, value, CASE name WHEN 'tickets' THEN (SELECT count(*) FROM tickets) "
        "WHEN 'due' THEN (SELECT count(*) FROM deliveries WHERE turn IS NOT NULL) "
        "WHEN 'incidents_open' THEN (SELECT count(*) FROM incidents) ELSE 0 END FROM counters"
    )
    assert all(row[1] == row[2] for row in counted), counted


def kill_often(path: Path, writer: str, times: int) -> None:
    """Kill as many processes on one store, one after the other, and check all of it."""
    chance = random.Random()  # noqa: S311 - which moment is of no use to an attacker
    acknowledged: dict[str, str] = {}
    for turn in range(times):
        told = killed_at_random(url_of(path, writer), str(turn), chance)
        assert told
        acknowledged |= told
        if turn % 5 == 0:
            check_file(path, acknowledged)
    check_file(path, acknowledged)
    assert len(set(acknowledged.values())) == len(acknowledged)


def test_twenty_kills_lose_nothing(tmp_path: Path) -> None:
    """After each of twenty kills all that was acknowledged is there, none twice, all whole."""
    kill_often(tmp_path / "gateway.db", "thread", 20)


def test_kills_of_both_processes_lose_nothing(tmp_path: Path) -> None:
    """Killing the gateway takes its writer process with it and loses nothing."""
    kill_often(tmp_path / "gateway.db", "process", 4)


@pytest.mark.slow
@pytest.mark.parametrize("writer", ["thread", "process"])
def test_chaos_of_kills(tmp_path: Path, writer: str) -> None:
    """A hundred kills lose nothing."""
    kill_often(tmp_path / "gateway.db", writer, 100)


def engine_of(store: SqliteStore) -> ProcessEngine:
    """Return what stands between this store and its writer process."""
    assert store._writer is not None
    engine = store._writer._engine
    assert isinstance(engine, ProcessEngine)
    return engine


def writer_of(store: SqliteStore) -> int:
    """Return the process that writes for this store."""
    child = engine_of(store)._child
    assert child is not None
    return child.pid


async def test_a_killed_writer_is_replaced(tmp_path: Path) -> None:
    """When the writer dies what it had in hand fails, the rest is written by a new one."""
    store = SqliteStore(tmp_path / "gateway.db", writer="process")
    await store.open()
    acknowledged: set[str] = set()
    pids = set()
    for turn in range(3):
        pids.add(pid := writer_of(store))
        asked = [
            asyncio.ensure_future(store.add(make.acceptance(key=f"{turn}-{n}")))
            for n in range(1000)
        ]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        os.kill(pid, signal.SIGKILL)
        done = await asyncio.gather(*asked, return_exceptions=True)
        failed = [d for d in done if isinstance(d, BaseException)]
        assert all(isinstance(one, StoreError) for one in failed)
        assert len(failed) < 1000
        acknowledged |= {d.number for d in done if not isinstance(d, BaseException)}
    assert len(pids) == 3
    for number in acknowledged:
        assert await store.ticket(number) is not None
    assert not (await store.add(make.acceptance(key="after"))).duplicate
    await store.close()


async def test_what_a_killed_writer_leased_is_given_back(tmp_path: Path) -> None:
    """What was leased by an answer that never came is due again at once; nothing else is."""
    store = SqliteStore(tmp_path / "gateway.db", writer="process")
    await store.open()
    had = await store.add(make.acceptance(deliveries=(make.urgent("backoffice", id="had"),)))
    assert [d.id for d in had.leased] == ["had"]
    engine = engine_of(store)
    answered = asyncio.Event()
    engine.data_received = lambda data: answered.set()  # type: ignore[method-assign]
    lost = make.acceptance(deliveries=(make.urgent("backoffice", id="lost"),))
    asked = asyncio.ensure_future(store.add(lost))
    await answered.wait()
    del engine.data_received
    found = await store.delivery("lost")
    assert found is not None
    assert found.state == "leased"
    os.kill(writer_of(store), signal.SIGKILL)
    with pytest.raises(StoreError, match="died"):
        await asked
    again = await store.claim("backoffice", Lane.EMERGENCY, make.NOW, 9, make.after(30))
    assert [d.id for d in again] == ["lost"]
    await store.settle([Outcome(seq=d.seq, state="done") for d in (*had.leased, *again)])
    assert (await store.counts())["due"] == 0
    await store.close()


async def test_what_two_lost_batches_leased_is_given_back(tmp_path: Path) -> None:
    """An emergency is sent behind the batch under way: what both leased is due again at once."""
    store = SqliteStore(tmp_path / "gateway.db", writer="process")
    await store.open()
    engine = engine_of(store)
    answers: asyncio.Queue[None] = asyncio.Queue()
    engine.data_received = lambda data: answers.put_nowait(None)  # type: ignore[method-assign]
    asked = []
    for name in ("one", "two"):
        lost = make.acceptance(deliveries=(make.urgent("backoffice", id=name),))
        asked.append(asyncio.ensure_future(store.add(lost)))
        await answers.get()
    del engine.data_received
    os.kill(writer_of(store), signal.SIGKILL)
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in done] == [StoreError, StoreError]
    again = await store.claim("backoffice", Lane.EMERGENCY, make.NOW, 9, make.after(30))
    assert [d.id for d in again] == ["one", "two"]
    await store.close()


async def test_a_writer_that_cannot_start_is_told(tmp_path: Path) -> None:
    """While no writer can start changes fail with the reason; later they work again."""
    path = tmp_path / "gateway.db"
    store = SqliteStore(path, writer="process")
    await store.open()
    away = tmp_path / "away.db"
    path.rename(away)
    os.kill(writer_of(store), signal.SIGKILL)
    with pytest.raises(StoreError):
        await store.add(make.acceptance(key="k"))
    with pytest.raises(StoreError, match="cannot be opened"):
        await store.add(make.acceptance(key="k"))
    away.rename(path)
    assert not (await store.add(make.acceptance(key="k"))).duplicate
    await store.close()


def test_a_writer_dies_with_its_parent(tmp_path: Path) -> None:
    """The writer of a killed gateway ends too, so that the next gateway gets the store."""
    victim = start(url_of(tmp_path / "gateway.db", "process"), "0")
    assert victim.stdout is not None
    victim.stdout.readline()
    children = Path(f"/proc/{victim.pid}/task/{victim.pid}/children").read_text("ascii").split()
    assert len(children) == 1
    ended = os.pidfd_open(int(children[0]))
    victim.kill()
    victim.stdout.read()  # ends when the last of the two is gone
    victim.stdout.close()
    victim.wait()
    readable, _, _ = select.select([ended], [], [], 10)
    os.close(ended)
    assert readable, "the writer lives on without its gateway"
