"""What a store's writer is asked to do: flat values that cross a socket as they are.

The ticket and the incident are encoded by the asker, so that the stored octets are the same
whichever writer stores them. Instants inside JSON keep their offset; the others become
microseconds since 1970.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

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
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode


def to_us(instant: datetime) -> int:
    """Return microseconds since 1970-01-01T00:00:00Z of an aware instant."""
    return (instant - _EPOCH) // _MICROSECOND


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


class Op(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """One change; a subclass's name is its tag."""


class Report(msgspec.Struct, frozen=True, array_like=True):
    """An `IncidentReport` with its incident encoded."""

    incident_id: str
    service: str
    body: bytes
    fresh_id: str
    ladder_at: int | None
    data: dict[str, Any]
    on_raise: tuple[NewDelivery, ...]
    on_join: tuple[NewDelivery, ...]


class AddTicket(Op, frozen=True, array_like=True, tag=True):
    """An `Acceptance` with its ticket encoded."""

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
    events: tuple[NewEvent, ...]
    deliveries: tuple[NewDelivery, ...]
    reports: tuple[Report, ...]


class ChangeTicket(Op, frozen=True, array_like=True, tag=True):
    """A `Change` with its incidents encoded."""

    ticket_id: str
    events: tuple[NewEvent, ...]
    deliveries: tuple[NewDelivery, ...]
    reports: tuple[Report, ...]
    if_version: int | None


class StepIncident(Op, frozen=True, array_like=True, tag=True):
    """A step of an incident."""

    change: IncidentChange


class Claim(Op, frozen=True, array_like=True, tag=True):
    """Lease due deliveries."""

    destination: str
    lane: int
    now: int
    limit: int
    lease_until: int


class Settle(Op, frozen=True, array_like=True, tag=True):
    """Record what became of deliveries."""

    outcomes: tuple[Outcome, ...]


class Redo(Op, frozen=True, array_like=True, tag=True):
    """Make a dead delivery due again, or discard it."""

    id: str
    state: str
    now: int
    why: str | None


class Hold(Op, frozen=True, array_like=True, tag=True):
    """Keep a message in quarantine."""

    item: Quarantined


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
        StoreError: The ticket cannot be encoded.
    """
    ticket = acceptance.ticket
    return AddTicket(
        ticket.id,
        int(acceptance.number_on),
        ticket.channel.kind,
        ticket.channel.account,
        acceptance.key,
        ticket.requester.phone,
        to_us(ticket.received_at),
        acceptance.digest,
        encode(ticket),
        acceptance.raw_type,
        acceptance.raw,
        acceptance.events,
        acceptance.deliveries,
        tuple(map(_report, acceptance.reports)) if acceptance.reports else (),
    )


def changing(change: Change) -> ChangeTicket:
    """Return the change that writes these events.

    Raises:
        StoreError: An incident cannot be encoded.
    """
    return ChangeTicket(
        change.ticket_id,
        change.events,
        change.deliveries,
        tuple(map(_report, change.reports)),
        change.if_version,
    )


def _report(report: IncidentReport) -> Report:
    return Report(
        report.incident.id,
        report.incident.service,
        encode(report.incident),
        report.fresh_id,
        None if report.ladder_at is None else to_us(report.ladder_at),
        report.joined_data,
        report.on_raise,
        report.on_join,
    )


def is_urgent(asked: Acceptance | Change) -> bool:
    """Return whether this goes before ordinary changes."""
    return bool(asked.reports) or any(new.lane is Lane.EMERGENCY for new in asked.deliveries)
