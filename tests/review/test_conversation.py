"""A conversation over weeks, with clocks that step, with liars, and with files that nobody can read."""

import asyncio
import logging
from datetime import timedelta

import msgspec
import pytest

from channels.base import Receipt, Request
from gateway.blobs import Blobs
from gateway.late import Late, Latecomers, Taking
from gateway.logs import JsonFormatter
from gateway.problems import decoding_of
from normalizer.errors import ChannelError, Malformed, StoreError
from normalizer.schema import Inbound, Requester, Urgency
from tests.gateway.world import FIRE, LAMP, World
from tests.talk.test_conversation import OTHER, happened, says, sms, tickets

DAY = 86_400.0
ELSEWHERE = "砀山县我妈家里煤气中毒了，人已经昏迷，快来人救命"


async def test_an_answer_that_takes_weeks_can_be_rated(world: World) -> None:
    """Three weeks are what a complaint may take; the digit after its answer rates it all the same."""
    number = (await says(world, LAMP)).number
    await world.clock.advance(21 * DAY)
    await world.happens(number, "answered")
    rated = await says(world, "1")
    assert rated.number == number
    assert (await happened(world, number))[-1] == "rated"
    assert await tickets(world) == 1


async def test_progress_can_be_asked_for_weeks_later(world: World) -> None:
    """Without a number it is that of the newest matter, however old, and no new ticket."""
    number = (await says(world, LAMP)).number
    await world.clock.advance(30 * DAY)
    told = await says(world, "查询")
    assert number in told.message
    assert await tickets(world) == 1


async def test_what_follows_an_addition_goes_on_with_its_ticket(world: World) -> None:
    """The matter last spoken of counts, though another ticket of the thread is younger."""
    lamp = (await says(world, LAMP)).number
    await world.clock.advance(600)
    noise = (await says(world, "楼下的烧烤摊半夜还在吵，油烟很大")).number
    assert noise != lamp
    await world.clock.advance(600)
    assert (await says(world, f"{lamp} 还没有人来修")).number == lamp
    await world.clock.advance(20)
    assert (await says(world, "一共三盏")).number == lamp
    assert await happened(world, noise) == ["accepted"]


async def test_a_clock_that_was_set_back_joins_nothing(world: World) -> None:
    """By it a ticket is of the future; that is no minute in which words follow it."""
    first = (await says(world, LAMP)).number
    world.clock._now -= timedelta(hours=1)
    assert (await says(world, "谢谢你们")).number != first


async def test_an_emergency_in_another_district_is_a_ticket_of_its_own(world: World) -> None:
    """Who reports a fire here and a gas poisoning there within the minute has reported two."""
    fire = await says(world, FIRE)
    gas = await says(world, ELSEWHERE)
    assert gas.number != fire.number
    assert gas.urgency is Urgency.EMERGENCY
    assert not set(gas.incidents) & set(fire.incidents)


def mail(world: World, text: str, *, sender: str, envelope: str) -> Inbound:
    """Return a mail that names a sender, and came from an address."""
    asked = sms(world, text, channel="email", account="mailbox", thread=envelope)
    return msgspec.structs.replace(asked, requester=Requester(email=sender))


async def ask_by_mail(world: World, number: str, *, sender: str, envelope: str) -> Receipt:
    """Return the answer to who asks by mail for somebody's ticket."""
    asked = mail(world, f"查询 {number}", sender=sender, envelope=envelope)
    return await world.intake.accept(asked)


async def test_a_made_up_sender_learns_nothing(world: World) -> None:
    """A mail's From is what anybody writes; the answer goes to the envelope's sender, so that counts."""
    own = world.inbound(requester=Requester(email="li@city.example"))
    number = (await world.intake.accept(own)).number
    await world.happens(number, "answered", text="路灯已修好")
    liar = await ask_by_mail(world, number, sender="li@city.example", envelope="liar@evil.example")
    assert (liar.number, "修好" in liar.message) == ("", False)
    theirs = await ask_by_mail(world, number, sender="li@city.example", envelope="li@city.example")
    assert (theirs.number, "修好" in theirs.message) == (number, True)


async def test_progress_of_somebody_elses_ticket_is_not_told(world: World) -> None:
    """By text neither, without its code."""
    number = (await says(world, LAMP)).number
    told = await says(world, f"查询 {number}", thread=OTHER)
    assert told.number == ""
    assert await tickets(world) == 1


async def test_a_late_push_that_cannot_be_read_keeps_no_gateway_from_starting(
    world: World,
) -> None:
    """It stays where it is for a human, is told of, and those beside it are taken on."""
    folder = world.store._path.parent / "late"
    core = world.core(world.store)
    taking = Taking(world.intake, core, Blobs(folder))
    late = Latecomers(folder, core, taking, {})
    writing = Blobs(folder)
    await writing.open()
    damaged, _ = await writing.write(b'{"kind": "wechat", "account"')
    request = Request(method="POST", headers={}, body=b"")
    good = Late(kind="nobody", account="x", at=world.clock.now(), request=request)
    await writing.write(msgspec.json.encode(good))

    async def quarantine(_key: object, _request: Request, _error: ChannelError) -> None:
        raise AssertionError("nothing was parsed")

    await late.start({}, quarantine)
    assert writing.path(damaged).is_file()
    counted = world.metrics.registry.get_sample_value(
        "gateway_events_total", {"event": "late_failed", "where": ""}
    )
    assert counted == 1
    await late.stop(1)


