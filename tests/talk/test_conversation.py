"""A conversation: what joins a matter, what is one of its own, and what is a command."""

import asyncio
import itertools
from typing import Any

import msgspec
import pytest

from channels.base import Receipt
from gateway.talk.conversation import JOIN_WITHIN
from gateway.view import publish
from normalizer.schema import Inbound, Place, Requester, Urgency
from tests.gateway.world import FIRE, LAMP, World

THREAD = "+8613800138000"
OTHER = "+8613900139000"
_ids = itertools.count(1)


def sms(world: World, text: str, **more: Any) -> Inbound:
    """Return a text message that was received now."""
    message_id = more.pop("id", None) or f"sms-{next(_ids)}"
    thread = more.pop("thread", THREAD)
    values: dict[str, Any] = {
        "channel": "sms",
        "account": "main",
        "message_id": message_id,
        "key": message_id,
        "thread": thread,
        "requester": Requester(phone=thread),
        "acknowledge": True,
    }
    return msgspec.structs.replace(world.inbound(text), **(values | more))


async def says(world: World, text: str, **more: Any) -> Receipt:
    """Return the receipt of a text message that is received now."""
    return await world.intake.accept(sms(world, text, **more))


async def happened(world: World, number: str) -> list[str]:
    """Return what happened to a ticket."""
    return [event.event for event in (await world.ticket(number)).events]


async def tickets(world: World) -> int:
    """Return how many tickets there are."""
    return (await world.store.counts())["tickets"]


async def test_the_first_message_is_a_ticket_and_is_answered(world: World) -> None:
    """The answer is stored with the ticket, to be sent by the channel's own messenger."""
    receipt = await says(world, LAMP)
    assert receipt.answered
    due = await world.store.deliveries(("due", "leased"), 10)
    assert {d.destination: d.type for d in due} == {
        "office": "hotline.ticket.accepted",
        "answer:sms:main": "hotline.answer.received",
    }
    assert next(d for d in due if d.destination != "office").data["to"] == THREAD


async def test_what_follows_at_once_joins(world: World) -> None:
    """Who writes in pieces has one ticket, however many the pieces, and each is answered."""
    first = await says(world, LAMP)
    for piece in ("就在小学门口", "一共三盏", "谢谢"):
        await world.clock.advance(JOIN_WITHIN.total_seconds() - 1)
        again = await says(world, piece)
        assert (again.number, again.answered) == (first.number, True)
    assert await happened(world, first.number) == ["accepted", "added", "added", "added"]
    assert await tickets(world) == 1


async def test_pieces_that_come_together_join(world: World) -> None:
    """Pieces that the carrier delivers at one moment wait for the first one's ticket."""
    receipts = await asyncio.gather(*(says(world, text) for text in (LAMP, "小学门口", "三盏")))
    assert len({receipt.number for receipt in receipts}) == 1
    assert await tickets(world) == 1


async def test_what_follows_later_is_a_matter_of_its_own(world: World) -> None:
    """After a minute words that cite nothing are a new ticket."""
    first = await says(world, LAMP)
    await world.clock.advance(JOIN_WITHIN.total_seconds() + 1)
    assert (await says(world, "楼下的烧烤摊半夜还在吵")).number != first.number


async def test_a_new_matter_within_the_minute_is_a_ticket(world: World) -> None:
    """Haste makes no other matter part of the first."""
    first = await says(world, LAMP)
    second = await says(world, "另外我在工地干了四个月，老板一直拖欠工资不给，请劳动监察来管")
    assert second.number != first.number


async def test_an_emergency_is_never_hidden_in_an_ordinary_ticket(world: World) -> None:
    """Who writes of a lamp and then of a fire has two tickets, and the fire is at its desk."""
    first = await says(world, LAMP)
    second = await says(world, FIRE)
    assert second.number != first.number
    assert (second.urgency, len(second.incidents)) == (Urgency.EMERGENCY, 2)


