"""The outbox: what every store does."""

import asyncio
from typing import Any

import pytest

from gateway.store.base import Change, Delivery, Lane, NewDelivery, Outcome, Store
from normalizer.errors import StoreError
from tests.store import make
from tests.store.conftest import STORES

#: Beside the gateway's interpreter the same statements run, so that takes its time elsewhere;
#: what is special there is asked in the tests of tickets and of the store's life.
pytestmark = pytest.mark.parametrize("place", STORES, indirect=True)


async def claim(store: Store, seconds: float = 0, limit: int = 100, **more: Any) -> list[str]:
    """Claim ordinary deliveries to the back office and return their ids."""
    return [d.id for d in await take(store, seconds, limit, **more)]


async def take(
    store: Store,
    seconds: float = 0,
    limit: int = 100,
    destination: str = "backoffice",
    lane: Lane = Lane.ORDINARY,
) -> list[Delivery]:
    """Claim deliveries as of an instant, for a minute."""
    at = make.after(seconds)
    return await store.claim(destination, lane, at, limit, make.after(seconds + 60))


async def tell(store: Store, ticket_id: str, *deliveries: NewDelivery) -> None:
    """Write an event on a ticket with these deliveries."""
    await store.change(
        Change(ticket_id=ticket_id, events=(make.event("added"),), deliveries=deliveries)
    )


async def end(store: Store, seq: int, state: str = "done", **more: Any) -> None:
    """Settle one delivery."""
    await store.settle([Outcome(seq=seq, state=state, **more)])


async def test_a_delivery_comes_back_as_it_was_written(store: Store) -> None:
    """A claimed delivery holds what was asked, its ticket and the event that it tells of."""
    given = make.delivery(data={"message": {"text": "又来了"}}, due_at=make.after(1))
    added = await store.add(make.acceptance(deliveries=(given,)))
    assert await claim(store, 0.9) == []
    (found,) = await take(store, 1)
    stored = await store.ticket(added.number)
    assert stored is not None
    assert found == Delivery(
        seq=found.seq,
        id=given.id,
        destination="backoffice",
        lane=Lane.ORDINARY,
        type="hotline.ticket.accepted",
        stream=added.id,
        ticket_id=added.id,
        event_seq=stored.events[0].seq,
        created_at=make.NOW,
        attempts=0,
        due_at=make.after(1),
        data={"message": {"text": "又来了"}},
        last_error=None,
        state="leased",
    )
    assert await store.delivery(given.id) == found
    assert await store.delivery("nobody") is None


async def test_a_claim_is_oldest_first_and_limited(store: Store) -> None:
    """Deliveries are claimed in the order in which they became due, no more than asked."""
    given = [make.delivery(due_at=make.after(-n)) for n in range(10)]
    for one in given:
        await store.add(make.acceptance(deliveries=(one,)))
    ids = [d.id for d in reversed(given)]
    assert await claim(store, limit=4) == ids[:4]
    assert await claim(store, limit=100) == ids[4:]
    assert await claim(store) == []


async def test_destinations_and_lanes_do_not_mix(store: Store) -> None:
    """A claim sees its own destination and lane only."""
    here, there = make.delivery(), make.delivery("elsewhere")
    await store.add(make.acceptance(deliveries=(here, there)))
    late = make.urgent("backoffice", due_at=make.after(5))
    await store.add(make.acceptance(deliveries=(late,)))
    assert await claim(store, 10) == [here.id]
    assert await claim(store, 10, destination="elsewhere") == [there.id]
    assert await claim(store, 10, lane=Lane.EMERGENCY) == [late.id]


async def test_one_of_a_stream_is_in_flight(store: Store) -> None:
    """The second delivery of a ticket waits for the first, over lanes and within one event."""
    ids = ["a", "b", "c", "d"]
    first, second, third, fourth = (make.delivery(id=i) for i in ids)
    added = await store.add(make.acceptance(deliveries=(first, second)))
    await tell(store, added.id, third)
    await tell(store, added.id, fourth)
    other = await store.add(make.acceptance())
    claimed = await take(store)
    assert [d.id for d in claimed if d.stream == added.id] == ["a"]
    assert len([d for d in claimed if d.stream == other.id]) == 1
    assert await claim(store) == []
    for one, following in zip(ids, [*ids[1:], None], strict=True):
        found = await store.delivery(one)
        assert found is not None
        await end(store, found.seq)
        assert await claim(store) == ([following] if following else [])


