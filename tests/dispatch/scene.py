"""Tickets in a real store, a dispatcher on a fake clock, and adapters that a test controls."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from adapters.base import Item
from gateway.ids import new_id
from gateway.outbox.destination import Options, Outlet
from gateway.outbox.dispatch import Dispatcher
from gateway.store.base import (
    Acceptance,
    Added,
    Change,
    Delivery,
    IncidentReport,
    Lane,
    NewDelivery,
    NewEvent,
)
from gateway.store.sqlite import SqliteStore
from gateway.view import Public
from normalizer.schema import (
    ChannelRef,
    Content,
    Decision,
    Domain,
    Incident,
    Limits,
    Place,
    Requester,
    RequestType,
    RouteTaken,
    Service,
    Ticket,
    Urgency,
)
from tests.clock import FakeClock

ZONE = ZoneInfo("Asia/Shanghai")
#: A worker that only looks when it is woken or when its own retries are due.
NO_POLL = Options(poll_s=1e6)


def ticket_of(id_: str, at: datetime, urgency: Urgency = Urgency.NORMAL) -> Ticket:
    """Return a ticket to store."""
    return Ticket(
        id=id_,
        received_at=at,
        channel=ChannelRef(kind="web", account="portal", message_id=id_),
        requester=Requester(phone="+8613800138000"),
        content=Content(title=None, text="路灯不亮", original="路灯不亮"),
        place=Place(text="汴河路"),
        type=RequestType.COMPLAINT,
        domain=Domain.UTILITIES,
        urgency=urgency,
        verify=False,
        services=(),
        evidence=(),
        acceptance=Decision(),
        route=RouteTaken(name="rest", to="backoffice", unit=None),
        limits=Limits(finish_by=at + timedelta(days=5)),
    )


class Script:
    """An adapter that does what ``answer`` says, in no time."""

    def __init__(self, clock: FakeClock, answer: Callable[[Item], object] | None = None) -> None:
        self._clock = clock
        self.answer = answer or (lambda _item: None)
        self.tried: list[tuple[datetime, Item]] = []
        self.taken: list[Item] = []
        self.under_way: list[Item] = []

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def deliver(self, item: Item) -> None:
        """Raise what ``answer`` returns, await it, or take the item."""
        self.tried.append((self._clock.now(), item))
        self.under_way.append(item)
        try:
            answer = self.answer(item)
            if isinstance(answer, BaseException):
                raise answer
            if isinstance(answer, Awaitable):
                await answer
        finally:
            self.under_way.remove(item)
        self.taken.append(item)

    def gaps(self) -> list[float]:
        """Return the seconds between one try and the next."""
        times = [at for at, _ in self.tried]
        return [(b - a).total_seconds() for a, b in itertools.pairwise(times)]


class Tally:
    """Counts what the dispatcher tells."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def count(self, event: str, where: str = "", amount: float = 1) -> None:
        """Count it."""
        self.counts[event, where] += int(amount)

    def of(self, event: str) -> int:
        """Return how often an event happened, wherever."""
        return sum(n for (name, _), n in self.counts.items() if name == event)


class Faulty(SqliteStore):
    """A store that fails when it is told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.broken: dict[str, Exception] = {}  #: by method
        self.busy = 0  #: calls under way in its threads

    async def _write(self, op: Any, *, urgent: bool = False) -> Any:
        self.busy += 1
        try:
            return await super()._write(op, urgent=urgent)
        finally:
            self.busy -= 1

    async def _read(self, question: Any, *, urgent: bool = False) -> Any:
        self.busy += 1
        try:
            return await super()._read(question, urgent=urgent)
        finally:
            self.busy -= 1

    def _check(self, method: str) -> None:
        if (error := self.broken.get(method)) is not None:
            raise error

    async def claim(
        self, destination: str, lane: Lane, now: datetime, limit: int, lease_until: datetime
    ) -> list[Delivery]:
        """Claim, or fail."""
        self._check("claim")
        return await super().claim(destination, lane, now, limit, lease_until)

    async def settle(self, outcomes: Sequence[Any], *, urgent: bool = False) -> bool:
        """Settle, or fail."""
        self._check("settle")
        return await super().settle(outcomes, urgent=urgent)

    async def tickets(self, ids: Sequence[str], *, urgent: bool = False) -> dict[str, Any]:
        """Read, or fail."""
        self._check("tickets")
        return await super().tickets(ids, urgent=urgent)


class PatientClock(FakeClock):
    """A fake clock that moves on only when the store's threads have nothing left to do."""

    def __init__(self, busy: Callable[[], bool]) -> None:
        super().__init__()
        self._busy = busy

    async def settle(self, rounds: int = 12, real_s: float = 0.0005) -> None:
        """Wait until nothing is under way that takes real time."""
        loop = asyncio.get_running_loop()
        end = loop.time() + 5
        quiet = 0
        while quiet < rounds and loop.time() < end:
            busy = self._busy()
            await asyncio.sleep(real_s if busy else 0)
            quiet = 0 if busy else quiet + 1


