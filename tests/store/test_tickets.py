"""Accepting, changing and finding tickets: what every store does."""

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from gateway.store.base import Change, Store
from normalizer.errors import StoreError
from normalizer.number import is_number, parse
from normalizer.schema import Attachment, ChannelRef, Content, Requester, Ticket
from tests.store import make


async def test_a_ticket_comes_back_as_it_was_stored(store: Store) -> None:
    """A stored ticket is found by its number, whole, with its event and its raw message."""
    given = make.acceptance(key="k1")
    added = await store.add(given)
    assert (added.id, added.duplicate, added.digest) == (given.ticket.id, False, "digest")
    found = await store.ticket(added.number)
    assert found is not None
    assert found.ticket == given.ticket
    assert found.ticket.received_at.utcoffset() == given.ticket.received_at.utcoffset()
    assert found.number == added.number
    assert found.digest == "digest"
    assert found.version == 1
    assert [(e.stream, e.event, e.by, e.at) for e in found.events] == [
        (given.ticket.id, "accepted", "gateway", make.NOW)
    ]
    assert await store.raw(given.ticket.id) == (make.RAW, "application/json")


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    """Unknown and malformed numbers and ids are answered alike."""
    added = await store.add(make.acceptance())
    wrong = added.number[:-1] + str((int(added.number[-1]) + 1) % 10)
    for number in ("", "x", "20261122-000009-1", wrong, added.number + "0", "２0261122-000001-7"):
        assert await store.ticket(number) is None
    assert await store.tickets(["nobody", ""]) == {}
    assert await store.raw("nobody") is None


async def test_numbers_count_the_day(store: Store) -> None:
    """Numbers are given out in order from one, each day for itself, without gaps."""
    first = [await store.add(make.acceptance(number_on="20261122")) for _ in range(3)]
    other = await store.add(make.acceptance(number_on="20261123"))
    again = await store.add(make.acceptance(number_on="20261122"))
    assert [parse(a.number) for a in (*first, other, again)] == [
        ("20261122", 1),
        ("20261122", 2),
        ("20261122", 3),
        ("20261123", 1),
        ("20261122", 4),
    ]


async def test_concurrent_tickets_have_different_numbers(store: Store) -> None:
    """300 tickets accepted at once are 300 tickets with the numbers 1 to 300."""
    added = await asyncio.gather(*(store.add(make.acceptance()) for _ in range(300)))
    assert all(is_number(a.number) for a in added)
    assert {parse(a.number) for a in added} == {("20261122", n) for n in range(1, 301)}
    assert (await store.counts())["tickets"] == 300


async def test_a_repeat_writes_nothing(store: Store) -> None:
    """The same key of the same channel account is answered with the ticket that is there."""
    fire = make.incident()
    first = await store.add(make.acceptance(key="k", reports=(make.report(fire),)))
    again = await store.add(
        make.acceptance(key="k", digest="other", reports=(make.report(make.incident()),))
    )
    assert again.duplicate
    assert (again.id, again.number, again.digest) == (first.id, first.number, "digest")
    assert again.incidents == (fire.id,)
    assert again.leased == ()
    counts = await store.counts()
    assert (counts["tickets"], counts["due"], counts["incidents_open"]) == (1, 2, 1)
    after = await store.add(make.acceptance(key="k2"))
    assert parse(after.number) == ("20261122", 2)


async def test_concurrent_repeats_make_one_ticket(store: Store) -> None:
    """Ten repeats among thirty other messages at once: one ticket for the ten."""
    repeats = [make.acceptance(key="same") for _ in range(10)]
    others = [make.acceptance(key=f"other-{n}") for n in range(30)]
    mixed = [a for group in zip(others[:10], repeats, others[10:20], strict=True) for a in group]
    added = await asyncio.gather(*(store.add(a) for a in (*mixed, *others[20:])))
    same = [a for a, given in zip(added, mixed, strict=False) if given.key == "same"]
    assert len({a.number for a in same}) == 1
    assert sum(not a.duplicate for a in same) == 1
    assert (await store.counts())["tickets"] == 31
    numbers = {a.number for a in added}
    assert {parse(n) for n in numbers} == {("20261122", n) for n in range(1, 32)}


@pytest.mark.parametrize("field", ["kind", "account"])
async def test_a_key_counts_within_its_channel_account(store: Store, field: str) -> None:
    """The same key on another channel, or another account of it, is another message."""
    one = make.ticket()
    other = make.ticket(channel=msgspec.structs.replace(one.channel, **{field: "elsewhere"}))
    assert not (await store.add(make.acceptance(one, key="k"))).duplicate
    assert not (await store.add(make.acceptance(other, key="k"))).duplicate


