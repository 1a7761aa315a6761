"""Promise: no emergency waits for an ordinary ticket, or goes unanswered unnoticed."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from adapters.base import Item
from adapters.liaison.redis_streams import Rhythm
from adapters.notify.notifier import Notifier
from channels.base import Message
from config.settings import Desk, Rung
from gateway.desks import stream as deskstream
from gateway.desks.answers import Answer
from gateway.desks.feed import Feed
from gateway.desks.incidents import IncidentIndex
from gateway.desks.roster import Roster
from gateway.desks.view import desk_views
from gateway.health import State
from gateway.standing import spoken_now
from gateway.store.base import Change, Lane, NewEvent, StoredIncident
from normalizer.normalize import Normalized
from normalizer.place import same_place
from normalizer.schema import Judged, Place
from tests.liaison.redisserver import RedisServer
from tests.liaison.world import DESKS, ZONE, World, ticket


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The emergency parts on a fresh store."""
    one = await World(tmp_path).open()
    yield one
    await one.close()


async def incident_of(world: World, incident: str) -> StoredIncident:
    """Return what is stored of an incident."""
    found = await world.store.incident(incident)
    assert found is not None
    return found


def set_back(world: World, by: timedelta) -> None:
    """Set the machine's clock back; monotonic time goes on."""
    world.clock._now -= by
    world.clock._start -= by


# Joins


async def test_report_that_joins_between_keeps_no_answer_out(world: World) -> None:
    """A desk's answer decided before a report joined is still written: a big fire's never end."""
    incident = await world.raised()
    before = await incident_of(world, incident)
    write = world.emergency.liaison._steps.write
    tries = 0

    async def write_late(change: Any) -> Any:
        nonlocal tries
        tries += 1
        await world.raised()
        return await write(change)

    world.emergency.liaison._steps.write = write_late  # type: ignore[method-assign] # a slow store
    answer = Answer(incident=incident, action="acknowledge", by="值班员", desk="119")
    answered = await world.emergency.liaison.answer(answer)
    assert answered is not None
    assert (answered.incident.state, tries) == ("acknowledged", 1)
    assert [e.event for e in answered.events] == ["raised", "joined", "acknowledged"]
    assert before.version == 1


async def test_two_steps_decided_from_one_state_are_one(world: World) -> None:
    """Joining reports do not count, another step does: the second of two answers is not written."""
    incident = await world.raised()
    stored = await incident_of(world, incident)
    await world.raised()
    ladder = world.emergency.ladder
    world.clock._now += timedelta(seconds=31)
    assert await ladder._one(stored, world.clock.now())
    assert not await ladder._one(stored, world.clock.now())
    assert [e.event for e in (await incident_of(world, incident)).events] == [
        "raised",
        "joined",
        "escalated",
    ]


# The ladder


async def test_clock_set_back_holds_no_rung_up(world: World) -> None:
    """After the machine's clock lost an hour, the next rung is done now and not in an hour."""
    incident = await world.raised()
    await world.emergency.ladder.climb()
    await world.clock.advance(31)
    assert await world.emergency.ladder.climb() == 1
    set_back(world, timedelta(hours=1))
    assert await world.emergency.ladder.climb() == 1
    assert await world.emergency.ladder.climb() == 0
    stored = await incident_of(world, incident)
    assert stored.rung == 2
    assert stored.ladder_at is not None
    assert stored.ladder_at - world.clock.now() <= timedelta(seconds=30)


async def test_clock_set_back_before_a_start_holds_no_rung_up(world: World) -> None:
    """An incident from what is the future now is called for once, then at the usual distances."""
    incident = await world.raised()
    set_back(world, timedelta(days=1))
    await world.again()
    done = []
    for _ in range(5):
        done.append(await world.emergency.ladder.climb())
        await world.clock.advance(30)
    assert done == [1, 1, 1, 1, 1]
    stored = await incident_of(world, incident)
    assert [e.data.get("to") for e in stored.events[1:]] == [
        "sms",
        "duty",
        "phone",
        "phone",
        "phone",
    ]


async def test_text_of_an_alarm_never_counts_below_zero(world: World) -> None:
    """Raised in what is the future now: the alarm says 0 seconds, not -60 minutes."""
    await world.raised()
    set_back(world, timedelta(hours=1))
    await world.emergency.ladder.climb()
    [sms] = [d for d in await world.deliveries() if d.destination == "notify:sms"]
    assert "已 0 分 0 秒" in sms.data["text"]


