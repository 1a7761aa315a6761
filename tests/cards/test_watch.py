"""What the watch of the limits writes on tickets and tells the back office."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.cards.watch import PAUSE_S, SETTLED, CardWatch, Terms
from gateway.compose import Rules
from gateway.store.base import Change, Changed, Lane, StoredTicket, Watched
from gateway.store.sqlite import SqliteStore
from gateway.view import history, publish
from normalizer.errors import StoreError
from normalizer.schema import Limits
from tests.clock import START
from tests.dispatch.scene import Tally
from tests.gateway.world import COURT, FIRE, LAMP, ZONE, World, rules_of
from tests.store import make

HOUR, DAY = 3600.0, 86_400.0
#: The lamp is a help request of Suzhou: signed by the end of Tuesday, finished by next Monday's.
SIGN_BY = datetime(2026, 11, 24, 23, 59, 59, tzinfo=ZONE)
FINISH_BY = datetime(2026, 11, 30, 23, 59, 59, tzinfo=ZONE)


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Return the rules of the tests' configuration."""
    return rules_of(tmp_path_factory.mktemp("cards"))


@pytest.fixture
async def world(tmp_path: Path, rules: Rules) -> AsyncIterator[World]:
    """Yield a world on an empty store."""
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    yield World(store, rules)
    await store.close()


def watch_of(world: World, **more: Any) -> CardWatch:
    """Return a new watch, as after a start."""
    values: dict[str, Any] = {
        "store": world.store,
        "clock": world.clock,
        "outbox": world.outbox,
        "terms": lambda: Terms(near=0.25),
        "counters": Tally(),
    }
    return CardWatch(**(values | more))


async def look(watch: CardWatch) -> None:
    """Look until nothing more is to be done now."""
    while await watch.look() < PAUSE_S:
        pass


async def at(world: World, instant: datetime) -> None:
    """Move the clock to an instant."""
    await world.clock.advance((instant - world.clock.now()).total_seconds())


async def lamp(world: World, text: str = LAMP) -> str:
    """Return the number of a new ticket that has settled."""
    number = (await world.intake.accept(world.inbound(text))).number
    await world.clock.advance(SETTLED.total_seconds())
    return number


async def told(world: World) -> list[tuple[str, str, str]]:
    """Return number, limit and card of what the back office is told, oldest first."""
    found = [d for d in await world.deliveries() if d.type == "hotline.ticket.limit"]
    tickets = await world.store.tickets([d.ticket_id for d in found if d.ticket_id])
    assert all(d.destination == "office" and d.lane is Lane.ORDINARY for d in found)
    return [
        (tickets[str(d.ticket_id)].number, d.data["limit"], d.data["card"])
        for d in found
        if d.ticket_id
    ]


def cards(stored: StoredTicket) -> list[tuple[str, str]]:
    """Return the cards on a ticket."""
    return [(e.data["limit"], e.data["card"]) for e in stored.events if e.event == "limit"]


async def test_a_unit_is_shown_each_card_once_in_time(world: World) -> None:
    """Yellow with a quarter left, red behind the end; on the ticket and to its back office."""
    watch, number = watch_of(world), await lamp(world)
    stored = await world.ticket(number)
    assert stored.ticket.limits.sign_by == SIGN_BY
    assert stored.ticket.limits.finish_by == FINISH_BY
    near = SIGN_BY - (SIGN_BY - START) / 4
    expected = []
    for instant, limit, card in (
        (near, "sign_by", "yellow"),
        (SIGN_BY + timedelta(seconds=1), "sign_by", "red"),
        (FINISH_BY - (FINISH_BY - START) / 4, "finish_by", "yellow"),
        (FINISH_BY + timedelta(seconds=1), "finish_by", "red"),
    ):
        await at(world, instant - timedelta(seconds=1))
        await look(watch)
        assert await told(world) == expected
        await at(world, instant)
        await look(watch)
        expected.append((number, limit, card))
        assert await told(world) == expected
    await world.clock.advance(30 * DAY)
    await look(watch)
    assert await told(world) == expected
    assert cards(await world.ticket(number)) == [(limit, card) for _, limit, card in expected]


async def test_a_card_is_a_step_of_the_history(world: World) -> None:
    """The ticket shows it with its labels, and stands where it stood."""
    number = await lamp(world)
    await at(world, SIGN_BY + timedelta(seconds=1))
    await look(watch_of(world))
    stored = await world.ticket(number)
    assert [(h.event, h.by, h.text) for h in history(stored.events, ZONE)] == [
        ("accepted", "gateway", None),
        ("limit", "gateway", "签收时限：红牌"),
    ]
    assert publish(stored, world.public).status.value == "accepted"
    (card,) = [d for d in await world.deliveries() if d.type == "hotline.ticket.limit"]
    assert card.data == {
        "limit": "sign_by",
        "limit_label": "签收时限",
        "card": "red",
        "card_label": "红牌",
    }
    assert card.event_seq == stored.events[-1].seq