@dataclass
class Scene:
    """Everything a test of the dispatcher works with."""

    clock: FakeClock
    store: Faulty
    dispatchers: list[Dispatcher] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)

    @property
    def public(self) -> Public:
        """What views need."""
        return Public(url="http://127.0.0.1:8345", zone=ZONE, secret=self.store.secret)

    def dispatcher(
        self,
        outlets: Mapping[str, Outlet] | None = None,
        options: Options = NO_POLL,
        **adapters: Any,
    ) -> Dispatcher:
        """Return a dispatcher that is not started; adapters by name get the default time."""
        made = Dispatcher(
            self.store,
            {**(outlets or {}), **{name: Outlet(adapter) for name, adapter in adapters.items()}},
            self.public,
            self.clock,
            self.tally,
            options=options,
            random=random.Random(7),  # noqa: S311 - jitter that is the same in every run
        )
        self.dispatchers.append(made)
        return made

    async def accept(
        self,
        lane: Lane = Lane.ORDINARY,
        to: str = "backoffice",
        reports: tuple[IncidentReport, ...] = (),
    ) -> Added:
        """Store a ticket with a delivery of it."""
        now = self.clock.now()
        urgency = Urgency.EMERGENCY if lane is Lane.EMERGENCY else Urgency.NORMAL
        ticket = ticket_of(new_id(), now, urgency)
        return await self.store.add(
            Acceptance(
                ticket=ticket,
                key=ticket.id,
                digest="d",
                raw=b"raw",
                raw_type="text/plain",
                number_on="20261123",
                events=(NewEvent(at=now, event="accepted", by="gateway"),),
                deliveries=(self.delivery("hotline.ticket.accepted", lane, to),),
                reports=reports,
            )
        )

    def delivery(
        self, type_: str, lane: Lane = Lane.ORDINARY, to: str = "backoffice", **data: Any
    ) -> NewDelivery:
        """Return a delivery that is due now."""
        return NewDelivery(
            id=new_id(), destination=to, lane=lane, type=type_, due_at=self.clock.now(), data=data
        )

    async def change(
        self,
        ticket_id: str,
        event: str,
        lane: Lane = Lane.ORDINARY,
        reports: tuple[IncidentReport, ...] = (),
        **data: Any,
    ) -> tuple[Delivery, ...]:
        """Store an event on a ticket with a delivery of it; return what was leased."""
        done = await self.store.change(
            Change(
                ticket_id=ticket_id,
                events=(NewEvent(at=self.clock.now(), event=event, by="citizen", data=data),),
                deliveries=(self.delivery(f"hotline.ticket.{event}", lane, **data),),
                reports=reports,
            )
        )
        return done.leased

    def report(self, service: Service = Service.FIRE, id_: str | None = None) -> IncidentReport:
        """Return a report that raises an incident, or joins the one of this id."""
        incident = Incident(
            id=id_ or new_id(),
            service=service.value,
            opened_at=self.clock.now(),
            state="raised",
            kind="fire",
            place=Place(),
            summary="起火",
        )
        return IncidentReport(
            incident=incident,
            fresh_id=new_id(),
            ladder_at=None,
            joined_data={"contacts": ["+8613800138000"]},
            on_raise=(self.delivery("hotline.emergency.raised", Lane.EMERGENCY),),
            on_join=(self.delivery("hotline.emergency.updated", Lane.EMERGENCY),),
        )

    async def states(self) -> Counter[str]:
        """Return how many deliveries are in each state."""
        all_states = ("due", "leased", "done", "dead", "discarded")
        return Counter(d.state for d in await self.store.deliveries(all_states, 100_000))

    async def until(self, holds: Callable[[], object], real_s: float = 8.0) -> None:
        """Wait, in real time, until something holds; fake time stands still."""
        loop = asyncio.get_running_loop()
        end = loop.time() + real_s
        while not holds():
            assert loop.time() < end, "it never came to hold"
            await asyncio.sleep(0.002)

    async def until_all(self, state: str, count: int, real_s: float = 8.0) -> None:
        """Wait, in real time, until so many deliveries are in a state."""
        loop = asyncio.get_running_loop()
        end = loop.time() + real_s
        while (now := await self.states())[state] != count:
            assert loop.time() < end, f"only {dict(now)}"
            await asyncio.sleep(0.005)

    async def pass_time(self, seconds: float, holds: Callable[[], object], step: float) -> None:
        """Advance by steps until something holds, for so long at most."""
        passed = 0.0
        while not holds():
            assert passed < seconds, "it never came to hold"
            await self.clock.advance(step)
            passed += step


def body_of(item: Item) -> dict[str, Any]:
    """Return the event of an item."""
    return msgspec.json.decode(item.body)  # type: ignore[no-any-return]


@contextmanager
def answering(script: Script, answer: Callable[[Item], object]) -> Iterator[None]:
    """Have an adapter answer otherwise for a while."""
    before, script.answer = script.answer, answer
    try:
        yield
    finally:
        script.answer = before
