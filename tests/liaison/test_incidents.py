"""Which reports belong to one happening."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from gateway.desks.incidents import IncidentIndex, services_concerned, summarize
from gateway.desks.likeness import is_precise
from gateway.desks.roster import Roster
from gateway.ids import new_id
from gateway.store.base import Lane
from normalizer.gazetteer import Gazetteer
from normalizer.place import find_place, same_place
from normalizer.schema import Place, Service, Urgency
from normalizer.text import fold
from tests.clock import START
from tests.liaison.world import FIRE, World, by_text, ticket

MINUTE = timedelta(minutes=1)


def index() -> IncidentIndex:
    return IncidentIndex(lambda: Roster({}), by_text, new_id)


def ids(
    one: IncidentIndex, text: str = FIRE, *, after: timedelta = timedelta(0), **told: object
) -> list[str]:
    """Report a ticket and return the incidents that it was given."""
    at = START + after
    report = ticket(text, at=at, **told)  # type: ignore[arg-type] # passed on
    return [r.incident.id for r in one.reports(report, fold(text), at)]


def test_one_place_one_kind_joins() -> None:
    """Different citizens who report the same fire at the same place get one incident."""
    one = index()
    assert ids(one) == ids(one, "汴河路88号冒烟起火", after=3 * MINUTE)


@pytest.mark.parametrize(
    "other",
    [
        {"place": "淮海路7号"},
        {"place": "汴河路200号"},
        {"kind": "traffic"},
        {"exercise": True},
        {"place": None},
        {"services": (Service.MEDICAL,)},
        {"after": 31 * MINUTE},
    ],
)
def test_doubt_keeps_apart(other: dict[str, object]) -> None:
    """Another place, kind, service, a drill, no place, or half an hour: another incident."""
    one = index()
    assert ids(one) != ids(one, **other)  # type: ignore[arg-type] # passed on


def test_reports_keep_a_happening_open() -> None:
    """The half hour counts from the last report, not from the first."""
    one = index()
    first = ids(one)
    assert ids(one, after=25 * MINUTE) == first
    assert ids(one, after=50 * MINUTE) == first


def test_no_place_joins_the_same_sender_only() -> None:
    """Without a place, the same phone or thread joins within minutes; another never does."""
    one = index()
    first = ids(one, "着火了", place=None, phone="+8613800000001")
    assert ids(one, "快来", place=None, phone="+8613800000001", after=2 * MINUTE) == first
    assert ids(one, "着火了", place=None, phone="+8613800000002") != first
    assert ids(one, "着火了", place=None, phone="+8613800000001", after=15 * MINUTE) != first
    threaded = ids(one, "着火了", place=None, phone=None, thread="t1")
    assert ids(one, "火更大了", place=None, phone=None, thread="t1") == threaded


def test_sender_who_names_a_place_later_joins() -> None:
    """The same phone that first named no place and then one tells of one happening."""
    one = index()
    first = ids(one, "着火了", place=None, phone="+8613800000001")
    assert ids(one, phone="+8613800000001", after=MINUTE) == first


def test_sender_at_two_places_reports_two() -> None:
    """One phone that names two places tells of two happenings."""
    one = index()
    first = ids(one, phone="+8613800000001")
    assert ids(one, place="淮海路7号", phone="+8613800000001", after=MINUTE) != first


def test_forwarded_text_without_place_joins() -> None:
    """A long text passed on word for word is one happening; a short one is said by many."""
    long = "我们楼里有一户厨房起火了浓烟很大楼上还有老人和孩子没有下来请马上派人过来"
    one = index()
    first = ids(one, long, place=None)
    assert ids(one, long + "！！", place=None, after=MINUTE) == first
    assert ids(one, "着火了快来", place=None) != ids(one, "着火了快来", place=None)


def test_one_more_happening_is_not_joined() -> None:
    """A text that speaks of another one of the kind raises its own incident."""
    one = index()
    first = ids(one)
    assert ids(one, "汴河路88号又一处着火", after=MINUTE) != first


def test_what_befalls_a_person_needs_the_same_door_and_minutes() -> None:
    """Two patients at one address a quarter of an hour apart are two incidents."""
    one = index()
    told: dict[str, object] = {"kind": "heart", "services": (Service.MEDICAL,)}
    first = ids(one, "胸口痛得厉害", **told)  # type: ignore[arg-type] # passed on
    assert ids(one, "有人心脏病发作", after=3 * MINUTE, **told) == first  # type: ignore[arg-type]
    assert ids(one, "有人心脏病发作", after=16 * MINUTE, **told) != first  # type: ignore[arg-type]


def test_unsaid_kind_never_joins_by_place() -> None:
    """Two cries for help from one place may be two victims."""
    one = index()
    assert ids(one, "救命", kind="help") != ids(one, "救命", kind="help")
    assert ids(one, "救命", kind=None) != ids(one, "救命", kind=None)


def test_vague_report_does_not_bridge_two_fires() -> None:
    """A report that conflicts with one of an incident's places never joins it."""
    one = index()
    first = ids(one, phone="+8613800000001")
    ids(one, "还在烧", place=None, phone="+8613800000001")
    assert ids(one, "着火", place="淮海路7号", phone="+8613800000001") != first


