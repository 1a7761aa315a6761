"""The outbox worker: order, retries, lanes, what is down and what is gone."""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta

import pytest

from adapters.base import Item
from gateway.outbox.destination import Options, Outlet
from gateway.store.base import Lane, StoredTicket
from normalizer.errors import Gone, StoreError, TryLater
from tests.dispatch.scene import NO_POLL, Scene, Script, answering, body_of

EMERGENCY, ORDINARY = Lane.EMERGENCY, Lane.ORDINARY


def refuse(_item: Item) -> TryLater:
    return TryLater("answered 500")


def forever(_item: Item) -> Awaitable[object]:
    return asyncio.Event().wait()


async def test_what_is_accepted_is_delivered_once(scene: Scene) -> None:
    """A woken worker delivers at once and records it."""
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    added = await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until_all("done", 1)
    (item,) = script.taken
    assert (item.type, item.subject, item.urgent) == (
        "hotline.ticket.accepted",
        added.number,
        False,
    )
    assert scene.tally.counts["delivered", "backoffice/ordinary"] == 1
    dispatcher.wake("backoffice", ORDINARY)
    await scene.clock.advance(60)
    assert len(script.tried) == 1


async def test_what_was_there_before_the_start_is_delivered(scene: Scene) -> None:
    """A backlog is carried away in order of arrival, without being woken."""
    numbers = [(await scene.accept()).number for _ in range(100)]
    script = Script(scene.clock)
    scene.dispatcher(backoffice=script, options=Options(ordinary=1, ahead=0)).start()
    await scene.until_all("done", 100)
    assert [item.subject for item in script.taken] == numbers


async def test_what_another_process_stores_is_found(scene: Scene) -> None:
    """Nobody wakes this worker; its poll finds what is due."""
    script = Script(scene.clock)
    scene.dispatcher(backoffice=script, options=Options(poll_s=0.5)).start()
    await scene.clock.advance(1)
    await scene.accept()
    await scene.clock.advance(0.6)
    await scene.until(lambda: script.taken)


@pytest.mark.parametrize(("lane", "cap_s"), [(ORDINARY, 600), (EMERGENCY, 15)])
async def test_delays_grow_up_to_a_bound(scene: Scene, lane: Lane, cap_s: float) -> None:
    """Each delay is longer than the one before, the first between 1 and 2 s, none beyond its cap."""
    script = Script(scene.clock, refuse)
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    added = await scene.accept(lane)
    dispatcher.hand_over(added.leased)
    dispatcher.wake("backoffice", lane)
    await scene.pass_time(20_000, lambda: len(script.tried) >= 14, step=cap_s)
    gaps = script.gaps()
    for number, gap in enumerate(gaps):
        low = min(2**number, cap_s / 2)
        assert low <= gap <= 2 * low + 0.01, gaps
    assert len({item.body for _, item in script.tried}) == 1


async def test_after_its_time_a_delivery_is_dead_and_kept(scene: Scene) -> None:
    """It is tried to the very end, then kept with the reason, counted, and the next one goes."""
    script = Script(scene.clock, refuse)
    lasts = timedelta(minutes=10)
    dispatcher = scene.dispatcher({"backoffice": Outlet(script, lasts)})
    dispatcher.start()
    first = await scene.accept()
    began = scene.clock.now()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: len(script.tried) == 1)
    await scene.clock.advance(300)
    await scene.change(first.id, "added")
    await scene.pass_time(900, lambda: scene.tally.of("dead") == 1, step=10)
    await scene.until_all("dead", 1)
    (dead,) = await scene.store.deliveries(("dead",), 10)
    assert dead.type == "hotline.ticket.accepted"
    assert dead.last_error == "answered 500"
    last = max(at for at, item in script.tried if item.type == dead.type)
    assert lasts <= last - began < lasts + timedelta(seconds=11)
    script.answer = lambda _item: None
    await scene.pass_time(200, lambda: script.taken, step=10)
    assert [item.type for item in script.taken] == ["hotline.ticket.added"]


