"""Incidents and quarantine: what every store does."""

import asyncio
from datetime import datetime
from typing import Any

import msgspec
import pytest

from gateway.store.base import Added, Change, Changed, IncidentChange, Lane, Outcome, Store
from normalizer.errors import StoreError
from normalizer.schema import Incident
from tests.store import make
from tests.store.conftest import STORES

#: Beside the gateway's interpreter the same statements run, so that takes its time elsewhere;
#: what is special there is asked in the tests of tickets and of the store's life.
pytestmark = pytest.mark.parametrize("place", STORES, indirect=True)


async def tell(store: Store, of: Incident, **more: Any) -> Added:
    """Store a ticket that reports this incident."""
    return await store.add(make.acceptance(deliveries=(), reports=(make.report(of, **more),)))


async def step(store: Store, of: str, state: str, **more: Any) -> Changed:
    """Write a step of an incident at the desk of 119."""
    values: dict[str, Any] = {
        "event": make.event(state, make.after(10)),
        "desk": "119",
        "rung": 0,
        "ladder_at": None,
    }
    return await store.step(IncidentChange(incident_id=of, state=state, **(values | more)))


async def test_the_first_report_raises(store: Store) -> None:
    """A report of an incident that is not stored raises it, with its clock and its delivery."""
    fire = make.incident()
    added = await tell(store, fire)
    assert added.incidents == (fire.id,)
    found = await store.incident(fire.id)
    assert found is not None
    assert found.incident == msgspec.structs.replace(fire, reports=(added.number,))
    assert (found.desk, found.rung, found.rung_from) == ("119", 0, make.NOW)
    assert found.ladder_at == make.after(30)
    assert found.tickets == (added.id,)
    (raised,) = found.events
    assert (raised.event, raised.version, raised.stream) == ("raised", 1, fire.id)
    assert raised.data == {"summary": "起火", "contacts": ["+8613800138000"]}
    (leased,) = added.leased
    assert (leased.stream, leased.ticket_id, leased.event_seq) == (fire.id, added.id, raised.seq)
    assert (leased.destination, leased.type) == ("liaison:119", "hotline.emergency.raised")
    stored = await store.ticket(added.number)
    assert stored is not None
    assert stored.incidents == (fire.id,)
    assert await store.incident("nobody") is None


async def test_thirty_reports_at_once_make_one_incident(store: Store) -> None:
    """Thirty concurrent reports of one fire are one incident with thirty reports in order."""
    fire = make.incident()
    added = await asyncio.gather(*(tell(store, fire) for _ in range(30)))
    assert {a.incidents for a in added} == {(fire.id,)}
    found = await store.incident(fire.id)
    assert found is not None
    assert set(found.incident.reports) == {a.number for a in added}
    assert [e.event for e in found.events] == ["raised"] + ["joined"] * 29
    assert [e.version for e in found.events] == list(range(1, 31))
    assert sum(len(a.leased) for a in added) == 1
    counts = await store.counts()
    assert (counts["incidents_open"], counts["due"]) == (1, 30)


async def test_deliveries_of_an_incident_keep_their_order(store: Store) -> None:
    """Updates of an incident follow its raising, one at a time, each with its own ticket."""
    fire = make.incident()
    first, second = await tell(store, fire), await tell(store, fire)
    assert second.leased == ()
    seconds = (0.0, 30.0)
    at, until = (make.after(s) for s in seconds)
    assert await store.claim("liaison:119", Lane.EMERGENCY, at, 9, until) == []
    await store.settle([Outcome(seq=first.leased[0].seq, state="done")])
    (update,) = await store.claim("liaison:119", Lane.EMERGENCY, at, 9, until)
    assert (update.type, update.ticket_id) == ("hotline.emergency.updated", second.id)


async def test_a_closed_incident_is_not_joined(store: Store) -> None:
    """A report of a closed incident raises a new one under the fresh id."""
    fire = make.incident()
    await tell(store, fire)
    await step(store, fire.id, "closed")
    added = await tell(store, fire, fresh_id="fresh")
    assert added.incidents == ("fresh",)
    found = await store.incident("fresh")
    assert found is not None
    assert (found.incident.id, found.incident.state) == ("fresh", "raised")
    assert found.incident.reports == (added.number,)
    assert [d.type for d in added.leased] == ["hotline.emergency.raised"]
    old = await store.incident(fire.id)
    assert old is not None
    assert old.incident.state == "closed"
    assert len(old.incident.reports) == 1
    assert (await store.counts())["incidents_open"] == 1


