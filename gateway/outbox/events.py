"""From a delivery to the event that is pushed: the view of its subject as of its own event."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from adapters.backoffice.cloudevents import CloudEvent, data_of, encode
from adapters.base import Item
from gateway.outbox.fresh import Fresh
from gateway.store.base import Delivery, Event, Lane, Store, StoredIncident, StoredTicket
from gateway.talk.answering import RECEIVED
from gateway.talk.receipts import Receipts
from gateway.view import Public, publish, publish_incident
from normalizer.schema import Incident, PublishedTicket

log = logging.getLogger(__name__)

#: Types whose subject is an incident, not a ticket.
EMERGENCY = "hotline.emergency."
#: Tells of many tickets and shows none.
GROWN = "hotline.cluster.grown"
#: Events built before others get their turn: about half a millisecond.
_SLICE = 16


async def materialize(
    store: Store, deliveries: Sequence[Delivery], public: Public, fresh: Fresh | None = None
) -> dict[int, Item]:
    """Return the item of each delivery by its ``seq``; the same octets at every call.

    A delivery whose subject or event the store does not hold, or cannot be shown, is left out.
    Raises `StoreError`.
    """
    items: dict[int, Item] = {}
    if fresh is not None:
        found = ((delivery.seq, fresh.take(delivery)) for delivery in deliveries)
        items = {seq: item for seq, item in found if item is not None}
        deliveries = [delivery for delivery in deliveries if delivery.seq not in items]
    tickets = await _tickets(store, deliveries)
    incidents = await _incidents(store, deliveries, tickets.values())
    for count, delivery in enumerate(deliveries, start=1):
        item = _item(delivery, tickets, incidents, public)
        if item is not None:
            items[delivery.seq] = item
        if count % _SLICE == 0:
            await asyncio.sleep(0)
    return items


def _item(
    delivery: Delivery,
    tickets: Mapping[str, StoredTicket],
    incidents: Mapping[str, StoredIncident],
    public: Public,
) -> Item | None:
    """Return the item; None also where it cannot be built, so that it keeps no other back."""
    try:
        return item_of(delivery, tickets, incidents, public)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        # One record's fault must not stop a whole lane. The trace may quote a citizen.
        log.error(  # noqa: TRY400 - the trace stays out, see above
            "dispatch.unfit",
            extra={"delivery": delivery.id, "error": type(error).__name__},
        )
        return None


async def _tickets(store: Store, deliveries: Sequence[Delivery]) -> Mapping[str, StoredTicket]:
    ids = {d.ticket_id for d in deliveries if d.ticket_id is not None}
    return await store.tickets(sorted(ids)) if ids else {}


async def _incidents(
    store: Store, deliveries: Sequence[Delivery], tickets: Iterable[StoredTicket]
) -> Mapping[str, StoredIncident]:
    """Return the incidents that deliveries tell of, and those that a later event may have raised."""
    told: dict[str, list[int]] = {}  #: of each incident, the events that are told of
    for delivery in deliveries:
        if delivery.type.startswith(EMERGENCY):
            told.setdefault(delivery.stream, []).append(delivery.event_seq)
    for ticket in tickets:
        if len(ticket.events) > 1:
            for incident in ticket.incidents:
                told.setdefault(incident, [])
    found = {id_: await store.incident(id_, told[id_]) for id_ in sorted(told)}
    return {id_: incident for id_, incident in found.items() if incident is not None}


def _joins(incident: StoredIncident) -> list[int]:
    """Return the sequence number of the event by which each report came, in their order."""
    return [e.seq for e in incident.events if e.version == 1 or e.event == "joined"]


def _ticket_as_of(
    ticket: StoredTicket, incidents: Mapping[str, StoredIncident], public: Public, upto: int
) -> PublishedTicket:
    """Return the ticket's view without the incidents that it came to only by a later event.

    The incidents of an event are written after it, and before the ticket's next one.
    """
    published = publish(ticket, public, upto)
    after = min((e.seq for e in ticket.events if e.seq > upto), default=None)
    if after is None or not published.related.incidents:
        return published
    kept = tuple(
        id_
        for id_ in published.related.incidents
        if id_ not in incidents or _joined(incidents[id_], ticket.ticket.id, after)
    )
    related = msgspec.structs.replace(published.related, incidents=kept)
    return msgspec.structs.replace(published, related=related)


def _joined(incident: StoredIncident, ticket_id: str, before: int) -> bool:
    pairs = zip(incident.tickets, _joins(incident), strict=False)
    return any(ticket == ticket_id and seq < before for ticket, seq in pairs)


def _incident_as_of(incident: StoredIncident, public: Public, upto: int) -> Incident:
    """Return the incident's view without the reports that came later."""
    published = publish_incident(incident, public.zone, upto)
    count = sum(seq <= upto for seq in _joins(incident))
    return msgspec.structs.replace(published, reports=published.reports[:count])


def item_of(
    delivery: Delivery,
    tickets: Mapping[str, StoredTicket],
    incidents: Mapping[str, StoredIncident],
    public: Public,
) -> Item | None:
    """Return the item of a delivery; None if its subject or its event is not there."""
    ticket = tickets.get(delivery.ticket_id or "")
    incident = incidents.get(delivery.stream)
    subject = ""
    events: tuple[Event, ...] = ()
    if delivery.type.startswith(EMERGENCY):
        if incident is not None:
            subject, events = incident.incident.id, incident.events
    elif ticket is not None:
        subject, events = ticket.number, ticket.events
    event = _event(events, delivery.event_seq)
    if event is None:
        return None
    data = _data(delivery, ticket, incident, incidents, public)
    return item_with(delivery, subject, event.at, data, public)


def item_with(
    delivery: Delivery, subject: str, at: datetime, data: Mapping[str, object], public: Public
) -> Item:
    """Return the item that tells of an event at ``at`` with this data."""
    time = at.astimezone(public.zone)
    told = CloudEvent(
        id=delivery.id,
        source=public.url,
        type=delivery.type,
        subject=subject,
        time=time,
        data=data_of(data),
    )
    return Item(
        id=delivery.id,
        destination=delivery.destination,
        type=delivery.type,
        subject=subject,
        time=time,
        urgent=delivery.lane is Lane.EMERGENCY,
        body=encode(told),
    )


def _data(
    delivery: Delivery,
    ticket: StoredTicket | None,
    incident: StoredIncident | None,
    incidents: Mapping[str, StoredIncident],
    public: Public,
) -> dict[str, object]:
    data: dict[str, object] = {**delivery.data}
    if delivery.type == RECEIVED and ticket is not None:
        receipts = Receipts(public.secret, public.zone)
        # What a channel remarks on the message itself follows.
        remark = data.get("text", "")
        data["text"] = f"{receipts.of(ticket, duplicate=False).message}{remark}"
    if ticket is not None and delivery.type != GROWN:
        data["ticket"] = _ticket_as_of(ticket, incidents, public, delivery.event_seq)
    if incident is not None:
        data["incident"] = _incident_as_of(incident, public, delivery.event_seq)
    return data


def _event(events: Sequence[Event], seq: int) -> Event | None:
    # The event told of is most often the newest.
    return next((e for e in reversed(events) if e.seq == seq), None)