async def test_more_on_an_emergency_joins_it(world: World) -> None:
    """Where and who come to the ticket of the fire that they belong to."""
    first = await says(world, FIRE)
    second = await says(world, "火越来越大了，二楼还有两个孩子被困在里面")
    assert second.number == first.number
    assert second.urgency is Urgency.EMERGENCY
    assert "119" in second.message


async def test_another_citizen_joins_nothing(world: World) -> None:
    """A conversation is one citizen's; that a number is cited does not open it to others."""
    first = await says(world, LAMP)
    second = await says(world, f"工单{first.number}也算我一个", thread=OTHER)
    assert second.number != first.number


async def test_a_repeat_of_the_first_message_joins_nothing(world: World) -> None:
    """The carrier's repeat within the minute is the message itself, not more words."""
    first = await says(world, LAMP, id="m-1")
    again = await says(world, LAMP, id="m-1")
    assert (again.number, again.duplicate) == (first.number, True)
    assert await happened(world, first.number) == ["accepted"]


async def test_a_late_repeat_of_a_piece_changes_nothing(world: World) -> None:
    """Hours later the carrier repeats a piece: it has joined already, and makes no ticket."""
    first = await says(world, LAMP)
    await says(world, "就在小学门口", id="m-2")
    await world.clock.advance(7200)
    again = await says(world, "就在小学门口", id="m-2")
    assert again.number == first.number
    assert await happened(world, first.number) == ["accepted", "added"]
    assert await tickets(world) == 1


async def test_the_answer_to_our_question_joins(world: World) -> None:
    """Who was asked where answers hours later, on the same ticket."""
    first = await says(world, "路灯坏了三盏，请尽快修好")
    assert "地点" in first.message
    await world.clock.advance(3 * 3600)
    second = await says(world, "埇桥区人民路与淮海路交叉口")
    assert second.number == first.number


def _chat(world: World, text: str, **more: Any) -> Inbound:
    """Return a message of somebody whose telephone number nobody knows."""
    who: Any = {"channel": "wechat", "thread": "oCitizen", "requester": Requester(wechat="oC")}
    return sms(world, text, **who | more)


@pytest.mark.parametrize(
    ("answer", "phone"),
    [
        ("13800138000", "+8613800138000"),
        ("电话：138 0013 8000，谢谢", "+8613800138000"),
        ("我的手机号是13800138000", "+8613800138000"),
        ("0557-3021234", "+865573021234"),
    ],
)
async def test_the_number_that_was_asked_for_is_the_citizens(
    world: World, answer: str, phone: str
) -> None:
    """It joins hours later, and from then on the ticket's citizen can be telephoned."""
    first = await world.intake.accept(_chat(world, LAMP))
    assert "联系电话" in first.message
    await world.clock.advance(3 * 3600)
    second = await world.intake.accept(_chat(world, answer))
    assert second.number == first.number
    assert publish(await world.ticket(first.number), world.public).requester.phone == phone


@pytest.mark.parametrize(
    "words",
    [
        "老板电话13900139000",
        "他的手机13900139000",
        "13800138000或者13900139000",
        "李经理13900139000",
    ],
)
async def test_the_number_of_somebody_else_is_not_the_citizens(world: World, words: str) -> None:
    """Who is called by more than a number may be the party complained of, and is told nothing."""
    first = await world.intake.accept(_chat(world, LAMP))
    await world.intake.accept(_chat(world, words))
    assert publish(await world.ticket(first.number), world.public).requester.phone is None


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ("[位置] (GCJ-02 33.64,116.97)", Place(latitude=33.642, longitude=116.965)),
        ("埇桥区人民路与淮海路交叉口", Place()),
    ],
    ids=["a point", "words"],
)
async def test_the_place_that_was_asked_for_is_the_tickets(
    world: World, words: str, place: Place
) -> None:
    """A point of the map joins hours later like words do, and is where the matter is."""
    first = await world.intake.accept(_chat(world, "路灯坏了三盏，请尽快修好"))
    assert "地点" in first.message
    await world.clock.advance(3 * 3600)
    second = await world.intake.accept(_chat(world, words, place=place))
    assert second.number == first.number
    shown = publish(await world.ticket(first.number), world.public).place
    assert (shown.latitude, shown.longitude) == (place.latitude, place.longitude)
    assert (shown.text is None) == (place != Place())
    await world.intake.accept(_chat(world, "埇桥区汴河路口"))
    assert publish(await world.ticket(first.number), world.public).place == shown


