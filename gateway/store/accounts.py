"""The console's users, their sessions and the audit, as every store keeps them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import msgspec

from gateway.store import ops
from gateway.store.ops import AuditRow, from_us, to_us
from normalizer.schema import Value

if TYPE_CHECKING:
    from gateway.store.base import Delivery, Quarantined, StoredIncident
    from gateway.store.read import Reader

T = TypeVar("T")

#: Behind every entry of the audit, and before the first.
_END, _BEGIN = 2**62, 0

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder(dict[str, str]).decode


class NewEntry(Value, frozen=True, kw_only=True):
    """Something that was done: never a citizen's words, never a secret."""

    at: datetime
    by: str  #: the user; empty: somebody unknown
    remote: str  #: the address; empty: on the machine itself
    action: str  #: login, login.refused, logout, refused, user.added, ticket.seen …
    subject: str = ""  #: what it was done to: a user, a ticket's number, a path
    detail: Mapping[str, str] = {}


class Entry(NewEntry, frozen=True, kw_only=True):
    """A stored `NewEntry`."""

    seq: int


class User(Value, frozen=True, kw_only=True):
    """Who may use the console."""

    name: str
    role: str
    password: str  #: hashed
    created_at: datetime
    changed_at: datetime


class Session(Value, frozen=True, kw_only=True):
    """Somebody who is logged in, with the role that they have now."""

    user: User
    opened_at: datetime
    seen_at: datetime


class Wanted(Value, frozen=True, kw_only=True):
    """Which entries of the audit are asked for; empty: any."""

    by: str = ""
    action: str = ""
    since: datetime | None = None
    until: datetime | None = None  #: before this instant


class Writing(Protocol):
    """Carries a change out."""

    async def __call__(self, op: ops.Op, *, urgent: bool = False) -> Any:
        """Return the change's result. Raises `StoreError`."""
        ...


class Reading(Protocol):
    """Answers a question."""

    async def __call__(self, question: Callable[["Reader"], T], *, urgent: bool = False) -> T:
        """Return the answer. Raises `StoreError`."""
        ...


class Accounts:
    """Users, sessions and the audit of one store. Every method may raise `StoreError`.

    Args:
        write: Carries out what changes them.
        read: Answers what is asked.
    """

    def __init__(self, write: Writing, read: Reading) -> None:
        self._write = write
        self._read = read

    async def add(self, name: str, role: str, password: str, entry: NewEntry) -> bool:
        """Add a user; False if the name is taken."""
        return bool(await self._write(ops.AddUser(name, role, password, _row(entry))))

    async def change(
        self, name: str, entry: NewEntry, *, role: str | None = None, password: str | None = None
    ) -> bool:
        """Give a user another role or password, which ends their sessions; False: no such user."""
        return bool(await self._write(ops.ChangeUser(name, role, password, _row(entry))))

    async def remove(self, name: str, entry: NewEntry) -> bool:
        """Take a user out, which ends their sessions; False: no such user."""
        return bool(await self._write(ops.RemoveUser(name, _row(entry))))

    async def user(self, name: str) -> User | None:
        """Return the user of this name."""
        rows = await self._read(lambda reader: reader.rows("user", name))
        return _user(rows[0]) if rows else None

    async def users(self) -> list[User]:
        """Return all users by name."""
        return [_user(row) for row in await self._read(lambda reader: reader.rows("users"))]

    async def begin(
        self, digest: str, user: User, entry: NewEntry, *, opened: datetime, seen: datetime
    ) -> bool:
        """Begin a session; False if the user is gone, or has another password by now.

        Args:
            digest: Of the token.
            user: As they were when the password was compared.
            entry: For the audit; the session begins at its instant.
            opened: Sessions that were opened before are over.
            seen: Sessions that were not used since are over.
        """
        since = (to_us(opened), to_us(seen))
        op = ops.OpenSession(digest, user.name, user.password, *since, _row(entry))
        return bool(await self._write(op))

    async def session(self, digest: str) -> Session | None:
        """Return the session of the token with this digest, however old."""
        rows = await self._read(lambda reader: reader.rows("console_session", digest))
        if not rows:
            return None
        *user, opened_at, seen_at = rows[0]
        return Session(user=_user(user), opened_at=from_us(opened_at), seen_at=from_us(seen_at))

    async def see(self, digest: str, at: datetime) -> None:
        """Note that a session was used."""
        await self._write(ops.SeeSession(digest, to_us(at)))

    async def end(self, digest: str, entry: NewEntry) -> bool:
        """End a session; False if there is none."""
        return bool(await self._write(ops.EndSession(digest, _row(entry))))

    async def note(self, entry: NewEntry) -> None:
        """Write into the audit."""
        await self._write(ops.Note(_row(entry)))

    async def audit(self, wanted: Wanted, before: int | None, limit: int) -> list[Entry]:
        """Return entries, newest first, those before the one with this ``seq``."""
        return await self._read(lambda reader: _entries(reader, wanted, before, limit))