async def test_a_failed_delivery_keeps_its_place(store: Store) -> None:
    """A delivery to be tried again later holds up those behind it, and only to its destination."""
    first, second = make.delivery(id="a"), make.delivery(id="b")
    added = await store.add(make.acceptance(deliveries=(first, make.delivery("elsewhere"))))
    await tell(store, added.id, second)
    (taken,) = await take(store)
    await end(store, taken.seq, "due", due_at=make.after(50), error="503")
    assert await claim(store, 49) == []
    assert len(await claim(store, 49, destination="elsewhere")) == 1
    assert await store.next_due("backoffice", Lane.ORDINARY) == make.after(50)
    (again,) = await take(store, 50)
    assert (again.id, again.attempts, again.last_error) == ("a", 1, "503")
    assert again.due_at == make.after(50)
    await end(store, again.seq)
    assert await claim(store, 50) == ["b"]


async def test_a_lease_that_is_given_back_is_no_failed_try(store: Store) -> None:
    """Settling as due without an error frees the delivery and counts no attempt."""
    await store.add(make.acceptance())
    (taken,) = await take(store)
    await end(store, taken.seq, "due")
    (again,) = await take(store)
    assert (again.id, again.attempts, again.due_at) == (taken.id, 0, taken.due_at)


async def test_an_expired_lease_is_due(store: Store) -> None:
    """A delivery whose lease ran out is claimed again; settling it twice does no harm."""
    first, second = make.delivery(id="a"), make.delivery(id="b")
    added = await store.add(make.acceptance(deliveries=(first, second)))
    (taken,) = await take(store)
    assert await store.next_due("backoffice", Lane.ORDINARY) == make.after(60)
    assert await claim(store, 59) == []
    assert await claim(store, 60) == ["a"]
    await end(store, taken.seq)
    await end(store, taken.seq, "dead", error="late")
    assert (await store.counts())["dead"] == 0
    assert await claim(store, 60) == ["b"]
    assert await claim(store, 60) == []
    assert added.id


async def test_a_dead_delivery_lets_the_next_one_go(store: Store) -> None:
    """A delivery given up is listed as dead, with its reason, and holds nobody up."""
    first, second = make.delivery(id="a"), make.delivery(id="b")
    await store.add(make.acceptance(deliveries=(first, second)))
    (taken,) = await take(store)
    await end(store, taken.seq, "dead", error="410")
    (dead,) = await store.deliveries(["dead"], 10)
    assert (dead.id, dead.state, dead.last_error, dead.attempts) == ("a", "dead", "410", 1)
    assert await store.dead(10) == [dead]
    assert await store.dead(10, dead.seq) == []
    assert await claim(store) == ["b"]
    counts = await store.counts()
    assert (counts["due"], counts["dead"]) == (1, 1)


async def test_a_dead_delivery_is_redone_in_its_order(store: Store) -> None:
    """A dead delivery made due again goes before younger ones that are not under way."""
    given = [make.delivery(id=i) for i in "abc"]
    await store.add(make.acceptance(deliveries=tuple(given)))
    (a,) = await take(store)
    await end(store, a.seq, "dead", error="410")
    assert await store.redo("a", "due", make.after(5), "fixed")
    assert not await store.redo("a", "due", make.after(5), "fixed")
    assert await store.next_due("backoffice", Lane.ORDINARY) == make.after(5)
    (again,) = await take(store, 5)
    assert (again.id, again.attempts, again.due_at) == ("a", 0, make.after(5))
    await end(store, again.seq)
    assert await claim(store, 5) == ["b"]
    counts = await store.counts()
    assert (counts["due"], counts["dead"]) == (2, 0)


async def test_a_redone_delivery_waits_for_what_is_under_way(store: Store) -> None:
    """While a younger delivery of the stream is under way the redone one waits for its end."""
    given = [make.delivery(id=i) for i in "abc"]
    await store.add(make.acceptance(deliveries=tuple(given)))
    (a,) = await take(store)
    await end(store, a.seq, "dead", error="410")
    (b,) = await take(store)
    await store.redo("a", "due", make.NOW, None)
    assert await claim(store) == []
    await end(store, b.seq)
    assert await claim(store) == ["a"]
    assert await claim(store) == []


