"""Everything about emergencies, put together: index, desks' answers, ladder, live pages, queue."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapters.base import Adapter
from adapters.liaison.embedded import EmbeddedQueue
from config.settings import Settings
from gateway.clock import Clock
from gateway.desks.feed import Feed
from gateway.desks.incidents import IncidentIndex
from gateway.desks.ladder import Caller, Ladder
from gateway.desks.liaison import Liaison, Outbox, Steps
from gateway.desks.likeness import SamePlace
from gateway.desks.relay import Relay
from gateway.desks.roster import Roster
from gateway.health import Part, State
from gateway.store.base import Store
from gateway.view import Public

if TYPE_CHECKING:
    from adapters.liaison.redis_streams import RedisStreams

log = logging.getLogger(__name__)

_RESTART_S = 1.0


class QueueState:
    """How the liaison queue is, and since when."""

    def __init__(self, clock: Clock, part: Part) -> None:
        self._clock = clock
        self._part = part

    def report(self, state: str, why: str | None) -> None:
        """Take note of a change."""
        self._part = Part(state=State(state), since=self._clock.now(), why=why)

    def parts(self) -> Mapping[str, Part]:
        """Return the state, as a probe of `gateway.health.Health`."""
        return {"liaison": self._part}


@dataclass(slots=True)
class Emergency:
    """The parts, running between `start` and `stop`."""

    index: IncidentIndex
    liaison: Liaison
    ladder: Ladder
    feed: Feed
    embedded: EmbeddedQueue
    queue: Adapter  #: of every ``liaison:<desk>`` destination
    state: QueueState
    store: Store
    clock: Clock
    redis: "RedisStreams | None" = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Learn the open incidents and start the clocks. Raises `StoreError`."""
        await self.index.seed(self.store, self.clock.now())
        runs = {"ladder": self.ladder.run, "feed": self.feed.run}
        if self.redis is not None:
            runs["queue"] = self.redis.run
        for name, run in runs.items():
            self._tasks.append(asyncio.create_task(self._keep(name, run), name=name))

    async def stop(self) -> None:
        """End the pages' connections, the clocks and the queue."""
        self.feed.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.queue.close()

    async def _keep(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a part until cancelled: a fault in it is logged, and it starts again."""
        task = asyncio.current_task()
        while True:
            try:
                await run()
            except Exception:
                log.exception("emergency.part_failed", extra={"part": name})
            if task is not None and task.cancelling():
                return
            await self.clock.wait(asyncio.Event(), _RESTART_S)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the rest of the gateway lends."""

    store: Store
    clock: Clock
    outbox: Outbox
    public: Public
    new_id: Callable[[], str]
    same_place: SamePlace
    roster: Callable[[], Roster]  #: the desks in force
    kind_label: Callable[[str], str | None] = lambda _: None


def build(settings: Settings, needs: Needs) -> Emergency:
    """Return the parts, not started. Nothing is connected yet."""
    clock, store = needs.clock, needs.store
    feed = Feed(store, needs.roster, needs.public.zone, clock)
    woken: list[Ladder] = []

    def changed(incident_id: str) -> None:
        feed.touch(incident_id)
        for ladder in woken:
            ladder.wake()

    steps = Steps(store, needs.outbox, changed)
    index = IncidentIndex(needs.roster, needs.same_place, needs.new_id, needs.kind_label, changed)
    liaison = Liaison(store, needs.roster, clock, steps, index, needs.new_id)
    caller = Caller(settings.instance.name, needs.public.url, needs.roster)
    ladder = Ladder(store, needs.roster, clock, steps, caller, needs.new_id)
    woken.append(ladder)
    embedded = EmbeddedQueue()
    state = QueueState(clock, Part(state=State.OK, since=clock.now()))
    redis = None
    if settings.queue.url != "embedded:":
        from adapters.liaison.redis_streams import RedisStreams

        state.report("down", "not connected yet")
        relay = Relay(store, liaison, needs.roster, clock, needs.public)
        redis = RedisStreams(
            settings.queue.url, lambda: needs.roster().names, relay, embedded, state.report
        )
    return Emergency(
        index=index,
        liaison=liaison,
        ladder=ladder,
        feed=feed,
        embedded=embedded,
        queue=redis or embedded,
        state=state,
        store=store,
        clock=clock,
        redis=redis,
    )
