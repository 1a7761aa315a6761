"""Liaison queues on Redis: what desks read, what they answer, and what a loss of Redis costs."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from adapters.liaison.redis_streams import RedisStreams, Rhythm
from gateway.desks.answers import Answer
from gateway.health import State
from gateway.outbox.events import materialize
from gateway.store.base import Delivery
from normalizer.errors import StoreError, TryLater
from tests.liaison.redisserver import RedisServer
from tests.liaison.world import World, ticket


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of its own, in a folder whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        one = RedisServer(Path(folder))
        one.start()
        yield one
        one.kill()


@pytest.fixture
async def desk(server: RedisServer) -> AsyncIterator[Any]:
    """A desk's own connection."""
    client: Any = Redis.from_url(server.url)
    yield client
    await client.aclose()


@pytest.fixture
async def linked(tmp_path: Path, server: RedisServer) -> AsyncIterator[World]:
    """The emergency parts with their queue on Redis, running."""
    world = await World(tmp_path, queue=server.url).open()
    assert world.emergency.redis is not None
    world.emergency.redis._rhythm = Rhythm(again_ms=200, upkeep_s=0.2)
    await world.emergency.start()
    await until(lambda: is_state(world, State.OK))
    yield world
    await world.close()


async def is_state(world: World, state: State) -> bool:
    return world.emergency.state.parts()["liaison"].state is state


async def until(condition: Callable[[], Awaitable[Any]], timeout_s: float = 15.0) -> None:
    """Return once the condition holds; sockets and other processes take real time."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + timeout_s
    while not await condition():
        assert loop.time() < until_s, "it never came to hold"
        await asyncio.sleep(0.02)


async def carry(world: World, destination: str = "liaison:119") -> list[Delivery]:
    """Deliver everything that waits for a desk, as the dispatcher does."""
    waiting = [d for d in await world.deliveries() if d.destination == destination]
    items = await materialize(world.store, waiting, world.public)
    for delivery in waiting:
        await world.emergency.queue.deliver(items[delivery.seq])
    return waiting


async def entries(desk: Any, stream: str = "liaison:119") -> list[tuple[str, str, Any]]:
    """Return (id, type, event) of a stream's entries."""
    return [
        (f[b"id"].decode(), f[b"type"].decode(), json.loads(f[b"event"]))
        for _, f in await desk.xrange(stream)
    ]


async def state_of(world: World, incident: str) -> str:
    stored = await world.store.incident(incident)
    assert stored is not None
    return stored.incident.state


async def say(desk: Any, **fields: str) -> bytes:
    entry: bytes = await desk.xadd("liaison:answers", fields)
    return entry


async def test_desk_reads_the_event_and_answers(linked: World, desk: Any) -> None:
    """A consumer of group desk gets the CloudEvent; its answer is a step of the incident."""
    incident = await linked.raised()
    [delivery] = await carry(linked)
    [[_, [(entry, fields)]]] = await desk.xreadgroup("desk", "seat-1", {"liaison:119": ">"})
    event = json.loads(fields[b"event"])
    assert fields[b"id"].decode() == event["id"] == delivery.id
    assert fields[b"type"].decode() == event["type"] == "hotline.emergency.raised"
    assert event["subject"] == event["data"]["incident"]["id"] == incident
    await desk.xack("liaison:119", "desk", entry)
    await say(desk, incident=incident, action="acknowledge", by="值班员", note="已出动")
    await until(lambda: has_state(linked, incident, "acknowledged"))
    stored = await linked.store.incident(incident)
    assert stored is not None
    assert (stored.events[-1].by, stored.events[-1].text) == ("值班员", "已出动")
    await until(lambda: nothing_pending(desk))


async def has_state(world: World, incident: str, state: str) -> bool:
    return await state_of(world, incident) == state


async def nothing_pending(desk: Any) -> bool:
    return (await desk.xpending("liaison:answers", "gateway"))["pending"] == 0


async def test_answers_from_before_the_start_count(
    tmp_path: Path, server: RedisServer, desk: Any
) -> None:
    """An answer written while the gateway was down is taken when it comes up."""
    world = await World(tmp_path, queue=server.url).open()
    incident = await world.raised()
    await say(desk, incident=incident, action="acknowledge", by="值班员")
    await world.emergency.start()
    await until(lambda: has_state(world, incident, "acknowledged"))
    await world.close()