async def test_a_dead_delivery_can_be_discarded(store: Store) -> None:
    """A discarded delivery is kept, stays ended and is neither dead nor due."""
    await store.add(make.acceptance(deliveries=(make.delivery(id="a"),)))
    assert not await store.redo("a", "discarded", make.NOW, "not dead yet")
    (a,) = await take(store)
    await end(store, a.seq, "dead", error="410")
    assert await store.redo("a", "discarded", make.NOW, "test data")
    assert not await store.redo("nobody", "discarded", make.NOW, None)
    (kept,) = await store.deliveries(["discarded"], 10)
    assert kept.id == "a"
    assert await claim(store) == []
    counts = await store.counts()
    assert (counts["due"], counts["dead"]) == (0, 0)


async def test_states_that_are_none_are_refused(store: Store) -> None:
    """An unknown state is an error, and leaves the delivery as it was."""
    await store.add(make.acceptance(deliveries=(make.delivery(id="a"),)))
    (a,) = await take(store)
    with pytest.raises(StoreError, match="gone"):
        await end(store, a.seq, "gone")
    await end(store, a.seq, "dead", error="x")
    with pytest.raises(StoreError, match="done"):
        await store.redo("a", "done", make.NOW, None)
    found = await store.delivery("a")
    assert found is not None
    assert found.state == "dead"


async def test_deliveries_are_listed_by_state(store: Store) -> None:
    """A list holds the deliveries in the states asked for, oldest first, no more than asked."""
    for name in "abcdef":
        await store.add(make.acceptance(deliveries=(make.delivery(id=name),)))
    a, b, *_ = await take(store, limit=3)
    await end(store, a.seq)
    await end(store, b.seq, "dead", error="x")

    async def listed(*states: str, limit: int = 9) -> list[str]:
        return [d.id for d in await store.deliveries(states, limit)]

    assert await listed("done") == ["a"]
    assert await listed("dead") == ["b"]
    assert await listed("leased") == ["c"]
    assert await listed("due") == ["d", "e", "f"]
    assert await listed("dead", "due", "done") == ["a", "b", "d", "e", "f"]
    assert await listed("dead", "due", limit=2) == ["b", "d"]


async def test_an_emergency_is_handed_out_at_once(store: Store) -> None:
    """Emergency deliveries that are due come leased with the answer, for thirty seconds."""
    now, later = make.urgent("backoffice", id="a"), make.urgent(id="b", due_at=make.after(9))
    behind = make.urgent("backoffice", id="c")
    added = await store.add(make.acceptance(deliveries=(now, later, behind)))
    (leased,) = added.leased
    assert (leased.id, leased.state, leased.ticket_id) == ("a", "leased", added.id)
    assert leased == await store.delivery("a")
    urgent: dict[str, Any] = {"destination": "backoffice", "lane": Lane.EMERGENCY}
    assert await claim(store, 29, **urgent) == []
    assert await claim(store, 30, **urgent) == ["a"]
    await end(store, leased.seq)
    assert await claim(store, 30, **urgent) == ["c"]
    assert await claim(store, 9, destination="liaison:119", lane=Lane.EMERGENCY) == ["b"]


async def test_a_change_hands_out_only_what_has_its_turn(store: Store) -> None:
    """An emergency behind an unfinished delivery takes that one into its lane and follows it."""
    added = await store.add(make.acceptance(deliveries=(make.delivery(id="a"),)))
    change = Change(
        ticket_id=added.id,
        events=(make.event("added"),),
        deliveries=(make.urgent("backoffice", id="b"), make.urgent("elsewhere", id="c")),
    )
    changed = await store.change(change)
    assert [d.id for d in changed.leased] == ["c"]
    assert await claim(store) == []
    assert await claim(store, lane=Lane.EMERGENCY) == ["a"]
    first = await store.delivery("a")
    assert first is not None
    await end(store, first.seq)
    assert await claim(store, lane=Lane.EMERGENCY) == ["b"]