def test_each_service_gets_its_own() -> None:
    """A fire with people trapped raises one incident for 119 and one for 120."""
    one = index()
    both = (Service.FIRE, Service.MEDICAL)
    fire, medical = ids(one, services=both)
    assert fire != medical
    assert ids(one, services=(Service.FIRE,)) == [fire]
    assert ids(one, services=(Service.MEDICAL,)) == [medical]


@pytest.mark.parametrize(
    ("services", "concerned"),
    [
        ((Service.FIRE, Service.GAS), (Service.FIRE,)),
        ((Service.MEDICAL, Service.MEDICAL), (Service.MEDICAL,)),
        ((Service.WATER,), (Service.POLICE,)),
        ((), (Service.POLICE,)),
    ],
)
def test_never_nowhere(services: tuple[Service, ...], concerned: tuple[Service, ...]) -> None:
    """Utilities get no incident, and an emergency without a service goes to the police."""
    assert services_concerned(ticket(at=START, services=services)) == concerned


def test_no_incident_below_emergency() -> None:
    """An urgent ticket raises nothing."""
    urgent = ticket(at=START, urgency=Urgency.URGENT)
    assert index().reports(urgent, fold(FIRE), START) == ()


def test_report_tells_desk_before_back_office() -> None:
    """Each report's deliveries go to the desk first, then to the route's back office."""
    [report] = index().reports(ticket(at=START, to="city"), fold(FIRE), START)
    assert [d.destination for d in report.on_raise] == ["liaison:119", "city"]
    assert [d.type for d in report.on_raise] == ["hotline.emergency.raised"] * 2
    assert [d.type for d in report.on_join] == ["hotline.emergency.updated"] * 2
    assert {d.lane for d in (*report.on_raise, *report.on_join)} == {Lane.EMERGENCY}
    assert len({d.id for d in (*report.on_raise, *report.on_join)}) == 4


def test_summary_is_short_and_marks_drills() -> None:
    """A summary names kind and place, is cut, and says so when it is a drill."""
    line = summarize(ticket("很长" * 200, at=START, exercise=True), "火灾")
    assert line.startswith("【演练】火灾 · 汴河路88号 · ")
    assert len(line) == 120
    assert line.endswith("…")


@pytest.mark.parametrize(
    ("place", "precise"),
    [
        (Place(), False),
        (Place(text="埇桥区", district="埇桥区"), False),
        (Place(text="宿州市埇桥区", city="宿州市", district="埇桥区"), False),
        (Place(text="埇桥区汴河路", district="埇桥区"), True),
        (Place(latitude=33.6, longitude=116.9), True),
    ],
)
def test_precise_places(place: Place, precise: bool) -> None:
    """A district alone is no place to join by."""
    assert is_precise(place) is precise


def test_index_is_bounded() -> None:
    """However many emergencies come, the index keeps the newest; what it forgot is raised anew."""
    one = IncidentIndex(lambda: Roster({}), by_text, new_id, kept=50)
    first, last = ids(one), ids(one, place="淮海路7号")
    for number in range(48):
        ids(one, place=f"{number}号大街{number}号", phone=None)
    assert len(one) == 50
    ids(one, place="别处路1号")
    assert len(one) == 50
    assert ids(one, place="淮海路7号") == last
    assert ids(one) != first


