"""Accepting: one act becomes one ticket, durable before anybody is answered."""

import asyncio
from dataclasses import replace as with_
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from gateway import accept
from gateway.accept import Intake, Repeats, lane_of
from gateway.links import query_code
from gateway.store.base import Acceptance, Added, Lane
from normalizer.errors import Conflict, StoreError
from normalizer.number import is_number
from normalizer.schema import Requester, Status, Urgency
from normalizer.text import fold
from tests.clock import START
from tests.gateway.test_metrics import samples, value
from tests.gateway.world import COURT, FIRE, LAMP, World, ticket


async def test_the_receipt_is_that_of_the_stored_ticket(world: World) -> None:
    """Number, code, state and words are what the citizen can rely on."""
    receipt = await world.intake.accept(world.inbound())
    kept = await world.ticket(receipt.number)
    assert is_number(receipt.number)
    assert receipt.number.startswith("20261123-000001-")
    assert receipt.query_code == query_code(world.store.secret, kept.ticket.id)
    assert (receipt.duplicate, receipt.status) == (False, Status.ACCEPTED)
    assert receipt.received_at.isoformat() == "2026-11-23T10:00:00+08:00"
    assert receipt.number in receipt.message
    assert receipt.query_code in receipt.message
    assert receipt.incidents == ()


async def test_the_ticket_is_on_its_way_to_the_back_office(world: World) -> None:
    """One event, one delivery in the ordinary lane, and the outbox knows."""
    receipt = await world.intake.accept(world.inbound())
    kept = await world.ticket(receipt.number)
    assert [(e.event, e.by) for e in kept.events] == [("accepted", "gateway")]
    (delivery,) = await world.deliveries()
    assert (delivery.destination, delivery.type) == ("office", "hotline.ticket.accepted")
    assert (delivery.lane, delivery.ticket_id) == (Lane.ORDINARY, kept.ticket.id)
    assert world.outbox.woken == [("office", Lane.ORDINARY)]


async def test_the_raw_message_is_kept_bit_for_bit(world: World) -> None:
    """What was received can be shown as it was."""
    seen = world.inbound("x", raw_type="application/json")
    seen = msgspec.structs.replace(seen, raw=b'{"text":"\xff\x00"}')
    receipt = await world.intake.accept(seen)
    kept = await world.ticket(receipt.number)
    assert await world.store.raw(kept.ticket.id) == (b'{"text":"\xff\x00"}', "application/json")


async def test_a_repeat_gets_the_first_receipt(world: World) -> None:
    """However often a carrier repeats a message it is one ticket, one push."""
    seen = world.inbound(key="k-1")
    first = await world.intake.accept(seen)
    world.outbox.forget()
    for _ in range(9):
        await world.clock.advance(60)
        later = msgspec.structs.replace(seen, received_at=world.clock.now())
        repeat = await world.intake.accept(later)
        assert repeat.duplicate
        assert msgspec.structs.replace(repeat, duplicate=False) == first
    assert len(await world.deliveries()) == 1
    assert world.outbox.woken == []
    assert value(world.metrics, "gateway_duplicates_total", channel="web") == 9
    assert value(world.metrics, "gateway_tickets_total", channel="web", urgency="normal") == 1


async def test_a_repeat_of_an_emergency_gets_its_incidents_and_advice(world: World) -> None:
    """The citizen who sends it again reads the same number to dial."""
    seen = world.inbound(FIRE, key="k-1")
    first = await world.intake.accept(seen)
    repeat = await world.intake.accept(seen)
    assert repeat == msgspec.structs.replace(first, duplicate=True)
    assert len(repeat.incidents) == 2


async def test_a_repeat_gets_the_first_status_whatever_happened_since(world: World) -> None:
    """The first answer is repeated, not a new one made."""
    seen = world.inbound(key="k-1")
    first = await world.intake.accept(seen)
    await world.happens(first.number, "signed", "closed")
    assert (await world.intake.accept(seen)).status is Status.ACCEPTED


async def test_repeats_at_the_same_moment_are_one_ticket(world: World) -> None:
    """The database decides, not who asked first."""
    seen = world.inbound(key="k-1")
    receipts = await asyncio.gather(*(world.intake.accept(seen) for _ in range(20)))
    assert len({receipt.number for receipt in receipts}) == 1
    assert sum(not receipt.duplicate for receipt in receipts) == 1


async def test_a_key_with_other_content_is_a_conflict(world: World) -> None:
    """The second message is not swallowed: its sender is told, by the name that they gave."""
    await world.intake.accept(world.inbound(key="k-1", key_name="Idempotency-Key"))
    with pytest.raises(Conflict) as caught:
        await world.intake.accept(world.inbound(FIRE, key="k-1", key_name="Idempotency-Key"))
    assert caught.value.field == "Idempotency-Key"
    assert "着火" not in str(caught.value)
    assert len(await world.deliveries()) == 1


