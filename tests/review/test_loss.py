"""Nothing a citizen sent is lost or doubled, and no emergency waits for an ordinary ticket."""

import asyncio
import json
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from channels.webhook.codec import decode
from config.load import load
from gateway import plugins
from gateway.health import Health
from gateway.late_answers import LATE
from gateway.letters import LONG_TEXT, Letters, sounds_urgent
from gateway.line import MOST_WAITING, Line
from gateway.outbox.destination import Outlet
from gateway.outbox.dispatch import Dispatcher
from gateway.outbox.events import materialize
from gateway.outbox.replay import replay
from gateway.store.base import Lane, Outcome, Quarantined
from normalizer.errors import Conflict, StoreError
from normalizer.schema import Urgency
from tests.channels.wechat.cases import members
from tests.clock import START, FakeClock
from tests.dispatch.scene import Script, Tally
from tests.gateway.world import CONFIG, FIRE, LAMP, World
from tests.store import make

LETTER = "人民路的路灯坏了三盏，请尽快修好。" * 100
#: Octets that a partner's file holds, and the push that brings it, in base64.
PHOTO = b"\xff\xd8\xff photo"
PUSH = {"id": "m-1", "from": "u-1", "text": LAMP, "attachments": [{"content": "/9j/IHBob3Rv"}]}


async def opened(world: World, text: str = LAMP) -> tuple[str, str, str]:
    """Return number, code and address of a new ticket."""
    receipt = await world.intake.accept(world.inbound(text))
    return receipt.number, receipt.query_code, "127.0.0.1"


async def test_a_key_with_other_words_swallows_nothing(world: World) -> None:
    """Whoever uses a key twice is told so, and the words stand when they come with another."""
    who = await opened(world)
    await world.citizen.add(*who, "第一句", key="1")
    await world.citizen.add(*who, "第一句", key="1")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        await world.citizen.add(*who, FIRE, key="1")
    assert (await world.citizen.add(*who, FIRE, key="2")).escalated
    events = (await world.ticket(who[0])).events
    assert [e.event for e in events] == ["accepted", "added", "added"]


async def test_a_back_offices_event_id_is_no_key_of_a_citizen(world: World) -> None:
    """An addition whose key the back office happened to use is an addition all the same."""
    who = await opened(world)
    await world.happens(who[0], "signed", key="17")
    await world.citizen.add(*who, FIRE, key="17")
    assert (await world.ticket(who[0])).events[-1].event == "added"
    assert "liaison:119" in {d.destination for d in await world.deliveries()}


async def test_an_emergency_hurries_what_it_waits_behind(world: World) -> None:
    """An event that an emergency of its ticket follows leaves the ordinary lane and its delay."""
    who = await opened(world)
    now = world.clock.now()
    lease = now + timedelta(seconds=30)
    (first,) = await world.store.claim("office", Lane.ORDINARY, now, 9, lease)
    hour = now + timedelta(hours=1)
    await world.store.settle([make_outcome(first.seq, hour)])
    await world.citizen.add(*who, FIRE)
    assert await world.store.claim("office", Lane.ORDINARY, hour, 9, lease) == []
    hurried = await world.store.claim("office", Lane.EMERGENCY, now, 9, lease)
    assert first.id in [d.id for d in hurried]


async def test_what_is_under_way_when_it_becomes_urgent_is_soon_tried_again(world: World) -> None:
    """The ordinary worker that has it may fail and ask for an hour; its lease's end is the most."""
    who = await opened(world)
    now = world.clock.now()
    lease = now + timedelta(seconds=30)
    (first,) = await world.store.claim("office", Lane.ORDINARY, now, 9, lease)
    await world.citizen.add(*who, FIRE)
    await world.store.settle([make_outcome(first.seq, now + timedelta(hours=1))])
    later = await world.store.claim("office", Lane.EMERGENCY, lease, 9, lease)
    assert first.id in [d.id for d in later]


def make_outcome(seq: int, due_at: datetime) -> Outcome:
    """Return a failed try."""
    return Outcome(seq=seq, state="due", due_at=due_at, error="refused")


@pytest.mark.parametrize("words", ["0001年1月1日", "9999年12月31日23时59分"])
async def test_no_date_in_a_text_stops_a_lane(world: World, words: str) -> None:
    """A text that names the calendar's first or last day is pushed like any other."""
    receipt = await world.intake.accept(world.inbound(f"{words}，{FIRE}"))
    assert receipt.urgency is Urgency.EMERGENCY
    waiting = await world.deliveries()
    items = await materialize(world.store, waiting, world.public)
    assert set(items) == {d.seq for d in waiting}
    await world.citizen.progress(receipt.number, receipt.query_code, "r")


async def test_strays_are_found_behind_any_backlog_and_at_any_time(world: World) -> None:
    """An emergency for a desk that nobody has named since the start is not left in the outbox."""
    desk = Script(world.clock)
    dispatcher = Dispatcher(
        world.store, {"liaison": Outlet(desk)}, world.public, world.clock, Tally()
    )
    dispatcher.start([])
    await world.clock.settle()
    await world.intake.accept(world.inbound(FIRE))  # as a command beside the gateway does
    leased = [Outcome(seq=d.seq, state="due") for d in world.outbox.leased]
    await world.store.settle(leased)
    await world.clock.advance(5)
    assert "hotline.emergency.raised" in {item.type for item in desk.taken}
    await dispatcher.stop(0)


class Stuck:
    """An engine that never answers."""

    depth = 1
    express = False

    def send(self, items: list[object]) -> bool:
        """Take a batch and do nothing."""
        return True

    async def stop(self) -> None:
        """Do nothing."""