async def test_a_citizen_does_not_see_how_a_unit_is_supervised(world: World) -> None:
    """They see the limit itself; a card is between the hotline and the unit."""
    number = await lamp(world)
    await at(world, SIGN_BY + timedelta(seconds=1))
    await look(watch_of(world))
    shown = world.citizen.shown(await world.ticket(number))
    assert [entry.event for entry in shown.history] == ["accepted"]
    assert shown.limits.sign_by == SIGN_BY


async def test_accepting_writes_nothing_for_it(world: World) -> None:
    """A ticket is noted beside intake, and not before it has settled."""
    watch = watch_of(world)
    await world.intake.accept(world.inbound())
    await look(watch)
    assert len((await world.store.unwatched(9)).news) == 1
    await world.clock.advance(SETTLED.total_seconds())
    await look(watch)
    assert (await world.store.unwatched(9)).news == ()


async def test_a_young_ticket_keeps_no_settled_one_back(world: World) -> None:
    """Those before it are noted, and it is when it has settled."""
    watch, first = watch_of(world), await lamp(world)
    second = (await world.intake.accept(world.inbound("人民路的井盖丢了，请补上"))).number
    await look(watch)
    (waiting,) = (await world.store.unwatched(9)).news
    assert waiting.ticket == (await world.ticket(second)).events[0].seq
    await at(world, SIGN_BY + timedelta(minutes=5))
    await look(watch)
    assert {number for number, _, _ in await told(world)} == {first, second}


async def test_a_clock_that_was_set_back_stops_nothing(world: World) -> None:
    """Tickets that came in what is the future now are noted like all others."""
    await world.clock.advance(DAY)
    await lamp(world)
    world.clock._now -= timedelta(days=1)
    await look(watch_of(world))
    assert (await world.store.unwatched(9)).news == ()


async def test_what_a_unit_did_meanwhile_is_respected(world: World) -> None:
    """Who has signed is shown no card for it, and an answered ticket has none at all."""
    watch = watch_of(world)
    signed, answered = await lamp(world), await lamp(world, "人民路的井盖丢了，请补上")
    await world.happens(signed, "signed")
    await world.happens(answered, "signed", "answered")
    await at(world, FINISH_BY + timedelta(minutes=5))
    await look(watch)
    assert await told(world) == [(signed, "finish_by", "red")]


async def test_first_contact_is_minded_from_the_signature_on(world: World) -> None:
    """A limit that a step sets is noted, though nothing was ahead so soon before."""
    watch, number = watch_of(world), await lamp(world)
    await look(watch)
    until = world.clock.now() + timedelta(hours=4)
    await world.happens(number, "signed", data={"contact_by": until.isoformat()})
    await look(watch)
    await world.clock.advance(3 * HOUR)
    await look(watch)
    assert await told(world) == [(number, "contact_by", "yellow")]


async def test_an_extension_moves_the_cards(world: World) -> None:
    """The last card of the old limit is not the last one."""
    watch, number = watch_of(world), await lamp(world)
    await world.happens(number, "signed")
    await at(world, FINISH_BY + timedelta(seconds=1))
    await look(watch)
    until = world.clock.now() + timedelta(days=4)
    await world.happens(number, "extended", data={"until": until.isoformat()})
    await world.clock.advance(3 * DAY)
    await look(watch)
    await world.clock.advance(2 * DAY)
    await look(watch)
    assert [(limit, card) for _, limit, card in await told(world)] == [
        ("finish_by", "red"),
        ("finish_by", "yellow"),
        ("finish_by", "red"),
    ]


async def test_a_reopened_ticket_is_minded_again(world: World) -> None:
    """Though it was over when it was looked at in between."""
    watch, number = watch_of(world), await lamp(world)
    await world.happens(number, "signed", "answered")
    await at(world, SIGN_BY)
    await look(watch)
    await world.happens(number, "reopened")
    await at(world, FINISH_BY + timedelta(seconds=1))
    await look(watch)
    assert await told(world) == [(number, "finish_by", "red")]


async def test_days_without_a_gateway_bring_a_red_card_late(world: World) -> None:
    """A watch that starts long behind the end shows no yellow one beside it."""
    number = await lamp(world)
    await at(world, FINISH_BY + timedelta(days=9))
    await look(watch_of(world))
    assert await told(world) == [(number, "sign_by", "red"), (number, "finish_by", "red")]


async def test_a_restart_shows_nothing_twice(world: World) -> None:
    """A new watch on the store of the last one goes on where that stopped."""
    number = await lamp(world)
    await look(watch_of(world))
    await at(world, SIGN_BY + timedelta(seconds=1))
    for _ in range(3):
        await look(watch_of(world))
    await at(world, FINISH_BY + timedelta(seconds=1))
    for _ in range(3):
        await look(watch_of(world))
    assert await told(world) == [(number, "sign_by", "red"), (number, "finish_by", "red")]


