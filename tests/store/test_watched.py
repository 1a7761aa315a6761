"""Which tickets are to be looked at, and when: what every store does."""

from datetime import timedelta

import pytest

from gateway.store.base import Change, Lane, Outcome, Store
from gateway.store.watching import Look, Unwatched
from normalizer.schema import Limits
from tests.store import make
from tests.store.conftest import STORES, Place

pytestmark = pytest.mark.parametrize("place", STORES, indirect=True)

#: More than all that a test stores.
ALL = 100


async def add(store: Store, **more: object) -> tuple[str, int]:
    """Return id and sequence number of a new ticket."""
    ticket = make.ticket(**more)
    added = await store.add(make.acceptance(ticket))
    stored = await store.ticket(added.number)
    assert stored is not None
    return ticket.id, stored.events[0].seq


async def step(store: Store, ticket_id: str, name: str) -> None:
    """Take a step on a ticket."""
    await store.change(Change(ticket_id=ticket_id, events=(make.event(name),)))


def seqs(found: Unwatched) -> list[tuple[int, bool]]:
    """Return the tickets that there is news of, and whether they are new."""
    return [(one.ticket, one.limits is not None) for one in found.news]


async def test_news_are_new_tickets_and_steps_that_renew_a_limit(store: Store) -> None:
    """A ticket comes with its limits; what neither sets nor frees one is no news."""
    (first, one), (_, two) = [await add(store) for _ in range(2)]
    for name in ("signed", "added", "contacted", "answered", "extended", "reopened", "closed"):
        await step(store, first, name)
    found = await store.unwatched(ALL)
    assert seqs(found) == [(one, True), (two, True), *[(one, False)] * 3]
    assert found.news[0].limits == Limits(dispatch_by=make.NOW)
    assert found.news[0].at == make.ticket().received_at
    assert not found.more


async def test_an_incident_is_no_ticket(store: Store) -> None:
    """What happens to an incident is nobody's limit."""
    fire = make.report(make.incident())
    await store.add(make.acceptance(reports=(fire,)))
    await store.add(make.acceptance(reports=(fire,)))
    found = await store.unwatched(ALL)
    assert [one.limits is not None for one in found.news] == [True, True]


async def test_news_come_once_they_are_noted(store: Store, place: Place) -> None:
    """Until then they come again, after a restart too; and noting them twice is no harm."""
    _, seq = await add(store)
    found = await store.unwatched(ALL)
    assert await store.unwatched(ALL) == found
    for _ in range(2):
        await store.watch([Look(ticket=seq, at=make.after(5))], found.upto)
    await store.watch([], found.upto - 1)
    assert seqs(await store.unwatched(ALL)) == []
    await store.close()
    again = place.gateway()
    await again.open()
    assert seqs(await again.unwatched(ALL)) == []
    assert [w.stored.events[0].seq for w in await again.watched(make.after(5), ALL)] == [seq]
    await again.close()


@pytest.mark.parametrize("size", [1, 2, 3, ALL])
async def test_no_news_is_skipped_between_two_pages(store: Store, size: int) -> None:
    """However tickets and steps alternate, pages of any size bring each of them once, in order."""
    expected = []
    for count in range(6):
        ticket, seq = await add(store)
        expected.append((seq, True))
        for _ in range(count % 3):
            await step(store, ticket, "signed")
            await step(store, ticket, "added")
            expected.append((seq, False))
    paged: list[tuple[int, bool]] = []
    while True:
        found = await store.unwatched(size)
        paged += seqs(found)
        await store.watch([], found.upto)
        if not found.more:
            break
    assert paged == expected


async def test_tickets_come_when_their_time_has_come(store: Store) -> None:
    """The longest overdue first, so many at a time, and none that is not to be looked at."""
    found = [(await add(store))[1] for _ in range(4)]
    times = (make.after(3), make.after(1), make.after(2), None)
    looks = [Look(ticket=seq, at=at) for seq, at in zip(found, times, strict=True)]
    await store.watch(looks)

    async def due(seconds: float, limit: int = ALL) -> list[int]:
        watched = await store.watched(make.after(seconds), limit)
        return [w.stored.events[0].seq for w in watched]

    assert await due(0.999) == []
    assert await due(1) == [found[1]]
    assert await due(9) == [found[1], found[2], found[0]]
    assert await due(9, 2) == [found[1], found[2]]
    await store.watch([Look(ticket=found[1], at=None), Look(ticket=found[2], at=make.after(99))])
    assert await due(9) == [found[0]]


@pytest.mark.parametrize(
    ("state", "handed_over"), [("due", False), ("dead", False), ("done", True)]
)
async def test_a_ticket_is_handed_over_once_its_destination_has_it(
    store: Store, state: str, handed_over: bool
) -> None:
    """Not while its first event waits, nor when that was given up; whatever became of others."""
    ticket = make.ticket()
    other = make.delivery("answer:sms:main")
    await store.add(make.acceptance(ticket, deliveries=(make.delivery(), other)))
    until = make.NOW + timedelta(minutes=1)
    for name, outcome in (("backoffice", state), ("answer:sms:main", "dead")):
        (claimed,) = await store.claim(name, Lane.ORDINARY, make.NOW, 1, until)
        await store.settle([Outcome(seq=claimed.seq, state=outcome)])
    stored = (await store.tickets([ticket.id]))[ticket.id]
    await step(store, ticket.id, "added")
    await store.watch([Look(ticket=stored.events[0].seq, at=make.NOW)])
    (found,) = await store.watched(make.NOW, ALL)
    assert found.handed_over is handed_over
    assert [e.event for e in found.stored.events] == ["accepted", "added"]