async def test_without_a_key_nothing_is_a_repeat(store: Store) -> None:
    """Two equal messages without a key are two acts."""
    for _ in range(2):
        assert not (await store.add(make.acceptance(key=None))).duplicate
    assert (await store.counts())["tickets"] == 2


async def test_one_bad_change_fails_alone(store: Store) -> None:
    """A ticket with an id that is taken fails; the others of its batch are stored, without gaps."""
    taken = make.ticket()
    await store.add(make.acceptance(taken))
    asked = [make.acceptance() for _ in range(20)]
    asked[7] = make.acceptance(taken)
    done = await asyncio.gather(*(store.add(a) for a in asked), return_exceptions=True)
    assert [n for n, result in enumerate(done) if isinstance(result, StoreError)] == [7]
    counts = await store.counts()
    assert (counts["tickets"], counts["due"]) == (20, 20)
    numbers = sorted(a.number for a in done if not isinstance(a, BaseException))
    assert [parse(n) for n in numbers] == [("20261122", n) for n in range(2, 21)]


async def test_what_cannot_be_stored_is_refused(store: Store) -> None:
    """Half a surrogate pair, an object and a missing event are errors of that change alone."""
    bad = [
        make.acceptance(make.ticket(requester=Requester(name="\ud800"))),
        make.acceptance(events=(make.event(text="\ud800"),)),
        make.acceptance(events=(make.event(data={"x": object()}),)),
        make.acceptance(events=()),
    ]
    asked = [*bad, make.acceptance()]
    done = await asyncio.gather(*(store.add(a) for a in asked), return_exceptions=True)
    assert all(isinstance(result, StoreError) for result in done[:-1]), done
    assert (await store.counts())["tickets"] == 1


async def test_events_are_numbered(store: Store) -> None:
    """Events of a change follow each other in the stream and over the store, details intact."""
    added = await store.add(make.acceptance())
    data = {"message": {"at": "2026-11-22T10:00:00+08:00", "text": "又来了😀", "n": [1, 2.5, None]}}
    change = Change(
        ticket_id=added.id,
        events=(make.event("added", make.after(1), data=data, key="m1"), make.event("rated")),
    )
    changed = await store.change(change)
    assert (changed.written, changed.duplicate) == (True, False)
    found = (await store.tickets([added.id]))[added.id]
    assert [(e.version, e.event) for e in found.events] == [
        (1, "accepted"),
        (2, "added"),
        (3, "rated"),
    ]
    assert found.version == 3
    assert found.events[1].data == data
    assert found.events[1].key == "m1"
    assert found.events[1].at == make.after(1)
    assert found.events[2].data == {}
    seqs = [e.seq for e in found.events]
    assert seqs == sorted(set(seqs))


async def test_an_event_key_is_written_once(store: Store) -> None:
    """A change with a key that the ticket has already writes nothing, also within one batch."""
    added = await store.add(make.acceptance())
    other = await store.add(make.acceptance())

    def change(ticket_id: str) -> Change:
        events = (make.event("signed", key="e1"),)
        return Change(ticket_id=ticket_id, events=events, deliveries=(make.delivery(),))

    done = await asyncio.gather(*(store.change(change(added.id)) for _ in range(5)))
    assert sorted(c.duplicate for c in done) == [False, True, True, True, True]
    assert [c.written for c in done] == [not c.duplicate for c in done]
    assert (await store.change(change(other.id))).written
    assert (await store.counts())["due"] == 4
    found = await store.ticket(added.number)
    assert found is not None
    assert found.version == 2


async def test_a_change_can_insist_on_a_version(store: Store) -> None:
    """Of concurrent changes that saw the same version only one is written."""
    added = await store.add(make.acceptance())
    changes = [
        Change(ticket_id=added.id, events=(make.event("closed"),), if_version=1) for _ in range(4)
    ]
    done = await asyncio.gather(*map(store.change, changes))
    assert sorted(c.written for c in done) == [False, False, False, True]
    assert not any(c.duplicate for c in done)


async def test_a_change_needs_its_ticket(store: Store) -> None:
    """A change of a ticket that is not stored is an error and leaves nothing."""
    change = Change(ticket_id="nobody", events=(make.event(),), deliveries=(make.delivery(),))
    with pytest.raises(StoreError, match="no ticket nobody"):
        await store.change(change)
    assert (await store.counts())["due"] == 0


async def test_pages_follow_the_commits(store: Store) -> None:
    """Pages hold every ticket once, in the order stored, whatever order their ids were made in."""
    tickets = [make.ticket() for _ in range(7)]
    for one in reversed(tickets):
        await store.add(make.acceptance(one))
    seen: list[str] = []
    while page := await store.page(seen[-1] if seen else "", 3):
        assert len(page) <= 3
        seen += [stored.ticket.id for stored in page]
    assert seen == [t.id for t in reversed(tickets)]
    assert await store.page("nobody", 3) == []


