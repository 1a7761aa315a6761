"""The machine's clock, and the clock of the tests, which must do the same."""

import asyncio
from datetime import UTC, timedelta

import pytest

from gateway.clock import Clock, SystemClock
from tests.clock import FakeClock


def test_the_machines_time_is_aware_and_in_utc() -> None:
    """No instant without a zone ever enters."""
    assert SystemClock().now().tzinfo is UTC


def test_the_machines_seconds_never_go_back() -> None:
    """Durations come from the monotonic clock."""
    clock = SystemClock()
    seen = [clock.monotonic() for _ in range(1000)]
    assert seen == sorted(seen)


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()], ids=["machine", "fake"])
async def test_waiting_for_what_has_happened_returns_at_once(clock: Clock) -> None:
    """An event that is set is not waited for, whatever the time allowed."""
    event = asyncio.Event()
    event.set()
    assert await clock.wait(event, 3600) is True
    assert await clock.wait(event, None) is True


async def test_the_machines_wait_ends_with_its_time() -> None:
    """False says that the time has passed first."""
    assert await SystemClock().wait(asyncio.Event(), 0.001) is False


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()], ids=["machine", "fake"])
async def test_an_event_ends_the_wait(clock: Clock) -> None:
    """True says that it happened in time."""
    event = asyncio.Event()
    waiting = asyncio.create_task(clock.wait(event, 3600))
    await asyncio.sleep(0)
    event.set()
    assert await waiting is True


async def test_the_fake_clock_wakes_everybody_at_their_own_instant() -> None:
    """A long step of a test is as good as many short ones."""
    clock = FakeClock()
    start, woken = clock.now(), []

    async def sleeper(seconds: float) -> None:
        assert await clock.wait(asyncio.Event(), seconds) is False
        woken.append(clock.now() - start)

    tasks = [asyncio.create_task(sleeper(seconds)) for seconds in (30, 10, 20)]
    await clock.advance(25)
    assert woken == [timedelta(seconds=10), timedelta(seconds=20)]
    await clock.advance(5)
    await asyncio.gather(*tasks)
    assert woken[-1] == timedelta(seconds=30)
    assert clock.monotonic() == 30