async def test_what_was_refused_and_where_no_limit_is_known_is_not_noted(world: World) -> None:
    """Only tickets with a limit ahead take room."""
    await lamp(world, COURT)
    await world.store.add(make.acceptance(make.ticket(limits=Limits())))
    await world.clock.advance(DAY)
    await look(watch_of(world))
    await world.clock.advance(99 * DAY)
    assert await world.store.watched(world.clock.now(), 9) == []
    assert await told(world) == []


async def test_an_emergencys_limit_is_minded_by_the_ordinary_lane(world: World) -> None:
    """Its incident has a ladder of its own; what is shown here is the ticket's limit."""
    number = await lamp(world, FIRE)
    await world.clock.advance(DAY)
    await look(watch_of(world))
    assert {(n, card) for n, _, card in await told(world)} == {(number, "red")}


async def test_many_are_shown_in_rounds(world: World) -> None:
    """However many are due at once, each gets its card, some at a time."""
    numbers = [
        (await world.store.add(make.acceptance(make.ticket(limits=Limits(finish_by=START)))))
        for _ in range(90)
    ]
    watch, rounds, pauses = watch_of(world), 0, set[float]()
    while (pause := await watch.look()) < PAUSE_S:
        rounds += 1
        pauses.add(pause)
    found = [d for d in await world.deliveries() if d.type == "hotline.ticket.limit"]
    assert {d.ticket_id for d in found} == {added.id for added in numbers}
    assert len(found) == 90
    assert (rounds, max(pauses)) == (2, 1.0), "no faster than any back office takes them"


async def test_a_region_that_shows_no_cards_has_none(world: World) -> None:
    """And what came meanwhile is minded once it does."""
    number = await lamp(world)
    await at(world, SIGN_BY + timedelta(seconds=1))
    await look(watch_of(world, terms=lambda: Terms(near=0.25, shown=False)))
    assert await told(world) == []
    await look(watch_of(world))
    assert await told(world) == [(number, "sign_by", "red")]


class Racing:
    """A store of which a test decides what happens between reading and writing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.meanwhile: list[tuple[str, str]] = []  #: steps to take before the next card is written
        self.refuses: set[str] = set()  #: ids of tickets that cannot be written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.store, name)

    async def watched(self, now: datetime, limit: int) -> list[Watched]:
        """Let the steps be taken just after the tickets were read."""
        found = await self._world.store.watched(now, limit)
        for number, step in self.meanwhile:
            await self._world.happens(number, step)
        self.meanwhile = []
        return found

    async def change(self, change: Change) -> Changed:
        """Write, or refuse."""
        if change.ticket_id in self.refuses:
            raise StoreError("the disk is full")
        return await self._world.store.change(change)


async def test_a_step_that_comes_between_is_seen(world: World) -> None:
    """A unit that signs while its card is written is not shown it."""
    number, racing = await lamp(world), Racing(world)
    watch = watch_of(world, store=racing)
    await at(world, SIGN_BY + timedelta(seconds=1))
    racing.meanwhile = [(number, "signed")]
    await look(watch)
    await world.clock.advance(1)
    await look(watch)
    assert await told(world) == []
    await at(world, FINISH_BY + timedelta(seconds=1))
    await look(watch)
    assert await told(world) == [(number, "finish_by", "red")]


async def test_a_ticket_that_cannot_be_written_keeps_no_other_back(world: World) -> None:
    """It is left alone for a while, and has its card once it can be."""
    bad, good = await lamp(world), await lamp(world)
    racing = Racing(world)
    racing.refuses = {(await world.ticket(bad)).ticket.id}
    watch = watch_of(world, store=racing)
    await at(world, SIGN_BY + timedelta(minutes=5))
    await look(watch)
    assert await told(world) == [(good, "sign_by", "red")]
    racing.refuses = set()
    await world.clock.advance(2 * 60)
    await look(watch)
    assert await told(world) == [(good, "sign_by", "red"), (bad, "sign_by", "red")]


async def test_a_store_that_fails_is_waited_out(world: World) -> None:
    """The watch goes on by itself, and what was due is shown then."""
    number = await lamp(world)
    await at(world, SIGN_BY + timedelta(seconds=1))
    failing = Racing(world)
    failures = [StoreError("the disk does not answer")] * 2

    async def unwatched(limit: int) -> Any:
        if failures:
            raise failures.pop()
        return await world.store.unwatched(limit)

    failing.unwatched = unwatched  # type: ignore[attr-defined]
    tally = Tally()
    watch = watch_of(world, store=failing, counters=tally)
    task = asyncio.create_task(watch.run())
    async with asyncio.timeout(20):
        while not tally.counts["card", "red"]:
            await world.clock.advance(PAUSE_S)
    task.cancel()
    assert failures == []
    assert await told(world) == [(number, "sign_by", "red")]