async def test_tickets_of_a_conversation(store: Store) -> None:
    """A conversation's tickets are those since the instant, newest first, 20 at most."""

    def told(second: int, thread: str | None, account: str = "main") -> datetime:
        at = make.after(second)
        by = ChannelRef(kind="sms", account=account, message_id=make.ident("m"), thread=thread)
        tickets.append(make.ticket(received_at=at, channel=by))
        return at

    tickets: list[Ticket] = []
    since = told(5, "+8613900000001")
    told(4, "+8613900000001")
    told(9, "+8613900000001")
    told(6, "+8613900000002")
    told(7, None)
    told(8, "+8613900000001", account="other")
    for second in range(100, 125):
        told(second, "+8613900000003")
    await asyncio.gather(*(store.add(make.acceptance(t)) for t in tickets))
    found = await store.conversation("sms", "main", "+8613900000001", since)
    assert [s.ticket.id for s in found] == [tickets[2].id, tickets[0].id]
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    many = await store.conversation("sms", "main", "+8613900000003", long_ago)
    assert [s.ticket.id for s in many] == [t.id for t in reversed(tickets[-20:])]


async def test_a_cancelled_request_is_carried_out(store: Store) -> None:
    """Cancelling those who wait loses nothing and leaves the writer working."""
    asked = [asyncio.ensure_future(store.add(make.acceptance(key=f"k{n}"))) for n in range(40)]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(result, asyncio.CancelledError) for result in done) == 20
    for n in range(40):
        assert (await store.add(make.acceptance(key=f"k{n}"))).duplicate
    assert (await store.counts())["tickets"] == 40


async def test_an_acceptance_can_have_several_events(store: Store) -> None:
    """All events of an acceptance are stored in order; their keys are known afterwards."""
    events = (make.event(key="e1", text="一", data={"n": 1}), make.event("refused", key="e2"))
    given = make.acceptance(events=events, deliveries=(make.delivery(id="d"),))
    added = await store.add(given)
    found = await store.ticket(added.number)
    delivery = await store.delivery("d")
    assert found is not None
    assert delivery is not None
    told = [(e.version, e.event, e.key, e.text, e.data) for e in found.events]
    assert told == [(1, "accepted", "e1", "一", {"n": 1}), (2, "refused", "e2", None, {})]
    assert delivery.event_seq == found.events[-1].seq
    for key in ("e1", "e2"):
        change = Change(ticket_id=added.id, events=(make.event("added", key=key),))
        assert (await store.change(change)).duplicate


async def test_the_store_knows_the_files_that_are_named(store: Store) -> None:
    """Files of tickets and of later messages are named; one in a citizen's words is not."""
    hashes = [digit * 64 for digit in "abcd"]
    files = [
        Attachment(id=h[0], name="x", media_type="image/png", bytes=1, sha256=h) for h in hashes
    ]
    added = await store.add(make.acceptance(make.ticket(attachments=tuple(files[:2]))))
    await store.add(make.acceptance(make.ticket(attachments=(files[0],))))
    data = {"message": {"text": f'"sha256":"{hashes[3]}"', "attachments": [files[2]]}}
    await store.change(Change(ticket_id=added.id, events=(make.event("added", data=data),)))
    assert await store.attached(hashes) == set(hashes[:3])
    assert await store.attached([]) == set()


async def test_the_newest_tickets_come_first(store: Store) -> None:
    """Tickets of a day and before are paged from the newest to the oldest."""
    days = ("20261121", "20261122", "20261122", "20261123")
    numbers = [(await store.add(make.acceptance(number_on=day))).number for day in days]
    found = await store.newest("20261122", None, 2)
    assert [stored.number for stored in found] == [numbers[2], numbers[1]]
    rest = await store.newest("20261122", numbers[1], 2)
    assert [stored.number for stored in rest] == [numbers[0]]
    assert await store.newest("20261120", None, 9) == []


async def test_only_published_tickets_are_found_as_such(store: Store) -> None:
    """A citizen's consent counts, and no words that look like it."""
    sly = Content(title=None, text='"public":true', original='{"public":true}')
    shown = await store.add(make.acceptance(make.ticket(public=True)))
    await store.add(make.acceptance(make.ticket(public=False, content=sly)))
    found = await store.newest("20261122", None, 9, public=True)
    assert [stored.number for stored in found] == [shown.number]


async def test_a_message_is_known_by_its_key(store: Store) -> None:
    """Who has the key is told the number, of this channel and account alone."""
    added = await store.add(make.acceptance(key="k"))
    assert await store.known("web", "portal", "k") == added.number
    assert await store.known("web", "other", "k") is None
    assert await store.known("web", "portal", "j") is None