@pytest.mark.parametrize(
    ("texts", "kind", "incidents"),
    [
        (
            ("汴河路88号三楼着火了", "埇桥区汴河路88号附近冒烟", "宿州市汴河路88号居民楼起火"),
            "fire",
            1,
        ),
        (("幸福小区3号楼着火了", "幸福小区三栋着火", "幸福小区着火了"), "fire", 1),
        (("汴河路88号着火了", "汴河路200号着火了", "淮海路88号着火了"), "fire", 3),
        (("幸福小区3号楼着火了", "幸福小区5号楼着火了"), "fire", 2),
        (("新汴河大桥有人落水", "新汴河大桥上有人跳河"), "drowning", 1),
        (("万达广场有人晕倒了", "万达广场有人晕倒了"), "unconscious", 2),
        (("家里着火了快来", "家里着火了快来"), "fire", 2),
        (("砀山县着火了", "埇桥区着火了", "埇桥区着火了"), "fire", 3),
    ],
)
def test_places_as_citizens_write_them(texts: tuple[str, ...], kind: str, incidents: int) -> None:
    """With the real comparison of places: what joins and what stays apart."""
    gazetteer = Gazetteer.load("341300")
    one = IncidentIndex(lambda: Roster({}), same_place, new_id)
    found = set()
    for text in texts:
        place = find_place(text, fold(text), gazetteer, "341300")
        report = msgspec.structs.replace(ticket(text, at=START, kind=kind), place=place)
        found.update(r.incident.id for r in one.reports(report, fold(text), START))
    assert len(found) == incidents


async def test_thirty_concurrent_reports_are_one_incident_a_service(world: World) -> None:
    """Thirty citizens at once: one incident for 119, one for 120, thirty reports and tickets."""
    now = world.clock.now()
    both = (Service.FIRE, Service.MEDICAL)
    added = await asyncio.gather(*(world.accept(ticket(at=now, services=both)) for _ in range(30)))
    assert len({a.incidents for a in added}) == 1
    assert len({a.number for a in added}) == 30
    for incident_id in added[0].incidents:
        stored = await world.store.incident(incident_id)
        assert stored is not None
        assert set(stored.incident.reports) == {a.number for a in added}
        assert [e.event for e in stored.events] == ["raised"] + ["joined"] * 29
    types = [d.type for d in await world.deliveries() if d.destination == "liaison:119"]
    assert sorted(types) == ["hotline.emergency.raised"] + ["hotline.emergency.updated"] * 29


async def test_report_whose_first_ticket_was_never_stored_raises(world: World) -> None:
    """An incident that only the index knows, its first commit having failed, is raised by the next."""
    now = world.clock.now()
    lost = ticket(at=now)
    [report] = world.emergency.index.reports(lost, fold(FIRE), now)
    added = await world.accept(ticket(at=now))
    assert added.incidents == (report.incident.id,)
    stored = await world.store.incident(report.incident.id)
    assert stored is not None
    assert stored.incident.reports == (added.number,)


async def test_closed_meanwhile_is_raised_afresh_once(world: World) -> None:
    """Reports that join what another process closed raise one new incident, not one each."""
    first = await world.raised()
    index_of_others = world.emergency.index
    stored = await world.store.incident(first)
    assert stored is not None
    await close_behind_the_index(world, first)
    fresh = await world.raised()
    assert fresh != first
    assert await world.raised() == fresh
    assert len(index_of_others) == 1


async def close_behind_the_index(world: World, incident: str) -> None:
    """Close an incident without the index hearing of it."""
    from gateway.store.base import IncidentChange, NewEvent

    await world.store.step(
        IncidentChange(
            incident_id=incident,
            event=NewEvent(at=world.clock.now(), event="closed", by="x"),
            state="closed",
            desk="119",
            rung=0,
            ladder_at=None,
        )
    )


async def test_index_is_learnt_from_the_store(world: World) -> None:
    """After a start reports still join what was open before, and nothing that was closed."""
    first = await world.raised()
    other = await world.raised(place="淮海路7号")
    await close_behind_the_index(world, other)
    await world.again()
    await world.emergency.index.seed(world.store, world.clock.now())
    assert await world.raised() == first
    assert await world.raised(place="淮海路7号") != other


async def test_confirmed_reports_are_told_of(world: World) -> None:
    """Whoever waits for changes hears of every report that is durable."""
    listener = world.emergency.feed.listen("119")
    await world.emergency.start()
    incident = await world.raised()
    await world.clock.settle(real_s=0.1)
    [(change, _)] = listener.take()
    assert change.incident == incident