async def test_a_dead_letter_that_is_redone_has_its_time_again(scene: Scene) -> None:
    """An operator's second chance is more than one try."""
    script = Script(scene.clock, refuse)
    lasts = timedelta(seconds=30)
    dispatcher = scene.dispatcher({"backoffice": Outlet(script, lasts)})
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.pass_time(60, lambda: scene.tally.of("dead") == 1, step=1)
    await scene.until_all("dead", 1)
    (dead,) = await scene.store.deliveries(("dead",), 1)
    await scene.clock.advance(3600)
    tries = len(script.tried)
    assert await scene.store.redo(dead.id, "due", scene.clock.now(), None)
    dispatcher.wake("backoffice", ORDINARY)
    await scene.pass_time(60, lambda: scene.tally.of("dead") == 2, step=1)
    assert len(script.tried) - tries >= 4
    assert len({item.body for _, item in script.tried}) == 1


async def test_the_next_event_of_a_ticket_follows_promptly(scene: Scene) -> None:
    """Ten events of one ticket arrive in order, one at a time, without a poll between them."""
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(backoffice=script)
    added = await scene.accept()
    for _ in range(9):
        await scene.change(added.id, "added", message={"text": "x"})
    dispatcher.start()
    await scene.until_all("done", 10)
    types = [item.type for item in script.taken]
    assert types == ["hotline.ticket.accepted"] + ["hotline.ticket.added"] * 9
    lengths = [len(body_of(item)["data"]["ticket"]["history"]) for item in script.taken]
    assert lengths == list(range(1, 11))


async def test_an_urgent_event_takes_its_tickets_ordinary_one_along(scene: Scene) -> None:
    """What an emergency must wait for moves into its lane; the order of the ticket is kept."""
    script = Script(scene.clock)
    added = await scene.accept()
    assert await scene.change(added.id, "added", EMERGENCY) == ()  # it waits for its turn
    scene.dispatcher(backoffice=script).start()
    await scene.until_all("done", 2)
    assert [item.urgent for item in script.taken] == [True, True]


async def test_never_two_events_of_one_ticket_at_a_time(scene: Scene) -> None:
    """Many events of few tickets: in order, never two of a ticket under way."""
    most: dict[str, int] = {}
    script = Script(scene.clock)

    def answer(item: Item) -> Awaitable[object]:
        now = sum(other.subject == item.subject for other in script.under_way)
        most[item.subject] = max(most.get(item.subject, 0), now)
        return asyncio.sleep(0.001)

    script.answer = answer
    added = [await scene.accept() for _ in range(5)]
    for _ in range(8):
        for one in added:
            await scene.change(one.id, "added")
    scene.dispatcher(backoffice=script).start()
    await scene.until_all("done", 45)
    assert set(most.values()) == {1}
    for one in added:
        times = [item.time for item in script.taken if item.subject == one.number]
        assert times == sorted(times)


async def test_gone_switches_both_lanes_off_until_somebody_enables_them(scene: Scene) -> None:
    """After a 410 nothing is tried, nothing is lost, an alarm is raised; enabling goes on."""
    script = Script(scene.clock, lambda _item: Gone("answered 410"))
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    first = await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: scene.tally.of("gone") == 1)
    tries = len(script.tried)
    emergency = await scene.accept(EMERGENCY)
    dispatcher.hand_over(emergency.leased)
    await scene.change(first.id, "added")
    dispatcher.wake("backoffice", ORDINARY)
    await scene.clock.advance(7200)
    await scene.until_all("due", 3)
    assert len(script.tried) == tries
    part = dispatcher.health()["backoffice"]
    assert (part.state, part.why) == ("down", "answered 410")
    script.answer = lambda _item: None
    dispatcher.enable()
    await scene.until_all("done", 3)
    assert dispatcher.health()["backoffice"].state == "ok"
    assert [i.type for i in script.taken if i.subject == first.number] == [
        "hotline.ticket.accepted",
        "hotline.ticket.added",
    ]