async def test_a_cancelled_asker_gives_back_what_it_was_handed(store: Store) -> None:
    """What was leased for a request that was cancelled is due again, not lost for the lease."""
    asked = asyncio.ensure_future(
        store.add(make.acceptance(deliveries=(make.urgent("backoffice", id="a"),)))
    )
    await asyncio.sleep(0)
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    await store.add(make.acceptance())
    await store.settle([])
    assert await claim(store, lane=Lane.EMERGENCY) == ["a"]


async def test_concurrent_claims_share_the_queue(store: Store) -> None:
    """Ten claims at once never hand the same delivery to two."""
    for _ in range(30):
        await store.add(make.acceptance())
    taken = await asyncio.gather(*(claim(store, limit=4) for _ in range(10)))
    ids = [one for some in taken for one in some]
    assert len(ids) == len(set(ids)) == 30


async def test_next_due_of_an_empty_queue(store: Store) -> None:
    """There is no next instant when nothing waits; a finished delivery does not wait."""
    assert await store.next_due("backoffice", Lane.ORDINARY) is None
    await store.add(make.acceptance(deliveries=(make.delivery(due_at=make.after(3)),)))
    assert await store.next_due("backoffice", Lane.ORDINARY) == make.after(3)
    assert await store.next_due("backoffice", Lane.EMERGENCY) is None
    (taken,) = await take(store, 3)
    await end(store, taken.seq)
    assert await store.next_due("backoffice", Lane.ORDINARY) is None


async def test_settling_tells_whether_more_can_be_claimed(store: Store) -> None:
    """Only what waited behind a finished delivery, or one that is due again, is worth a claim."""
    first = await store.add(make.acceptance(deliveries=(make.delivery(),)))
    await store.add(make.acceptance(deliveries=(make.delivery(),)))
    await tell(store, first.id, make.delivery())
    followed, alone = await take(store)
    assert await store.settle([Outcome(seq=alone.seq, state="done")]) is False
    assert await store.settle([Outcome(seq=followed.seq, state="done")]) is True
    (last,) = await take(store)
    assert await store.settle([Outcome(seq=last.seq, state="due", due_at=make.after(9))]) is True
    (again,) = await take(store, 9)
    assert await store.settle([Outcome(seq=again.seq, state="dead", error="410")]) is False


async def test_a_reason_that_is_no_text_keeps_no_outcome_from_the_store(store: Store) -> None:
    """Half a surrogate pair in what a destination answered is replaced, a long answer is cut."""
    await store.add(make.acceptance(deliveries=(make.delivery(),)))
    await store.add(make.acceptance(deliveries=(make.delivery(),)))
    good, bad = await take(store)
    words = "bad \udcff " + "x" * 5_000
    await store.settle(
        [Outcome(seq=good.seq, state="done"), Outcome(seq=bad.seq, state="dead", error=words)]
    )
    kept = await store.delivery(bad.id)
    assert kept is not None
    assert kept.last_error is not None
    assert kept.last_error.startswith("bad ? x")
    assert len(kept.last_error) <= 2_000


async def test_deliveries_are_found_by_what_they_tell_of(store: Store) -> None:
    """Whatever their state, however many others there are, those of an incident's steps too."""
    assert await store.deliveries_of([1]) == []
    for _ in range(20):
        await store.add(make.acceptance(deliveries=(make.delivery(), make.delivery("other"))))
    fire = make.report(make.incident(), on_raise=(make.delivery("liaison:119"),))
    ticket = make.ticket()
    wanted = make.delivery()
    added = await store.add(make.acceptance(ticket, deliveries=(wanted,), reports=(fire,)))
    later = make.delivery("later")
    for _ in range(20):
        await store.add(make.acceptance(deliveries=(make.delivery(),)))
    step = Change(ticket_id=ticket.id, events=(make.event("added"),), deliveries=(later,))
    await store.change(step)
    stored = await store.ticket(added.number)
    incident = await store.incident(fire.incident.id)
    assert stored is not None
    assert incident is not None
    events = [e.seq for e in (*stored.events, *incident.events)]
    found = await store.deliveries_of(events)
    assert [one.id for one in found] == [wanted.id, fire.on_raise[0].id, later.id]
    assert [one.event_seq for one in found] == [events[0], events[2], events[1]]
    assert await store.deliveries_of([]) == []
    assert await store.deliveries_of([10**9]) == []
