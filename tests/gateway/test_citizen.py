"""What a citizen does with a ticket of theirs: ask, add, rate, withdraw."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from channels.base import Receipt
from gateway.additions import Additions
from gateway.attempts import TooMany
from gateway.portal.citizen import RATINGS, TEXT_MAX, Citizen, NotFound
from gateway.store.base import Change, Changed, Lane, StoredTicket
from gateway.store.sqlite import SqliteStore
from normalizer.errors import Conflict, Malformed, NotAllowed, StoreError
from normalizer.number import make
from normalizer.schema import Attachment, Status, Urgency
from tests.gateway.world import COURT, FIRE, LAMP, PHONE, World

HERE = "192.0.2.7"


@dataclass(slots=True)
class Own:
    """A citizen with a ticket, and what they know of it."""

    world: World
    receipt: Receipt

    @property
    def who(self) -> tuple[str, str, str]:
        """Number, code and address."""
        return self.receipt.number, self.receipt.query_code, HERE

    async def kept(self) -> StoredTicket:
        """Return what is stored."""
        return await self.world.ticket(self.receipt.number)


@pytest.fixture
async def own(world: World) -> Own:
    """Return a citizen whose ticket was just accepted."""
    receipt = await world.intake.accept(world.inbound())
    world.outbox.forget()
    return Own(world, receipt)


async def answered(own: Own, text: str = "路灯已修好") -> None:
    await own.world.happens(own.receipt.number, "answered", text=text)


def unknown_number() -> str:
    """Return a well-formed number that no ticket has."""
    return make("20261123", 999)


# -- opening


async def test_number_and_code_show_where_the_ticket_stands(own: Own) -> None:
    """Status, limits and unit, with labels."""
    seen = await own.world.citizen.progress(*own.who)
    assert (seen.number, seen.status, seen.status_label) == (
        own.receipt.number,
        "accepted",
        "已受理",
    )
    assert seen.limits.finish_by is not None
    assert seen.unit
    assert [h.event for h in seen.history] == ["accepted"]
    assert (seen.can_rate, seen.can_withdraw, seen.rating) == (False, True, None)


async def test_progress_holds_no_personal_data(world: World) -> None:
    """Whoever finds the slip of paper learns nothing of the citizen or their words."""
    receipt = await world.intake.accept(world.inbound(f"{LAMP}，我的电话13900139000"))
    await world.citizen.add(receipt.number, receipt.query_code, HERE, "我住汴河路88号")
    await world.happens(receipt.number, "contacted", text="已联系13900139000")
    seen = await world.citizen.progress(receipt.number, receipt.query_code, HERE)
    shown = msgspec.json.encode(seen).decode()
    for secret in (PHONE, "13900139000", "人民路", "汴河路", receipt.query_code):
        assert secret not in shown


async def test_what_was_written_for_the_citizen_is_shown(own: Own) -> None:
    """The answer of the unit, and the reason of a refusal."""
    await answered(own, "路灯已于今日修好")
    seen = await own.world.citizen.progress(*own.who)
    assert seen.history[-1].text == "路灯已于今日修好"


async def test_a_code_in_lower_case_with_spaces_opens(own: Own) -> None:
    """The code was copied by hand."""
    code = own.receipt.query_code.lower()
    seen = await own.world.citizen.progress(own.receipt.number, f" {code[:4]} {code[4:]} ", HERE)
    assert seen.number == own.receipt.number


@pytest.mark.parametrize(
    "number",
    [
        "20261123-000001-9",
        "20261123000001",
        "",
        "x" * 10_000,
        "２０２６1123-000001-0",
        unknown_number(),
    ],
)
async def test_an_unknown_number_is_answered_like_a_wrong_code(own: Own, number: str) -> None:
    """Nobody learns which numbers exist."""
    with pytest.raises(NotFound) as unknown:
        await own.world.citizen.progress(number, own.receipt.query_code, HERE)
    with pytest.raises(NotFound) as wrong:
        await own.world.citizen.progress(own.receipt.number, "AAAAAAAA", HERE)
    assert str(unknown.value) == str(wrong.value)


async def test_the_code_of_another_ticket_does_not_open(own: Own) -> None:
    """A code belongs to its number."""
    other = await own.world.intake.accept(own.world.inbound(FIRE))
    with pytest.raises(NotFound):
        await own.world.citizen.progress(own.receipt.number, other.query_code, HERE)


async def test_ten_wrong_codes_from_an_address_block_it_for_every_number(own: Own) -> None:
    """Guessing at many numbers is no way round, and the right code waits too."""
    citizen = own.world.citizen
    for n in range(10):
        with pytest.raises(NotFound):
            await citizen.progress(f"20261123-00010{n}-0", "AAAAAAAA", HERE)
    with pytest.raises(TooMany) as caught:
        await citizen.progress(*own.who)
    assert caught.value.after_s == 600
    await own.world.clock.advance(600)
    assert (await citizen.progress(*own.who)).number == own.receipt.number


async def test_ten_wrong_codes_for_a_number_block_it_from_every_address(own: Own) -> None:
    """Guessing from many addresses is no way round either."""
    citizen = own.world.citizen
    for n in range(10):
        with pytest.raises(NotFound):
            await citizen.progress(own.receipt.number, "AAAAAAAA", f"192.0.2.{n}")
    with pytest.raises(TooMany):
        await citizen.progress(own.receipt.number, own.receipt.query_code, "198.51.100.1")


async def test_a_right_code_does_not_count_as_a_try(own: Own) -> None:
    """Whoever looks often is not locked out."""
    for _ in range(30):
        await own.world.citizen.progress(*own.who)


@pytest.mark.parametrize("step", ["progress", "add", "withdraw", "rate"])
async def test_every_step_asks_for_the_code(own: Own, step: str) -> None:
    """And a wrong code there counts as one everywhere."""
    more: dict[str, tuple[Any, ...]] = {"add": ("还没有人来",), "rate": ("satisfied",)}
    take = getattr(own.world.citizen, step)
    for _ in range(10):
        with pytest.raises(NotFound):
            await take(own.receipt.number, "AAAAAAAA", HERE, *more.get(step, ()))
    with pytest.raises(TooMany):
        await own.world.citizen.progress(*own.who)
    assert len((await own.kept()).events) == 1


# -- adding


async def test_further_words_are_kept_and_pushed(own: Own) -> None:
    """The back office reads them beside the ticket, as they were said."""
    done = await own.world.citizen.add(*own.who, "还没有人来修\u3000请快一点")
    assert (done.status, done.urgency, done.escalated) == ("accepted", "normal", False)
    added = (await own.kept()).events[-1]
    assert (added.event, added.by) == ("added", "citizen")
    message = added.data["message"]
    assert message["text"].startswith("还没有人来修")
    assert message["at"] == "2026-11-23T10:00:00+08:00"
    assert message["attachments"] == []
    *_, delivery = await own.world.deliveries()
    assert (delivery.type, delivery.lane) == ("hotline.ticket.added", Lane.ORDINARY)
    assert delivery.data["message"] == message
    assert own.world.outbox.woken == [("office", Lane.ORDINARY)]


async def test_files_are_added_with_the_words(own: Own) -> None:
    """Each is named with its digest."""
    file = Attachment(id="a-1", name="x.jpg", media_type="image/jpeg", bytes=3, sha256="ab" * 32)
    await own.world.citizen.add(*own.who, "照片", attachments=[file])
    (kept,) = (await own.kept()).events[-1].data["message"]["attachments"]
    assert (kept["name"], kept["sha256"]) == ("x.jpg", "ab" * 32)


async def test_words_that_turn_it_into_an_emergency_raise_one(own: Own) -> None:
    """The citizen reads so at once, the desks are told, the ticket shows it."""
    done = await own.world.citizen.add(*own.who, FIRE)
    assert (done.urgency, done.escalated) == (Urgency.EMERGENCY, True)
    assert done.services[:2] == ("119", "120")
    assert {d.destination for d in own.world.outbox.leased} >= {"liaison:119", "liaison:120"}
    assert ("office", Lane.EMERGENCY) in own.world.outbox.woken
    seen = await own.world.citizen.progress(*own.who)
    assert seen.urgency is Urgency.EMERGENCY
    assert (await own.world.store.counts())["incidents_open"] == 2


async def test_more_words_on_an_emergency_escalate_nothing(own: Own) -> None:
    """It was one before; its incidents hear of it again, no new ones are raised."""
    await own.world.citizen.add(*own.who, FIRE)
    done = await own.world.citizen.add(*own.who, FIRE)
    assert (done.urgency, done.escalated) == (Urgency.EMERGENCY, False)
    assert (await own.world.store.counts())["incidents_open"] == 2


async def test_a_key_makes_a_repeat_harmless(own: Own) -> None:
    """A client that did not hear the answer may ask again."""
    for _ in range(3):
        done = await own.world.citizen.add(*own.who, "还没有人来", key="k-1")
        assert done.status is Status.ACCEPTED
    assert [e.event for e in (await own.kept()).events] == ["accepted", "added"]
    assert len(await own.world.deliveries()) == 2


async def test_a_key_with_other_words_is_a_conflict(own: Own) -> None:
    """Words that are not kept are not confirmed, least of all as an emergency."""
    await own.world.citizen.add(*own.who, "还没有人来", key="k-1")
    with pytest.raises(Conflict) as caught:
        await own.world.citizen.add(*own.who, FIRE, key="k-1")
    assert caught.value.field == "Idempotency-Key"
    assert len((await own.kept()).events) == 2


@pytest.mark.parametrize("text", ["", " \n\u3000", "字" * (TEXT_MAX + 1)])
async def test_words_have_the_limits_of_the_first_ones(own: Own, text: str) -> None:
    """The error names the field; nothing is stored."""
    with pytest.raises(Malformed) as caught:
        await own.world.citizen.add(*own.who, text)
    assert caught.value.field == "text"
    assert len((await own.kept()).events) == 1


# -- withdrawing


async def test_a_withdrawal_is_stored_and_pushed(own: Own) -> None:
    """The back office stops its work."""
    done = await own.world.citizen.withdraw(*own.who)
    assert (done.status, done.status_label) == ("withdrawn", "已撤回")
    *_, delivery = await own.world.deliveries()
    assert delivery.type == "hotline.ticket.withdrawn"
    assert own.world.outbox.woken == [("office", Lane.ORDINARY)]
    assert not (await own.world.citizen.progress(*own.who)).can_withdraw


async def test_withdrawing_twice_changes_nothing(own: Own) -> None:
    """The second answer is that of the first."""
    first = await own.world.citizen.withdraw(*own.who)
    assert await own.world.citizen.withdraw(*own.who) == first
    assert len(await own.world.deliveries()) == 2


@pytest.mark.parametrize(
    ("steps", "allowed"),
    [
        ([], True),
        (["signed"], True),
        (["returned"], True),
        (["extended"], True),
        (["answered"], True),
        (["answered", "reopened"], True),
        (["closed"], False),
    ],
)
async def test_only_what_is_not_over_can_be_withdrawn(
    own: Own, steps: list[str], *, allowed: bool
) -> None:
    """Once closed there is nothing to take back."""
    await own.world.happens(own.receipt.number, *steps)
    assert (await own.world.citizen.progress(*own.who)).can_withdraw is allowed
    if allowed:
        assert (await own.world.citizen.withdraw(*own.who)).status is Status.WITHDRAWN
        return
    with pytest.raises(NotAllowed) as caught:
        await own.world.citizen.withdraw(*own.who)
    assert caught.value.rule == "withdraw_open_only"


async def test_a_refused_matter_cannot_be_withdrawn(world: World) -> None:
    """It was never taken on."""
    receipt = await world.intake.accept(world.inbound(COURT))
    with pytest.raises(NotAllowed):
        await world.citizen.withdraw(receipt.number, receipt.query_code, HERE)


async def test_an_emergencys_withdrawal_travels_as_one(world: World) -> None:
    """It must not arrive behind a day's flood."""
    receipt = await world.intake.accept(world.inbound(FIRE))
    world.outbox.forget()
    await world.citizen.withdraw(receipt.number, receipt.query_code, HERE)
    assert ("office", Lane.EMERGENCY) in world.outbox.woken


