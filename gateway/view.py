"""The published ticket and incident: views of what was stored and of the events since.

A view is a pure function of the stored record and its events up to one of them, so that every
try of one delivery shows the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec

from gateway.links import attachment_url
from gateway.store.base import Event, StoredIncident, StoredTicket
from normalizer.schema import (
    LABELS,
    SCHEMA,
    Attachment,
    Disclosure,
    HistoryEntry,
    Incident,
    Limits,
    PublishedTicket,
    Related,
    Service,
    Status,
    Ticket,
    Urgency,
    Value,
)

#: The status that an event leaves a ticket in; events that are not here leave it as it was.
STATUS_AFTER = {
    "draft": Status.DRAFT,
    "accepted": Status.ACCEPTED,
    "refused": Status.REFUSED,
    "dispatched": Status.DISPATCHED,
    "signed": Status.SIGNED,
    "returned": Status.RETURNED,
    "extended": Status.EXTENDED,
    "answered": Status.ANSWERED,
    "closed": Status.CLOSED,
    "reopened": Status.REOPENED,
    "withdrawn": Status.WITHDRAWN,
}

#: Events that are no step of a ticket: what it was found to belong to, what its citizen wishes.
INTERNAL = frozenset({"clustered", "stopped"})

#: The event that sets a limit anew, and the member of its details, by the limit; the newest counts.
MOVED_BY = {"contact_by": ("signed", "contact_by"), "finish_by": ("extended", "until")}

#: The same as `STATUS_AFTER` for incidents.
INCIDENT_STATE_AFTER = {
    "raised": "raised",
    "acknowledged": "acknowledged",
    "escalated": "escalated",
    "returned": "returned",
    "closed": "closed",
}


class Public(Value, frozen=True, kw_only=True):
    """What a view needs to know of the instance."""

    url: str  #: ``http.public_url`` without a slash at the end
    zone: ZoneInfo
    secret: bytes  #: of the store, for signed links


def status_of(events: Iterable[Event]) -> Status:
    """Return the status that these events, oldest first, leave a ticket in."""
    status = Status.ACCEPTED
    for event in events:
        status = STATUS_AFTER.get(event.event, status)
    return status


def urgency_of(ticket: Ticket, events: Iterable[Event]) -> Urgency:
    """Return the urgency, which a later addition may have raised."""
    urgency = ticket.urgency
    for event in events:
        if raised := event.data.get("urgency"):
            urgency = Urgency(raised)
    return urgency


def moves(event: Event) -> Iterator[tuple[str, datetime]]:
    """Yield the limits that an event sets anew, and their ends.

    Whatever else a step says of an instant, only an extension that was granted moves a limit.
    """
    for limit, (name, member) in MOVED_BY.items():
        if event.event == name and (until := event.data.get(member)):
            yield limit, datetime.fromisoformat(until)


def _limits(limits: Limits, events: Sequence[Event], zone: ZoneInfo) -> Limits:
    moved = {name: getattr(limits, name) for name in MOVED_BY}
    for event in events:
        moved.update(moves(event))
    return Limits(
        dispatch_by=_local(limits.dispatch_by, zone),
        sign_by=_local(limits.sign_by, zone),
        contact_by=_local(moved["contact_by"], zone),
        finish_by=_local(moved["finish_by"], zone),
        policy=limits.policy,
        basis=limits.basis,
    )


def _local(at: datetime | None, zone: ZoneInfo) -> datetime | None:
    try:
        return None if at is None else at.astimezone(zone)
    except OverflowError:
        # The first or last day of the calendar, which words or a unit's "for ever" may name: a
        # ticket that cannot be shown could not be delivered either.
        return at


def history(events: Iterable[Event], zone: ZoneInfo) -> tuple[HistoryEntry, ...]:
    """Return the events as the contract's ``history``."""
    return tuple(
        HistoryEntry(at=e.at.astimezone(zone), event=e.event, by=e.by, text=e.text)
        for e in events
        if e.event not in INTERNAL
    )


def publish(stored: StoredTicket, public: Public, upto: int | None = None) -> PublishedTicket:
    """Return the ticket as contract section 3 shows it.

    Args:
        stored: The ticket and its events.
        public: What the view needs of the instance.
        upto: Sequence number of the newest event to take into account; None: all.
    """
    ticket, zone = stored.ticket, public.zone
    events = tuple(e for e in stored.events if upto is None or e.seq <= upto)
    status, urgency = status_of(events), urgency_of(ticket, events)
    return PublishedTicket(
        schema=SCHEMA,
        id=ticket.id,
        number=stored.number or None,
        status=status,
        status_label=LABELS[status],
        received_at=ticket.received_at.astimezone(zone),
        occurred_at=_local(ticket.occurred_at, zone),
        channel=ticket.channel,
        requester=ticket.requester,
        content=ticket.content,
        place=ticket.place,
        attachments=_attachments(ticket, public),
        type=ticket.type,
        type_label=LABELS[ticket.type],
        domain=ticket.domain,
        domain_label=LABELS[ticket.domain],
        urgency=urgency,
        urgency_label=LABELS[urgency],
        verify=ticket.verify or any(e.data.get("verify") for e in events),
        services=_services(ticket, events),
        evidence=ticket.evidence,
        acceptance=ticket.acceptance,
        route=ticket.route,
        limits=_limits(ticket.limits, events, zone),
        related=Related(
            duplicate_of=ticket.duplicate_of,
            cluster=_cluster(events),
            incidents=stored.incidents,
        ),
        disclosure=Disclosure(public=ticket.public),
        exercise=ticket.exercise,
        history=history(events, zone),
    )


def _cluster(events: Iterable[Event]) -> str | None:
    return next((e.data["cluster"] for e in events if e.event == "clustered"), None)


def _attachments(ticket: Ticket, public: Public) -> tuple[Attachment, ...]:
    return tuple(
        msgspec.structs.replace(a, url=attachment_url(public.url, public.secret, a.id, a.sha256))
        for a in ticket.attachments
    )


def _services(ticket: Ticket, events: Iterable[Event]) -> tuple[Service, ...]:
    """Return the services concerned, with those that a later addition called for."""
    services = dict.fromkeys(ticket.services)
    for event in events:
        services |= dict.fromkeys(Service(s) for s in event.data.get("services", ()))
    return tuple(services)


def publish_incident(stored: StoredIncident, zone: ZoneInfo, upto: int | None = None) -> Incident:
    """Return the incident as contract section 7 shows it, as of event ``upto`` (None: newest)."""
    events = tuple(e for e in stored.events if upto is None or e.seq <= upto)
    state, contacts = stored.incident.state, dict.fromkeys(stored.incident.contacts)
    if upto is not None:
        state, version = "raised", 0
        for event in events:
            if event.version > version + 1:
                state = "escalated"  # what is left out are rungs that were repeated
            state, version = INCIDENT_STATE_AFTER.get(event.event, state), event.version
    for event in events:
        contacts |= dict.fromkeys(event.data.get("contacts", ()))
    return msgspec.structs.replace(
        stored.incident,
        opened_at=stored.incident.opened_at.astimezone(zone),
        state=state,
        contacts=tuple(contacts),
    )