async def test_dead_number_keeps_nobody_else_from_being_called(tmp_path: Path) -> None:
    """Messages of one incident to two numbers do not wait for each other."""
    second = Rung(after=timedelta(seconds=60), to="sms", number="+8613800138002")
    first = Rung(after=timedelta(seconds=30), to="sms", number="+8613800138001")
    world = await World(tmp_path, {"119": Desk(ladder=(first, second))}).open()
    try:
        await world.raised()
        world.clock._now += timedelta(seconds=61)
        while await world.emergency.ladder.climb():
            pass
        now, to = world.clock.now(), []
        for name in await world.store.destinations():
            if name.startswith("notify:sms"):
                claimed = await world.store.claim(name, Lane.EMERGENCY, now, 9, now)
                to += [d.data["to"] for d in claimed]
        assert sorted(to) == ["+8613800138001", "+8613800138002"]
    finally:
        await world.close()


async def test_every_number_is_reached_by_the_way_of_its_kind() -> None:
    """A queue of another number's own is carried by the same messenger."""
    sent: list[str] = []

    async def send(to: str, _: Message) -> None:
        sent.append(to)

    notifier = Notifier({"notify:sms": SimpleNamespace(send=send)})
    body = msgspec.json.encode({"data": {"to": "+8613800138002", "text": "x"}})
    item = Item(
        id="1",
        destination="notify:sms:119-2",
        type="hotline.emergency.escalated",
        subject="i",
        time=None,  # type: ignore[arg-type] # not looked at
        urgent=True,
        body=body,
    )
    await notifier.deliver(item)
    assert sent == ["+8613800138002"]


# What desks see


async def test_incident_at_a_desk_that_was_removed_stands_at_its_service(world: World) -> None:
    """Returned to a duty desk that the configuration has lost, it is on its service's page."""
    incident = await world.raised()
    await world.emergency.liaison.answer(Answer(incident=incident, action="return", by="x"))
    stored = await incident_of(world, incident)
    [view] = await desk_views(world.store, [stored], ZONE, world.roster)
    assert view["desks"] == ["duty"]
    [view] = await desk_views(world.store, [stored], ZONE, Roster({"119": DESKS["119"]}))
    assert view["desks"] == ["119"]


async def test_desk_reads_the_words_that_made_it_an_emergency(world: World) -> None:
    """Words added to an ordinary ticket are shown beside its first ones."""
    added = await world.accept(ticket("路灯坏了三盏", at=world.clock.now()))
    message = {"at": "2026-11-23T10:00:00+08:00", "text": "灯杆起火了，有人触电", "attachments": []}
    event = NewEvent(at=world.clock.now(), event="added", by="citizen", data={"message": message})
    await world.store.change(Change(ticket_id=added.id, events=(event,)))
    stored = await incident_of(world, added.incidents[0])
    [view] = await desk_views(world.store, [stored], ZONE, world.roster)
    assert view["words"][0]["text"] == "路灯坏了三盏 【补充】灯杆起火了，有人触电"


async def test_stream_sends_open_incidents_in_the_order_of_their_events(world: World) -> None:
    """The id of each is behind all sent before: a break between two of them loses neither."""
    first = await world.raised()
    second = await world.raised(place="淮海路7号")
    await world.raised()  # joins the first, which is the newer one now
    written: list[bytes] = []

    async def write(data: bytes) -> None:
        written.append(data)

    site: Any = SimpleNamespace(
        store=world.store, feed=world.emergency.feed, clock=world.clock, public=world.public
    )
    wire: Any = SimpleNamespace(write=write)
    versions, upto = await deskstream._send_open(site, wire, "119", 0)
    sent = b"".join(written).removesuffix(b"\n\n").split(b"\n\n")
    ids = [int(data.split(b"\n", 1)[0].removeprefix(b"id: ")) for data in sent]
    assert ids == sorted(ids)
    assert ids[-1] == upto
    assert [second.encode() in sent[0], first.encode() in sent[1]] == [True, True]
    assert set(versions) == {first, second}


