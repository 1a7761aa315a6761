"""Schedules and the breaker: pure arithmetic."""

import random

import pytest

from gateway.outbox.retry import HOLD_CAP_S, ORDINARY, URGENT, Breaker, Schedule


def rng() -> random.Random:
    return random.Random(3)  # noqa: S311 - the same in every run


@pytest.mark.parametrize(("schedule", "cap_s"), [(ORDINARY, 600), (URGENT, 15)])
def test_delays_lie_in_growing_octaves(schedule: Schedule, cap_s: float) -> None:
    """The n-th delay lies within its octave, for any n, and uses all of it."""
    for failures in [*range(1, 20), 1000, 10**9]:
        low = min(2.0 ** min(failures - 1, 60), cap_s / 2)
        delays = [schedule.delay(failures, rng_) for rng_ in [rng()] for _ in range(200)]
        assert all(low <= delay <= 2 * low for delay in delays)
        assert max(delays) - min(delays) > 0.8 * low


def test_it_opens_on_different_deliveries_only() -> None:
    """One delivery that fails for ever opens nothing; five do, once."""
    breaker = Breaker(rng())
    assert not any(breaker.failed(1, float(at), None) for at in range(100))
    opened = [breaker.failed(seq, 100.0 + seq, None) for seq in range(2, 8)]
    assert opened == [False, False, False, True, False, False]


def test_a_success_between_keeps_it_closed() -> None:
    """What fails now and then is not down."""
    breaker = Breaker(rng())
    for round_ in range(10):
        for seq in range(4):
            assert not breaker.failed(10 * round_ + seq, float(round_), None)
        assert not breaker.succeeded()


def test_probes_grow_apart_and_a_success_closes() -> None:
    """The time to the next probe doubles up to a minute; failures between probes do not count."""
    breaker = Breaker(rng())
    for seq in range(5):
        breaker.failed(seq, 0.0, None)
    gaps, at = [], 0.0
    for _ in range(9):
        gaps.append(breaker.until - at)
        at = breaker.until
        breaker.failed(99, at - 0.5, None)  # still under way since before
        assert breaker.until == at
        breaker.failed(0, at, None)
    for number, gap in enumerate(gaps):
        low = min(2.0**number, 30)
        assert low <= gap <= 2 * low
    assert breaker.succeeded()
    assert not breaker.open
    assert breaker.may_probe(at)


def test_retry_after_opens_at_once_for_so_long() -> None:
    """A destination that names a time is left alone until then, an hour at most."""
    breaker = Breaker(rng())
    assert breaker.failed(1, 1000.0, 120.0)
    assert not breaker.may_probe(1119.0)
    assert breaker.may_probe(1120.0)
    breaker.failed(1, 1120.0, 1e9)
    assert breaker.until == 1120.0 + HOLD_CAP_S


def test_retry_after_zero_is_no_hold() -> None:
    """``Retry-After: 0`` asks for nothing."""
    assert not Breaker(rng()).failed(1, 0.0, 0.0)