# -- rating


async def test_an_answer_can_be_rated_once(own: Own) -> None:
    """The rating is pushed, and the page offers it no more."""
    await answered(own)
    assert (await own.world.citizen.progress(*own.who)).can_rate
    done = await own.world.citizen.rate(*own.who, "satisfied", "很快")
    assert done.status is Status.ANSWERED
    *_, delivery = await own.world.deliveries()
    assert delivery.type == "hotline.ticket.rated"
    assert delivery.data["rating"] == "satisfied"
    seen = await own.world.citizen.progress(*own.who)
    assert (seen.rating, seen.can_rate) == ("satisfied", False)
    with pytest.raises(NotAllowed) as caught:
        await own.world.citizen.rate(*own.who, "dissatisfied")
    assert caught.value.rule == "rate_once"


async def test_there_must_be_an_answer_to_rate(own: Own) -> None:
    """Signing is no answer."""
    await own.world.happens(own.receipt.number, "signed")
    with pytest.raises(NotAllowed) as caught:
        await own.world.citizen.rate(*own.who, "satisfied")
    assert caught.value.rule == "rate_after_answer"


async def test_a_new_answer_can_be_rated_again(own: Own) -> None:
    """Whoever was dissatisfied judges the second answer too."""
    await answered(own)
    await own.world.citizen.rate(*own.who, "dissatisfied")
    await own.world.happens(own.receipt.number, "reopened")
    await answered(own)
    await own.world.citizen.rate(*own.who, "very_satisfied")
    assert (await own.world.citizen.progress(*own.who)).rating == "very_satisfied"