async def test_answer_read_but_not_acknowledged_is_taken_over(
    tmp_path: Path, server: RedisServer, desk: Any
) -> None:
    """What a gateway read and died with is taken by the next, once."""
    world = await World(tmp_path, queue=server.url).open()
    incident = await world.raised()
    await desk.xgroup_create("liaison:answers", "gateway", id="0", mkstream=True)
    entry = await say(desk, incident=incident, action="return", by="值班员")
    await desk.xreadgroup("gateway", "the-one-that-died", {"liaison:answers": ">"})
    # It had written the step, but not acknowledged the entry.
    await world.emergency.liaison.answer(
        Answer(incident=incident, action="return", by="值班员", key=f"answer:{entry.decode()}")
    )
    await world.emergency.start()
    await until(lambda: nothing_pending(desk))
    stored = await world.store.incident(incident)
    assert stored is not None
    assert [e.event for e in stored.events] == ["raised", "returned"]
    await world.close()


BAD = [
    {"action": "close", "by": "x"},
    {"incident": "", "action": "close", "by": "x"},
    {"incident": "i", "action": "explode", "by": "x"},
    {"incident": "i", "action": "close"},
    {"incident": "i", "action": "close", "by": "x" * 101},
    {"incident": "i", "action": "close", "by": b"\xff\xfe"},
    {"incident": "no such incident", "action": "close", "by": "x"},
    {"incident": "i", "action": "close", "by": "x", "desk": "no such desk"},
]


async def test_unreadable_answers_are_kept_and_stop_nobody(linked: World, desk: Any) -> None:
    """Each malformed entry is quarantined whole, and the good one behind them is taken."""
    incident = await linked.raised()
    for fields in BAD:
        await desk.xadd("liaison:answers", fields)
    await say(desk, incident=incident, action="close", by="值班员")
    await until(lambda: has_state(linked, incident, "closed"))
    await until(lambda: nothing_pending(desk))
    held = await linked.store.quarantined(("held",), 100)
    assert len(held) == len(BAD)
    assert {item.channel for item in held} == {"liaison"}
    assert json.loads(held[5].raw)["by"] == "\\xff\\xfe"


