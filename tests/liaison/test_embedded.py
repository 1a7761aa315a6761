"""The queue inside the process."""

import asyncio

import pytest

from adapters.base import Item
from adapters.liaison.embedded import BOUND, EmbeddedQueue, Overrun
from tests.clock import START


def item(number: int, desk: str = "119") -> Item:
    return Item(
        id=str(number),
        destination=f"liaison:{desk}",
        type="hotline.emergency.raised",
        subject="i",
        time=START,
        urgent=True,
        body=b"{}",
    )


async def test_listeners_get_their_desks_items_in_order() -> None:
    """Every listener of a desk gets each of its items, those of other desks none."""
    queue = EmbeddedQueue()
    one, two, other = queue.listen("119"), queue.listen("119"), queue.listen("120")
    for number in range(3):
        await queue.deliver(item(number))
    await queue.deliver(item(9, "120"))
    for listening in (one, two):
        assert [(await listening.get()).id for _ in range(3)] == ["0", "1", "2"]
    assert (await other.get()).id == "9"


async def test_item_arrives_without_listeners() -> None:
    """Nobody listening is no reason to try again: the store holds the incident."""
    queue = EmbeddedQueue()
    listening = queue.listen("119")
    queue.leave("119", listening)
    await queue.deliver(item(1))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await listening.get()


async def test_waiting_listener_is_woken() -> None:
    """A listener that waits gets the next item at once."""
    queue = EmbeddedQueue()
    waiting = asyncio.create_task(queue.listen("119").get())
    await asyncio.sleep(0)
    await queue.deliver(item(7))
    assert (await waiting).id == "7"


async def test_slow_listener_is_dropped_and_told() -> None:
    """A listener that falls behind hears so, and keeps nobody else from anything."""
    queue = EmbeddedQueue()
    slow, quick = queue.listen("119"), queue.listen("119")
    for number in range(BOUND + 2):
        await queue.deliver(item(number))
        assert (await quick.get()).id == str(number)
    with pytest.raises(Overrun):
        await slow.get()