async def test_who_is_anonymous_stays_so(world: World) -> None:
    """A number in an anonymous citizen's words is not taken for theirs."""
    who = Requester(wechat="oC", anonymous=True)
    first = await world.intake.accept(_chat(world, LAMP, requester=who))
    await world.intake.accept(_chat(world, "13800138000", requester=who))
    assert publish(await world.ticket(first.number), world.public).requester.phone is None


async def test_what_is_told_is_not_asked_for(world: World) -> None:
    """Who gave place and number is asked nothing."""
    assert "请回复" not in (await says(world, LAMP)).message


async def test_progress_is_told_to_who_made_the_ticket(world: World) -> None:
    """By number, and without one of the newest matter; another citizen needs the query code."""
    first = await says(world, LAMP)
    await world.happens(first.number, "signed")
    for text in (f"查询 {first.number}", "查询"):
        told = await says(world, text)
        assert (told.number, told.answered) == (first.number, False)
        assert "已签收" in told.message
    stranger = await says(world, f"查询 {first.number}", thread=OTHER)
    assert (stranger.number, "未查到" in stranger.message) == ("", True)
    opened = await says(world, f"查询 {first.number} {first.query_code}", thread=OTHER)
    assert "已签收" in opened.message
    assert await tickets(world) == 1


async def test_a_digit_after_the_answer_rates_it(world: World) -> None:
    """The rating is an event for the back office, once, however often the carrier repeats it."""
    first = await says(world, LAMP)
    await world.happens(first.number, "signed", "answered")
    told = await says(world, "1", id="m-9")
    again = await says(world, "1", id="m-9")
    assert told.message == again.message == f"感谢您对工单 {first.number} 的评价。"
    stored = await world.ticket(first.number)
    ratings = [event.data["rating"] for event in stored.events if event.event == "rated"]
    assert ratings == ["very_satisfied"]
    assert await tickets(world) == 1


async def test_a_digit_with_nothing_to_rate_reaches_a_human(world: World) -> None:
    """It may be all that somebody dares to send."""
    receipt = await says(world, "1")
    assert receipt.number
    assert await tickets(world) == 1


async def test_a_grade_beyond_the_scale_is_no_rating(world: World) -> None:
    """A digit that the region's scale does not have joins or makes a ticket instead."""
    first = await says(world, LAMP)
    await world.happens(first.number, "signed", "answered")
    await says(world, "9")
    assert "rated" not in await happened(world, first.number)


async def test_who_wants_no_notices_is_heard(world: World) -> None:
    """The wish stands on each ticket of the conversation, and makes none."""
    first = await says(world, LAMP)
    told = await says(world, "退订", id="m-5")
    await says(world, "退订", id="m-5")
    assert "停止" in told.message
    assert await happened(world, first.number) == ["accepted", "stopped"]


async def test_on_other_channels_such_words_are_a_matter(world: World) -> None:
    """A partner's citizens have the partner's own commands."""
    first = await says(world, LAMP, channel="webhook")
    await world.clock.advance(600)
    second = await says(world, f"查询 {first.number}", channel="webhook")
    assert second.number == first.number  # it cites the number, so it joins
    assert await happened(world, first.number) == ["accepted", "added"]


@pytest.mark.parametrize("text", ["查询", "退订"])
async def test_a_command_of_a_stranger_reaches_a_human(world: World, text: str) -> None:
    """Who never wrote before may mean something else by the word."""
    assert (await says(world, text)).number
