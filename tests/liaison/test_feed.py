"""What desks' pages are sent: from what is in hand, at once, and never another thing than is stored."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateway.desks import stream as deskstream
from gateway.desks.answers import Answer
from gateway.desks.board import Card, Change
from gateway.desks.feed import BOUND, Feed, Listener
from gateway.desks.incidents import IncidentIndex
from gateway.desks.view import desk_views
from gateway.ids import new_id
from gateway.outbox.events import materialize
from gateway.ports import Told
from gateway.store.base import Acceptance, Added, NewEvent, StoredIncident
from gateway.store.sqlite import SqliteStore
from normalizer.errors import NotAllowed
from normalizer.schema import Service
from normalizer.text import fold
from tests.liaison.world import DESKS, ZONE, World, by_text, ticket

PLACES = ("汴河路88号", "淮海路7号", "胜利路1号", None)
SERVICES = ((Service.FIRE,), (Service.FIRE, Service.MEDICAL), (Service.POLICE,))


async def stored(world: World, incident: str) -> StoredIncident:
    """Return what is stored of an incident."""
    found = await world.store.incident(incident)
    assert found is not None
    return found


class Page:
    """A page that takes whatever it is sent, or nothing for a while."""

    def __init__(self, feed: Feed, desk: str = "119") -> None:
        self.listener: Listener = feed.listen(desk)
        self.listener.send = self._send
        self.sent: list[tuple[Change, int]] = []
        self.takes_more = True

    def _send(self, change: Change, resume: int) -> bool:
        self.sent.append((change, resume))
        return self.takes_more

    @property
    def incidents(self) -> list[str]:
        """Return the incidents sent, in their order."""
        return [change.incident for change, _ in self.sent]

    def newest(self, incident: str) -> dict[str, Any]:
        """Return the last that was sent of an incident."""
        bodies = [change.body for change, _ in self.sent if change.incident == incident]
        view: dict[str, Any] = msgspec.json.decode(bodies[-1])
        return view


async def test_what_is_in_hand_shows_what_is_stored(world: World) -> None:
    """After every report the pages have been sent the view that the store gives, unread."""
    feed = world.emergency.feed
    chooser = random.Random(5)  # noqa: S311 - what is told, not a secret
    pages = {desk: Page(feed, desk) for desk in ("110", "119", "120", "duty")}
    joined, steps = 0, set[str]()
    for count in range(60):
        world.clock._now += timedelta(seconds=1, microseconds=count)
        one = ticket(
            f"{chooser.choice(('着火了', '起火', '好大的烟'))}，第{count}次说"
            * chooser.choice((1, 90)),
            at=world.clock.now(),
            place=chooser.choice(PLACES),
            services=chooser.choice(SERVICES),
            phone=chooser.choice(("", None, "+8613911112222")),
            confidential=chooser.random() < 0.2,
            exercise=chooser.random() < 0.2,
        )
        for incident in (await world.accept(one)).incidents:
            await some_step(world, incident, chooser)
            kept = await stored(world, incident)
            joined += len(kept.tickets) > 1
            steps |= {event.event for event in kept.events}
            [view] = await desk_views(world.store, [kept], ZONE, world.roster)
            sent = pages[kept.desk].newest(incident)
            assert sent == msgspec.json.decode(msgspec.json.encode(view))
    assert joined > 20
    assert steps >= {"acknowledged", "escalated", "returned", "closed"}
    assert not feed._dirty


async def some_step(world: World, incident: str, chooser: random.Random) -> None:
    """Let a desk answer, or the ladder climb several rungs, or nothing happen."""
    what = chooser.choice(("acknowledge", "return", "close", "climb", "climb", "", "", ""))
    if what == "climb":
        world.clock._now += timedelta(seconds=61)
        while await world.emergency.ladder.climb():
            pass
    elif what:
        answer = Answer(incident=incident, action=what, by="值班员", note="备注")
        with contextlib.suppress(NotAllowed):
            await world.emergency.liaison.answer(answer)


async def test_items_in_hand_are_the_stored_ones_to_the_octet(world: World) -> None:
    """What is pushed of a report from what is in hand is what a later try reads from the store."""
    world.emergency.embedded.listen("119")
    world.emergency.embedded.listen("120")
    world.emergency.embedded.listen("duty")
    chooser = random.Random(6)  # noqa: S311 - as above
    for count in range(30):
        world.clock._now += timedelta(seconds=1, microseconds=count)
        services = chooser.choice(SERVICES[:2])
        phone = chooser.choice(("", None, "+8613911112222"))
        one = await world.raised(place=chooser.choice(PLACES[:2]), services=services, phone=phone)
        if count % 5 == 4:
            await some_step(world, one, chooser)
    deliveries = await world.deliveries()
    assert len(deliveries) > 60
    read = await materialize(world.store, deliveries, world.public)
    for delivery in deliveries:
        item = world.fresh.take(delivery)
        stepped = delivery.type.rsplit(".", 1)[1] not in ("raised", "updated")
        assert item == (None if stepped else read[delivery.seq])
        assert world.fresh.take(delivery) is None


async def test_desk_that_nobody_reads_costs_no_body(world: World) -> None:
    """An embedded queue without listeners hears of the event and its incident only."""
    incident = await world.raised()
    [desks] = [d for d in world.outbox.leased if d.destination == "liaison:119"]
    item = world.fresh.take(desks)
    assert item is not None
    assert (item.id, item.subject, item.body) == (desks.id, incident, b"")


async def test_items_are_not_made_of_a_state_that_is_being_read(world: World) -> None:
    """Behind a change that the feed has not read yet, a report's item is read from the store."""
    incident = await world.raised()
    page = Page(world.emergency.feed)
    world.emergency.feed.touch(incident)
    await world.raised()
    assert page.newest(incident)["reports"][1:]
    for delivery in await world.deliveries():
        if delivery.type.endswith("updated"):
            assert world.fresh.take(delivery) is None


