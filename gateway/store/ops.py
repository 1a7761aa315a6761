"""What a store's writer is asked to do: flat values that cross a socket as they are.

Everything is encoded by the asker, so that the stored octets are the same whichever writer stores
them. Instants inside JSON keep their offset; the others become microseconds since 1970.
This module imports little: a writer process starts with it.
"""

from datetime import UTC, datetime, timedelta

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(instant: datetime) -> int:
    """Return microseconds since 1970-01-01T00:00:00Z of an aware instant."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_us(microseconds: int) -> datetime:
    """Return the instant, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


#: at, event, by, text, data as JSON, key: as the columns of a stored event are ordered.
EventRow = tuple[int, str, str, str | None, bytes | None, str | None]

#: id, destination, lane, type, due at, data as JSON.
DeliveryRow = tuple[str, str, int, str, int, bytes | None]


#: id, channel, account, key, thread, received at, digest; its first event; the ticket as JSON, media
#: type of the raw message, the message: as the columns of a stored ticket are ordered.
TicketRow = tuple[
    str, str, str, str | None, str | None, int, str,
    int, str, str, str | None, bytes | None, str | None,
    bytes, str, bytes,
]  # fmt: skip


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
    at: int  #: of its last event
    row: TicketRow
    more: tuple[EventRow, ...]  #: its events behind the first one
    deliveries: tuple[DeliveryRow, ...]
    reports: tuple[Report, ...]
    files: tuple[str, ...]  #: SHA-256 of what it names


class ChangeTicket(Op, frozen=True, array_like=True, tag=True):
    """A `Change`."""

    ticket_id: str
    events: tuple[EventRow, ...]
    deliveries: tuple[DeliveryRow, ...]
    reports: tuple[Report, ...]
    if_version: int | None
    files: tuple[str, ...]


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


class Watch(Op, frozen=True, array_like=True, tag=True):
    """Note when to look at tickets: sequence number and instant of each; None: not again."""

    looks: tuple[tuple[int, int | None], ...]
    upto: int


class Swap(Op, frozen=True, array_like=True, tag=True):
    """Put a shared value where this version lies; for stores of several gateways."""

    name: str
    value: bytes
    version: int


class Tend(Op, frozen=True, array_like=True, tag=True):
    """Make due what gateways that are gone had leased; for stores of several gateways."""


#: at, by, remote, action, subject, detail as JSON: as the columns of the audit are ordered.
AuditRow = tuple[int, str, str, str, str, str]


class AddUser(Op, frozen=True, array_like=True, tag=True):
    """Let somebody use the console."""

    name: str
    role: str
    password: str  #: hashed
    audit: AuditRow


class ChangeUser(Op, frozen=True, array_like=True, tag=True):
    """Give a user another role or password, and end their sessions."""

    name: str
    role: str | None
    password: str | None
    audit: AuditRow


class RemoveUser(Op, frozen=True, array_like=True, tag=True):
    """Take a user and their sessions out."""

    name: str
    audit: AuditRow


class OpenSession(Op, frozen=True, array_like=True, tag=True):
    """Begin a session, and end those that were opened or last seen too long ago."""

    digest: str
    name: str
    password: str  #: hashed, as it was when the one that was typed matched it
    opened_since: int
    seen_since: int
    audit: AuditRow


class SeeSession(Op, frozen=True, array_like=True, tag=True):
    """Note that a session was used."""

    digest: str
    at: int


class EndSession(Op, frozen=True, array_like=True, tag=True):
    """End a session."""

    digest: str
    audit: AuditRow


class KeepRoutes(Op, frozen=True, array_like=True, tag=True):
    """Keep a version of the routes, before it is put in force."""

    text: str
    why: str
    before: str | None  #: what is in force so far, kept first if it is not the newest version
    audit: AuditRow


class RoutesInForce(Op, frozen=True, array_like=True, tag=True):
    """Note that a version of the routes came into force."""

    number: int
    audit: AuditRow


class Note(Op, frozen=True, array_like=True, tag=True):
    """Write into the audit."""

    audit: AuditRow


class Broken(Op, frozen=True, array_like=True, tag=True):
    """Stands for a change that could not be carried across; fails with this text."""

    text: str


AnyOp = (
    AddTicket
    | ChangeTicket
    | StepIncident
    | Claim
    | Settle
    | Redo
    | Hold
    | Release
    | Watch
    | AddUser
    | ChangeUser
    | RemoveUser
    | OpenSession
    | SeeSession
    | EndSession
    | Note
    | KeepRoutes
    | RoutesInForce
    | Broken
)
