"""Two nodes on one store that takes seven seconds: what each answers, and when."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.base import Receipt, Request
from channels.wechat.account import OfficialAccount
from channels.wechat.channel import plugin
from gateway.accept import Intake
from gateway.additions import Additions
from gateway.blobs import Blobs
from gateway.console.again import Again
from gateway.core import Core
from gateway.late import InTime, Latecomers, Taking
from gateway.late_answers import LATE
from gateway.portal.citizen import Citizen
from gateway.store.base import Quarantined
from gateway.store.sqlite import SqliteStore
from gateway.talk.answering import Answering
from gateway.talk.conversation import Conversation
from normalizer.errors import ChannelError, StoreError
from normalizer.schema import Inbound
from tests.channels.wechat.cases import members, signed
from tests.channels.wechat.world import APP, SECRET, TOKEN, until
from tests.gateway.world import World, rules_of

KEY = ("wechat", "oa")
CITIZEN = "oCitizen"


class SlowIntake:
    """An intake whose store takes its time, and fails so often first."""

    def __init__(self, intake: Intake, world: World, takes_s: float, fails: int) -> None:
        self._intake = intake
        self._world = world
        self._takes_s = takes_s
        self._fails = fails

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return the receipt after a while."""
        if self._takes_s:
            await self._world.clock.wait(asyncio.Event(), self._takes_s)
        if self._fails:
            self._fails -= 1
            raise StoreError("the disk is full")
        return await self._intake.accept(inbound)


class Node:
    """What one process has of its own."""

    def __init__(self, world: World, folder: Path, takes_s: float = 0.0, fails: int = 0) -> None:
        self.world = world
        self.channel: Any = plugin.open(
            {"kind": "wechat", "name": "oa", "app_id": APP, "app_secret": SECRET, "token": TOKEN}
        )
        self.core: Core = core_of(world)
        additions = Additions(self.core)
        citizen = Citizen(self.core, world.public, additions)
        intake = Intake(self.core, Conversation(self.core, additions, citizen))
        slow: Any = SlowIntake(intake, world, takes_s, fails)
        self.taking = Taking(slow, self.core, Blobs(folder / "attachments"))
        self.late = Latecomers(folder / "late", self.core, self.taking, {})
        self.in_time = InTime(self.taking, self.late, world.clock)
        self.refused: list[ChannelError] = []

    async def quarantine(self, _key: object, _request: Request, error: ChannelError) -> None:
        """Remember what was refused."""
        self.refused.append(error)

    async def push(self, request: Request) -> bytes:
        """Return the body of the answer to a push."""
        channel: OfficialAccount = self.channel
        inbounds = channel.parse(request, self.world.clock.now())
        receipts = await self.in_time.take(
            channel,
            KEY,
            request,
            inbounds,
            arrived=self.world.clock.monotonic(),
            quarantine=self.quarantine,
        )
        return (
            channel.late(request) if receipts is None else channel.reply(request, receipts)
        ).body


def core_of(world: World) -> Core:
    """Return the world's core, with an account that citizens can be answered by."""
    world.answering = Answering({"answer:wechat:oa": None})
    return world.core(world.store)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    yield World(store, rules_of(tmp_path))
    await store.close()


def _push(words: str = "人民路的路灯坏了三盏", number: int = 1) -> Request:
    return signed(msgspec.json.encode(members(Content=words, MsgId=number)))


def _written(folder: Path) -> list[Path]:
    """Return what is written down and not answered yet."""
    return list(folder.glob("late/??/*"))


async def _late_answers(world: World) -> list[Any]:
    return [d for d in await world.deliveries() if d.type == LATE]


async def test_a_store_that_takes_seven_seconds(world: World, tmp_path: Path) -> None:
    """`success` after four seconds, one answer after seven, and nothing more for a repeat."""
    node = Node(world, tmp_path, takes_s=7)
    await node.late.start({}, node.quarantine)
    asked = asyncio.create_task(node.push(_push()))
    await world.clock.advance(3.9)
    assert not asked.done()
    await world.clock.advance(0.2)
    assert await asked == b"success"
    assert await _late_answers(world) == []
    await world.clock.advance(3)
    (answer,) = await until(lambda: _late_answers(world))
    (stored,) = await world.store.page("", 10)
    assert stored.number in answer.data["text"]
    assert answer.data["to"] == CITIZEN
    assert answer.destination == "answer:wechat:oa"
    await until(lambda: not _written(tmp_path))
    again = asyncio.create_task(node.push(_push()))
    await world.clock.advance(8)
    assert await again == b"success"
    assert len(await _late_answers(world)) == 1
    await until(lambda: not _written(tmp_path))
    await node.late.stop(1)


