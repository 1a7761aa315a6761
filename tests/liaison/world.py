"""What the tests of the desks share: tickets, a store, and the parts put together."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from config.settings import Desk, Instance, QueueAt, Route, Rung, Send, Settings
from gateway.desks.emergency import Emergency, Needs, build
from gateway.desks.roster import Roster
from gateway.ids import new_id
from gateway.outbox.fresh import Fresh
from gateway.ports import Told
from gateway.store.base import Acceptance, Added, Delivery, Lane, NewEvent
from gateway.store.sqlite import SqliteStore
from gateway.view import Public
from normalizer.schema import (
    ChannelRef,
    Content,
    Decision,
    Domain,
    Limits,
    Place,
    Requester,
    RequestType,
    RouteTaken,
    Service,
    Ticket,
    Urgency,
)
from normalizer.text import fold
from tests.clock import FakeClock

ZONE = ZoneInfo("Asia/Shanghai")
TOKEN = "token-of-desk-119-x7k2"
FIRE = "汴河路88号三楼着火了，有人被困，快来救人"
_phones = itertools.count(13900000000)

DESKS = {
    "119": Desk(
        label="消防救援",
        token=TOKEN,
        ack_within=timedelta(seconds=30),
        ladder=(
            Rung(after=timedelta(0), to="desk"),
            Rung(after=timedelta(seconds=30), to="sms", number="+8613800138000"),
            Rung(after=timedelta(seconds=60), to="duty"),
            Rung(after=timedelta(seconds=90), to="phone", number="+8613800138001"),
        ),
    ),
    "duty": Desk(label="值守", ack_within=timedelta(seconds=20)),
}


def by_text(a: Place, b: Place) -> float:
    """Likeness of places for tests: the same text, the same road, or nothing."""
    if a.text == b.text:
        return 1.0
    road = (a.text or "")[:3]
    return 0.5 if road and road == (b.text or "")[:3] else 0.0


def ticket(
    text: str = FIRE,
    *,
    at: datetime,
    kind: str | None = "fire",
    services: tuple[Service, ...] = (Service.FIRE,),
    place: str | None = "汴河路88号",
    phone: str | None = "",
    thread: str | None = None,
    exercise: bool = False,
    to: str = "backoffice",
    urgency: Urgency = Urgency.EMERGENCY,
    confidential: bool = False,
) -> Ticket:
    """Return an emergency ticket; each has a phone number of its own unless one is given."""
    if phone == "":
        phone = f"+86{next(_phones)}"
    return Ticket(
        id=new_id(),
        received_at=at,
        channel=ChannelRef(kind="sms", account="mobile", message_id=new_id(), thread=thread),
        requester=Requester(phone=phone, confidential=confidential),
        content=Content(title=None, text=text, original=text),
        place=Place(text=place, city="宿州市", adcode="341300"),
        type=RequestType.HELP,
        domain=Domain.SAFETY,
        urgency=urgency,
        verify=False,
        services=services,
        evidence=(),
        acceptance=Decision(),
        route=RouteTaken(name="rest", to=to, unit="市长热线办"),
        limits=Limits(),
        kind=kind,
        exercise=exercise,
    )


class Carried:
    """An outbox that remembers what was handed over."""

    def __init__(self) -> None:
        self.leased: list[Delivery] = []
        self.woken: list[tuple[str, Lane]] = []

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Remember deliveries."""
        self.leased.extend(deliveries)

    def wake(self, destination: str, lane: Lane) -> None:
        """Remember a wake-up."""
        self.woken.append((destination, lane))


class World:
    """The emergency parts on a real store and a fake clock."""

    def __init__(
        self, folder: Path, desks: dict[str, Desk] | None = None, queue: str = "embedded:"
    ) -> None:
        self.path = folder / "gateway.db"
        self.clock = FakeClock()
        self.outbox = Carried()
        self.store = SqliteStore(self.path)
        self.roster = Roster(DESKS if desks is None else desks)
        self.queue = queue
        self.public = Public(url="http://127.0.0.1:8345", zone=ZONE, secret=b"s" * 32)
        self.fresh = Fresh()
        self.emergency: Emergency

    async def open(self) -> "World":
        """Open the store and build the parts, without starting their clocks."""
        await self.store.open()
        settings = Settings(
            routes=(Route(name="rest", send=Send(to="backoffice")),),
            instance=Instance(name="宿州12345"),
            queue=QueueAt(url=self.queue),
        )
        self.emergency = build(
            settings,
            Needs(
                store=self.store,
                clock=self.clock,
                outbox=self.outbox,
                public=self.public,
                new_id=new_id,
                same_place=by_text,
                roster=lambda: self.roster,
                kind_label={"fire": "火灾"}.get,
                fresh=self.fresh,
            ),
        )
        return self

    async def close(self) -> None:
        """Stop everything."""
        await self.emergency.stop()
        await self.store.close()

    async def again(self) -> None:
        """Stop and start anew on the same store, as after a crash; the clock goes on."""
        await self.close()
        self.store = SqliteStore(self.path)
        await self.open()

    async def idle(self) -> None:
        """Return once the ladder has done what it could and waits for the clock."""
        while True:
            await self.clock.settle(real_s=0.001)
            if any(at > self.clock.now() for at, _ in self.clock._waiting):
                return

    async def elapse(self, seconds: float) -> None:
        """Let time pass, letting the store's thread answer at every instant that matters."""
        end = self.clock.now() + timedelta(seconds=seconds)
        await self.idle()
        while (now := self.clock.now()) < end:
            following = min([end, *(at for at, _ in self.clock._waiting if at > now)])
            await self.clock.advance((following - now).total_seconds())
            await self.idle()

    async def accept(self, one: Ticket) -> Added:
        """Store a ticket with its reports, as the intake does."""
        now = self.clock.now()
        reports = self.emergency.index.reports(one, fold(one.content.text), now)
        event = NewEvent(at=now, event="accepted", by="gateway")
        added = await self.store.add(
            Acceptance(
                ticket=one,
                key=one.channel.message_id,
                digest="",
                raw=b"{}",
                raw_type="application/json",
                number_on=now.astimezone(ZONE).strftime("%Y%m%d"),
                events=(event,),
                reports=reports,
            )
        )
        told = Told(
            number=added.number,
            ticket=one,
            event=event,
            incidents=added.incidents,
            leased=added.leased,
        )
        self.emergency.index.confirm(reports, added.incidents, told)
        self.outbox.hand_over(added.leased)
        return added

    async def raised(self, **told: object) -> str:
        """Store one emergency and return its (first) incident."""
        told.setdefault("at", self.clock.now())
        return (await self.accept(ticket(**told))).incidents[0]  # type: ignore[arg-type] # passed on

    async def deliveries(self) -> list[Delivery]:
        """Return everything in the outbox, oldest first."""
        return await self.store.deliveries(("due", "leased", "done", "dead"), 10_000)

    def copy(self, one: Ticket, **changes: object) -> Ticket:
        """Return a ticket with other values."""
        return msgspec.structs.replace(one, **changes)