async def test_a_closed_ticket_can_still_be_rated(own: Own) -> None:
    """The answer stands."""
    await answered(own)
    await own.world.happens(own.receipt.number, "closed")
    await own.world.citizen.rate(*own.who, "satisfied")


async def test_only_the_regions_scale_is_taken(own: Own) -> None:
    """The error names what may be said, best first; the page offers the same."""
    await answered(own)
    scale = (await own.world.citizen.progress(*own.who)).ratings
    assert scale
    assert list(scale) == [rating for rating in RATINGS if rating in scale]
    for rating in ("excellent", "", "5", "SATISFIED", *(set(RATINGS) - set(scale))):
        with pytest.raises(Malformed) as caught:
            await own.world.citizen.rate(*own.who, rating)
        assert caught.value.field == "rating"
        assert scale[0] in caught.value.detail


async def test_a_comment_has_a_limit(own: Own) -> None:
    """As long as a request and no longer; it is kept, and not shown to whoever finds the code."""
    await answered(own)
    with pytest.raises(Malformed) as caught:
        await own.world.citizen.rate(*own.who, "satisfied", "好" * (TEXT_MAX + 1))
    assert caught.value.field == "comment"
    await own.world.citizen.rate(*own.who, "satisfied", "师傅很好")
    assert (await own.kept()).events[-1].text == "师傅很好"
    assert (await own.world.citizen.progress(*own.who)).history[-1].text is None


