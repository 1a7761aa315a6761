"""What desks' answers do to incidents."""

import asyncio
import itertools

import pytest

from gateway.desks.answers import ACTIONS, Answer, Turn, decide, shown_at
from gateway.store.base import Event, StoredIncident
from normalizer.errors import NotAllowed
from normalizer.schema import Incident, Place
from tests.clock import START
from tests.liaison.world import World

STATES = ("raised", "escalated", "returned", "acknowledged", "closed")

#: What each answer leads to: "state@desk", "=" for no change, or the rule that forbids it.
#: Rows: state and the desk at which the incident lies; columns: who does what.
COLUMNS = tuple(itertools.product(("119", "duty"), ACTIONS))
OPEN_AT_119 = (
    "acknowledged@119",
    "returned@duty",
    "closed@119",
    "acknowledged@duty",
    "duty.returns-nothing",
    "closed@duty",
)
OPEN_AT_DUTY = (
    "acknowledged@119",
    "=",
    "incident.elsewhere",
    "acknowledged@duty",
    "duty.returns-nothing",
    "closed@duty",
)
TABLE = {
    ("raised", "119"): OPEN_AT_119,
    ("escalated", "119"): OPEN_AT_119,
    ("returned", "119"): OPEN_AT_119,
    ("acknowledged", "119"): (
        "=",
        "returned@duty",
        "closed@119",
        "=",
        "duty.returns-nothing",
        "incident.elsewhere",
    ),
    ("raised", "duty"): OPEN_AT_DUTY,
    ("escalated", "duty"): OPEN_AT_DUTY,
    ("returned", "duty"): OPEN_AT_DUTY,
    ("acknowledged", "duty"): (
        "=",
        "=",
        "incident.elsewhere",
        "=",
        "duty.returns-nothing",
        "closed@duty",
    ),
    ("closed", "119"): ("incident.closed",) * 6,
    ("closed", "duty"): ("incident.closed",) * 6,
}


def incident(state: str, desk: str, *more: Event) -> StoredIncident:
    event = Event(seq=1, stream="i", version=1, at=START, event="raised", by="gateway")
    return StoredIncident(
        incident=Incident(
            id="i", service="119", opened_at=START, state=state, kind="fire", place=Place()
        ),
        desk=desk,
        rung=0,
        rung_from=START,
        ladder_at=None,
        events=(event, *more),
    )


@pytest.mark.parametrize(
    ("state", "desk", "actor", "action"),
    [(*row, *column) for row in itertools.product(STATES, ("119", "duty")) for column in COLUMNS],
)
def test_table(state: str, desk: str, actor: str, action: str) -> None:
    """Every state, place, desk and action has the outcome of the table."""
    expected = TABLE[state, desk][COLUMNS.index((actor, action))]
    answer = Answer(incident="i", action=action, by="x", desk=actor)
    assert outcome(incident(state, desk), answer) == expected


def outcome(stored: StoredIncident, answer: Answer) -> str:
    try:
        turn = decide(stored, answer, has_duty=True)
    except NotAllowed as error:
        return error.rule
    return "=" if turn is None else f"{turn.state}@{turn.desk}"


def test_return_without_duty_stays() -> None:
    """Without a duty desk a return marks the incident, once, and leaves it where it is."""
    answer = Answer(incident="i", action="return", by="x", desk="119")
    assert decide(incident("raised", "119"), answer, has_duty=False) == Turn(
        state="returned", desk="119"
    )
    assert decide(incident("returned", "119"), answer, has_duty=False) is None


def test_answer_of_no_desk_counts_for_whose_turn_it_is() -> None:
    """An entry of the stream names no desk: it is the one where the incident lies."""
    answer = Answer(incident="i", action="close", by="x")
    assert decide(incident("escalated", "duty"), answer, has_duty=True) == Turn(
        state="closed", desk="duty"
    )


def test_called_in_duty_sees_the_incident() -> None:
    """Once the ladder has called duty in, both pages show the incident until it is taken on."""
    rung = Event(
        seq=2, stream="i", version=2, at=START, event="escalated", by="g", data={"to": "duty"}
    )
    assert shown_at(incident("escalated", "119", rung)) == ("119", "duty")
    assert shown_at(incident("acknowledged", "119", rung)) == ("119",)
    assert shown_at(incident("escalated", "119")) == ("119",)