async def test_a_late_push_waits_for_a_disk_that_is_full_to_be_quarantined(world: World) -> None:
    """What turns out not to be understood is kept whole once it can be, then forgotten here."""
    folder = world.store._path.parent / "late"
    late = Latecomers(folder, world.core(world.store), Taking(world.intake, None, None), {})  # type: ignore[arg-type]
    await late.start({}, None)  # type: ignore[arg-type]
    request = Request(method="POST", headers={}, body=b"?")
    path = await late.keep(("wechat", "oa"), request, world.clock.now())
    tries: list[ChannelError] = []

    async def take() -> list[Receipt]:
        raise Malformed("body", "another release reads it otherwise")

    async def quarantine(error: ChannelError) -> None:
        tries.append(error)
        if len(tries) == 1:
            raise StoreError("the disk is full")

    inbound = sms(world, LAMP)
    late.follow(path, asyncio.create_task(take()), take, [inbound], quarantine)
    async with asyncio.timeout(20):
        while path.exists():
            await world.clock.advance(1)
    assert len(tries) == 2
    assert not await late.answered(inbound, await says(world, LAMP, id="other"))
    await late.stop(1)


async def test_an_emergency_by_text_is_not_behind_ordinary_reading(world: World) -> None:
    """Its conversation is looked up before whatever waits to be read, as for a flood of pushes."""
    await says(world, LAMP)
    order: list[str] = []

    async def ordinary() -> None:
        await world.store.numbered("20261123", None, 9)
        order.append("ordinary")

    async def fire() -> None:
        await says(world, FIRE, thread=OTHER)
        order.append("fire")

    reading = [asyncio.create_task(ordinary()) for _ in range(1000)]
    await asyncio.sleep(0)
    await asyncio.gather(fire(), *reading)
    assert order.index("fire") < 800


class _Inner(msgspec.Struct):
    number: str


class _Outer(msgspec.Struct):
    id: str
    data: _Inner


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b'{"id": "1", "data": {}}', "data.number"),
        (b'{"id": "1", "data": {"number": 7}}', "data.number"),
        (b'{"data": {"number": "7"}}', "id"),
        (b'{"id": "1", "data": []}', "data"),
        (b"[]", "body"),
        (b"{", "body"),
        (b'{"id": "\xff"}', "body"),
    ],
)
def test_a_body_that_is_wrong_names_the_field(body: bytes, field: str) -> None:
    """The whole path of it, and none of what was sent."""
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)) as caught:
        msgspec.json.decode(body, type=_Outer)
    assert decoding_of(caught.value).field == field


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("5abdabb3548a4085aaca1198206be811", "5abdabb3548a4085aaca1198206be811"),
        ("019aae0c-6d9a-7c3e-9d1c-135469798990", "019aae0c-6d9a-7c3e-9d1c-135469798990"),
        ("13800138000", None),
        ("id 5abdabb3548a4085aaca1198206be811 of 13800138000", None),
    ],
)
def test_an_id_in_the_log_can_be_looked_up(value: str, shown: str | None) -> None:
    """What the log calls an item is what ``deadletter show`` takes; a telephone number is masked."""
    record = logging.makeLogRecord({"msg": "x", "id": value})
    line = msgspec.json.decode(JsonFormatter().format(record))
    assert (line["id"] == value) is (shown is not None)
    assert "13800138000" not in line["id"]


async def test_a_repeat_of_an_old_message_joins_nothing(world: World) -> None:
    """However many tickets its conversation has had since, the carrier's repeat is its own ticket."""
    first = sms(world, LAMP, message_id="m-first", key="m-first")
    number = (await world.intake.accept(first)).number
    for n in range(22):
        await world.clock.advance(600)
        await says(world, f"埇桥区第{n}条路的路灯坏了，请尽快修好")
    again = await world.intake.accept(first)
    assert (again.number, again.duplicate) == (number, True)
    assert await happened(world, number) == ["accepted"]


async def test_an_emergency_waits_a_moment_only_for_its_citizens_words(world: World) -> None:
    """What they said before is still being accepted: the emergency is, too."""
    asked = sms(world, LAMP)
    turn = world.intake._conversation.turn(asked)  # type: ignore[union-attr]
    async with turn:
        receipt = await asyncio.wait_for(world.intake.accept(sms(world, FIRE)), 5)
    assert receipt.urgency is Urgency.EMERGENCY
    after = await asyncio.wait_for(world.intake.accept(sms(world, OTHER)), 5)
    assert after.number
