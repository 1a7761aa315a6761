"""What a store's writer is asked to do: flat values that cross a socket as they are.

Everything is encoded by the asker, so that the stored octets are the same whichever writer stores
them. Instants inside JSON keep their offset; the others become microseconds since 1970.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

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
from normalizer.errors import StoreError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encode = msgspec.json.Encoder().encode


def to_us(instant: datetime) -> int:
    """Return microseconds since 1970-01-01T00:00:00Z of an aware instant."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_us(microseconds: int) -> datetime:
    """Return the instant, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def encode(value: object) -> bytes:
    """Return the value as JSON.

    Raises:
        StoreError: It holds something that JSON cannot, e.g. half a surrogate pair.
    """
    try:
        return _encode(value)
    except (UnicodeEncodeError, TypeError, ValueError) as error:
        raise StoreError(f"this value cannot be stored as JSON: {type(error).__name__}") from None


#: at, event, by, text, data as JSON, key: as the columns of a stored event are ordered.
EventRow = tuple[int, str, str, str | None, bytes | None, str | None]

#: id, destination, lane, type, due at, data as JSON.
DeliveryRow = tuple[str, str, int, str, int, bytes | None]


class Op(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """One change; a subclass's name is its tag."""


class Report(msgspec.Struct, frozen=True, array_like=True):
    """An `IncidentReport`."""

    incident_id: str
    service: str
    body: bytes
    fresh_id: str
    ladder_at: int | None
    data: bytes
    on_raise: tuple[DeliveryRow, ...]
    on_join: tuple[DeliveryRow, ...]


class AddTicket(Op, frozen=True, array_like=True, tag=True):
    """An `Acceptance`."""

    id: str
    day: int
    channel: str
    account: str
    key: str | None
    phone: str | None
    received_at: int
    digest: str
    body: bytes
    raw_type: str
    raw: bytes
    events: tuple[EventRow, ...]
    deliveries: tuple[DeliveryRow, ...]
    reports: tuple[Report, ...]


class ChangeTicket(Op, frozen=True, array_like=True, tag=True):
    """A `Change`."""

    ticket_id: str
    events: tuple[EventRow, ...]
    deliveries: tuple[DeliveryRow, ...]
    reports: tuple[Report, ...]
    if_version: int | None


class StepIncident(Op, frozen=True, array_like=True, tag=True):
    """An `IncidentChange`."""

    incident_id: str
    event: EventRow
    state: str
    desk: str
    rung: int
    ladder_at: int | None
    rung_from: int | None
    deliveries: tuple[DeliveryRow, ...]
    if_version: int | None


class Claim(Op, frozen=True, array_like=True, tag=True):
    """Lease due deliveries."""

    destination: str
    lane: int
    now: int
    limit: int
    lease_until: int


class Settle(Op, frozen=True, array_like=True, tag=True):
    """Record what became of deliveries: seq, state, due at, error of each."""

    outcomes: tuple[tuple[int, str, int | None, str | None], ...]


class Redo(Op, frozen=True, array_like=True, tag=True):
    """Make a dead delivery due again, or discard it."""

    id: str
    state: str
    now: int
    why: str | None


class Hold(Op, frozen=True, array_like=True, tag=True):
    """Keep a `Quarantined` message."""

    id: str
    at: int
    channel: str
    account: str
    reason: str
    state: str
    why: str | None
    raw_type: str
    raw: bytes


class Release(Op, frozen=True, array_like=True, tag=True):
    """Set a held message's state."""

    id: str
    state: str
    why: str | None


class Broken(Op, frozen=True, array_like=True, tag=True):
    """Stands for a change that could not be carried across; fails with this text."""

    text: str


AnyOp = AddTicket | ChangeTicket | StepIncident | Claim | Settle | Redo | Hold | Release | Broken


def adding(acceptance: Acceptance) -> AddTicket:
    """Return the change that stores this acceptance.

    Raises:
        StoreError: The ticket or its events cannot be encoded.
    """
    ticket = acceptance.ticket
    channel = ticket.channel
    return AddTicket(
        ticket.id,
        int(acceptance.number_on),
        channel.kind,
        channel.account,
        acceptance.key,
        ticket.requester.phone,
        to_us(ticket.received_at),
        acceptance.digest,
        encode(ticket),
        acceptance.raw_type,
        acceptance.raw,
        event_rows(acceptance.events),
        delivery_rows(acceptance.deliveries),
        _reports(acceptance.reports) if acceptance.reports else (),
    )


def changing(change: Change) -> ChangeTicket:
    """Return the change that writes these events.

    Raises:
        StoreError: An event or an incident cannot be encoded.
    """
    return ChangeTicket(
        change.ticket_id,
        event_rows(change.events),
        delivery_rows(change.deliveries),
        _reports(change.reports),
        change.if_version,
    )


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
            (o.seq, o.state, None if o.due_at is None else to_us(o.due_at), o.error)
            for o in outcomes
        )
    )


def holding(item: Quarantined) -> Hold:
    """Return the change that keeps this message."""
    head = (item.id, to_us(item.at), item.channel, item.account, item.reason)
    return Hold(*head, item.state, item.why, item.raw_type, item.raw)


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
    return bool(asked.reports) or any(new.lane is Lane.EMERGENCY for new in asked.deliveries)