async def test_gone_is_of_one_destination_only(scene: Scene) -> None:
    """Another destination, of the same adapter even, goes on."""
    script = Script(scene.clock, lambda i: Gone("410") if i.destination == "liaison:119" else None)
    dispatcher = scene.dispatcher(liaison=script)
    dispatcher.start(["liaison:119", "liaison:120"])
    for to in ("liaison:119", "liaison:120"):
        dispatcher.hand_over((await scene.accept(EMERGENCY, to)).leased)
    await scene.until_all("done", 1)
    states = {name: part.state for name, part in dispatcher.health().items()}
    assert states == {"liaison:119": "down", "liaison:120": "ok"}


async def test_retry_after_holds_the_ordinary_lane(scene: Scene) -> None:
    """A 429 with Retry-After is obeyed by all ordinary deliveries, by no emergency."""
    script = Script(scene.clock, lambda _item: TryLater("answered 429", after_s=100))
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: len(script.tried) == 1)
    script.answer = lambda _item: None
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.until(lambda: len(script.taken) == 1)
    await scene.clock.advance(95)
    assert [item.urgent for item in script.taken] == [True]
    await scene.clock.advance(6)
    await scene.until_all("done", 3)
    assert min(script.gaps()[1:2]) >= 99


async def test_retry_after_delays_an_emergency_by_its_cap_at_most(scene: Scene) -> None:
    """Whatever the back office asks for, an emergency is tried again within 15 s."""
    script = Script(scene.clock, lambda _item: TryLater("answered 429", after_s=3600))
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.pass_time(60, lambda: len(script.tried) == 3, step=1)
    assert all(14 <= gap <= 16 for gap in script.gaps())


async def test_an_absurd_retry_after_ends_with_the_deliverys_time(scene: Scene) -> None:
    """A wait of centuries makes a dead letter when the time is over, not a delivery for ever."""
    script = Script(scene.clock, lambda _item: TryLater("answered 503", after_s=1e12))
    dispatcher = scene.dispatcher({"backoffice": Outlet(script, timedelta(hours=5))})
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.pass_time(7 * 3600, lambda: scene.tally.of("dead") == 1, step=600)
    assert len(script.tried) == 2


async def test_what_is_down_is_probed_and_the_backlog_spared(scene: Scene) -> None:
    """In an hour of outage 500 waiting deliveries cost about a hundred tries, and all arrive."""
    script = Script(scene.clock, refuse)
    dispatcher = scene.dispatcher(backoffice=script)
    numbers = [(await scene.accept()).number for _ in range(500)]
    dispatcher.start()
    await scene.until(lambda: scene.tally.of("opened") == 1)
    await scene.clock.advance(3600)
    assert len(script.tried) < 180
    due = await scene.store.deliveries(("due", "leased"), 1000)
    assert sum(d.attempts == 0 for d in due) > 300
    assert dispatcher.health()["backoffice"].state == "down"
    script.answer = lambda _item: None
    await scene.pass_time(200, lambda: len(script.taken) == 500, step=5)
    assert sorted(i.subject for i in script.taken) == numbers
    assert dispatcher.health()["backoffice"].state == "ok"
    assert scene.tally.of("dead") == 0


async def test_an_emergency_is_never_held_by_the_breaker(scene: Scene) -> None:
    """While the ordinary lane only probes, an emergency is tried at once and on its own schedule."""
    script = Script(scene.clock, refuse)
    dispatcher = scene.dispatcher(backoffice=script)
    for _ in range(100):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: scene.tally.of("opened") == 1)
    await scene.clock.advance(1200)
    emergency = await scene.accept(EMERGENCY)
    began = scene.clock.now()
    dispatcher.hand_over(emergency.leased)

    def tries() -> list[float]:
        return [(at - began).total_seconds() for at, item in script.tried if item.urgent]

    await scene.until(lambda: len(tries()) == 1)
    await scene.pass_time(60, lambda: len(tries()) == 4, step=1)
    assert tries()[0] == 0
    assert tries()[3] < 15
    script.answer = lambda item: None if item.urgent else refuse(item)
    await scene.pass_time(20, lambda: script.taken, step=1)
    assert script.taken[0].subject == emergency.number


