"""The watch of the limits killed at random: each card is shown, and none twice."""

import asyncio
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from gateway.store.base import Change
from gateway.store.sqlite import SqliteStore
from normalizer.schema import Limits
from tests.cards.victim import mind
from tests.clock import START
from tests.store import make

ROOT = Path(__file__).parents[2]
TICKETS = 400
LIMITS = Limits(sign_by=START + timedelta(days=1), finish_by=START + timedelta(days=5))


async def filled(path: Path) -> set[str]:
    """Return the ids of tickets that are over in a new store; of each second one, one limit."""
    store = SqliteStore(path)
    await store.open()
    tickets = [make.ticket(received_at=START, limits=LIMITS) for _ in range(TICKETS)]
    await asyncio.gather(*(store.add(make.acceptance(ticket)) for ticket in tickets))
    steps = [
        Change(ticket_id=ticket.id, events=(make.event("signed", START),))
        for ticket in tickets[::2]
    ]
    await asyncio.gather(*map(store.change, steps))
    await store.close()
    return {ticket.id for ticket in tickets}


def killed(path: Path, chance: random.Random) -> bool:
    """Run the watch, kill it some time after it began, and return whether it was done before."""
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.cards.victim", str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "begun\n"
    try:
        victim.wait(chance.uniform(0, 0.15))
    except subprocess.TimeoutExpired:
        victim.kill()
    done = "done\n" in victim.stdout.read()
    victim.stdout.close()
    victim.wait()
    return done


async def test_a_watch_that_is_killed_shows_each_card_once(tmp_path: Path) -> None:
    """However often it dies between reading, writing and noting, no card is lost or doubled."""
    path = tmp_path / "gateway.db"
    ids = await filled(path)
    chance = random.Random(7)  # noqa: S311 - when to kill, not a secret
    unfinished = sum(not killed(path, chance) for _ in range(8))
    assert unfinished >= 1, "the watch was never killed in its midst"
    store = SqliteStore(path)
    await store.open()
    await mind(store)
    tickets = await store.tickets(list(ids))
    shown = {
        t: [e.data["limit"] for e in s.events if e.event == "limit"] for t, s in tickets.items()
    }
    signed = {t for t, s in tickets.items() if any(e.event == "signed" for e in s.events)}
    assert shown == {t: ["finish_by"] if t in signed else ["sign_by", "finish_by"] for t in ids}
    due = await store.deliveries(("due", "leased"), 10 * TICKETS)
    told = [(d.ticket_id, d.data["limit"]) for d in due if d.type == "hotline.ticket.limit"]
    assert sorted(told) == sorted((t, limit) for t, limits in shown.items() for limit in limits)
    await store.close()