async def test_one_ticket_reports_to_several_services(store: Store) -> None:
    """A ticket that concerns two services raises two incidents, in the order asked."""
    fire, injured = make.incident("119"), make.incident("120")
    reports = (make.report(fire), make.report(injured, on_raise=(make.urgent("liaison:120"),)))
    added = await store.add(make.acceptance(reports=reports))
    assert added.incidents == (fire.id, injured.id)
    assert [d.destination for d in added.leased] == ["liaison:119", "liaison:120"]


async def test_an_addition_can_report(store: Store) -> None:
    """A later message of a ticket raises or joins as its first one does, and is one report."""
    fire = make.incident()
    added = await store.add(make.acceptance())
    for expected in ("raised", "joined"):
        change = Change(
            ticket_id=added.id, events=(make.event("added"),), reports=(make.report(fire),)
        )
        changed = await store.change(change)
        assert changed.incidents == (fire.id,)
        found = await store.incident(fire.id)
        assert found is not None
        assert found.events[-1].event == expected
        assert found.incident.reports == (added.number,)


async def test_a_step_moves_an_incident(store: Store) -> None:
    """A step writes its event, the state, the rung and the clock, and tells the first ticket."""
    fire = make.incident()
    added = await tell(store, fire, on_raise=())
    changed = await step(
        store,
        fire.id,
        "escalated",
        rung=1,
        ladder_at=make.after(60),
        deliveries=(make.urgent("notify:sms", id="s"),),
        if_version=1,
    )
    assert (changed.written, changed.leased) == (True, ())
    found = await store.incident(fire.id)
    assert found is not None
    assert (found.incident.state, found.desk, found.rung) == ("escalated", "119", 1)
    assert (found.rung_from, found.ladder_at) == (make.NOW, make.after(60))
    assert found.version == 2
    delivery = await store.delivery("s")
    assert delivery is not None
    assert (delivery.ticket_id, delivery.stream, delivery.state) == (added.id, fire.id, "due")
    assert delivery.event_seq == found.events[-1].seq


async def test_a_return_restarts_the_ladder(store: Store) -> None:
    """The ladder counts from the step that moves an incident to another desk, or as it says."""
    fire = make.incident()
    await tell(store, fire)
    await step(store, fire.id, "returned", desk="duty", event=make.event("returned", make.after(5)))
    found = await store.incident(fire.id)
    assert found is not None
    assert (found.desk, found.rung_from, found.ladder_at) == ("duty", make.after(5), None)
    await step(store, fire.id, "returned", desk="duty", rung_from=make.after(8))
    found = await store.incident(fire.id)
    assert found is not None
    assert found.rung_from == make.after(8)


async def test_of_concurrent_steps_one_is_written(store: Store) -> None:
    """Steps that saw the same version do not overwrite each other; a repeated key is known."""
    fire = make.incident()
    await tell(store, fire)
    done = await asyncio.gather(
        *(step(store, fire.id, "acknowledged", if_version=1) for _ in range(3))
    )
    assert sorted(c.written for c in done) == [False, False, True]
    keyed = make.event("closed", key="answer-1")
    assert (await step(store, fire.id, "closed", event=keyed)).written
    again = await step(store, fire.id, "closed", event=keyed)
    assert (again.written, again.duplicate) == (False, True)
    assert (await store.counts())["incidents_open"] == 0
    with pytest.raises(StoreError, match="no incident nobody"):
        await step(store, "nobody", "closed")


async def test_incidents_are_listed_by_desk_and_state(store: Store) -> None:
    """A list holds the incidents at a desk in the states asked for, ids ascending, in pages."""
    fires = [make.incident("119") for _ in range(4)]
    crash = make.incident("122")
    for one in (crash, *reversed(fires)):
        await tell(store, one)
    await step(store, fires[0].id, "acknowledged")
    await step(store, fires[1].id, "returned", desk="duty")

    async def listed(desk: str | None, *states: str, limit: int = 9, after: str = "") -> list[str]:
        return [i.incident.id for i in await store.incidents(desk, states, limit, after)]

    ids = [fire.id for fire in fires]
    assert await listed("119", "raised") == ids[2:]
    assert await listed("119", "raised", "acknowledged") == [ids[0], *ids[2:]]
    assert await listed("119", "raised", "acknowledged", limit=2) == [ids[0], ids[2]]
    assert await listed("119", "raised", after=ids[2]) == [ids[3]]
    assert await listed("duty", "returned") == [ids[1]]
    assert await listed(None, "raised", "returned", "acknowledged") == sorted([*ids, crash.id])
    assert await listed("119", "closed") == []


