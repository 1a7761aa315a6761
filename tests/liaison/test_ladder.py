"""The clock of unacknowledged emergencies."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from config.settings import Desk, Rung
from gateway.desks.answers import Answer
from gateway.desks.ladder import BATCH
from gateway.desks.roster import Roster
from gateway.desks.view import desk_views
from gateway.store import sql
from gateway.store.base import Changed, Delivery, IncidentChange, StoredIncident
from gateway.store.sqlite import SqliteStore
from normalizer.errors import StoreError
from tests.clock import START
from tests.liaison.world import ZONE, World

SECOND = timedelta(seconds=1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


async def calls(world: World, *kinds: str) -> list[tuple[float, str]]:
    """Return (seconds since the start, destination) of what the ladder sent, in order."""
    found = [
        ((d.created_at - START).total_seconds(), d.destination)
        for d in await world.deliveries()
        if d.type == "hotline.emergency.escalated"
    ]
    return [call for call in found if not kinds or call[1].startswith(kinds)]


async def told(world: World, destination: str) -> list[Delivery]:
    return [d for d in await world.deliveries() if d.destination == destination]


async def stored(world: World, incident: str) -> StoredIncident:
    found = await world.store.incident(incident)
    assert found is not None
    return found


async def test_each_rung_at_its_time(world: World) -> None:
    """SMS at 30 s, duty desk at 60 s, telephone at 90 s and every 30 s after, until answered."""
    await world.emergency.start()
    incident = await world.raised()
    await world.elapse(29)
    assert await calls(world) == []
    await world.elapse(132)
    assert await calls(world, "notify:", "liaison:duty") == [
        (30, "notify:sms"),
        (60, "liaison:duty"),
        (90, "liaison:duty"),
        (90, "notify:phone"),
        (120, "liaison:duty"),
        (120, "notify:phone"),
        (150, "liaison:duty"),
        (150, "notify:phone"),
    ]
    assert [s for s, to in await calls(world, "liaison:119")] == [30, 60, 90, 120, 150]
    await world.emergency.liaison.answer(
        Answer(incident=incident, action="acknowledge", by="值班员", desk="119")
    )
    before = await calls(world)
    await world.elapse(600)
    assert await calls(world) == before


async def test_back_office_hears_each_rung_once(world: World) -> None:
    """Repetitions of the last rung are the desks' business; the back office hears three rungs."""
    await world.emergency.start()
    await world.raised()
    await world.elapse(300)
    assert [s for s, _ in await calls(world, "backoffice")] == [30, 60, 90]


async def test_alarm_text_names_no_citizen(world: World) -> None:
    """An SMS tells whose turn it is, which report, where and what to open; no citizen's number."""
    await world.emergency.start()
    incident = await world.raised(phone="+8613911112222", exercise=True)
    await world.elapse(31)
    [sms] = await told(world, "notify:sms")
    number = (await stored(world, incident)).incident.reports[0]
    assert sms.data == {
        "to": "+8613800138000",
        "text": f"【宿州12345】【演练】消防救援紧急事件 {number} 已 0 分 30 秒无人签收，"
        "地点：汴河路88号。请立即处理：http://127.0.0.1:8345/desk/119",
        "expires_at": "2026-11-23T02:05:30+00:00",
    }


async def test_ladder_goes_on_after_a_crash(world: World) -> None:
    """What was missed while the process was down is done at once, each rung once, no repetition."""
    await world.raised()
    world.clock._now = at(400)
    await world.again()
    await world.emergency.start()
    await world.elapse(1)
    assert await calls(world, "notify:", "liaison:119") == [
        (400, "liaison:119"),
        (400, "notify:sms"),
        (400, "liaison:119"),
        (400, "liaison:119"),
        (400, "notify:phone"),
    ]
    await world.elapse(30)
    assert (430, "notify:phone") in await calls(world)


async def test_rung_is_done_once_by_two_watchers(world: World) -> None:
    """Two watchers that see the same overdue incident do one rung between them."""
    await world.raised()
    world.clock._now = at(31)
    ladder = world.emergency.ladder
    [due] = await world.store.ladder_due(world.clock.now(), 10)
    assert await ladder._one(due, world.clock.now()) is True
    assert await ladder._one(due, world.clock.now()) is False
    assert len(await calls(world, "notify:sms")) == 1


async def test_default_ladder(tmp_path: Path) -> None:
    """Without a ladder: the desk again after ack_within, then duty, which repeats."""
    world = World(tmp_path, {"119": Desk(ack_within=10 * SECOND), "duty": Desk()})
    await world.open()
    await world.emergency.start()
    await world.raised()
    await world.elapse(41)
    assert [s for s, _ in await calls(world, "liaison:119")] == [10, 20, 30, 40]
    assert [s for s, _ in await calls(world, "liaison:duty")] == [20, 30, 40]
    await world.close()


async def test_default_ladder_without_duty(tmp_path: Path) -> None:
    """Without a duty desk the desk is called again and again, unconfigured desks too."""
    world = await World(tmp_path, {}).open()
    await world.emergency.start()
    await world.raised()
    await world.elapse(91)
    assert await calls(world, "liaison:") == [
        (30, "liaison:119"),
        (60, "liaison:119"),
        (90, "liaison:119"),
    ]
    await world.close()


async def test_returned_incident_runs_the_duty_desks_clock(world: World) -> None:
    """A return starts duty's own ladder: measured from the return, every 20 s."""
    await world.emergency.start()
    incident = await world.raised()
    await world.elapse(10)
    await world.emergency.liaison.answer(
        Answer(incident=incident, action="return", by="值班员", note="非本辖区", desk="119")
    )
    await world.elapse(41)
    assert [s for s, _ in await calls(world, "liaison:duty")] == [30, 50]
    assert await calls(world, "notify:") == []
    assert (await stored(world, incident)).desk == "duty"