async def test_a_key_belongs_to_its_account(world: World) -> None:
    """Two platforms may use the same ids."""
    seen = world.inbound(key="k-1")
    other = msgspec.structs.replace(seen, account="other")
    numbers = [(await world.intake.accept(each)).number for each in (seen, other)]
    assert len(set(numbers)) == 2


async def test_messages_without_a_key_are_acts_of_their_own(world: World) -> None:
    """Two equal forms are two tickets, the second linked to the first."""
    first = await world.intake.accept(world.inbound())
    second = await world.intake.accept(world.inbound())
    assert first.number != second.number
    assert not second.duplicate
    assert (await world.ticket(first.number)).ticket.duplicate_of is None
    assert (await world.ticket(second.number)).ticket.duplicate_of == first.number


async def test_a_third_time_is_linked_to_the_first(world: World) -> None:
    """Not to the second: a chain would have to be followed."""
    first, _, third = [await world.intake.accept(world.inbound()) for _ in range(3)]
    assert (await world.ticket(third.number)).ticket.duplicate_of == first.number


@pytest.mark.parametrize(
    "other",
    [
        {"requester": Requester(phone="+8613900139000")},
        {"requester": Requester()},
        {"text": "人民路的路灯修好了吗"},
    ],
    ids=["another citizen", "nobody known", "another matter"],
)
async def test_other_people_and_other_words_are_no_repeat(
    world: World, other: dict[str, Any]
) -> None:
    """Only the same citizen saying the same is linked."""
    await world.intake.accept(world.inbound())
    values = {"text": LAMP} | other
    receipt = await world.intake.accept(world.inbound(**values))
    assert (await world.ticket(receipt.number)).ticket.duplicate_of is None


async def test_another_spelling_is_the_same_matter(world: World) -> None:
    """Traditional characters, case and width do not make another one."""
    first = await world.intake.accept(world.inbound("路灯坏了，车牌ABC请修好"))
    again = await world.intake.accept(world.inbound("路燈壞了，車牌ａｂｃ請修好"))
    assert (await world.ticket(again.number)).ticket.duplicate_of == first.number


async def test_after_a_week_it_is_a_new_matter(world: World) -> None:
    """A lamp may break again."""
    await world.intake.accept(world.inbound())
    await world.clock.advance(timedelta(days=7, seconds=1).total_seconds())
    receipt = await world.intake.accept(world.inbound())
    assert (await world.ticket(receipt.number)).ticket.duplicate_of is None


def test_what_citizens_said_takes_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest matter is forgotten first."""
    monkeypatch.setattr(accept, "REPEATS_KEPT", 3)
    repeats = Repeats()
    matters = [
        repeats.key(ticket(requester=Requester(phone=f"+861380000000{n}")), "x") for n in range(5)
    ]
    for n, matter in enumerate(matters):
        repeats.remember(matter, START, f"number {n}")
    kept = [repeats.first(matter, START) for matter in matters]
    assert kept == [None, None, "number 2", "number 3", "number 4"]


async def test_an_emergency_raises_its_incidents_and_takes_their_lane(world: World) -> None:
    """The desks' deliveries are handed over at once, leased already."""
    receipt = await world.intake.accept(world.inbound(FIRE))
    assert receipt.urgency is Urgency.EMERGENCY
    assert receipt.message.startswith("情况紧急，请立即拨打 119")
    assert len(receipt.incidents) == 2
    to = {d.destination: d for d in world.outbox.leased}
    assert set(to) == {"liaison:119", "liaison:120", "office"}
    assert {d.lane for d in to.values()} == {Lane.EMERGENCY}
    assert to["liaison:119"].type == "hotline.emergency.raised"
    # What is handed over is on its way: nobody need look for it.
    assert ("office", Lane.EMERGENCY) not in world.outbox.woken


async def test_reports_of_one_fire_join_its_incidents(world: World) -> None:
    """Thirty citizens, thirty tickets, one incident a service."""
    receipts = await asyncio.gather(
        *(
            world.intake.accept(
                world.inbound(FIRE, requester=Requester(phone=f"+86139000000{n:02}"))
            )
            for n in range(30)
        )
    )
    assert len({r.number for r in receipts}) == 30
    assert len({i for r in receipts for i in r.incidents}) == 2
    counts = await world.store.counts()
    assert (counts["tickets"], counts["incidents_open"]) == (30, 2)


async def test_what_a_human_must_check_travels_with_the_emergencies(world: World) -> None:
    """A ticket to verify waits behind no flood, and raises no incident by itself."""
    receipt = await world.intake.accept(world.inbound("????", undecodable=True))
    assert (receipt.urgency, receipt.incidents) == (Urgency.URGENT, ())
    (delivery,) = world.outbox.leased
    assert (delivery.lane, delivery.destination) == (Lane.EMERGENCY, "office")