class Version(Value, frozen=True, kw_only=True):
    """Routes that were put in force, or were to be."""

    number: int
    at: datetime
    by: str  #: the user; empty: as it stood in the file
    why: str
    text: str
    in_force_at: datetime | None  #: None: the gateway died before, or refused it


class RoutesKept:
    """Every version of the routes. Every method may raise `StoreError`.

    Args:
        write: Carries out what changes them.
        read: Answers what is asked.
    """

    def __init__(self, write: Writing, read: Reading) -> None:
        self._write = write
        self._read = read

    async def keep(self, text: str, why: str, before: str | None, entry: NewEntry) -> int:
        """Return the number of a new version, which is not in force yet.

        Args:
            text: The routes.
            why: They are put in force.
            before: What is in force so far: kept first, if it is not the newest version.
            entry: For the audit; its subject becomes the number.
        """
        return int(await self._write(ops.KeepRoutes(text, why, before, _row(entry))))

    async def came_into_force(self, number: int, entry: NewEntry) -> None:
        """Note that a version is in force."""
        await self._write(ops.RoutesInForce(number, _row(entry)))

    async def failed(self, entry: NewEntry) -> None:
        """Note that a version could not be put in force."""
        await self._write(ops.Note(_row(entry)))

    async def versions(self, before: int | None, limit: int) -> list[Version]:
        """Return versions, newest first, those before a number."""
        below = _END if before is None else before
        rows = await self._read(lambda reader: reader.rows("routes_versions", below, limit))
        return [
            Version(
                number=number,
                at=from_us(at),
                by=by,
                why=why,
                text=text,
                in_force_at=None if in_force_at is None else from_us(in_force_at),
            )
            for number, at, by, why, text, in_force_at in rows
        ]

    async def version(self, number: int) -> Version | None:
        """Return the version of this number."""
        found = await self.versions(number + 1, 1)
        return found[0] if found and found[0].number == number else None


class Consoled(Protocol):
    """What the console asks of a store, beside what the gateway does."""

    @property
    def accounts(self) -> Accounts:
        """The console's users, sessions and audit."""
        ...

    @property
    def routes_kept(self) -> RoutesKept:
        """The versions of the routes."""
        ...

    async def newest_incidents(self, states: Sequence[str], limit: int) -> "list[StoredIncident]":
        """Return incidents in these states, whatever their desk, newest first."""
        ...

    async def held_heads(
        self, limit: int, after: "Quarantined | None" = None
    ) -> "list[Quarantined]":
        """Return what is held, oldest first, without the messages themselves: ``raw`` is empty.

        Args:
            limit: So many at most.
            after: Those behind this one.
        """
        ...

    async def dead(self, limit: int, after: int = 0) -> "list[Delivery]":
        """Return dead deliveries, oldest first, those behind the one with this ``seq``."""
        ...

    async def deliveries_of(self, events: Sequence[int]) -> "list[Delivery]":
        """Return the deliveries that tell of events, by their ``seq``, whatever their state."""
        ...


def _entries(reader: "Reader", wanted: Wanted, before: int | None, limit: int) -> list[Entry]:
    below, first = _END if before is None else before, _BEGIN
    if wanted.until is not None:
        below = min(below, _first_since(reader, wanted.until))
    if wanted.since is not None:
        first = _first_since(reader, wanted.since)
    name = {
        (False, False): "audit",
        (True, False): "audit_of_user",
        (False, True): "audit_of_action",
        (True, True): "audit_of_both",
    }[bool(wanted.by), bool(wanted.action)]
    more = [word for word in (wanted.by, wanted.action) if word]
    return [_entry(row) for row in reader.rows(name, below, first, limit, *more)]


def _first_since(reader: "Reader", at: datetime) -> int:
    rows = reader.rows("audit_since", to_us(at))
    return int(rows[0][0]) if rows else _END


def _row(entry: NewEntry) -> AuditRow:
    # What was typed into an address may hold half a surrogate pair, which no store takes.
    words = (entry.by, entry.remote, entry.action, entry.subject)
    by, remote, action, subject = (w.encode(errors="replace").decode() for w in words)
    return (to_us(entry.at), by, remote, action, subject, _encode(dict(entry.detail)).decode())


def _entry(row: Sequence[Any]) -> Entry:
    seq, at, by, remote, action, subject, detail = row
    return Entry(
        seq=seq,
        at=from_us(at),
        by=by,
        remote=remote,
        action=action,
        subject=subject,
        detail=_decode(detail),
    )


def _user(row: Sequence[Any]) -> User:
    name, role, password, created_at, changed_at = row
    return User(
        name=name,
        role=role,
        password=password,
        created_at=from_us(created_at),
        changed_at=from_us(changed_at),
    )