async def test_return_without_duty_keeps_the_clock(tmp_path: Path) -> None:
    """Without a duty desk a returned incident stays alarmed at its desk, on the same clock."""
    world = await World(tmp_path, {"119": Desk()}).open()
    await world.emergency.start()
    incident = await world.raised()
    await world.elapse(20)
    await world.emergency.liaison.answer(
        Answer(incident=incident, action="return", by="值班员", desk="119")
    )
    one = await stored(world, incident)
    assert (one.incident.state, one.desk) == ("returned", "119")
    await world.elapse(11)
    assert await calls(world, "liaison:") == [(30, "liaison:119")]
    await world.close()


async def test_acknowledged_then_returned_runs_again(world: World) -> None:
    """A return after an acknowledgement starts the clock anew, at duty."""
    await world.emergency.start()
    incident = await world.raised()
    answer = world.emergency.liaison.answer
    await answer(Answer(incident=incident, action="acknowledge", by="甲岗", desk="119"))
    await world.elapse(100)
    assert await calls(world) == []
    await answer(Answer(incident=incident, action="return", by="甲岗", desk="119"))
    await world.elapse(21)
    assert [s for s, _ in await calls(world, "liaison:duty")] == [120]


class Faulty(SqliteStore):
    """A store that refuses steps of one incident."""

    poisoned = ""

    async def step(self, change: IncidentChange) -> Changed:
        """Refuse the poisoned one in a way nobody foresaw."""
        if change.incident_id == self.poisoned:
            raise KeyError("a fault of ours")
        return await super().step(change)


async def test_fault_in_one_never_stops_the_others(tmp_path: Path) -> None:
    """An incident whose rung fails again and again keeps no other from being escalated."""
    world = World(tmp_path)
    world.store = faulty = Faulty(world.path)
    await world.open()
    faulty.poisoned = await world.raised(place="淮海路7号")
    await world.emergency.start()
    await world.elapse(5)
    await world.raised()
    await world.elapse(31)
    assert [s for s, _ in await calls(world, "notify:")] == [35]
    faulty.poisoned = ""
    await world.elapse(10)
    assert len(await calls(world, "notify:sms")) == 2
    await world.close()


class Away(SqliteStore):
    """A store that is away for a while."""

    away = False

    async def ladder_due(self, now: datetime, limit: int) -> list[StoredIncident]:
        """Refuse while away."""
        if self.away:
            raise StoreError("away")
        return await super().ladder_due(now, limit)


async def test_ladder_outlives_a_store_that_is_away(tmp_path: Path) -> None:
    """While the store cannot be asked nothing is sent; once it can, the rung is done."""
    world = World(tmp_path)
    world.store = away = Away(world.path)
    await world.open()
    await world.emergency.start()
    await world.raised()
    away.away = True
    await world.elapse(60)
    assert await calls(world) == []
    away.away = False
    await world.elapse(2)
    assert len(await calls(world, "notify:sms")) == 1
    await world.close()


async def test_batch_is_bounded_and_most_overdue_first(world: World) -> None:
    """A flood is escalated in batches, those that wait longest first."""
    raised: list[str] = []
    for number in range(BATCH + 10):
        raised.append(await world.raised(place=f"{number:03}大街{number}号"))
        world.clock._now += SECOND
    world.clock._now = at(1000)
    assert await world.emergency.ladder.climb() == BATCH
    done = [i for i in raised if (await stored(world, i)).rung == 1]
    assert done == raised[:BATCH]


async def test_an_incident_nobody_answers_for_days_is_read_as_fast_as_a_new_one(
    world: World,
) -> None:
    """What the ladder and the desks read of it does not grow, and they miss nothing that matters."""
    incident = await world.raised()
    ladder = world.emergency.ladder
    for _ in range(120):
        await world.clock.advance(30)
        await ladder.climb()
    first = await stored(world, incident)
    assert first.version > 100
    assert len(first.events) < 25
    (view,) = await desk_views(world.store, [first], ZONE, world.roster)
    assert view["state"] == "escalated"
    assert sum(step["times"] for step in view["steps"]) == first.version - 1
    assert set(view["desks"]) == {"119", "duty"}
    for _ in range(60):
        await world.clock.advance(30)
        await ladder.climb()
    later = await stored(world, incident)
    assert later.version > first.version
    assert len(later.events) == len(first.events)


@pytest.mark.parametrize("file", ["sqlite_read", "postgres_read"])
def test_the_rungs_that_the_store_knows_are_those_of_the_settings(file: str) -> None:
    """The first call of each kind is found, whatever a ladder may hold."""
    known = re.findall(r"\('(\w+)'\)", sql.load(file)["incident_events"])
    assert set(known) == set(get_args(Rung.model_fields["to"].annotation))


@pytest.mark.parametrize(
    ("ladder", "afters"),
    [
        ((), [30, 60]),
        ((Rung(after=0 * SECOND, to="desk"),), [30]),
        ((Rung(after=5 * SECOND, to="desk"),), [5]),
        ((Rung(after=9 * SECOND, to="sms"), Rung(after=3 * SECOND, to="desk")), [3, 9]),
        ((Rung(after=0 * SECOND, to="sms"),), [0]),
    ],
)
def test_rungs_that_follow_the_raising(ladder: Sequence[Rung], afters: list[int]) -> None:
    """A desk rung at zero is the raising itself; rungs are taken in order of time."""
    roster = Roster({"119": Desk(ladder=tuple(ladder)), "duty": Desk()})
    assert [r.after.total_seconds() for r in roster.ladder("119")] == afters
    assert roster.first_at("119", START) == at(afters[0])
