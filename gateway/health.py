"""What works and what does not, for ``/readyz`` and the gauges."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from enum import StrEnum

import msgspec

from gateway.clock import Clock
from gateway.desks.liaison import Figures, figures
from gateway.line import STALLED_S
from gateway.metrics import Metrics
from gateway.store.base import Store
from normalizer.errors import StoreError
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: How long after a failed write intake counts as impossible, unless another one succeeds.
_FAILING_S = 30.0
#: Seconds for which the store is waited for before it is told to be down.
_ANSWER_S = 5.0
#: How often parts that keep no time of their own are looked at.
_LOOK_S = 5.0


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
        self._seen: dict[tuple[str, str], Part] = {}  #: as each part was last seen

    async def report(self) -> tuple[bool, dict[str, object]]:
        """Return whether intake is possible, and every part's state."""
        counts = await self._ask_store()
        document: dict[str, object] = {"store": self._shown(self._store_part)}
        groups = self.look()
        for name, parts in groups.items():
            document[name] = {part: self._shown(state) for part, state in parts.items()}
        if counts is not None:
            document["counts"] = counts
        ready = self._store_part.state is not State.DOWN
        sound = all(p.state is State.OK for parts in groups.values() for p in parts.values())
        document["state"] = State.DOWN if not ready else State.OK if sound else State.DEGRADED
        return ready, document

    async def parts(self) -> dict[str, Part]:
        """Return every part's state by ``group/name``, and the store's by ``store``."""
        await self._ask_store()
        found = {f"{g}/{n}": part for g, parts in self.look().items() for n, part in parts.items()}
        return {"store": self._store_part, **found}

    def look(self) -> dict[str, dict[str, Part]]:
        """Return every part's state, by group and name, and since when it is so.

        A change is logged as it is seen; a part that keeps no time has it from here.
        """
        return {
            group: {name: self._since(group, name, part) for name, part in probe().items()}
            for group, probe in self._probes.items()
        }

    def _since(self, group: str, name: str, part: Part) -> Part:
        before = self._seen.get((group, name))
        if part.since is None:
            same = before is not None and before.state is part.state
            since = before.since if same and before else self._clock.now()
            part = msgspec.structs.replace(part, since=since)
        self._seen[group, name] = part
        if before is not None and before.state is not part.state and group == "channels":
            level = logging.INFO if part.state is State.OK else logging.ERROR
            extra = {"channel": name, "state": part.state.value, "why": part.why}
            log.log(level, "channel.state", extra=extra)
        return part

    async def watch(self) -> None:
        """Look at all parts every few seconds until cancelled."""
        never = asyncio.Event()
        while True:
            self.look()
            await self._clock.wait(never, _LOOK_S)

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
            async with asyncio.timeout(_ANSWER_S):
                counts = await self._store.counts()
        except StoreError as error:
            why = str(error)
        except TimeoutError:
            why = "the store does not answer"
        if self._failed and self._clock.monotonic() >= self._failed[0]:
            self._failed = None
        if why is None and self._failed:
            why = self._failed[1]
        if why is None and self._store.stalled_s() > STALLED_S:
            why = "the writer hangs: the disk, or its process, does not answer"
        self._set_store(why)
        return counts

    def _set_store(self, why: str | None) -> None:
        state = State.OK if why is None else State.DOWN
        if self._store_part.state is not state:
            self._store_part = Part(state=state, since=self._clock.now(), why=why)
        elif self._store_part.why != why:
            self._store_part = msgspec.structs.replace(self._store_part, why=why)

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
        for group, parts in self.look().items():
            metrics.set(
                f"{group}_not_ok", sum(part.state is not State.OK for part in parts.values())
            )

    async def _desks(self, metrics: Metrics) -> None:
        try:
            _set_desks(metrics, await figures(self._store, self._clock.now()))
        except StoreError:
            metrics.set("store_up", 0.0)


def _set_desks(metrics: Metrics, found: Figures) -> None:
    metrics.set("incidents_unacknowledged", found.unacknowledged)
    metrics.set("incident_oldest_unacknowledged_seconds", found.oldest_s)