async def test_answer_to_a_closed_incident_is_dropped_with_a_word(
    linked: World, desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer that comes too late changes nothing and is logged, not quarantined."""
    incident = await linked.raised()
    await say(desk, incident=incident, action="close", by="甲岗")
    await say(desk, incident=incident, action="acknowledge", by="乙岗")

    async def refused() -> bool:
        return "liaison.answer_refused" in caplog.messages

    await until(refused)
    await until(lambda: nothing_pending(desk))
    assert await state_of(linked, incident) == "closed"
    assert await linked.store.quarantined(("held",), 10) == []


async def test_answer_that_could_not_be_written_is_tried_again(
    linked: World, desk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails leaves the entry pending; it is taken again after a while."""
    incident = await linked.raised()
    step, failures = linked.store.step, []

    async def failing(change: Any) -> Any:
        if not failures:
            failures.append(change)
            raise StoreError("away")
        return await step(change)

    monkeypatch.setattr(linked.store, "step", failing)
    await say(desk, incident=incident, action="acknowledge", by="值班员")
    await until(lambda: has_state(linked, incident, "acknowledged"))
    assert len(failures) == 1


@pytest.mark.parametrize("how", ["flush", "kill and lose", "delete one"])
async def test_open_incidents_come_back_after_a_loss(
    linked: World, desk: Any, server: RedisServer, how: str
) -> None:
    """After a loss the open incidents are on the streams again, with their ids; closed ones not."""
    open_one = await linked.raised()
    closed = await linked.raised(place="淮海路7号")
    await linked.accept(ticket(at=linked.clock.now()))
    await linked.emergency.liaison.answer(Answer(incident=closed, action="close", by="x"))
    await carry(linked)
    before = [one for one in await entries(desk) if one[2]["subject"] == open_one]
    assert [kind for _, kind, _ in before] == [
        "hotline.emergency.raised",
        "hotline.emergency.updated",
    ]
    if how == "flush":
        await desk.flushall()
    elif how == "delete one":
        await desk.delete("liaison:119")
    else:
        server.kill()
        await until(lambda: is_state(linked, State.DOWN))
        for file in server._folder.rglob("*.aof*"):
            if file.is_file():
                file.unlink()
        server.start()
    await until(lambda: holds(desk, before))
    await until(lambda: is_state(linked, State.OK))
    groups = [g["name"] for g in await desk.xinfo_groups("liaison:119")]
    assert groups == [b"desk"]
    await say(desk, incident=open_one, action="acknowledge", by="值班员")
    await until(lambda: has_state(linked, open_one, "acknowledged"))


async def holds(desk: Any, wanted: list[tuple[str, str, Any]]) -> bool:
    try:
        return await entries(desk) == wanted
    except RedisError:
        return False


async def test_nothing_is_added_twice_when_redis_kept_its_data(
    linked: World, desk: Any, server: RedisServer
) -> None:
    """After a restart that lost nothing the streams are as they were."""
    await linked.raised()
    await carry(linked)
    before = await entries(desk)
    server.kill()
    await until(lambda: is_state(linked, State.DOWN))
    server.start()
    await until(lambda: is_state(linked, State.OK))
    assert await entries(desk) == before


async def test_delivery_waits_while_redis_is_away_and_is_not_doubled(
    linked: World, desk: Any, server: RedisServer
) -> None:
    """An item raised during the outage is refilled at once; the outbox's later try adds nothing."""
    server.kill()
    await until(lambda: is_state(linked, State.DOWN))
    incident = await linked.raised()
    with pytest.raises(TryLater):
        await carry(linked)
    server.start()
    await until(lambda: is_state(linked, State.OK))
    [(first, kind, event)] = await entries(desk)
    assert (kind, event["subject"]) == ("hotline.emergency.raised", incident)
    [delivery] = await carry(linked)
    assert delivery.id == first
    assert len(await entries(desk)) == 1


async def test_pages_stay_live_without_redis(linked: World, server: RedisServer) -> None:
    """Changes reach the desk's page while Redis is away."""
    server.kill()
    listener = linked.emergency.feed.listen("119")
    incident = await linked.raised()
    await linked.emergency.liaison.answer(
        Answer(incident=incident, action="acknowledge", by="值班员", desk="119")
    )
    seen: list[str] = []

    async def acknowledged() -> bool:
        seen.extend(json.loads(c.body)["state"] for c, _ in listener.take())
        return "acknowledged" in seen

    await until(acknowledged)


async def test_only_finished_entries_are_trimmed(linked: World, desk: Any) -> None:
    """Trimming stops at the oldest entry that is open, or that the group has not acknowledged."""
    queue = linked.emergency.redis
    assert isinstance(queue, RedisStreams)
    ones = [await linked.raised(place=f"{n}号大街{n}号") for n in range(4)]
    await carry(linked)
    read = await desk.xreadgroup("desk", "seat-1", {"liaison:119": ">"})
    ids = [entry for entry, _ in read[0][1]]
    for incident in (ones[0], ones[1], ones[3]):
        await linked.emergency.liaison.answer(Answer(incident=incident, action="close", by="x"))

    async def left() -> list[str]:
        await queue._trim("liaison:119")
        return [event["subject"] for _, _, event in await entries(desk)]

    assert await left() == ones
    await desk.xack("liaison:119", "desk", ids[0])
    assert await left() == ones[1:]
    await desk.xack("liaison:119", "desk", *ids[1:])
    assert await left() == ones[2:]
    await linked.emergency.liaison.answer(Answer(incident=ones[2], action="close", by="x"))
    assert await left() == []


async def test_unread_entries_of_open_incidents_are_never_trimmed(linked: World, desk: Any) -> None:
    """With nobody reading, entries of closed incidents go after a day, open ones stay."""
    queue = linked.emergency.redis
    assert isinstance(queue, RedisStreams)
    queue._rhythm = Rhythm(unread_kept_ms=-1000)
    closed = await linked.raised(place="淮海路7号")
    one = await linked.raised()
    await carry(linked)
    await linked.emergency.liaison.answer(Answer(incident=closed, action="close", by="x"))
    await queue._trim("liaison:119")
    assert [event["subject"] for _, _, event in await entries(desk)] == [one]


async def test_queue_reports_its_state(tmp_path: Path) -> None:
    """A queue that was never reached is down, since when and why; intake does not care."""
    world = await World(tmp_path, queue=f"unix://{tmp_path}/none.sock").open()
    await world.emergency.start()

    async def told() -> bool:
        part = world.emergency.state.parts()["liaison"]
        return (part.state, part.why) == (State.DOWN, "ConnectionError")

    await until(told)
    assert world.emergency.state.parts()["liaison"].since == world.clock.now()
    assert await world.raised()
    await world.close()