async def test_pages_do_not_hear_of_incidents_one_by_one(world: World) -> None:
    """What changed is read together: under a flood each answer of the store takes its time."""
    incidents = [await world.raised(place=f"{name}路7号") for name in ("淮海", "胜利", "拂晓")]
    asked: set[str] = set()
    all_asked = asyncio.Event()

    class Slow:
        """A store that answers nobody before it was asked for all."""

        tickets = staticmethod(world.store.tickets)

        async def incident(self, one: str) -> StoredIncident | None:
            asked.add(one)
            if asked.issuperset(incidents):
                all_asked.set()
            await all_asked.wait()
            return await world.store.incident(one)

    store: Any = Slow()
    feed = Feed(store, lambda: world.roster, ZONE, world.clock)
    listener = feed.listen("119")
    for one in incidents:
        feed.touch(one)
    task = asyncio.create_task(feed.run())
    changes: list[str] = []
    async with asyncio.timeout(10):
        while len(changes) < len(incidents):
            await listener.woken.wait()
            changes += [change.incident for change, _ in listener.take()]
    task.cancel()
    assert changes == incidents


# Which happening


def test_words_added_later_are_of_their_own_time(world: World) -> None:
    """What an addition tells happened now, not when the ticket was received."""
    one = ticket(at=world.clock.now())
    now = world.clock.now() + timedelta(hours=2)
    seen = Normalized(
        content=one.content,
        folded="",
        requester=one.requester,
        place=Place(),
        occurred_at=None,
    )
    judged = Judged(
        type=one.type,
        domain=one.domain,
        urgency=one.urgency,
        verify=False,
        services=one.services,
        kind="fire",
        evidence=(),
    )
    assert spoken_now(one, seen, judged, now).received_at == now


def test_places_of_open_incidents_are_parsed_once(world: World) -> None:
    """Each report of a disaster is compared with the same places: their parsing is remembered."""
    from normalizer.likeness import spot

    spot.cache_clear()
    index = IncidentIndex(lambda: world.roster, same_place, iter(map(str, range(10**6))).__next__)
    for at in range(40):
        one = ticket(at=world.clock.now(), place=f"埇桥区汴河中路{at * 20}号")
        index.reports(one, "着火了", world.clock.now())
    assert len(index) == 40
    assert spot.cache_info().misses == 40


# Redis


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[tuple[World, Any]]:
    """The emergency parts with their queue on a Redis, and a connection to it."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(Path(folder))
        server.start()
        client: Any = Redis.from_url(server.url)
        world = await World(tmp_path, queue=server.url).open()
        redis = world.emergency.redis
        assert redis is not None
        redis._rhythm = Rhythm(again_ms=200, upkeep_s=0.2)
        await client.set("liaison:122", "not a stream")
        await world.emergency.start()
        try:
            yield world, client
        finally:
            await client.aclose()
            await world.close()
            server.kill()


async def until(condition: Any) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(20):
        while not await condition():  # noqa: ASYNC110 - Redis and its reader tell nobody
            await asyncio.sleep(0.05)


async def test_name_taken_in_redis_silences_no_other_desk(linked: tuple[World, Any]) -> None:
    """One desk's stream that cannot be made leaves the others theirs, and the desks their answers."""
    world, client = linked

    def state() -> State:
        return world.emergency.state.parts()["liaison"].state

    async def degraded() -> bool:
        return state() is State.DEGRADED

    async def has_group() -> bool:
        return bool(await client.exists("liaison:119")) and bool(
            await client.xinfo_groups("liaison:119")
        )

    await until(degraded)
    await until(has_group)
    incident = await world.raised()
    fields = {"incident": incident, "action": "acknowledge", "by": "值班员"}
    await client.xadd("liaison:answers", fields)

    async def acknowledged() -> bool:
        return (await incident_of(world, incident)).incident.state == "acknowledged"

    await until(acknowledged)
    await client.delete("liaison:122")

    async def healed() -> bool:
        return state() is State.OK

    await until(healed)


async def test_stream_made_anew_by_an_emergency_gets_its_group_and_the_others(
    linked: tuple[World, Any],
) -> None:
    """A deleted stream that the next emergency makes again is found out by its missing group."""
    world, client = linked
    await client.delete("liaison:122")

    async def ok() -> bool:
        return world.emergency.state.parts()["liaison"].state is State.OK

    await until(ok)
    incident = await world.raised()
    async with client.pipeline() as pipe:  # between two rounds of upkeep
        pipe.delete("liaison:119")
        pipe.xadd("liaison:119", {"id": "x", "type": "t", "event": "{}"})
        await pipe.execute()

    async def back() -> bool:
        entries = await client.xrange("liaison:119")
        groups = await client.xinfo_groups("liaison:119")
        return bool(groups) and any(incident.encode() in f.get(b"event", b"") for _, f in entries)

    await until(back)
