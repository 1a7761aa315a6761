"""What every adapter must pass: the other side is played by the adapter's own tests.

Nothing here needs a test framework, so that an adapter in a package of its own can use it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from adapters.base import Adapter, Item
from normalizer.errors import Gone, TryLater

#: Shows whether an error quotes what a citizen wrote.
WORDS = "电梯困人，快来"
DESTINATION = "somewhere"


class Failed(AssertionError):
    """An adapter breaks a rule that every adapter keeps."""


Play = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Suite:
    """An adapter, not opened, and the other side that the runner can have play every part."""

    adapter: Adapter
    takes: Play  #: from now on the other side takes everything
    taken: Callable[[], Sequence[tuple[str, bytes]]]  #: id and body of each item it took, in order
    #: Ways in which the other side does not take an item now, each by name.
    fails: Mapping[str, Play]
    #: The other side asks to be left alone for so many seconds.
    asks: Mapping[float, Play]
    gone: Play | None = None  #: the other side wants nothing more; None if it cannot say so


def item(destination: str, number: int = 1, *, urgent: bool = False) -> Item:
    """Return an item to deliver."""
    id_ = f"0199a000-0000-7000-8000-{number:012d}"
    body = {"specversion": "1.0", "id": id_, "data": {"ticket": {"content": {"text": WORDS}}}}
    return Item(
        id=id_,
        destination=destination,
        type="hotline.ticket.accepted",
        subject=f"20261123-{number:06d}-0",
        time=datetime(2026, 11, 23, 2, 0, tzinfo=UTC),
        urgent=urgent,
        body=msgspec.json.encode(body),
    )


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


async def items_arrive_whole(suite: Suite) -> None:
    """Items of both lanes arrive with their id and exactly their octets."""
    await suite.takes()
    sent = [item(DESTINATION, 1), item(DESTINATION, 2, urgent=True)]
    for one in sent:
        await suite.adapter.deliver(one)
    _require(list(suite.taken()) == [(i.id, i.body) for i in sent], "items were changed or lost")


async def a_repeat_is_recognisable(suite: Suite) -> None:
    """A second try carries the same id and the same octets."""
    await suite.takes()
    for _ in range(2):
        await suite.adapter.deliver(item(DESTINATION))
    _require(len({*suite.taken()}) == 1, "a repeat looks like another item")


async def failures_are_to_be_tried_again(suite: Suite) -> None:
    """Whatever goes wrong is `TryLater`, quotes nobody, and does no harm to the next item."""
    for name, play in suite.fails.items():
        for urgent in (False, True):
            await play()
            error = await _error_of(suite, item(DESTINATION, urgent=urgent))
            _require(type(error) is TryLater, f"{name}: {error!r}")
            _require(WORDS not in str(error), f"{name}: the error quotes a citizen")
            await suite.takes()
            error = await _error_of(suite, item(DESTINATION, 2, urgent=urgent))
            _require(error is None, f"after {name}: {error!r}")


async def waits_that_were_asked_for_are_told(suite: Suite) -> None:
    """The time that the other side asks for comes out with the error."""
    for seconds, play in suite.asks.items():
        await play()
        error = await _error_of(suite, item(DESTINATION))
        after_s = error.after_s if isinstance(error, TryLater) else None
        _require(after_s == seconds, f"asked for {seconds} s, told {after_s}")


async def gone_is_gone(suite: Suite) -> None:
    """That the other side wants nothing more comes out as `Gone`."""
    if suite.gone is not None:
        await suite.gone()
        error = await _error_of(suite, item(DESTINATION))
        _require(type(error) is Gone, f"{error!r} instead of Gone")


async def many_at_once_all_arrive(suite: Suite) -> None:
    """Items may be delivered at the same time."""
    await suite.takes()
    sent = [item(DESTINATION, n, urgent=n % 4 == 0) for n in range(100)]
    await asyncio.gather(*(suite.adapter.deliver(i) for i in sent))
    _require(sorted(suite.taken()) == [(i.id, i.body) for i in sent], "some did not arrive once")


async def a_cancelled_try_does_no_harm(suite: Suite) -> None:
    """After a try was cancelled at any moment the next one works."""
    await suite.takes()
    for steps in range(1, 12):
        task = asyncio.ensure_future(suite.adapter.deliver(item(DESTINATION)))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await suite.adapter.deliver(item(DESTINATION, 2))
    _require(
        suite.taken()[-1] == (item(DESTINATION, 2).id, item(DESTINATION, 2).body),
        "the next was lost",
    )


async def closed_is_not_broken(suite: Suite) -> None:
    """Closing twice is allowed; a closed adapter delivers later, and again once it is open."""
    await suite.takes()
    await suite.adapter.close()
    await suite.adapter.close()
    error = await _error_of(suite, item(DESTINATION))
    _require(type(error) is TryLater, f"closed: {error!r}")
    await suite.adapter.open()
    await suite.adapter.deliver(item(DESTINATION))
    _require(len(suite.taken()) == 1, "not delivered after it was opened again")


async def _error_of(suite: Suite, one: Item) -> Exception | None:
    try:
        await suite.adapter.deliver(one)
    except (TryLater, Gone) as error:
        return error
    return None


Check = Callable[[Suite], Awaitable[None]]
#: Every adapter passes all of them, each with a suite of its own whose adapter is open.
CHECKS: tuple[Check, ...] = (
    items_arrive_whole,
    a_repeat_is_recognisable,
    failures_are_to_be_tried_again,
    waits_that_were_asked_for_are_told,
    gone_is_gone,
    many_at_once_all_arrive,
    a_cancelled_try_does_no_harm,
    closed_is_not_broken,
)