async def test_one_that_is_never_taken_does_not_stop_the_others(scene: Scene) -> None:
    """A delivery that the back office refuses each time opens no breaker."""
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(backoffice=script)
    poison = (await scene.accept()).number
    script.answer = lambda item: refuse(item) if item.subject == poison else None
    dispatcher.start()
    await scene.pass_time(2000, lambda: len(script.tried) >= 10, step=60)
    for count in range(1, 6):
        await scene.accept()
        dispatcher.wake("backoffice", ORDINARY)
        await scene.until(lambda count=count: len(script.taken) == count)  # type: ignore[misc]
    assert scene.tally.of("opened") == 0


async def test_many_that_are_never_taken_leave_the_others_their_probes(scene: Scene) -> None:
    """Seven that are never taken cost a good one their number of probes at most."""
    script = Script(scene.clock)
    poison = {(await scene.accept()).number for _ in range(7)}
    script.answer = lambda item: refuse(item) if item.subject in poison else None
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    await scene.clock.advance(3600)
    for _ in range(3):
        await scene.accept()
        dispatcher.wake("backoffice", ORDINARY)
        count = len(script.taken)
        await scene.pass_time(
            8 * 60,
            lambda count=count: len(script.taken) > count,  # type: ignore[misc]
            step=5,
        )
        await scene.clock.advance(600)


async def test_an_emergency_waits_for_no_ordinary_delivery(scene: Scene) -> None:
    """With every ordinary try hanging, and hundreds waiting, a hand-over is tried at once."""
    script = Script(scene.clock, forever)
    dispatcher = scene.dispatcher(backoffice=script)
    for _ in range(300):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: len(script.under_way) == 32)
    with answering(script, lambda _item: None):
        emergency = await scene.accept(EMERGENCY)
        dispatcher.hand_over(emergency.leased)
        await scene.until(lambda: script.taken)
    assert script.taken[0].subject == emergency.number


async def test_hanging_emergencies_hold_no_new_one(scene: Scene) -> None:
    """Emergencies handed over do not queue behind those that hang."""
    script = Script(scene.clock, forever)
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    for _ in range(50):
        dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.until(lambda: len(script.under_way) == 50)
    with answering(script, lambda _item: None):
        dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
        await scene.until(lambda: script.taken)


async def test_a_hand_over_asks_for_no_claim(scene: Scene) -> None:
    """What an accept leased is delivered although claiming fails."""
    scene.store.broken["claim"] = StoreError("busy")
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.until_all("done", 1)


async def test_an_unknown_destination_waits_and_alarms(scene: Scene) -> None:
    """Deliveries to an adapter that nobody configured stay due, and the operator hears of it."""
    await scene.accept(to="archive")
    dispatcher = scene.dispatcher(backoffice=Script(scene.clock))
    dispatcher.start()
    await scene.until(lambda: scene.tally.counts["unknown_destination", "archive"] == 1)
    dispatcher.hand_over((await scene.accept(EMERGENCY, to="archive")).leased)
    dispatcher.wake("archive", ORDINARY)
    dispatcher.enable()
    await scene.clock.advance(4 * 86_400)
    await scene.until_all("due", 2)
    assert scene.tally.of("unknown_destination") == 1
    part = dispatcher.health()["archive"]
    assert part.state == "down"
    assert "no adapter" in str(part.why)
    await dispatcher.stop(0)
    archive = Script(scene.clock)
    scene.dispatcher(archive=archive).start()
    await scene.until_all("done", 2)


async def test_a_prefix_names_an_adapter_of_many_destinations(scene: Scene) -> None:
    """``notify:sms`` goes to the adapter called notify unless one has that very name."""
    by_prefix, exact = Script(scene.clock), Script(scene.clock)
    dispatcher = scene.dispatcher(
        {"notify": Outlet(by_prefix), "notify:sms": Outlet(exact)}, backoffice=Script(scene.clock)
    )
    dispatcher.start([])
    for to in ("notify:sms", "notify:email"):
        await scene.accept(to=to)
        dispatcher.wake(to, ORDINARY)
    await scene.until_all("done", 2)
    assert [i.destination for i in by_prefix.taken] == ["notify:email"]
    assert [i.destination for i in exact.taken] == ["notify:sms"]