class Holding(SqliteStore):
    """A store whose commits and reads take until they are let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.go = asyncio.Event()
        self.go.set()
        self.asked = asyncio.Event()

    async def add(self, acceptance: Acceptance) -> Added:
        """Commit when let go."""
        self.asked.set()
        await self.go.wait()
        return await super().add(acceptance)

    async def incident(self, id: str) -> StoredIncident | None:  # noqa: A002 - the protocol's name
        """Answer when let go."""
        found = await super().incident(id)
        self.asked.set()
        await self.go.wait()
        return found


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[tuple[World, Holding]]:
    """The emergency parts on a store that can be held."""
    world = World(tmp_path)
    world.store = store = Holding(world.path)
    await world.open()
    await world.emergency.start()
    yield world, store
    store.go.set()
    await world.close()


async def test_nothing_is_shown_before_its_commit(held: tuple[World, Holding]) -> None:
    """While the store commits, no page has heard of the emergency; once it has, all have."""
    world, store = held
    pages = [Page(world.emergency.feed) for _ in range(3)]
    store.go.clear()
    task = asyncio.create_task(world.raised())
    await store.asked.wait()
    await world.clock.settle()
    assert [page.sent for page in pages] == [[], [], []]
    store.go.set()
    incident = await task
    assert [page.incidents for page in pages] == [[incident]] * 3
    assert len({id(page.sent[0][0]) for page in pages}) == 1, "encoded once for all"


async def test_page_never_resumes_behind_what_it_was_not_sent(
    held: tuple[World, Holding],
) -> None:
    """While an older change is read, newer ones bear the number before it; then their own."""
    world, store = held
    first = await world.raised()
    page = Page(world.emergency.feed)
    before = (await stored(world, first)).events[-1].seq
    store.go.clear()
    world.emergency.feed.touch(first)  # as a step does
    await world.clock.settle()
    store.add = super(Holding, store).add  # type: ignore[method-assign] # commits go on
    second = await world.raised(place="淮海路7号")
    assert page.incidents == [second]
    assert page.sent[0][1] == before
    store.go.set()
    await world.clock.settle(real_s=0.1)
    third = await world.raised(place="胜利路1号")
    assert page.incidents == [second, first, third]
    assert page.sent[-1][1] == (await stored(world, third)).events[-1].seq


async def test_page_that_takes_no_more_gets_the_newest_once(world: World) -> None:
    """Thirty reports that join while a send is under way are one change, not thirty."""
    page = Page(world.emergency.feed)
    page.takes_more = False
    incident = await world.raised()
    for _ in range(30):
        await world.raised()
    other = await world.raised(place="淮海路7号")
    await world.raised()
    assert page.incidents == [incident]
    waiting = page.listener.take()
    assert [change.incident for change, _ in waiting] == [other, incident]
    assert len(msgspec.json.decode(waiting[1][0].body)["reports"]) == 32


async def test_card_forgets_nothing_and_counts_nobody_twice(world: World) -> None:
    """A telephone that reports twice is one contact of two reports."""
    page = Page(world.emergency.feed)
    incident = await world.raised(phone="+8613911112222")
    await world.raised(phone="+8613911112222")
    view = page.newest(incident)
    assert (len(view["reports"]), view["contacts"]) == (2, ["+8613911112222"])


async def test_report_of_another_process_is_shown_when_its_event_comes(world: World) -> None:
    """A ticket stored beside the gateway, as by a replay, is on the pages once it is delivered."""
    await world.emergency.start()
    page = Page(world.emergency.feed)
    incident = await world.raised()
    beside = SqliteStore(world.path, owner=False)
    await beside.open()
    index = IncidentIndex(lambda: world.roster, by_text, new_id)
    await index.seed(beside, world.clock.now())
    one, now = ticket(at=world.clock.now()), world.clock.now()
    added = await beside.add(
        Acceptance(
            ticket=one,
            key=None,
            digest="",
            raw=b"{}",
            raw_type="application/json",
            number_on="20261123",
            events=(NewEvent(at=now, event="accepted", by="gateway"),),
            reports=index.reports(one, fold(one.content.text), now),
        )
    )
    await beside.close()
    assert added.incidents == (incident,)
    for delivery in await world.deliveries():
        if delivery.destination == "liaison:119":
            items = await materialize(world.store, [delivery], world.public)
            await world.emergency.queue.deliver(items[delivery.seq])
    await world.clock.settle(real_s=0.2)
    assert page.newest(incident)["reports"][1] == added.number
    assert len(page.sent) == 2, "what it had seen is not read again"


async def test_record_that_cannot_be_shown_fails_nobody(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """An emergency that is stored is answered, even if its page's view cannot be made."""
    report = world.emergency.index.reports(ticket(at=world.clock.now()), "", world.clock.now())[0]
    told = Told(
        number="x",
        ticket=ticket(at=datetime.max.replace(tzinfo=UTC)),  # no such day in China
        event=NewEvent(at=world.clock.now(), event="accepted", by="gateway"),
        incidents=("i",),
        leased=(),
    )
    feed = world.emergency.feed
    await world.raised()
    [known] = feed._cards
    assert feed.told(report, known, told) is None
    assert "feed.unfit" in caplog.messages
    assert known in feed._dirty


