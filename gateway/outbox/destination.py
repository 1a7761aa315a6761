"""A destination as its two workers see it, and what they are wired with."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

from adapters.base import Adapter, Item
from gateway.clock import Clock
from gateway.health import State
from gateway.outbox.fresh import Fresh
from gateway.outbox.retry import Breaker
from gateway.store.base import Lane, Store
from gateway.view import Public
from normalizer.errors import TryLater

log = logging.getLogger(__name__)

#: What stands before the colon of the destinations that are no adapter of the configuration.
OWN = frozenset({"answer", "liaison", "media", "notify"})


class Counters(Protocol):
    """Where the dispatcher counts."""

    def count(self, event: str, where: str = "", amount: float = 1) -> None:
        """Count ``delivered``, ``retried``, ``dead``, ``gone``, ``opened`` … at a destination."""
        ...


@dataclass(frozen=True, slots=True)
class Outlet:
    """An adapter, and for how long a delivery by it is tried."""

    adapter: Adapter
    retry_for: timedelta = timedelta(days=3)


class Nowhere:
    """The adapter of a destination that the configuration does not know."""

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def deliver(self, item: Item) -> None:
        """Raise `TryLater`."""
        raise TryLater(f"no adapter is configured for {item.destination}")


@dataclass(frozen=True, slots=True)
class Options:
    """Bounds of each worker."""

    ordinary: int = 32  #: tries at a time
    behind: int = 2  #: the same while citizens' messages wait to be read
    urgent: int = 16  #: the same of claimed emergencies; those handed over come on top
    handed: int = 256  #: handed over and under way at a time
    ahead: int = 96  #: ordinary deliveries leased beside those under way
    lease_s: float = 30.0
    push_s: float = 25.0  #: no try takes longer, so that no lease ends during one
    poll_s: float = 0.5  #: finds what another process made due
    unsettled: int = 1000  #: outcomes that wait for the store before no more is tried
    failures: int = 5  #: different deliveries that open the breaker


@dataclass(slots=True)
class Pace:
    """Who ordinary deliveries give way to: the outbox keeps them, a citizen waits for an answer."""

    behind: Callable[[], bool] = lambda: False  #: whether citizens' messages wait to be read


@dataclass(frozen=True, slots=True)
class Shared:
    """What all workers work with."""

    store: Store
    clock: Clock
    public: Public
    counters: Counters
    options: Options
    random: Random
    fresh: Fresh
    pace: Pace


@dataclass(slots=True)
class Destination:
    """A destination: how well it does, and whether anything is tried."""

    name: str
    outlet: Outlet
    since: datetime  #: when it came into ``state``
    state: State = State.OK
    why: str | None = None
    off: str | None = None  #: why nothing is tried
    breakers: dict[Lane, Breaker] = field(default_factory=dict)
    #: Of each worker: gives back what is leased and not under way.
    let_go: list[Callable[[], None]] = field(default_factory=list)
    #: Of each worker: looks for deliveries.
    wake: list[Callable[[], None]] = field(default_factory=list)

    @property
    def configured(self) -> bool:
        """Whether an adapter is there to deliver by."""
        return not isinstance(self.outlet.adapter, Nowhere)

    def note(self, now: datetime, why: str | None = None) -> None:
        """Bring the state up to date with the breakers."""
        breakers = self.breakers.values()
        if self.off is not None or any(b.open for b in breakers):
            state = State.DOWN
        else:
            state = State.DEGRADED if any(b.failing for b in breakers) else State.OK
        self.why = self.off or (None if state is State.OK else why or self.why)
        if state is not self.state:
            self.state, self.since = state, now
            level = logging.INFO if state is State.OK else logging.WARNING
            extra = {"destination": self.name, "state": state.value, "why": self.why}
            log.log(level, "destination.state", extra=extra)

    def switch_off(self, why: str, now: datetime) -> bool:
        """Try nothing any more; return whether that is new."""
        new, self.off = self.off is None, why
        self.note(now)
        for let_go in self.let_go:
            let_go()
        return new
