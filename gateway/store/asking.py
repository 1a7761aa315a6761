"""Turns the changes of `gateway.store.base` into what a writer is asked to do."""

import re
from collections.abc import Iterable

import msgspec

from gateway.store.base import (
    Acceptance,
    Change,
    IncidentChange,
    IncidentReport,
    Lane,
    NewDelivery,
    NewEvent,
    Outcome,
    Quarantined,
)
from gateway.store.ops import (
    AddTicket,
    ChangeTicket,
    DeliveryRow,
    EventRow,
    Hold,
    Report,
    Settle,
    StepIncident,
    Watch,
    to_us,
)
from gateway.store.watching import Look
from normalizer.errors import StoreError

#: Code points of a reason for a failure that are kept.
LONGEST_REASON = 2_000

_encode = msgspec.json.Encoder().encode
_SHA256 = re.compile(rb'"sha256":"([0-9a-f]{64})"')


def encode(value: object) -> bytes:
    """Return the value as JSON.

    Raises:
        StoreError: It holds something that JSON cannot, e.g. half a surrogate pair.
    """
    try:
        return _encode(value)
    except (UnicodeEncodeError, TypeError, ValueError) as error:
        raise StoreError(f"this value cannot be stored as JSON: {type(error).__name__}") from None


def adding(acceptance: Acceptance) -> AddTicket:
    """Return the change that stores this acceptance.

    Raises:
        StoreError: The ticket or its events cannot be encoded, or it has no event.
    """
    if not acceptance.events:
        raise StoreError("an acceptance without an event: nothing was written")
    ticket = acceptance.ticket
    channel = ticket.channel
    events = event_rows(acceptance.events)
    deliveries = delivery_rows(acceptance.deliveries)
    row = (
        ticket.id,
        channel.kind,
        channel.account,
        acceptance.key,
        channel.thread,
        to_us(ticket.received_at),
        acceptance.digest,
        *events[0],
        encode(ticket),
        acceptance.raw_type,
        acceptance.raw,
    )
    return AddTicket(
        ticket.id,
        int(acceptance.number_on),
        events[-1][0],
        row,
        events[1:],
        deliveries,
        _reports(acceptance.reports) if acceptance.reports else (),
        tuple([file.sha256 for file in ticket.attachments]) if ticket.attachments else (),
    )


def changing(change: Change) -> ChangeTicket:
    """Return the change that writes these events.

    Raises:
        StoreError: An event or an incident cannot be encoded.
    """
    events = event_rows(change.events)
    return ChangeTicket(
        change.ticket_id,
        events,
        delivery_rows(change.deliveries),
        _reports(change.reports),
        change.if_version,
        _named_in(events),
    )


def _named_in(events: Iterable[EventRow]) -> tuple[str, ...]:
    """Return the hashes of the files that events name.

    Whatever their details look like: within a JSON string the quotes would be escaped.
    """
    details = [row[4] for row in events if row[4] is not None]
    return tuple([found.decode() for one in details for found in _SHA256.findall(one)])


def stepping(change: IncidentChange) -> StepIncident:
    """Return the change that writes this step.

    Raises:
        StoreError: The event cannot be encoded.
    """
    return StepIncident(
        change.incident_id,
        event_rows((change.event,))[0],
        change.state,
        change.desk,
        change.rung,
        None if change.ladder_at is None else to_us(change.ladder_at),
        None if change.rung_from is None else to_us(change.rung_from),
        delivery_rows(change.deliveries),
        change.if_version,
    )


def settling(outcomes: Iterable[Outcome]) -> Settle:
    """Return the change that records these outcomes."""
    return Settle(
        tuple(
            (o.seq, o.state, None if o.due_at is None else to_us(o.due_at), _readable(o.error))
            for o in outcomes
        )
    )


def _readable(error: str | None) -> str | None:
    """Return a reason as it can be stored: one that cannot would keep all outcomes from it."""
    return None if error is None else error[:LONGEST_REASON].encode(errors="replace").decode()


def holding(item: Quarantined) -> Hold:
    """Return the change that keeps this message."""
    head = (item.id, to_us(item.at), item.channel, item.account, item.reason)
    return Hold(*head, item.state, item.why, item.raw_type, item.raw)


def watching(looks: Iterable[Look], upto: int) -> Watch:
    """Return the change that notes when tickets are looked at."""
    return Watch(tuple((k.ticket, None if k.at is None else to_us(k.at)) for k in looks), upto)


def event_rows(events: Iterable[NewEvent]) -> tuple[EventRow, ...]:
    """Return events as rows.

    Raises:
        StoreError: The details cannot be encoded.
    """
    return tuple(
        [
            (to_us(e.at), e.event, e.by, e.text, encode(e.data) if e.data else None, e.key)
            for e in events
        ]
    )


def delivery_rows(deliveries: Iterable[NewDelivery]) -> tuple[DeliveryRow, ...]:
    """Return deliveries as rows.

    Raises:
        StoreError: The data cannot be encoded.
    """
    return tuple(
        [
            (
                d.id,
                d.destination,
                int(d.lane),
                d.type,
                to_us(d.due_at),
                encode(d.data) if d.data else None,
            )
            for d in deliveries
        ]
    )


def _reports(reports: Iterable[IncidentReport]) -> tuple[Report, ...]:
    return tuple(
        Report(
            report.incident.id,
            report.incident.service,
            encode(report.incident),
            report.fresh_id,
            None if report.ladder_at is None else to_us(report.ladder_at),
            encode(report.joined_data),
            delivery_rows(report.on_raise),
            delivery_rows(report.on_join),
        )
        for report in reports
    )


def is_urgent(asked: Acceptance | Change) -> bool:
    """Return whether this goes before ordinary changes."""
    if asked.reports:
        return True
    for new in asked.deliveries:  # noqa: SIM110 - a generator costs more than all of this
        if new.lane is Lane.EMERGENCY:
            return True
    return False