# -- at the same time as others


class Busy:
    """A store in which somebody else changes the ticket just before each of our changes."""

    def __init__(self, store: SqliteStore, times: int) -> None:
        self._store = store
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def change(self, change: Change) -> Changed:
        """Let a unit's contact come first, so many times."""
        if self._times:
            self._times -= 1
            event = msgspec.structs.replace(change.events[0], event="contacted", by="市城管局")
            await self._store.change(Change(ticket_id=change.ticket_id, events=(event,)))
        return await self._store.change(change)


def beside(world: World, times: int) -> Citizen:
    busy: Any = Busy(world.store, times)
    core = world.core(busy)
    return Citizen(core, world.public, Additions(core))


async def test_a_step_is_decided_anew_when_somebody_was_faster(own: Own) -> None:
    """It is taken once, on the state that it finds."""
    done = await beside(own.world, 3).withdraw(*own.who)
    assert done.status is Status.WITHDRAWN
    events = [e.event for e in (await own.kept()).events]
    assert events == ["accepted", *["contacted"] * 3, "withdrawn"]


async def test_a_step_that_never_gets_its_turn_is_told_to_try_again(own: Own) -> None:
    """No step is written on a state that it was not decided on."""
    with pytest.raises(StoreError, match="try again"):
        await beside(own.world, 1000).withdraw(*own.who)
    assert "withdrawn" not in [e.event for e in (await own.kept()).events]


async def test_without_the_store_a_step_fails_and_wakes_nobody(own: Own) -> None:
    """The failure is the store's own error."""
    await own.world.store.close()
    for step in (
        own.world.citizen.progress(*own.who),
        own.world.citizen.add(*own.who, "还没有人来"),
        own.world.citizen.withdraw(*own.who),
    ):
        with pytest.raises(StoreError):
            await step
    assert own.world.outbox.woken == []


async def test_a_blocked_number_is_not_even_looked_up(own: Own) -> None:
    """A flood of guesses costs the store nothing."""
    asked: list[str] = []

    class Counting(Busy):
        async def ticket(self, number: str) -> StoredTicket | None:
            asked.append(number)
            return await self._store.ticket(number)

    counting: Any = Counting(own.world.store, 0)
    world = own.world
    core = world.core(counting)
    citizen = Citizen(core, world.public, Additions(core))
    for _ in range(20):
        with pytest.raises((NotFound, TooMany)):
            await citizen.progress(own.receipt.number, "AAAAAAAA", HERE)
    assert len(asked) == 10
    assert world.clock.now() - world.clock._start == timedelta(0)
