"""One lane to one destination: leases deliveries, tries them, has the outcomes recorded."""

import asyncio
import heapq
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.base import Item
from gateway.outbox.destination import Destination, Shared
from gateway.outbox.events import materialize
from gateway.outbox.retry import ORDINARY, PROBES, TICK_S, URGENT, Breaker
from gateway.outbox.settle import Settler
from gateway.store.base import Delivery, Lane, Outcome
from normalizer.errors import Gone, StoreError, TryLater, Unreachable

log = logging.getLogger(__name__)

#: A try that takes longer than this is no reason to lease deliveries ahead.
_SLOW_S = 0.25
#: How long after a failure of our own a worker looks at its queue again.
_PAUSE_S = 1.0
#: How often one lane's progress makes the other look at its queue.
_NUDGE_S = 0.05
#: No answer's Retry-After is believed beyond this; a delivery's own end comes long before.
_AFTER_CAP_S = 30 * 86_400.0
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Leased:
    delivery: Delivery
    item: Item
    until: float  #: monotonic seconds at which its lease ends


def _end_of(delivery: Delivery) -> datetime:
    """Return from when on a delivery is of no use, for ever where it does not say."""
    end = delivery.data.get("expires_at")
    return _NEVER if end is None else datetime.fromisoformat(end)