@pytest.mark.parametrize(
    ("urgency", "verify", "lane"),
    [
        (Urgency.EMERGENCY, False, Lane.EMERGENCY),
        (Urgency.EMERGENCY, True, Lane.EMERGENCY),
        (Urgency.URGENT, True, Lane.EMERGENCY),
        (Urgency.NORMAL, True, Lane.EMERGENCY),
        (Urgency.URGENT, False, Lane.ORDINARY),
        (Urgency.NORMAL, False, Lane.ORDINARY),
    ],
)
def test_the_lane_follows_from_urgency_and_doubt(
    urgency: Urgency, lane: Lane, *, verify: bool
) -> None:
    """The whole table."""
    assert lane_of(urgency, verify=verify) is lane


async def test_a_refused_matter_is_stored_told_and_pushed_as_refused(world: World) -> None:
    """Nothing is dropped: the back office hears of it, the citizen reads why."""
    receipt = await world.intake.accept(world.inbound(COURT))
    assert receipt.status is Status.REFUSED
    assert "人民法院" in receipt.message
    (delivery,) = await world.deliveries()
    assert delivery.type == "hotline.ticket.refused"
    kept = await world.ticket(receipt.number)
    assert kept.events[0].event == "refused"
    assert kept.events[0].text == kept.ticket.acceptance.reason


async def test_a_broken_off_message_is_a_draft_that_is_pushed(world: World) -> None:
    """A call that was cut is a ticket like any other, marked."""
    receipt = await world.intake.accept(world.inbound(draft=True))
    assert receipt.status is Status.DRAFT
    (delivery,) = await world.deliveries()
    assert delivery.type == "hotline.ticket.accepted"


async def test_a_long_letter_becomes_the_same_ticket(world: World) -> None:
    """It is read beside the loop, with the same result and in the same order of steps."""
    text = LAMP + "。" + "路灯坏了很久，晚上看不清路。" * 200
    receipt = await world.intake.accept(world.inbound(text))
    kept = await world.ticket(receipt.number)
    assert kept.ticket.content.original == text
    assert kept.ticket.route.to == "office"


async def test_rules_that_were_replaced_hold_from_the_next_message_on(world: World) -> None:
    """A reload needs no restart."""
    first = await world.intake.accept(world.inbound(called="12315"))
    other = replace_unit(world)
    world.rules = other
    second = await world.intake.accept(world.inbound(called="12315"))
    units = [(await world.ticket(r.number)).ticket.route.unit for r in (first, second)]
    assert units[0] == "市市场监管局"
    assert units[1] != units[0]


def replace_unit(world: World) -> Any:
    """Return the rules without their first route."""
    from config.settings import Route, Send
    from gateway.route import Router

    only = (Route(name="rest", send=Send(to="office", unit="市长热线办")),)
    return with_(world.rules, router=Router(only, world.rules.pack))


class Failing:
    """A store that refuses to write."""

    secret = b"s" * 32

    def __init__(self) -> None:
        self.asked = 0

    async def add(self, _: Acceptance) -> Added:
        """Refuse."""
        self.asked += 1
        raise StoreError("disk full")


async def test_without_the_store_nobody_is_answered_and_nothing_is_woken(world: World) -> None:
    """The failure goes to the caller; no outbox, index or counter believes in the ticket."""
    failing = Failing()
    confirmed: list[object] = []

    class Index:
        reports = world.index.reports

        def confirm(self, reports: object, ids: object) -> None:
            confirmed.append((reports, ids))

    intake = Intake(world.core(failing, Index()))
    for text in (LAMP, FIRE):
        with pytest.raises(StoreError):
            await intake.accept(world.inbound(text))
    assert failing.asked == 2
    assert (world.outbox.woken, world.outbox.leased, confirmed) == ([], [], [])
    assert not [name for name, _ in samples(world.metrics) if name == "gateway_tickets_total"]
    matter = intake.repeats.key(ticket(), fold(LAMP))
    assert intake.repeats.first(matter, world.clock.now()) is None


async def test_after_a_failure_the_same_message_is_taken(world: World) -> None:
    """The sender's second try finds no trace of the first."""
    seen = world.inbound(FIRE, key="k-1")
    broken = Intake(world.core(Failing()))
    with pytest.raises(StoreError):
        await broken.accept(seen)
    receipt = await world.intake.accept(seen)
    assert not receipt.duplicate
    assert len(receipt.incidents) == 2
    assert (await world.store.counts())["incidents_open"] == 2


async def test_numbers_follow_one_another_within_the_day(world: World) -> None:
    """None is skipped or given twice, and the next day begins with one."""
    numbers = [(await world.intake.accept(world.inbound(f"{LAMP}{n}"))).number for n in range(12)]
    assert [n.split("-")[1] for n in numbers] == [f"{n:06}" for n in range(1, 13)]
    await world.clock.advance(15 * 3600)
    assert world.clock.now() == START + timedelta(hours=15)
    assert (await world.intake.accept(world.inbound())).number.startswith("20261124-000001-")
