"""What the watch writes on tickets and tells the back office."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clusters.watch import SETTLED, ClusterWatch
from gateway.compose import Rules
from gateway.store.sqlite import SqliteStore
from gateway.view import history, publish
from normalizer.schema import Requester
from tests.gateway.world import FIRE, LAMP, ZONE, World, rules_of

DUST = "汴河小区旁边的搅拌站白天黑夜都在生产，粉尘大得不敢开窗，请环保部门去查一查"


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Return the rules of the tests' configuration."""
    return rules_of(tmp_path_factory.mktemp("clusters"))


@pytest.fixture
async def world(tmp_path: Path, rules: Rules) -> AsyncIterator[World]:
    """Yield a world on an empty store."""
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    yield World(store, rules)
    await store.close()


async def report(world: World, citizen: int, text: str = DUST) -> str:
    """Return the number of a citizen's ticket."""
    who = Requester(phone=f"+86138000000{citizen:02}")
    return (await world.intake.accept(world.inbound(text, requester=who))).number


async def look(world: World, watch: ClusterWatch | None = None) -> ClusterWatch:
    """Look through all tickets and return the watch that did."""
    watch = watch or ClusterWatch(world.store, world.clock, world.outbox)
    await world.clock.advance(SETTLED.total_seconds())
    while await watch.look():
        pass
    return watch


async def grown(world: World) -> list[tuple[str, int, list[str]]]:
    """Return what the back office is told of clusters."""
    due = await world.store.deliveries(("due", "leased"), 500)
    return [
        (d.data["cluster"], d.data["count"], d.data["numbers"])
        for d in due
        if d.type == "hotline.cluster.grown"
    ]


async def test_tickets_of_one_matter_are_linked_and_told_of(world: World) -> None:
    """Each shows the cluster, and the fifth citizen is news to the back office."""
    other = await report(world, 9, LAMP)
    numbers = [await report(world, citizen) for citizen in range(1, 6)]
    await look(world)
    shown = [publish(await world.ticket(n), world.public).related.cluster for n in numbers]
    assert shown == [numbers[0]] * 5
    assert publish(await world.ticket(other), world.public).related.cluster is None
    assert await grown(world) == [(numbers[0], 5, numbers)]


async def test_being_linked_is_no_step(world: World) -> None:
    """A ticket's history tells what was done with it, not what it is like."""
    numbers = [await report(world, citizen) for citizen in range(1, 3)]
    await look(world)
    stored = await world.ticket(numbers[1])
    assert [e.event for e in stored.events] == ["accepted", "clustered"]
    assert [entry.event for entry in history(stored.events, ZONE)] == ["accepted"]


async def test_one_citizen_is_no_crowd(world: World) -> None:
    """However often one says it, nobody is told that it grows; nor where nobody says who they are."""
    for _ in range(6):
        await report(world, 1)
        await world.intake.accept(world.inbound(DUST, requester=Requester(anonymous=True)))
    await look(world)
    assert await grown(world) == []


async def test_a_restart_links_and_tells_nothing_twice(world: World) -> None:
    """A new watch takes up what the last one wrote, and goes on."""
    numbers = [await report(world, citizen) for citizen in range(1, 6)]
    await look(world)
    again = await look(world)
    assert len(await grown(world)) == 1
    assert [e.event for e in (await world.ticket(numbers[2])).events] == ["accepted", "clustered"]
    for citizen in range(6, 11):
        await report(world, citizen)
    await look(world, again)
    assert [(name, count) for name, count, _ in await grown(world)] == [
        (numbers[0], 5),
        (numbers[0], 10),
    ]


async def test_emergencies_are_left_to_their_incidents(world: World) -> None:
    """Reports of one fire are one incident already."""
    for citizen in range(1, 5):
        await report(world, citizen, FIRE)
    await look(world)
    assert await grown(world) == []


async def test_a_young_ticket_is_let_be(world: World) -> None:
    """It is looked at once it has settled, and not lost from sight until then."""
    watch = await look(world)
    for citizen in range(1, 6):
        await report(world, citizen)
    assert (await watch.look(), await grown(world)) == (0, [])
    await look(world, watch)
    assert [count for _, count, _ in await grown(world)] == [5]
