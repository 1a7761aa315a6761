"""Values to store, with what a test does not care about filled in."""

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from gateway.store.base import (
    Acceptance,
    IncidentReport,
    Lane,
    NewDelivery,
    NewEvent,
    Quarantined,
    Store,
)
from normalizer.errors import StoreError
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
    Ticket,
    Urgency,
)

#: An instant with microseconds, in UTC.
NOW = datetime(2026, 11, 22, 2, 0, 0, 123456, tzinfo=UTC)
CHINA = timezone(timedelta(hours=8))
RAW = '{"text":"路灯不亮\\u0000😀"}'.encode()

_count = itertools.count(1)


def after(seconds: float) -> datetime:
    """Return the instant so many seconds after `NOW`."""
    return NOW + timedelta(seconds=seconds)


def ident(prefix: str = "t") -> str:
    """Return an id greater than every id returned before with the same prefix."""
    return f"{prefix}-{next(_count):08d}"


def event(name: str = "accepted", at: datetime = NOW, **more: Any) -> NewEvent:
    """Return an event."""
    return NewEvent(at=at, event=name, by="gateway", **more)


def delivery(destination: str = "backoffice", **more: Any) -> NewDelivery:
    """Return an ordinary delivery that is due now."""
    values: dict[str, Any] = {
        "id": ident("d"),
        "lane": Lane.ORDINARY,
        "type": "hotline.ticket.accepted",
        "due_at": NOW,
    }
    return NewDelivery(destination=destination, **(values | more))


def urgent(destination: str = "liaison:119", **more: Any) -> NewDelivery:
    """Return a delivery of the emergency lane that is due now."""
    values = {"lane": Lane.EMERGENCY, "type": "hotline.emergency.raised"}
    return delivery(destination, **(values | more))


def ticket(**more: Any) -> Ticket:
    """Return a ticket."""
    message_id = ident("m")
    values: dict[str, Any] = {
        "id": ident(),
        "received_at": datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=CHINA),
        "channel": ChannelRef(kind="web", account="portal", message_id=message_id),
        "requester": Requester(phone="+8613800138000"),
        "content": Content(title="路灯不亮", text="路灯不亮😀", original="路灯不亮\u0000😀"),
        "place": Place(text="人民路", adcode="341302", latitude=33.64, longitude=116.96),
        "type": RequestType.COMPLAINT,
        "domain": Domain.HOUSING,
        "urgency": Urgency.NORMAL,
        "verify": False,
        "services": (),
        "evidence": (),
        "acceptance": Decision(),
        "route": RouteTaken(name="rest", to="backoffice", unit="市长热线办"),
        "limits": Limits(dispatch_by=NOW),
    }
    return Ticket(**(values | more))


def acceptance(of: Ticket | None = None, **more: Any) -> Acceptance:
    """Return an acceptance with one event and one ordinary delivery."""
    values: dict[str, Any] = {
        "ticket": of or ticket(),
        "key": None,
        "digest": "digest",
        "raw": RAW,
        "raw_type": "application/json",
        "number_on": "20261122",
        "events": (event(),),
        "deliveries": (delivery(),),
    }
    return Acceptance(**(values | more))


def incident(service: str = "119", **more: Any) -> Incident:
    """Return an incident as a report makes it."""
    values: dict[str, Any] = {
        "id": ident("i"),
        "service": service,
        "opened_at": datetime(2026, 11, 22, 10, 0, tzinfo=CHINA),
        "state": "raised",
        "kind": "fire",
        "place": Place(text="人民路"),
        "summary": "人民路起火",
        "contacts": ("+8613800138000",),
    }
    return Incident(**(values | more))


def report(of: Incident, **more: Any) -> IncidentReport:
    """Return a report of this incident with one delivery either way."""
    values: dict[str, Any] = {
        "fresh_id": ident("i"),
        "ladder_at": after(30),
        "joined_data": {"summary": "起火", "contacts": ["+8613800138000"]},
        "on_raise": (urgent(),),
        "on_join": (urgent(type="hotline.emergency.updated"),),
    }
    return IncidentReport(incident=of, **(values | more))


def quarantined(**more: Any) -> Quarantined:
    """Return a message that could not be understood."""
    values: dict[str, Any] = {
        "id": ident("q"),
        "at": NOW,
        "channel": "webhook",
        "account": "weibo",
        "reason": "text: missing",
        "raw": b"\xff\x00{",
        "raw_type": "application/octet-stream",
    }
    return Quarantined(**(values | more))


async def opens(store: Store) -> str:
    """Return the error of opening a store, empty if there is none."""
    try:
        await store.open()
    except StoreError as error:
        return str(error)
    finally:
        await store.close()
    return ""
