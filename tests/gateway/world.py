"""What accepting needs, on a real store and a fake clock."""

import hashlib
import itertools
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from config.load import load
from config.settings import Desk
from gateway.accept import Intake
from gateway.additions import Additions
from gateway.compose import Rules
from gateway.core import Core
from gateway.desks.incidents import IncidentIndex
from gateway.desks.roster import Roster
from gateway.ids import new_id
from gateway.metrics import Metrics
from gateway.portal.citizen import Citizen
from gateway.rules import compile_rules
from gateway.store.base import Change, Delivery, Event, Lane, NewEvent, StoredTicket
from gateway.store.sqlite import SqliteStore
from gateway.talk.answering import Answering
from gateway.talk.conversation import Conversation
from gateway.view import Public
from normalizer.place import same_place
from normalizer.schema import (
    ChannelRef,
    Content,
    Decision,
    Domain,
    Inbound,
    Limits,
    Place,
    Requester,
    RequestType,
    RouteTaken,
    Status,
    Ticket,
    Urgency,
)
from tests.clock import START, FakeClock

ZONE = ZoneInfo("Asia/Shanghai")
SECRET = b"secret of the store in the tests"
PUBLIC = Public(url="https://12345.example", zone=ZONE, secret=SECRET)
LAMP = "埇桥区人民路的路灯坏了三盏，请尽快修好"
FIRE = "埇桥区汴河中路88号三楼着火了，有老人被困出不来，快来人"
COURT = "我对人民法院的判决不服，要求你们改判"
PHONE = "+8613800138000"
CONFIG = """\
instance: {name: 宿州12345, region: suzhou}
channels: [{kind: web, name: portal}]
adapters:
  - {kind: backoffice, name: office, url: "http://127.0.0.1:9/", secret: whsec_dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHM=}
routes:
  - {name: market, when: {called: "12315"}, send: {to: office, unit: 市市场监管局}}
  - {name: rest, send: {to: office}}
"""
_count = itertools.count(1)


def rules_of(folder: Path) -> Rules:
    """Return the rules of the tests' configuration, which is written into a folder."""
    path = folder / "gateway.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return compile_rules(load(path))


def inbound(text: str = LAMP, *, at: datetime = START, **more: Any) -> Inbound:
    """Return what a web channel saw; two of them are two acts unless ``key`` says otherwise."""
    raw = text.encode(errors="surrogatepass")
    values: dict[str, Any] = {
        "message_id": None,
        "raw_type": "text/plain",
        "digest": hashlib.sha256(raw).hexdigest(),
        "requester": Requester(phone=PHONE),
    }
    return Inbound(
        channel="web", account="portal", text=text, received_at=at, raw=raw, **(values | more)
    )


def ticket(**more: Any) -> Ticket:
    """Return an ordinary ticket."""
    values: dict[str, Any] = {
        "id": f"t-{next(_count):08d}",
        "received_at": START,
        "channel": ChannelRef(kind="web", account="portal", message_id="m-1"),
        "requester": Requester(phone=PHONE),
        "content": Content(title="路灯不亮", text=LAMP, original=LAMP),
        "place": Place(text="人民路"),
        "type": RequestType.HELP,
        "domain": Domain.HOUSING,
        "urgency": Urgency.NORMAL,
        "verify": False,
        "services": (),
        "evidence": (),
        "acceptance": Decision(),
        "route": RouteTaken(name="rest", to="office", unit="市长热线办"),
        "limits": Limits(),
    }
    return Ticket(**(values | more))


def event(name: str, version: int = 1, **more: Any) -> Event:
    """Return a stored event."""
    values: dict[str, Any] = {"at": START, "by": "gateway", "stream": "t-1"}
    return Event(seq=version, version=version, event=name, **(values | more))


def stored(*names: str, of: Ticket | None = None, **more: Any) -> StoredTicket:
    """Return a ticket to which these events have happened, oldest first."""
    events = tuple(event(name, at) for at, name in enumerate(names, 1))
    values: dict[str, Any] = {"number": "20261123-000001-1", "events": events}
    return StoredTicket(ticket=of or ticket(), **(values | more))


#: The events that leave a ticket in each state.
LIVES: dict[Status, tuple[str, ...]] = {
    Status.DRAFT: ("draft",),
    Status.ACCEPTED: ("accepted",),
    Status.REFUSED: ("refused",),
    Status.DISPATCHED: ("accepted", "dispatched"),
    Status.SIGNED: ("accepted", "signed"),
    Status.RETURNED: ("accepted", "signed", "returned"),
    Status.EXTENDED: ("accepted", "signed", "extended"),
    Status.ANSWERED: ("accepted", "signed", "answered"),
    Status.CLOSED: ("accepted", "answered", "closed"),
    Status.REOPENED: ("accepted", "answered", "reopened"),
    Status.WITHDRAWN: ("accepted", "withdrawn"),
}


class Carried:
    """An outbox that remembers what it was given."""

    def __init__(self) -> None:
        self.leased: list[Delivery] = []
        self.woken: list[tuple[str, Lane]] = []

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Remember deliveries."""
        self.leased.extend(deliveries)

    def wake(self, destination: str, lane: Lane) -> None:
        """Remember a wake-up."""
        self.woken.append((destination, lane))

    def forget(self) -> None:
        """Begin anew."""
        self.leased.clear()
        self.woken.clear()


class World:
    """Intake and the citizen's steps on one store."""

    def __init__(self, store: SqliteStore, rules: Rules) -> None:
        self.store = store
        self.rules = rules
        self.clock = FakeClock()
        self.outbox = Carried()
        self.metrics = Metrics()
        roster = Roster({"duty": Desk()})
        self.index = IncidentIndex(lambda: roster, same_place, new_id)
        self.public = Public(url="https://12345.example", zone=ZONE, secret=store.secret)
        self.answering = Answering({"answer:sms:main": None})
        core = self.core(store)
        additions = Additions(core)
        self.citizen = Citizen(core, self.public, additions)
        self.intake = Intake(core, Conversation(core, additions, self.citizen))

    def core(self, store: Any, reporter: Any = None) -> Core:
        """Return what intake works with, on another store or index where given."""
        return Core(
            store=store,
            rules=lambda: self.rules,
            clock=self.clock,
            reporter=reporter or self.index,
            outbox=self.outbox,
            metrics=self.metrics,
            answering=self.answering,
        )

    def inbound(self, text: str = LAMP, **more: Any) -> Inbound:
        """Return what a channel saw now."""
        return inbound(text, at=self.clock.now(), **more)

    async def ticket(self, number: str) -> StoredTicket:
        """Return what is stored under a number."""
        found = await self.store.ticket(number)
        assert found is not None
        return found

    async def happens(self, number: str, *names: str, **more: Any) -> None:
        """Let these events happen to a ticket, by a handling unit."""
        to = await self.ticket(number)
        for name in names:
            step = NewEvent(at=self.clock.now(), event=name, by="市城管局", **more)
            changed = await self.store.change(Change(ticket_id=to.ticket.id, events=(step,)))
            assert changed.written

    async def deliveries(self) -> list[Delivery]:
        """Return everything that is on its way, oldest first."""
        return await self.store.deliveries(("due", "leased"), 1000)