async def test_a_dead_letter_that_is_read_again_is_answered_once(
    world: World, tmp_path: Path
) -> None:
    """By a message of its own: the push that its reply would have told it by is long over."""
    node = Node(world, tmp_path)
    again = Again({KEY: node.channel}, node.taking, node.late.answers)
    item = Quarantined(
        id="q-1",
        at=world.clock.now(),
        channel="wechat",
        account="oa",
        reason="the gateway failed on it: KeyError",
        raw=msgspec.json.encode(members(Content="人民路的路灯坏了三盏", MsgId=1)),
        raw_type="application/json",
    )
    (receipt,) = await again.read(item)
    assert await again.read(item) != []
    (answer,) = await _late_answers(world)
    assert receipt.number in answer.data["text"]
    assert answer.data["to"] == CITIZEN


async def test_a_store_that_refuses_is_asked_until_it_takes(world: World, tmp_path: Path) -> None:
    """What was told to have arrived is tried again until it is a ticket."""
    node = Node(world, tmp_path, takes_s=5, fails=3)
    await node.late.start({}, node.quarantine)
    asked = asyncio.create_task(node.push(_push()))
    await world.clock.advance(4.1)
    assert await asked == b"success"
    await world.clock.advance(40, step=1)
    assert len(await until(lambda: _late_answers(world))) == 1
    assert len(await world.store.page("", 10)) == 1
    await node.late.stop(1)


async def test_a_store_that_refuses_at_once_is_no_success(world: World, tmp_path: Path) -> None:
    """Nothing stored, nothing acknowledged: the platform repeats."""
    node = Node(world, tmp_path, fails=1)
    await node.late.start({}, node.quarantine)
    with pytest.raises(StoreError):
        await node.push(_push())
    assert (await node.push(_push())).startswith(b"<xml>")


async def test_another_process_answers_what_one_has_left(world: World, tmp_path: Path) -> None:
    """A push that was written down by a process that died is a ticket in the next, answered once."""
    dying = Node(world, tmp_path, takes_s=60)
    await dying.late.start({}, dying.quarantine)
    asked = asyncio.create_task(dying.push(_push()))
    await world.clock.advance(4.1)
    assert await asked == b"success"
    for task in dying.late._tasks:
        task.cancel()
    await dying.late.stop(0.1)
    heir = Node(world, tmp_path)
    await heir.late.start({KEY: heir.channel}, heir.quarantine)
    assert len(await until(lambda: _late_answers(world))) == 1
    assert await heir.push(_push()) == b"success"
    await until(lambda: not _written(tmp_path))


async def test_a_storm_over_two_nodes_is_one_ticket(world: World, tmp_path: Path) -> None:
    """Forty repeats, half to each of two nodes: one ticket, and the same reply to all."""
    nodes = [Node(world, tmp_path / name) for name in ("a", "b")]
    for node in nodes:
        await node.late.start({}, node.quarantine)
    answers = await asyncio.gather(*(nodes[n % 2].push(_push()) for n in range(40)))
    (stored,) = await world.store.page("", 10)
    assert set(answers) == {answers[0]}
    assert stored.number.encode() in answers[0]


async def test_an_answer_too_long_for_a_reply_comes_as_messages(
    world: World, tmp_path: Path
) -> None:
    """What a passive reply cannot hold is told by customer-service messages, whole."""
    node = Node(world, tmp_path)
    await node.late.start({}, node.quarantine)
    await node.push(_push())
    (stored,) = await world.store.page("", 10)
    await world.happens(stored.number, "answered", text="路灯已修好。" * 200)
    asked = node.push(_push("查询", 2))
    assert await asked == b"success"
    (answer,) = await until(lambda: _late_answers(world))
    assert answer.data["text"].count("路灯已修好") == 200
