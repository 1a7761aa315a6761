"""What works and what does not, for ``/readyz`` and the gauges."""

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import msgspec

from gateway.clock import Clock
from gateway.desks.liaison import Figures, figures
from gateway.metrics import Metrics
from gateway.store.base import Store
from normalizer.errors import StoreError
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: How long after a failed write intake counts as impossible, unless another one succeeds.
_FAILING_S = 30.0


class State(StrEnum):
    """How well a part works."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"


class Part(Value, frozen=True, kw_only=True):
    """The state of one channel, adapter, store or queue."""

    state: State
    since: datetime | None = None
    why: str | None = None


#: Asks a part of the gateway for its parts' states, by name.
Probe = Callable[[], Mapping[str, Part]]


class Health:
    """Collects the states of all parts."""

    def __init__(
        self, store: Store, clock: Clock, probes: Mapping[str, Probe], zone: tzinfo = UTC
    ) -> None:
        self._store = store
        self._clock = clock
        self._probes = probes
        self._zone = zone
        self._store_part = Part(state=State.OK, since=clock.now())
        self._failed: tuple[float, str] | None = None  #: monotonic seconds of its end, and why

    async def report(self) -> tuple[bool, dict[str, object]]:
        """Return whether intake is possible, and every part's state."""
        counts = await self._ask_store()
        document: dict[str, object] = {"store": self._shown(self._store_part)}
        for name, probe in self._probes.items():
            document[name] = {part: self._shown(state) for part, state in probe().items()}
        if counts is not None:
            document["counts"] = counts
        ready = self._store_part.state is not State.DOWN
        document["state"] = State.OK if ready else State.DOWN
        return ready, document

    def _shown(self, part: Part) -> Part:
        since = part.since.astimezone(self._zone) if part.since else None
        return msgspec.structs.replace(part, since=since)

    def store_failed(self, why: str) -> None:
        """Take note that something could not be written, though reading may go well."""
        if self._failed is None:
            log.error("store.failed", extra={"why": why})
        self._failed = (self._clock.monotonic() + _FAILING_S, why)

    def store_worked(self) -> None:
        """Take note that something was written."""
        if self._failed is not None:
            self._failed = None
            log.warning("store.recovered")

    async def _ask_store(self) -> dict[str, int] | None:
        counts, why = None, None
        try:
            counts = await self._store.counts()
        except StoreError as error:
            why = str(error)
        if why is None and self._failed and self._clock.monotonic() < self._failed[0]:
            why = self._failed[1]
        state = State.OK if why is None else State.DOWN
        if self._store_part.state is not state:
            self._store_part = Part(state=state, since=self._clock.now(), why=why)
        return counts

    async def gauges(self, metrics: Metrics) -> None:
        """Bring the gauges up to date."""
        counts = await self._ask_store()
        metrics.set("store_up", float(self._store_part.state is State.OK))
        for name, value in (counts or {}).items():
            metrics.set(f"store_{name}", value)
        if counts is not None and counts.get("incidents_open"):
            await self._desks(metrics)
        else:
            _set_desks(metrics, Figures(open=0, unacknowledged=0, oldest_s=0.0))
        for group, probe in self._probes.items():
            parts = probe().values()
            metrics.set(f"{group}_not_ok", sum(part.state is not State.OK for part in parts))

    async def _desks(self, metrics: Metrics) -> None:
        try:
            _set_desks(metrics, await figures(self._store, self._clock.now()))
        except StoreError:
            metrics.set("store_up", 0.0)


def _set_desks(metrics: Metrics, found: Figures) -> None:
    metrics.set("incidents_unacknowledged", found.unacknowledged)
    metrics.set("incident_oldest_unacknowledged_seconds", found.oldest_s)
