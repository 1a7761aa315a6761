"""What each change does to the tables, within a transaction that somebody else began."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gateway.store import accounts_changes
from gateway.store.batch import SPAN, Batch, Origin
from gateway.store.ops import (
    AddTicket,
    Broken,
    ChangeTicket,
    Claim,
    EventRow,
    Hold,
    Redo,
    Release,
    Report,
    Settle,
    StepIncident,
    Watch,
)
from normalizer.errors import StoreError
from normalizer.number import make

#: Tickets or incidents written, the deliveries handed out, and the incidents joined or raised.
Reported = tuple[list[str], list[tuple[Any, ...]]]


def number_of(nr: int) -> str:
    """Return the citizen's number of a ticket's row id."""
    day, count = divmod(nr, SPAN)
    return make(str(day), count)


def add_ticket(batch: Batch, op: AddTicket) -> str | tuple[Any, ...]:
    """Return a plain new ticket's number, of others (number, stored, incidents, leased rows).

    ``stored`` is None of a new ticket, else the id and the digest of the one that is there.
    """
    taken = batch.ticket(op.day, op.row)
    if taken is None:
        return _stored_under_key(batch, op)
    stream, count = taken
    number = make(str(op.day), count)
    batch.files += op.files
    if len(op.deliveries) == 1 and op.deliveries[0][2] and not op.more and not op.reports:
        batch.deliver_first(op.deliveries[0], stream, op.at)  # as nearly always
        return number
    seq = stream
    for version, event in enumerate(op.more, start=2):
        seq = batch.event(stream, version, event)
    ticket = (stream, op.id)
    origin = Origin(*ticket, *ticket, seq, op.at, fresh=True, lease=True)
    leased = batch.deliver(op.deliveries, origin)
    if op.reports:
        batch.flush()
    incidents, more = _report_all(batch, op.reports, ticket, op.at)
    return (number, None, incidents, leased + more)


def _stored_under_key(batch: Batch, op: AddTicket) -> tuple[Any, ...]:
    nr, ticket_id, digest, seq = batch.rows("ticket_of_key", *op.row[1:4])[0]
    incidents = [found[0] for found in batch.rows("incidents_of_ticket", seq)]
    return (number_of(nr), (ticket_id, digest), incidents, [])


def _report_all(
    batch: Batch, reports: tuple[Report, ...], ticket: tuple[int, str], at: int
) -> Reported:
    incidents, leased = [], []
    for report in reports:
        incident, rows = _report(batch, report, ticket, at)
        incidents.append(incident)
        leased += rows
    return incidents, leased


def _report(
    batch: Batch, report: Report, ticket: tuple[int, str], at: int
) -> tuple[str, list[tuple[Any, ...]]]:
    incident = report.incident_id
    found = batch.rows("incident_now", incident)
    if not found:
        return _raise(batch, report, incident, ticket, at)
    stream, state, version, _ = found[0]
    if state == "closed":
        return _raise(batch, report, report.fresh_id, ticket, at)
    batch.rows("incident_version", stream, version + 1)
    seq = batch.event(stream, version + 1, (at, "joined", "gateway", None, report.data, None))
    batch.rows("add_report", seq, stream, ticket[0])
    origin = Origin(stream, incident, *ticket, seq, at, fresh=False, lease=True)
    return incident, batch.deliver(report.on_join, origin)


def _raise(
    batch: Batch, report: Report, incident: str, ticket: tuple[int, str], at: int
) -> tuple[str, list[tuple[Any, ...]]]:
    seq = batch.event(None, 1, (at, "raised", "gateway", None, report.data, None))
    what = (report.service, "raised", at, report.ladder_at, report.body)
    batch.rows("add_incident", seq, incident, *what)
    batch.rows("add_report", seq, seq, ticket[0])
    batch.counted["incidents_open"] += 1
    origin = Origin(seq, incident, *ticket, seq, at, fresh=True, lease=True)
    return incident, batch.deliver(report.on_raise, origin)


def _is_known(batch: Batch, stream: int, events: tuple[EventRow, ...]) -> bool:
    keys = [event[-1] for event in events if event[-1] is not None]
    if keys:
        batch.flush()
    return any(batch.rows("event_of_key", stream, key) for key in keys)


def change_ticket(batch: Batch, op: ChangeTicket) -> tuple[Any, ...]:
    """Return (written, duplicate, incidents, leased rows)."""
    batch.flush()
    found = batch.rows("ticket_version", op.ticket_id)
    if not found:
        raise StoreError(f"there is no ticket {op.ticket_id}: nothing was written")
    if not op.events:
        raise StoreError(f"a change of ticket {op.ticket_id} without an event: nothing was written")
    stream, version = found[0]
    if _is_known(batch, stream, op.events):
        return (False, True, [], [])
    if op.if_version is not None and op.if_version != version:
        return (False, False, [], [])
    seq = 0
    for event in op.events:
        version += 1
        seq = batch.event(stream, version, event)
    batch.files += op.files
    at = op.events[-1][0]
    ticket = (stream, op.ticket_id)
    origin = Origin(*ticket, *ticket, seq, at, fresh=False, lease=True)
    leased = batch.deliver(op.deliveries, origin)
    incidents, more = _report_all(batch, op.reports, ticket, at)
    return (True, False, incidents, leased + more)


def step_incident(batch: Batch, op: StepIncident) -> tuple[Any, ...]:
    """Return (written, duplicate, incidents, leased rows); a step leases nothing."""
    incident = op.incident_id
    found = batch.rows("incident_now", incident)
    if not found:
        raise StoreError(f"there is no incident {incident}: nothing was written")
    stream, state, version, desk = found[0]
    if _is_known(batch, stream, (op.event,)):
        return (False, True, [], [])
    if op.if_version is not None and _moved_on(batch, stream, op.if_version, version):
        return (False, False, [], [])
    at = op.event[0]
    rung_from = at if op.rung_from is None and op.desk != desk else op.rung_from
    values = (op.state, op.desk, op.rung, op.ladder_at, rung_from)
    batch.rows("step_incident", stream, version + 1, *values)
    batch.counted["incidents_open"] += (state == "closed") - (op.state == "closed")
    seq = batch.event(stream, version + 1, op.event)
    first: tuple[int, str] = batch.rows("first_report", stream)[0]
    origin = Origin(stream, incident, *first, seq, at, fresh=False, lease=False)
    batch.deliver(op.deliveries, origin)
    return (True, False, [incident], [])


def _moved_on(batch: Batch, stream: int, expected: int, version: int) -> bool:
    """Return whether more than reports that joined has come since a version."""
    if expected >= version:
        return expected > version
    batch.flush()
    return bool(batch.rows("stepped_since", stream, expected))


def claim(batch: Batch, op: Claim) -> str:
    """Return the rows claimed, as a JSON array."""
    batch.flush()
    found = batch.rows("claimable", op.destination, op.lane, op.now, op.limit)
    rows, seqs = found[0]
    if seqs != "[]":
        batch.rows("lease", seqs, op.lease_until)
        batch.handed += json.loads(seqs)
    return str(rows)


def settle(batch: Batch, op: Settle) -> bool:
    """Write outcomes, and let the next of each finished delivery's stream have its turn.

    Returns:
        Whether something may be claimed now that could not before.
    """
    batch.flush()
    finished, others = [], []
    for outcome in op.outcomes:
        if outcome[1] not in ("done", "due", "dead"):
            raise StoreError(f"a delivery cannot become {outcome[1]!r}: nothing was written")
        if outcome[1] == "done":
            finished.append(outcome[0])
        else:
            others.append(outcome)
    if finished:
        batch.counted["due"] -= batch.changed("settle_done", json.dumps(finished))
    for seq, state, *more in others:
        if batch.changed("settle", seq, state, *more) and state == "dead":
            finished.append(seq)
            batch.counted["dead"] += 1
            batch.counted["due"] -= 1
    # Settled before or not, asking for successors does no harm: see the statement.
    waited_for = batch.rows("with_successors", json.dumps(finished)) if finished else []
    if waited_for:
        batch.many("promote", waited_for)
    return bool(waited_for) or any(state == "due" for _, state, *_ in others)


def redo(batch: Batch, op: Redo) -> bool:
    """Return whether a dead delivery was made due or discarded."""
    batch.flush()
    found = batch.rows("dead_delivery", op.id)
    if not found:
        return False
    if op.state not in ("due", "discarded"):
        raise StoreError(f"a dead delivery cannot become {op.state!r}: nothing was written")
    seq, destination, stream = found[0]
    batch.counted["dead"] -= 1
    if op.state == "discarded":
        batch.rows("discard", seq, op.why)
        return True
    batch.counted["due"] += 1
    batch.rows("revive", seq, op.now, op.why)
    batch.rows("yield_turn", destination, stream, seq)
    batch.rows("promote", seq)
    return True


def hold(batch: Batch, op: Hold) -> None:
    """Keep a message in quarantine, once."""
    head = (op.id, op.at, op.channel, op.account, op.reason)
    added = batch.changed("quarantine", *head, op.state, op.why, op.raw_type, op.raw)
    batch.counted["held"] += bool(added) and op.state == "held"


def release(batch: Batch, op: Release) -> bool:
    """Return whether a held message was given its new state."""
    if op.state not in ("replayed", "discarded"):
        raise StoreError(f"a held message cannot become {op.state!r}: nothing was written")
    changed = batch.changed("release", op.id, op.state, op.why)
    batch.counted["held"] -= changed
    return changed > 0


def watch(batch: Batch, op: Watch) -> None:
    """Write when tickets are to be looked at; those that are not are taken out."""
    if later := [look for look in op.looks if look[1] is not None]:
        batch.many("watch", later)
    if over := [(ticket,) for ticket, at in op.looks if at is None]:
        batch.many("unwatch", over)
    if op.upto:
        batch.rows("watched_upto", op.upto)


def refuse(_batch: Batch, op: Broken) -> None:
    """Fail alone: the other changes of the batch are carried out without this one."""
    raise StoreError(op.text)


#: What carries out each kind of change.
HANDLERS: Mapping[type, Callable[[Batch, Any], Any]] = MappingProxyType(
    {
        AddTicket: add_ticket,
        ChangeTicket: change_ticket,
        StepIncident: step_incident,
        Claim: claim,
        Settle: settle,
        Redo: redo,
        Hold: hold,
        Release: release,
        Watch: watch,
        Broken: refuse,
        **accounts_changes.HANDLERS,
    }
)