def to(action: str, incident_id: str, desk: str = "119", **more: str) -> Answer:
    return Answer(incident=incident_id, action=action, by="值班员", desk=desk, **more)


async def test_answers_are_told_to_all_concerned(world: World) -> None:
    """A return and duty's acknowledgement go to both desks and to the back office."""
    one = await world.raised()
    await world.emergency.liaison.answer(to("return", one, note="不在本辖区"))
    after = await world.emergency.liaison.answer(to("acknowledge", one, "duty"))
    assert after is not None
    assert (after.incident.state, after.desk, after.ladder_at) == ("acknowledged", "duty", None)
    sent = [(d.type.rsplit(".", 1)[1], d.destination) for d in await world.deliveries()]
    assert sent == [
        ("raised", "liaison:119"),
        ("raised", "backoffice"),
        ("returned", "liaison:duty"),
        ("returned", "liaison:119"),
        ("returned", "backoffice"),
        ("acknowledged", "liaison:duty"),
        ("acknowledged", "liaison:119"),
        ("acknowledged", "backoffice"),
    ]
    returned = after.events[1]
    assert (returned.event, returned.by, returned.text) == ("returned", "值班员", "不在本辖区")


async def test_every_back_office_hears_of_the_end(world: World) -> None:
    """A back office that only a later report's route names is told of the closing too."""
    one = await world.raised(to="city")
    assert await world.raised(to="county") == one
    await world.emergency.liaison.answer(to("close", one))
    sent = [d.destination for d in await world.deliveries() if d.type.endswith("closed")]
    assert sent == ["liaison:119", "city", "county"]


async def test_hundred_desks_at_once_acknowledge_once(world: World) -> None:
    """Concurrent acknowledgements write one event and all return the incident."""
    one = await world.raised()
    results = await asyncio.gather(
        *(world.emergency.liaison.answer(to("acknowledge", one)) for _ in range(100))
    )
    assert {r.incident.state for r in results if r} == {"acknowledged"}
    stored = await world.store.incident(one)
    assert stored is not None
    assert [e.event for e in stored.events] == ["raised", "acknowledged"]


async def test_acknowledge_against_return_never_leaves_it_nowhere(world: World) -> None:
    """Racing answers end in one of the two orders, with somebody responsible or alarmed."""
    for _ in range(10):
        one = await world.raised(place=None)
        await asyncio.gather(
            world.emergency.liaison.answer(to("acknowledge", one)),
            world.emergency.liaison.answer(to("return", one)),
        )
        stored = await world.store.incident(one)
        assert stored is not None
        if stored.incident.state == "returned":
            assert stored.desk == "duty"
            assert stored.ladder_at is not None
        else:
            assert (stored.incident.state, stored.desk) == ("acknowledged", "119")


async def test_repeat_of_a_keyed_answer_changes_nothing(world: World) -> None:
    """The same entry read twice is one step, even when others followed it."""
    one = await world.raised()
    liaison = world.emergency.liaison
    await liaison.answer(to("return", one, key="answer:1-1"))
    await liaison.answer(to("acknowledge", one, "duty", key="answer:1-2"))
    again = await liaison.answer(to("return", one, key="answer:1-1"))
    assert again is not None
    assert (again.incident.state, len(again.events)) == ("acknowledged", 3)
    await liaison.answer(to("close", one, "duty", key="answer:1-3"))
    closed = await liaison.answer(to("close", one, "duty", key="answer:1-3"))
    assert closed is not None
    assert closed.incident.state == "closed"


async def test_closed_takes_no_answer_and_no_report(world: World) -> None:
    """After closing every action is forbidden, and a new report raises a new incident."""
    one = await world.raised()
    await world.emergency.liaison.answer(to("close", one))
    for action in ACTIONS:
        with pytest.raises(NotAllowed) as refused:
            await world.emergency.liaison.answer(to(action, one))
        assert refused.value.rule == "incident.closed"
    assert await world.raised() != one


async def test_unknown_incident_is_none(world: World) -> None:
    """An answer to an incident that does not exist finds nothing."""
    assert await world.emergency.liaison.answer(to("close", "nowhere")) is None