class Worker:
    """One lane to one destination."""

    def __init__(self, to: Destination, lane: Lane, shared: Shared) -> None:
        self._to = to
        self._lane = lane
        self._shared = shared
        self._clock = shared.clock
        urgent = lane is Lane.EMERGENCY
        self._gated = not urgent
        self._schedule = URGENT if urgent else ORDINARY
        self._where = f"{to.name}/{lane.name.lower()}"
        self.breaker = to.breakers[lane] = Breaker(shared.random, shared.options.failures)
        to.let_go.append(self.let_go)
        to.wake.append(self.wake)
        self._ready: deque[_Leased] = deque()
        self._held: dict[int, Delivery] = {}  # leased, and not settled yet
        self._late: dict[int, datetime] = {}  # until when those are tried that began too late
        self._runners: set[asyncio.Task[None]] = set()
        self._handed: set[asyncio.Task[None]] = set()
        self._retries: list[float] = []  # monotonic seconds, a heap
        self._settler = Settler(shared.store, shared.clock, self._settled, urgent=urgent)
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._more = True  # there may be something to claim
        self._poll_at = self._resume_at = self._nudge_at = 0.0
        self._nudges = False  # the other lane is to be woken at `_nudge_at`
        self._slow = self._stopping = False
        self._task = asyncio.create_task(self._run())

    def wake(self) -> None:
        """Look for deliveries now."""
        self._more = True
        self._woken.set()

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Try deliveries that are leased already, beside whatever else is under way."""
        self._start(self._take_over(deliveries), self._handed)

    def let_go(self) -> None:
        """Give back what is leased and not under way."""
        while self._ready:
            self._release(self._ready.popleft().delivery)

    def resume(self) -> None:
        """Begin afresh, as after a restart."""
        self.breaker.succeeded()
        self.wake()

    async def stop(self, grace_s: float) -> None:
        """Finish what is under way, for so long at most, and give back the rest."""
        self._stopping = True
        self.let_go()
        self._woken.set()
        await self._task
        if grace_s > 0 and (self._runners or self._handed):
            await self._clock.wait(self._idle, grace_s)
        tries = [*self._runners, *self._handed]
        for task in tries:
            task.cancel()
        await asyncio.gather(*tries, return_exceptions=True)
        for seq, delivery in self._held.items():
            if not self._settler.holds(seq):
                self._release(delivery)
        await self._settler.close()

    # -- the queue

    async def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            try:
                await self._fill()
            except StoreError as error:
                self._rest()
                log.warning("dispatch.no_store", extra={"where": self._where, "why": str(error)})
            except Exception:
                self._rest()
                log.exception("dispatch.failed", extra={"where": self._where})
                self._shared.counters.count("dispatch_failed", self._where)
            self._pump()
            await self._clock.wait(self._woken, self._pause())

    def _rest(self) -> None:
        """Look at the queue again in a moment, not at once."""
        self._resume_at = self._clock.monotonic() + _PAUSE_S
        self._more = True

    def _pause(self) -> float:
        """Return the seconds until there may be something to do without being woken."""
        now = self._clock.monotonic()
        ends = [self._poll_at, *self._retries[:1], self.breaker.until, self._resume_at]
        if self._nudges:
            ends.append(self._nudge_at)
        return min((end - now for end in ends if end > now), default=self._shared.options.poll_s)

    async def _fill(self) -> None:
        """Lease what there is room for."""
        now = self._clock.monotonic()
        self._nudge(now)
        if now + TICK_S >= self._poll_at:
            self._poll_at = now + self._shared.options.poll_s
            self._more = True
        if self._gated and self.breaker.open and self.breaker.may_probe(now):
            self._more = True
        while self._retries and self._retries[0] <= now + TICK_S:
            heapq.heappop(self._retries)
            self._more = True
        room = self._room(now)
        if not room or not self._more:
            return
        self._more = False  # unless somebody wakes us while we ask
        lease = timedelta(seconds=self._shared.options.lease_s)
        at = self._clock.now()
        store = self._shared.store
        claimed = await store.claim(self._to.name, self._lane, at, room, at + lease)
        self._more |= len(claimed) >= room
        self._ready.extend(await self._admit(claimed, now))

    def _room(self, now: float) -> int:
        """Return how many deliveries to lease."""
        options = self._shared.options
        if (
            self._to.off
            or now + TICK_S < self._resume_at
            or self._settler.pending > options.unsettled
        ):
            return 0
        busy = len(self._runners) + len(self._ready)
        if self._gated and self.breaker.open:
            return int(not busy and self.breaker.may_probe(now))
        if len(self._ready) > self._ahead // 2:
            return 0  # in batches, not one by one, while there is something left to do
        return max(0, self._at_a_time + self._ahead - busy)

    @property
    def _at_a_time(self) -> int:
        """How many deliveries to try at a time."""
        options = self._shared.options
        if not self._gated:
            return options.urgent
        return options.behind if self._shared.pace.behind() else options.ordinary

    @property
    def _ahead(self) -> int:
        """How many deliveries to lease beside those under way; none that might wait for long."""
        return self._shared.options.ahead if self._gated and not self._slow else 0

    async def _admit(self, leased: Sequence[Delivery], at: float) -> list[_Leased]:
        """Return leased deliveries with their events, ready to try; give back what may not be."""
        # A lease that ended before its outcome was written brings a delivery of ours again.
        fresh = [d for d in leased if d.seq not in self._held]
        self._held.update((d.seq, d) for d in fresh)
        try:
            shared = self._shared
            items = await materialize(shared.store, fresh, shared.public, shared.fresh)
        except BaseException:
            for delivery in fresh:
                self._release(delivery)
            raise
        until = at + self._shared.options.lease_s
        barred = self._to.off or self._stopping
        barred = barred or (self._gated and self.breaker.open and len(fresh) > 1)
        ready = []
        for delivery in fresh:
            if barred:
                self._release(delivery)
            elif (item := items.get(delivery.seq)) is None:
                self._try_later(delivery, "the store does not hold what it tells of", None)
            else:
                ready.append(_Leased(delivery, item, until))
        return ready

    # -- tries

    def _pump(self) -> None:
        if self._stopping:
            return
        for _ in range(min(len(self._ready), self._at_a_time - len(self._runners))):
            self._start(self._work(), self._runners)

    def _start(self, work: Coroutine[None, None, None], among: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(work)
        among.add(task)
        self._idle.clear()

        def ended(done: asyncio.Task[None]) -> None:
            among.discard(done)
            if not self._runners and not self._handed:
                self._idle.set()
            if self._ready or self._more or self.breaker.failing:
                self._woken.set()

        task.add_done_callback(ended)

    async def _work(self) -> None:
        """Try what is ready, one after the other, until nothing is."""
        while self._ready:
            await self._try(self._ready.popleft())
            if self._more and len(self._ready) <= self._ahead // 2:
                self._woken.set()
            if len(self._runners) > self._at_a_time:
                return  # those who are left go on; `_pump` starts others when there is time again

    async def _take_over(self, deliveries: Sequence[Delivery]) -> None:
        try:
            leased = await self._admit(deliveries, self._clock.monotonic())
        except StoreError as error:
            log.warning("dispatch.no_store", extra={"where": self._where, "why": str(error)})
            return
        except Exception:
            log.exception("dispatch.failed", extra={"where": self._where})
            self._shared.counters.count("dispatch_failed", self._where)
            return
        for one in leased[1:]:
            if len(self._handed) < self._shared.options.handed:
                self._start(self._try(one), self._handed)
            else:
                self._ready.appendleft(one)
        for one in leased[:1]:  # most often the only one: no task of its own
            await self._try(one)

    async def _try(self, leased: _Leased) -> None:
        """Try once and have the outcome recorded; only being cancelled gets out of here."""
        delivery = leased.delivery
        began = self._clock.monotonic()
        if leased.until - began < self._shared.options.push_s:
            self._release(delivery)
            return
        if delivery.why is None and self._clock.now() >= _end_of(delivery):
            self._expired(delivery)
            return
        try:
            async with asyncio.timeout(self._shared.options.push_s):
                await self._to.outlet.adapter.deliver(leased.item)
            self._done(delivery)
        except Gone as error:
            self._gone(delivery, str(error))
        except Unreachable as error:
            self._answered()
            self._give_up(delivery, str(error))
        except TryLater as error:
            self._try_later(delivery, str(error), error.after_s)
        except TimeoutError:
            self._try_later(delivery, "no answer in time", None)
        except Exception as error:
            log.exception("dispatch.failed", extra={"where": self._where})
            self._shared.counters.count("dispatch_failed", self._where)
            self._try_later(delivery, f"the adapter failed: {type(error).__name__}", None)
        self._slow = self._clock.monotonic() - began > _SLOW_S

    # -- outcomes

    def _answered(self) -> None:
        """Take note that the destination is there."""
        if self.breaker.failing or self.breaker.open:
            self.breaker.succeeded()
            self._to.note(self._clock.now())
            self._woken.set()

    def _done(self, delivery: Delivery) -> None:
        self._answered()
        self._settler.put(Outcome(seq=delivery.seq, state="done"))

    def _release(self, delivery: Delivery) -> None:
        self._settler.put(Outcome(seq=delivery.seq, state="due"))

    def _gone(self, delivery: Delivery, why: str) -> None:
        now = self._clock.now()
        self._settler.put(Outcome(seq=delivery.seq, state="due", due_at=now, error=why))
        if self._to.switch_off(why, now):
            extra = {"destination": self._to.name, "delivery": delivery.id}
            log.error("destination.gone", extra=extra)
            self._shared.counters.count("gone", self._to.name)

    def _try_later(self, delivery: Delivery, why: str, after_s: float | None) -> None:
        now, at = self._clock.now(), self._clock.monotonic()
        if self.breaker.failed(delivery.seq, at, after_s) and self._gated:
            self._shared.counters.count("opened", self._where)
            self.let_go()
        self._to.note(now, why)
        extra = {"delivery": delivery.id, "where": self._where, "why": why}
        extra["failures"] = str(delivery.attempts + 1)
        until = self._until(delivery, now)
        if now >= until:
            self.breaker.failing.discard(delivery.seq)
            self._give_up(delivery, why)
            return
        delay = self._delay(delivery, after_s)
        due_at = min(now + timedelta(seconds=delay), until)  # the last try is at the very end
        self._settler.put(Outcome(seq=delivery.seq, state="due", due_at=due_at, error=why))
        # The store keeps whole microseconds: a moment later it is surely due.
        heapq.heappush(self._retries, at + (due_at - now).total_seconds() + 2 * TICK_S)
        log.info("delivery.retry", extra=extra)
        self._shared.counters.count("retried", self._where)

    def _give_up(self, delivery: Delivery, why: str) -> None:
        self._settler.put(Outcome(seq=delivery.seq, state="dead", error=why))
        extra = {"delivery": delivery.id, "where": self._where, "why": why}
        log.error("delivery.dead", extra=extra)
        self._shared.counters.count("dead", self._where)

    def _expired(self, delivery: Delivery) -> None:
        """Give up what nobody is helped by any more; until something gets through, say so."""
        why = f"too late to be sent: {delivery.last_error or 'nothing was tried in time'}"
        self.breaker.failed(delivery.seq, self._clock.monotonic(), None)
        self._to.note(self._clock.now(), why)
        self._give_up(delivery, why)
        self._shared.counters.count("expired", self._where)

    def _delay(self, delivery: Delivery, after_s: float | None) -> float:
        """Return the seconds until a delivery is tried again."""
        delay = self._schedule.delay(delivery.attempts + 1, self._shared.random)
        if not self._gated:
            # However long the destination asks for, an emergency waits no longer than this.
            return max(delay, min(after_s or 0.0, self._schedule.cap_s))
        if self.breaker.open:
            # Back soon after the destination is, but not at the next probe: others get theirs.
            delay = min(delay, 2 * PROBES.cap_s)
        return max(delay, min(after_s or 0.0, _AFTER_CAP_S))

    def _until(self, delivery: Delivery, now: datetime) -> datetime:
        """Return until when a delivery is tried.

        One that was not tried in its time, because the gateway was down, the breaker open or an
        operator gave it another chance, has its time from its first try on.
        """
        lasts = self._to.outlet.retry_for
        if delivery.attempts == 0 and now - delivery.created_at >= lasts:
            self._late.setdefault(delivery.seq, now + lasts)
        end = self._late.get(delivery.seq) or delivery.created_at + lasts
        return end if delivery.why is not None else min(end, _end_of(delivery))

    def _settled(self, outcomes: Sequence[Outcome], more: bool) -> None:
        done = 0
        for outcome in outcomes:
            self._held.pop(outcome.seq, None)
            if outcome.state != "due":
                self._late.pop(outcome.seq, None)
                done += outcome.state == "done"
        if done:
            self._shared.counters.count("delivered", self._where, done)
        if self._more:
            self._woken.set()  # it may have waited for room
        if more:  # the next of the same tickets may go now, in this lane or in the other
            self.wake()
            self._nudges = True

    def _nudge(self, now: float) -> None:
        """Have the other lane look at its queue, too, though not for every batch of a flood."""
        if self._nudges and now + TICK_S >= self._nudge_at:
            self._nudges = False
            self._nudge_at = now + _NUDGE_S
            for wake in self._to.wake:
                if wake != self.wake:
                    wake()