async def test_the_newest_incidents_come_first(store: Store) -> None:
    """Whatever their desk, and however many older ones there are."""
    raised = [make.incident(service) for service in ("119", "122", "119", "110")]
    for one in raised:
        await tell(store, one)
    ids = [one.id for one in raised]
    await step(store, ids[1], "acknowledged")

    async def newest(*states: str, limit: int = 9) -> list[str]:
        return [i.incident.id for i in await store.newest_incidents(states, limit)]

    assert await newest("raised") == [ids[3], ids[2], ids[0]]
    assert await newest("raised", "acknowledged", limit=3) == [ids[3], ids[2], ids[1]]
    assert await newest("acknowledged", "closed") == [ids[1]]


async def test_ladders_run_out_in_order(store: Store) -> None:
    """Incidents whose clock has run out come most overdue first; a stopped clock never does."""
    assert await store.ladder_next() is None
    times: list[datetime | None] = [make.after(20), make.after(10), None, make.after(30)]
    fires = [make.incident() for _ in times]
    for fire, at in zip(fires, times, strict=True):
        await tell(store, fire, ladder_at=at)
    assert await store.ladder_next() == make.after(10)
    due = await store.ladder_due(make.after(20), 9)
    assert [i.incident.id for i in due] == [fires[1].id, fires[0].id]
    assert [i.incident.id for i in await store.ladder_due(make.after(99), 1)] == [fires[1].id]
    await step(store, fires[1].id, "acknowledged", ladder_at=None)
    assert await store.ladder_next() == make.after(20)


async def repeat(store: Store, of: str, times: int, to: str) -> None:
    """Have the ladder of an incident do a rung so often."""
    for _ in range(times):
        rung = make.event("escalated", make.after(10), data={"to": to})
        await step(store, of, "escalated", event=rung)


async def test_a_ladder_without_end_is_read_without_its_repetitions(store: Store) -> None:
    """The first rung of each kind and the last ones are there, and whatever else has happened."""
    fire = make.incident()
    await tell(store, fire)
    await repeat(store, fire.id, 60, "desk")
    joined = await tell(store, fire)
    await repeat(store, fire.id, 40, "duty")
    await repeat(store, fire.id, 40, "phone")
    (due,) = await store.ladder_due(make.after(99), 9) or await store.incidents(
        "119", ["escalated"], 9
    )
    found = await store.incident(fire.id)
    assert found is not None
    assert due == found
    assert found.version == 142
    assert found.tickets[1] == joined.id
    told = [(e.version, e.event, e.data.get("to")) for e in found.events]
    assert told == [
        (1, "raised", None),
        (2, "escalated", "desk"),
        (62, "joined", None),
        (63, "escalated", "duty"),
        (103, "escalated", "phone"),
        *[(version, "escalated", "phone") for version in range(127, 143)],
    ]


async def test_an_event_that_is_told_of_is_read_however_old(store: Store) -> None:
    """A delivery that waited long shows its incident as of its own event; nobody else's is given."""
    fire, other = make.incident(), make.incident()
    await tell(store, fire)
    await repeat(store, fire.id, 40, "desk")
    await tell(store, other)
    known, foreign = await store.incident(fire.id), await store.incident(other.id)
    assert known is not None
    assert foreign is not None
    asked = known.events[1].seq + 5
    assert asked not in {e.seq for e in known.events}
    found = await store.incident(fire.id, [asked, foreign.events[0].seq])
    assert found is not None
    assert {e.seq for e in found.events} - {e.seq for e in known.events} == {asked}


async def test_quarantine_keeps_a_message_whole(store: Store) -> None:
    """A quarantined message comes back octet for octet, once, oldest first."""
    late, early = make.quarantined(at=make.after(5)), make.quarantined()
    for item in (late, early, msgspec.structs.replace(late, reason="other")):
        await store.quarantine(item)
    assert await store.quarantined(["held"], 9) == [early, late]
    assert await store.quarantined(["held"], 1) == [early]
    heads = [msgspec.structs.replace(one, raw=b"") for one in (early, late)]
    assert await store.held_heads(9) == heads
    assert await store.held_heads(1) == heads[:1]
    assert await store.held_heads(9, early) == heads[1:]
    assert await store.held_heads(9, late) == []
    assert (await store.counts())["held"] == 2


async def test_a_held_message_is_released_once(store: Store) -> None:
    """A held message is replayed or discarded once, with the reason, and is kept."""
    item = make.quarantined()
    await store.quarantine(item)
    assert await store.release(item.id, "discarded", "spam")
    assert not await store.release(item.id, "replayed", None)
    assert not await store.release("nobody", "replayed", None)
    assert await store.quarantined(["held", "replayed"], 9) == []
    (kept,) = await store.quarantined(["discarded"], 9)
    assert (kept.why, kept.raw) == ("spam", item.raw)
    assert (await store.counts())["held"] == 0
    with pytest.raises(StoreError, match="lost"):
        await store.release(item.id, "lost", None)