async def test_bound_counts_incidents(world: World) -> None:
    """A listener is dropped for incidents that wait, not for changes of one of them."""
    page = Page(world.emergency.feed)
    page.takes_more = False
    await world.raised(place="胜利路1号")
    card: Card = next(iter(world.emergency.feed._cards.values()))
    for resume in range(2 * BOUND):
        page.listener.put(card, resume)
    assert not page.listener.dropped
    assert len(page.listener.take()) == 1
    assert set(DESKS) == {"119", "duty"}


async def test_incident_that_nobody_acknowledges_costs_the_same_for_ever(world: World) -> None:
    """The hundredth repetition of the last rung reads nothing for the pages and shows one step."""
    page = Page(world.emergency.feed)
    incident = await world.raised()
    reads = 0

    async def counting(id: str) -> StoredIncident | None:  # noqa: A002 - the protocol's name
        nonlocal reads
        reads += 1
        return await SqliteStore.incident(world.store, id)

    world.store.incident = counting  # type: ignore[method-assign] # counts
    for _ in range(100):
        world.clock._now += timedelta(seconds=31)
        await world.emergency.ladder.climb()
    view = page.newest(incident)
    assert [(step["event"], step["times"]) for step in view["steps"]] == [("escalated", 100)]
    assert (reads, len(page.sent)) == (0, 101)
    assert {len(change.body) // 100 for change, _ in page.sent[5:]} == {
        len(page.sent[-1][0].body) // 100
    }


class Connection:
    """A page's connection that can be full: both the request and the response of a `Wire`."""

    def __init__(self) -> None:
        self.transport = self.writer = self
        self.written: list[bytes] = []
        self.limit: int | None = None
        self.room = asyncio.Event()
        self.room.set()

    def set_write_buffer_limits(self, high: int) -> None:
        """Remember the bound above which it counts as full."""
        self.limit = high

    def get_write_buffer_size(self) -> int:
        """Return how much the page has not taken."""
        return 0 if self.room.is_set() else 1

    async def write(self, data: bytes) -> None:
        """Take the octets, then wait for room."""
        if data:
            self.written.append(data)
        await self.drain()

    async def drain(self) -> None:
        """Return once there is room."""
        if not self.room.is_set():
            await self.room.wait()


async def test_page_that_reads_slowly_gets_the_newest_when_it_reads_on(world: World) -> None:
    """What changes while the connection is full is sent once, in its newest state, in order."""
    connection: Any = Connection()
    site: Any = SimpleNamespace(
        store=world.store, feed=world.emergency.feed, clock=world.clock, public=world.public
    )
    listener = world.emergency.feed.listen("119")
    wire = deskstream.Wire(connection, connection)
    task = asyncio.create_task(deskstream.send(site, wire, listener, 0))
    await world.clock.settle(real_s=0.1)
    assert connection.limit == 0, "written through at once, so that what is left is known"
    assert b"event: synced" in connection.written[-1]
    first = await world.raised()
    assert first.encode() in connection.written[-1], "sent by whoever stored it"
    connection.room.clear()
    await world.raised()
    sent = len(connection.written)
    other = await world.raised(place="淮海路7号")
    for _ in range(3):
        await world.raised()
    await world.clock.settle(real_s=0.02)
    assert len(connection.written) == sent
    connection.room.set()
    await world.clock.settle(real_s=0.02)
    [rest] = connection.written[sent:]
    bodies = [json.loads(part.split(b"data: ", 1)[1]) for part in rest.split(b"\n\n")[:-1]]
    assert [(body["id"], len(body["reports"])) for body in bodies] == [(other, 1), (first, 5)]
    await world.raised()
    assert len(connection.written) == sent + 2, "at once again"
    task.cancel()