async def test_an_ordinary_flood_turns_no_emergency_away() -> None:
    """When nothing ordinary is taken any more, what is urgent still is."""
    line = Line()
    line.start(Stuck())
    for _ in range(MOST_WAITING):
        line.ask("ordinary")
    with pytest.raises(StoreError, match="try again later"):
        line.ask("ordinary")
    assert not line.ask("urgent", urgent=True).done()


async def test_an_urgent_letter_does_not_wait_for_others(world: World) -> None:
    """Long texts are read one at a time beside the loop, those that sound urgent first."""
    letters, rulebook = Letters(), world.rules.rulebook
    read: list[str] = []
    texts = {
        "longer": LETTER + "另外",
        "ordinary": LETTER,
        "urgent": LETTER * 2 + FIRE,
        "urgent too": FIRE + LETTER,
    }
    asked = [letters.read(text, rulebook, partial(read.append, n)) for n, text in texts.items()]
    await asyncio.gather(*asked)
    assert read == ["urgent too", "urgent", "ordinary", "longer"]


async def test_a_letter_that_cannot_be_read_stops_no_other(world: World) -> None:
    """A fault in one reading is its asker's, a cancelled asker is passed over."""
    letters, rulebook = Letters(), world.rules.rulebook
    assert len(LETTER) > LONG_TEXT
    assert not sounds_urgent(LETTER, rulebook)

    def fails() -> None:
        raise ValueError("unreadable")

    bad = asyncio.create_task(letters.read(LETTER, rulebook, fails))
    gone = asyncio.create_task(letters.read(LETTER, rulebook, lambda: 1))
    good = asyncio.create_task(letters.read(LETTER, rulebook, lambda: 2))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(ValueError, match="unreadable"):
        await bad
    assert await good == 2


HALVES = [
    (r"着火了\ud83d", "着火了�"),
    (r"\udd25着火了", "�着火了"),
    (r"\ud83d\udd25着火了", "🔥着火了"),
    (r"\\ud83d 着火了\ud83d", "\\ud83d 着火了�"),
]


@pytest.mark.parametrize(("sent", "read"), HALVES)
def test_half_an_emoji_costs_no_partners_message(sent: str, read: str) -> None:
    """A text that was cut in the middle of a pair is understood, but for that character."""
    assert decode(f'{{"id":"1","from":"u","text":"{sent}"}}'.encode()).text == read


async def test_a_replayed_push_has_its_files(world: World, tmp_path: Path) -> None:
    """What a quarantined push brought with it is kept when it becomes a ticket after all."""
    secret = "whsec_dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHM="
    config = CONFIG.replace(
        "channels: [", f"channels: [{{kind: webhook, name: weibo, secret: {secret}}}, "
    ).replace("instance:", "store: {url: 'sqlite:///gateway.db'}\ninstance:", 1)
    path = tmp_path / "other.yaml"
    path.write_text(config, encoding="utf-8")
    kept = tmp_path / "attachments"
    (kept / "tmp").mkdir(parents=True)
    item = Quarantined(
        id="q-1",
        at=START,
        channel="webhook",
        account="weibo",
        reason="text: missing",
        raw=json.dumps(PUSH).encode(),
        raw_type="application/json",
    )
    (receipt,) = await replay(item, world.store, load(path), plugins.load("gateway.channels"))
    (attachment,) = (await world.ticket(receipt.number)).ticket.attachments
    assert (kept / attachment.sha256[:2] / attachment.sha256).read_bytes() == PHOTO


async def test_a_replayed_push_is_answered_once(world: World, tmp_path: Path) -> None:
    """By the outbox: nobody waits for the reply that would have told its citizen."""
    account = "{kind: wechat, name: oa, app_id: wx1, app_secret: s, token: a-token-of-the-tests}"
    config = CONFIG.replace("channels: [", f"channels: [{account}, ").replace(
        "instance:", "store: {url: 'sqlite:///gateway.db'}\ninstance:", 1
    )
    path = tmp_path / "other.yaml"
    path.write_text(config, encoding="utf-8")
    item = Quarantined(
        id="q-2",
        at=START,
        channel="wechat",
        account="oa",
        reason="the gateway failed on it: KeyError",
        raw=msgspec.json.encode(members(Content=LAMP, MsgId=1)),
        raw_type="application/json",
    )
    for _ in range(2):
        (receipt,) = await replay(item, world.store, load(path), plugins.load("gateway.channels"))
    (answer,) = [d for d in await world.deliveries() if d.type == LATE]
    assert answer.destination == "answer:wechat:oa"
    assert receipt.number in answer.data["text"]


async def test_a_held_message_is_found_behind_any_number_of_others(world: World) -> None:
    """Dead letters can be shown and replayed however many were handled before."""
    for number in range(1001):
        item = make.quarantined(id=f"q-{number}", at=START, state="discarded")
        await world.store.quarantine(item)
    await world.store.quarantine(make.quarantined(id="last", at=START + timedelta(days=1)))
    found = await world.store.held("last")
    assert found is not None
    assert found.state == "held"


async def test_a_store_that_cannot_write_is_seen() -> None:
    """A full disk can be read; intake is impossible all the same, and readyz says why."""
    clock = FakeClock()
    health = Health(Readable(), clock, {})  # type: ignore[arg-type]  # nothing else is asked
    assert (await health.report())[0]
    health.store_failed("the disk is full")
    ready, document = await health.report()
    assert not ready
    assert "the disk is full" in str(document["store"])
    health.store_worked()
    assert (await health.report())[0]
    health.store_failed("the disk is full")
    await clock.advance(31)
    assert (await health.report())[0], "somebody has to be sent here to try"


class Readable:
    """A store that can be asked."""

    def stalled_s(self) -> float:
        """Return 0: it is not the writer that hangs."""
        return 0.0

    async def counts(self) -> dict[str, int]:
        """Return a count."""
        return {"tickets": 1}
