"""What changes of the console's users, sessions, audit and routes do, within a transaction."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from gateway.store.batch import Batch
from gateway.store.ops import (
    AddUser,
    AuditRow,
    ChangeUser,
    EndSession,
    KeepRoutes,
    Note,
    OpenSession,
    RemoveUser,
    RoutesInForce,
    SeeSession,
)


def _note(batch: Batch, entry: AuditRow) -> None:
    batch.changed("note", *entry)


def add_user(batch: Batch, op: AddUser) -> bool:
    """Return whether there was nobody of this name."""
    added = batch.changed("add_user", op.name, op.role, op.password, op.audit[0]) > 0
    if added:
        _note(batch, op.audit)
    return added


def change_user(batch: Batch, op: ChangeUser) -> bool:
    """Return whether there is such a user; every session of theirs has ended."""
    if not batch.changed("change_user", op.name, op.role, op.password, op.audit[0]):
        return False
    batch.changed("console_end_sessions", op.name)
    _note(batch, op.audit)
    return True


def remove_user(batch: Batch, op: RemoveUser) -> bool:
    """Return whether there was such a user."""
    batch.changed("console_end_sessions", op.name)
    removed = batch.changed("remove_user", op.name) > 0
    if removed:
        _note(batch, op.audit)
    return removed


def open_session(batch: Batch, op: OpenSession) -> bool:
    """Return whether the user is still as they were when the password was compared."""
    batch.changed("console_end_old_sessions", op.opened_since, op.seen_since)
    opened = batch.changed("console_open_session", op.digest, op.name, op.password, op.audit[0]) > 0
    if opened:
        _note(batch, op.audit)
    return opened


def see_session(batch: Batch, op: SeeSession) -> None:
    """Move the instant at which a session was used last."""
    batch.changed("console_see_session", op.digest, op.at)


def end_session(batch: Batch, op: EndSession) -> bool:
    """Return whether there was such a session."""
    ended = batch.changed("console_end_session", op.digest) > 0
    if ended:
        _note(batch, op.audit)
    return ended


def keep_routes(batch: Batch, op: KeepRoutes) -> int:
    """Return the number of the new version, which is the subject of its entry in the audit."""
    at, by, remote, action, _, detail = op.audit
    newest = batch.rows("newest_routes")
    if op.before is not None and [row[1] for row in newest] != [op.before]:
        number = newest[0][0] + 1 if newest else 1
        batch.changed("keep_routes", number, at, "", "", op.before, at)
        newest = [(number, op.before)]
    number = int(newest[0][0]) + 1 if newest else 1
    batch.changed("keep_routes", number, at, by, op.why, op.text, None)
    _note(batch, (at, by, remote, action, str(number), detail))
    return number


def routes_in_force(batch: Batch, op: RoutesInForce) -> None:
    """Note the instant at which a version came into force."""
    batch.changed("routes_in_force", op.number, op.audit[0])
    _note(batch, op.audit)


def note(batch: Batch, op: Note) -> None:
    """Write an entry."""
    _note(batch, op.audit)


#: What carries out each kind of change.
HANDLERS: Mapping[type, Callable[[Batch, Any], Any]] = MappingProxyType(
    {
        AddUser: add_user,
        ChangeUser: change_user,
        RemoveUser: remove_user,
        OpenSession: open_session,
        SeeSession: see_session,
        EndSession: end_session,
        KeepRoutes: keep_routes,
        RoutesInForce: routes_in_force,
        Note: note,
    }
)
