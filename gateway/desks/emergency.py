"""Everything about emergencies, put together: index, desks' answers, ladder, live pages, queue."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from adapters.base import Adapter
from adapters.liaison.embedded import EmbeddedQueue
from config.settings import Settings
from gateway.clock import Clock
from gateway.desks.board import announcing, leave_items, shown_once
from gateway.desks.feed import Feed
from gateway.desks.incidents import IncidentIndex
from gateway.desks.ladder import Caller, Ladder
from gateway.desks.liaison import Liaison, Steps
from gateway.desks.likeness import SamePlace
from gateway.desks.relay import Relay
from gateway.desks.roster import Roster
from gateway.health import Part, State
from gateway.outbox.fresh import Fresh
from gateway.ports import Outbox, Told
from gateway.store.base import IncidentChange, IncidentReport, Store
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
    fresh: Fresh = field(default_factory=Fresh)  #: of the outbox


class Durable:
    """Told of what is durable now: shows it on the pages, leaves its items, minds the clock."""

    def __init__(self, feed: Feed, embedded: EmbeddedQueue, needs: Needs) -> None:
        self._feed = feed
        self._embedded = embedded
        self._fresh = needs.fresh
        self._public = needs.public
        self._shown: tuple[Told, Callable[[], msgspec.Raw]] | None = None
        self.ladder: Ladder | None = None
        self.whole = False  #: the desks' queue is not the embedded one

    def reported(self, report: IncidentReport, incident: str, told: Told | None) -> None:
        """Spread what a report raised or joined."""
        card = self._feed.told(report, incident, told)
        if card is not None and told is not None:
            if self._shown is None or self._shown[0] is not told:  # its reports follow one another
                self._shown = (told, shown_once(told, self._public))
            leave_items(
                self._fresh, report, told, card, self._public, self._is_read, self._shown[1]
            )
        self._wake(report.ladder_at)

    def stepped(self, change: IncidentChange) -> None:
        """Spread a step of an incident."""
        self._feed.stepped(change)
        for new in change.deliveries:
            if not self._is_read(new.destination):
                self._fresh.put(new.id, announcing(change.event.at, self._public))
        self._wake(change.ladder_at)

    def _is_read(self, destination: str) -> bool:
        return self.whole or self._embedded.is_read(destination)

    def _wake(self, at: datetime | None) -> None:
        if at is not None and self.ladder is not None:
            self.ladder.wake(at)


def build(settings: Settings, needs: Needs) -> Emergency:
    """Return the parts, not started. Nothing is connected yet."""
    clock, store = needs.clock, needs.store
    feed = Feed(store, needs.roster, needs.public.zone, clock)
    embedded = EmbeddedQueue(lambda item: feed.arrived(item.id, item.subject))
    told_of = Durable(feed, embedded, needs)
    steps = Steps(store, needs.outbox, told_of.stepped)
    index = IncidentIndex(
        needs.roster, needs.same_place, needs.new_id, needs.kind_label, told_of.reported
    )
    liaison = Liaison(store, needs.roster, clock, steps, index, needs.new_id)
    caller = Caller(settings.instance.name, needs.public.url, needs.roster)
    ladder = Ladder(store, needs.roster, clock, steps, caller, needs.new_id)
    told_of.ladder = ladder
    state = QueueState(clock, Part(state=State.OK, since=clock.now()))
    redis = None
    if settings.queue.url != "embedded:":
        from adapters.liaison.redis_streams import RedisStreams

        state.report("down", "not connected yet")
        told_of.whole = True
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
