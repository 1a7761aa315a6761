"""What works and what does not: the state of every part, and since when."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest

from gateway import health
from gateway.health import Health, Part, State
from gateway.metrics import Metrics
from gateway.store.base import Store
from normalizer.errors import StoreError
from tests.clock import START, FakeClock
from tests.gateway.test_metrics import value
from tests.gateway.world import FIRE, World


class Counts:
    """A store that can be asked for its counts only, and may be away."""

    def __init__(self) -> None:
        self.away: str | None = None
        self.stalled = 0.0

    def stalled_s(self) -> float:
        """Return for how long the writer is busy with one batch."""
        return self.stalled

    async def counts(self) -> dict[str, int]:
        """Return counts. Raises `StoreError` while the store is away."""
        if self.away is not None:
            raise StoreError(self.away)
        return {"tickets": 7, "due": 3, "dead": 0, "held": 1, "incidents_open": 0}


class Scene:
    """Health on a store that a test controls."""

    def __init__(self, **probes: Mapping[str, Part]) -> None:
        self.store = Counts()
        self.clock = FakeClock()
        self.parts = probes
        self.health = Health(
            cast("Store", self.store),
            self.clock,
            {name: (lambda name=name: self.parts[name]) for name in probes},
        )

    async def ask(self) -> tuple[bool, dict[str, Any]]:
        """Return the report."""
        ready, document = await self.health.report()
        return ready, cast("dict[str, Any]", document)


async def test_a_sound_gateway_is_ready_and_tells_its_counts() -> None:
    """Every part is shown with its state."""
    scene = Scene(channels={"web:portal": Part(state=State.OK)})
    ready, document = await scene.ask()
    assert ready
    assert document["state"] is State.OK
    assert document["store"] == Part(state=State.OK, since=START)
    assert document["channels"]["web:portal"].state is State.OK
    assert document["counts"]["held"] == 1


async def test_without_the_store_nothing_can_be_taken_in() -> None:
    """The answer says so, with the cause, and since when however often it is asked."""
    scene = Scene()
    await scene.clock.advance(60)
    scene.store.away = "disk full"
    ready, document = await scene.ask()
    assert not ready
    assert document["state"] is State.DOWN
    since = START + timedelta(seconds=60)
    assert document["store"] == Part(state=State.DOWN, since=since, why="disk full")
    assert "counts" not in document
    await scene.clock.advance(60)
    scene.store.away = "still"
    assert (await scene.ask())[1]["store"].since == since


async def test_a_store_that_is_back_is_shown_as_back_since_then() -> None:
    """An operator sees that it was away."""
    scene = Scene()
    scene.store.away = "locked"
    await scene.ask()
    await scene.clock.advance(30)
    scene.store.away = None
    ready, document = await scene.ask()
    assert ready
    assert document["store"] == Part(state=State.OK, since=START + timedelta(seconds=30))


async def test_a_back_office_that_is_away_does_not_stop_intake() -> None:
    """Tickets are still taken: the outbox keeps what cannot be delivered."""
    scene = Scene(
        adapters={"office": Part(state=State.DOWN, since=START, why="410")},
        queue={"liaison": Part(state=State.DEGRADED, since=START, why="no Redis")},
    )
    ready, document = await scene.ask()
    assert ready
    assert document["state"] is State.DEGRADED
    assert document["adapters"]["office"].why == "410"
    assert document["queue"]["liaison"].state is State.DEGRADED


async def test_the_gauges_tell_the_same() -> None:
    """What Prometheus reads is what the report shows."""
    scene = Scene(
        adapters={
            "a": Part(state=State.DOWN),
            "b": Part(state=State.OK),
            "c": Part(state=State.DEGRADED),
        }
    )
    metrics = Metrics()
    await scene.health.gauges(metrics)
    assert value(metrics, "gateway_store_up") == 1
    assert value(metrics, "gateway_store_tickets") == 7
    assert value(metrics, "gateway_adapters_not_ok") == 2
    scene.store.away = "gone"
    await scene.health.gauges(metrics)
    assert value(metrics, "gateway_store_up") == 0


async def test_the_gauges_tell_how_long_an_emergency_waits(world: World) -> None:
    """Since it was raised, until a desk acknowledges it; nothing open is nothing waiting."""
    metrics, health = Metrics(), Health(world.store, world.clock, {})
    await health.gauges(metrics)
    assert value(metrics, "gateway_incident_oldest_unacknowledged_seconds") == 0
    receipt = await world.intake.accept(world.inbound(FIRE))
    await world.clock.advance(45)
    await health.gauges(metrics)
    assert value(metrics, "gateway_store_incidents_open") == len(receipt.incidents) == 2
    assert value(metrics, "gateway_incidents_unacknowledged") == 2
    assert value(metrics, "gateway_incident_oldest_unacknowledged_seconds") == 45


async def test_the_counts_are_those_of_the_store(world: World) -> None:
    """A stored ticket and its waiting delivery are both counted."""
    await world.intake.accept(world.inbound())
    health = Health(world.store, world.clock, {})
    _, document = await health.report()
    assert document["counts"] == {
        "tickets": 1,
        "due": 1,
        "dead": 0,
        "held": 0,
        "incidents_open": 0,
    }


async def test_a_closed_store_is_down(world: World) -> None:
    """The real store's failure is met as the fake one's."""
    health = Health(world.store, world.clock, {})
    await world.store.close()
    ready, document = await health.report()
    assert not ready
    assert cast("Part", document["store"]).why


async def test_a_part_without_a_clock_has_its_time_from_when_it_was_seen() -> None:
    """A channel tells its state alone: since when, is noted here, however often it is asked."""
    scene = Scene(channels={"sms:a": Part(state=State.OK)})
    assert (await scene.ask())[1]["channels"]["sms:a"].since == START
    await scene.clock.advance(60)
    scene.parts["channels"] = {"sms:a": Part(state=State.DOWN, why="no connection")}
    _, document = await scene.ask()
    since = START + timedelta(seconds=60)
    assert document["channels"]["sms:a"] == Part(state=State.DOWN, since=since, why="no connection")
    assert document["state"] is State.DEGRADED  # intake goes on by the other channels
    await scene.clock.advance(60)
    assert (await scene.ask())[1]["channels"]["sms:a"].since == since


async def test_a_change_is_seen_without_anybody_asking(caplog: pytest.LogCaptureFixture) -> None:
    """A line that goes down between two questions is noted within seconds, and in the log."""
    scene = Scene(channels={"sms:a": Part(state=State.OK)})
    watching = asyncio.create_task(scene.health.watch())
    await scene.clock.settle()
    scene.parts["channels"] = {"sms:a": Part(state=State.DOWN, why="no connection")}
    await scene.clock.advance(6)
    await scene.clock.advance(600)
    since = (await scene.ask())[1]["channels"]["sms:a"].since
    assert START < since <= START + timedelta(seconds=6)
    assert [r.message for r in caplog.records] == ["channel.state"]
    watching.cancel()


async def test_a_writer_that_hangs_is_told_though_reading_goes_well() -> None:
    """A disk that takes nothing raises nothing either: the batch that is under way tells."""
    scene = Scene()
    scene.store.stalled = 9.0
    assert (await scene.ask())[0]
    scene.store.stalled = 11.0
    ready, document = await scene.ask()
    assert not ready
    assert "hangs" in document["store"].why
    scene.store.stalled = 0.0
    assert (await scene.ask())[0]


async def test_a_store_that_does_not_answer_is_told_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server that hangs keeps nobody waiting who asks how the gateway is."""
    monkeypatch.setattr(health, "_ANSWER_S", 0.01)
    scene = Scene(channels={"web:portal": Part(state=State.OK)})
    scene.store.counts = asyncio.Event().wait  # type: ignore[method-assign, assignment]
    async with asyncio.timeout(5):
        ready, document = await scene.ask()
    assert not ready
    assert "does not answer" in document["store"].why
    assert document["channels"]["web:portal"].state is State.OK