async def test_a_bug_in_an_adapter_is_counted_and_survived(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever an adapter raises, the delivery is tried again and the worker goes on."""
    script = Script(scene.clock, lambda _item: KeyError("路灯不亮"))
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    await scene.accept()
    with caplog.at_level(logging.INFO):
        dispatcher.wake("backoffice", ORDINARY)
        await scene.until(lambda: scene.tally.of("dispatch_failed") == 1)
    script.answer = lambda _item: None
    await scene.clock.advance(3)
    await scene.until_all("done", 1)
    assert not any("路灯" in record.getMessage() for record in caplog.records)
    assert "KeyError" in str(caplog.records[-1].__dict__)


async def test_a_failing_store_stops_nothing_for_ever(scene: Scene) -> None:
    """Claims that fail, by an error of ours or a bug, are asked again."""
    script = Script(scene.clock)
    scene.store.broken["claim"] = StoreError("the disk is full")
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    await scene.accept()
    await scene.clock.advance(5)
    scene.store.broken["claim"] = RuntimeError("a bug")
    await scene.clock.advance(5)
    assert scene.tally.of("dispatch_failed") >= 2
    scene.store.broken.clear()
    await scene.clock.advance(2)
    await scene.until_all("done", 1)
    assert len(script.tried) == 1


async def test_an_unreadable_ticket_gives_its_lease_back(scene: Scene) -> None:
    """Where reading fails after the claim, the delivery is due again at once."""
    script = Script(scene.clock)
    scene.store.broken["tickets"] = StoreError("the disk is full")
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.clock.advance(3)
    scene.store.broken.clear()
    await scene.clock.advance(2)
    await scene.until_all("done", 2)
    assert all(d.attempts == 0 for d in await scene.store.deliveries(("done",), 9))


async def test_outcomes_wait_for_a_store_that_refuses_them(scene: Scene) -> None:
    """What was delivered while the store failed is recorded later and not delivered again."""
    script = Script(scene.clock)
    scene.store.broken["settle"] = StoreError("the disk is full")
    dispatcher = scene.dispatcher(backoffice=script)
    for _ in range(20):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: len(script.taken) == 20)
    await scene.clock.advance(10)
    assert (await scene.states())["done"] == 0
    scene.store.broken.clear()
    await scene.clock.advance(2)
    await scene.until_all("done", 20)
    assert len(script.tried) == 20


async def test_stopping_finishes_what_is_under_way_and_frees_the_rest(scene: Scene) -> None:
    """Nothing is begun after the stop, what ends in time is done, all else is due for the next."""
    release = asyncio.Event()
    script = Script(scene.clock, lambda _item: release.wait())
    dispatcher = scene.dispatcher(backoffice=script)
    for _ in range(100):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: len(script.under_way) == 32)
    stopping = asyncio.ensure_future(dispatcher.stop(10))
    await asyncio.sleep(0.02)
    release.set()
    await stopping
    assert len(script.tried) == 32
    assert await scene.states() == {"done": 32, "due": 68}
    assert all(d.attempts == 0 for d in await scene.store.deliveries(("due",), 100))
    await dispatcher.stop(10)


async def test_stopping_waits_no_longer_than_its_grace(scene: Scene) -> None:
    """A try that hangs is broken off; its delivery is due, with the same id."""
    script = Script(scene.clock, forever)
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.until(lambda: len(script.under_way) == 2)
    stopping = asyncio.ensure_future(dispatcher.stop(10))
    await scene.clock.advance(9)
    assert not stopping.done()
    await scene.clock.advance(1.1)
    await asyncio.wait_for(stopping, 5)
    assert await scene.states() == {"due": 2}
    again = Script(scene.clock)
    scene.dispatcher(backoffice=again).start()
    await scene.until_all("done", 2)
    assert {i.body for i in again.taken} == {i.body for _, i in script.tried}


async def test_a_lease_that_ended_is_carried_by_another(scene: Scene) -> None:
    """What a process that is gone had claimed is delivered 30 s later, under the same id."""
    await scene.accept()
    now = scene.clock.now()
    (lost,) = await scene.store.claim("backoffice", ORDINARY, now, 10, now + timedelta(seconds=30))
    script = Script(scene.clock)
    scene.dispatcher(backoffice=script, options=Options()).start()
    await scene.clock.advance(29)
    assert script.tried == []
    await scene.clock.advance(2)
    await scene.until_all("done", 1)
    assert script.taken[0].id == lost.id


async def test_a_lease_that_ended_here_is_not_tried_twice(scene: Scene) -> None:
    """A delivery that is still under way when its lease ends is not begun again beside itself."""
    script = Script(scene.clock, forever)
    dispatcher = scene.dispatcher(backoffice=script, options=Options())
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: len(script.under_way) == 1)
    await scene.clock.advance(65)
    assert len(script.tried) == 1


async def test_a_lease_that_is_too_short_is_taken_anew(scene: Scene) -> None:
    """What waited so long for its try that its lease could end during it is claimed again first."""
    release = asyncio.Event()
    script = Script(scene.clock, lambda _item: release.wait())
    dispatcher = scene.dispatcher(
        backoffice=script, options=Options(ordinary=1, ahead=1, poll_s=1e6)
    )
    await scene.accept()
    await scene.accept()
    dispatcher.start()
    await scene.until(lambda: script.under_way)
    await scene.until_all("leased", 2)
    await scene.clock.advance(6)
    scene.store.broken["claim"] = StoreError("busy")
    release.set()
    await scene.until_all("done", 1)
    await scene.clock.settle()
    assert len(script.tried) == 1
    scene.store.broken.clear()
    await scene.clock.advance(2)
    await scene.until_all("done", 2)


async def test_a_try_has_an_end(scene: Scene) -> None:
    """An adapter that never returns is given up before the lease ends."""
    script = Script(scene.clock, forever)
    options = Options(push_s=0.05, poll_s=1e6)
    dispatcher = scene.dispatcher(backoffice=script, options=options)
    dispatcher.start()
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until_all("due", 1)
    await scene.until(lambda: scene.tally.of("retried") == 1)
    await scene.clock.settle()
    (due,) = await scene.store.deliveries(("due",), 1)
    assert due.last_error == "no answer in time"


async def test_what_cannot_be_shown_becomes_a_dead_letter(scene: Scene) -> None:
    """A delivery whose ticket is not readable is not dropped: it says why, and dies in the end."""
    script = Script(scene.clock)
    await scene.accept()
    hidden = scene.store.tickets

    async def none(_ids: object) -> dict[str, StoredTicket]:
        return {}

    scene.store.tickets = none  # type: ignore[method-assign, assignment]
    dispatcher = scene.dispatcher({"backoffice": Outlet(script, timedelta(minutes=5))})
    dispatcher.start()
    await scene.pass_time(600, lambda: scene.tally.of("dead") == 1, step=10)
    await scene.until_all("dead", 1)
    (dead,) = await scene.store.deliveries(("dead",), 1)
    assert "does not hold" in str(dead.last_error)
    assert script.tried == []
    scene.store.tickets = hidden  # type: ignore[method-assign]
    assert await scene.store.redo(dead.id, "due", scene.clock.now(), None)
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until_all("done", 1)


async def test_the_same_octets_on_every_try(scene: Scene) -> None:
    """What happens to a ticket or an incident meanwhile does not show in an older event."""
    script = Script(scene.clock, refuse)
    dispatcher = scene.dispatcher(backoffice=script)
    added = await scene.accept()
    report = scene.report()
    first = await scene.accept(EMERGENCY, reports=(report,))
    dispatcher.start()
    dispatcher.hand_over(first.leased)
    await scene.until(lambda: len(script.tried) == 3)
    again = scene.report(id_=report.incident.id)
    dispatcher.hand_over((await scene.accept(EMERGENCY, reports=(again,))).leased)
    more = scene.report(id_=report.incident.id)
    dispatcher.hand_over(
        await scene.change(added.id, "added", EMERGENCY, (more,), urgency="emergency")
    )
    await scene.pass_time(100, lambda: len(script.tried) >= 12, step=5)
    script.answer = lambda _item: None
    await scene.pass_time(300, lambda: len(script.taken) == 7, step=5)
    for item in script.taken:
        tries = {i.body for _, i in script.tried if i.id == item.id}
        assert len(tries) == 1, f"{item.type} changed between tries"
    reports = [
        len(body_of(i)["data"]["incident"]["reports"])
        for i in script.taken
        if i.type.startswith("hotline.emergency.")
    ]
    assert sorted(reports) == [1, 2, 3]
    accepted = next(i for i in script.taken if i.subject == added.number)
    assert body_of(accepted)["data"]["ticket"]["related"]["incidents"] == []


async def test_health_tells_state_since_and_why(scene: Scene) -> None:
    """One failure is degraded, many are down, a success is ok; each with its instant."""
    script = Script(scene.clock)
    dispatcher = scene.dispatcher(backoffice=script)
    dispatcher.start()
    began = scene.clock.now()
    assert dispatcher.health()["backoffice"].state == "ok"
    await scene.clock.advance(100)
    script.answer = refuse
    await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: dispatcher.health()["backoffice"].state == "degraded")
    part = dispatcher.health()["backoffice"]
    assert part.since == began + timedelta(seconds=100)
    assert part.why == "answered 500"
    for _ in range(5):
        await scene.accept()
    dispatcher.wake("backoffice", ORDINARY)
    await scene.until(lambda: dispatcher.health()["backoffice"].state == "down")
    script.answer = lambda _item: None
    await scene.clock.advance(200)
    await scene.until_all("done", 6)
    part = dispatcher.health()["backoffice"]
    assert (part.state, part.why) == ("ok", None)
    assert part.since is not None
    assert part.since > began + timedelta(seconds=100)


async def test_a_flood_is_carried_away_in_batches(scene: Scene) -> None:
    """2,000 deliveries need far fewer claims and commits than there are deliveries."""
    script = Script(scene.clock)
    claims: list[int] = []
    claim = scene.store.claim

    async def counted(*args: object) -> object:
        claimed = await claim(*args)  # type: ignore[arg-type]
        claims.append(len(claimed))
        return claimed

    scene.store.claim = counted  # type: ignore[method-assign, assignment]
    await asyncio.gather(*(scene.accept() for _ in range(2000)))
    scene.dispatcher(backoffice=script, options=NO_POLL).start()
    await scene.until_all("done", 2000)
    assert len(script.tried) == 2000
    assert len(claims) < 400


async def test_ordinary_deliveries_give_way_to_citizens(scene: Scene) -> None:
    """While messages wait to be read two ordinary tries are under way, emergencies as ever."""
    gate = asyncio.Event()
    script = Script(scene.clock, lambda _item: gate.wait())
    dispatcher = scene.dispatcher(backoffice=script)
    behind = True
    dispatcher.pace.behind = lambda: behind
    for _ in range(40):
        await scene.accept()
    dispatcher.start()
    for _ in range(5):
        dispatcher.hand_over((await scene.accept(EMERGENCY)).leased)
    await scene.until(lambda: len(script.under_way) == 7)
    await scene.clock.settle()
    assert sum(item.urgent for item in script.under_way) == 5
    assert len(script.under_way) == 7
    gate.set()
    behind = False
    await scene.until_all("done", 45)


async def test_ordinary_deliveries_that_are_under_way_become_fewer(scene: Scene) -> None:
    """When messages begin to wait, those who have finished a try leave all but two to go on."""
    gates: list[asyncio.Event] = []

    def answer(_item: Item) -> Awaitable[object]:
        gates.append(asyncio.Event())
        return gates[-1].wait()

    script = Script(scene.clock, answer)
    dispatcher = scene.dispatcher(backoffice=script)
    for _ in range(60):
        await scene.accept()
    dispatcher.start()
    await scene.until(lambda: len(script.under_way) == 32)
    dispatcher.pace.behind = lambda: True
    for gate in gates[:32]:
        gate.set()
    await scene.until(lambda: len(script.taken) == 32)
    await scene.clock.settle()
    assert len(script.under_way) == 2
    script.answer = lambda _item: None
    dispatcher.pace.behind = lambda: False
    for gate in gates:
        gate.set()
    await scene.until_all("done", 60)
