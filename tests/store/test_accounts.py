"""The console's users, sessions and audit: what every store does."""

from typing import Any

import apsw
import pytest

from gateway.store.accounts import NewEntry, User, Wanted
from gateway.store.base import Store
from tests.store import make
from tests.store.conftest import STORES, Place, PostgresPlace, SqlitePlace

pytestmark = pytest.mark.parametrize("place", STORES, indirect=True)

HASH = "scrypt$ln=14,r=8,p=5$c2FsdA$aGFzaA"
LONG_AGO = make.after(-86400)


def entry(action: str, seconds: float = 0, by: str = "chen", **more: Any) -> NewEntry:
    """Return an entry for the audit."""
    return NewEntry(at=make.after(seconds), by=by, remote="10.0.0.7", action=action, **more)


async def user(store: Store, name: str = "chen", role: str = "operator") -> User:
    """Return a new user."""
    added = await store.accounts.add(name, role, HASH, entry("user.added", by="", subject=name))
    assert added
    found = await store.accounts.user(name)
    assert found is not None
    return found


async def begin(store: Store, digest: str, who: User, seconds: float = 0) -> bool:
    """Begin a session; those of more than an hour before are over."""
    old = make.after(seconds - 3600)
    at = entry("login", seconds, by=who.name)
    return await store.accounts.begin(digest, who, at, opened=old, seen=old)


async def actions(store: Store) -> list[str]:
    """Return what was done, newest first."""
    found = await store.accounts.audit(Wanted(), None, 100)
    return [one.action for one in found]


async def test_a_name_is_given_once(store: Store) -> None:
    """A second user of a name is refused, and neither changes the first nor is in the audit."""
    first = await user(store)
    assert first == User(
        name="chen", role="operator", password=HASH, created_at=make.NOW, changed_at=make.NOW
    )
    assert not await store.accounts.add("chen", "admin", "other", entry("user.added", 9))
    assert await store.accounts.users() == [first]
    assert await store.accounts.user("li") is None
    assert await actions(store) == ["user.added"]


async def test_a_session_is_found_by_its_digest_with_the_users_role(store: Store) -> None:
    """It tells since when, and when it was used last; an older instant moves nothing."""
    who = await user(store)
    assert await begin(store, "d1", who)
    await store.accounts.see("d1", make.after(60))
    await store.accounts.see("d1", make.after(30))
    found = await store.accounts.session("d1")
    assert found is not None
    assert (found.user, found.opened_at, found.seen_at) == (who, make.NOW, make.after(60))
    assert await store.accounts.session("d2") is None
    assert await store.accounts.end("d1", entry("logout"))
    assert not await store.accounts.end("d1", entry("logout"))
    assert await store.accounts.session("d1") is None
    assert await actions(store) == ["logout", "login", "user.added"]


@pytest.mark.parametrize("change", [{"role": "auditor"}, {"password": "other"}])
async def test_sessions_die_when_the_user_is_changed(store: Store, change: dict[str, str]) -> None:
    """All of theirs and nobody else's; and none begins with what was read before."""
    who, other = await user(store), await user(store, "li")
    assert await begin(store, "d1", who)
    assert await begin(store, "d2", other)
    assert await store.accounts.change("chen", entry("user.changed", 5), **change)
    assert await store.accounts.session("d1") is None
    assert await store.accounts.session("d2") is not None
    assert await begin(store, "d3", who, 6) is ("password" not in change)
    now = await store.accounts.user("chen")
    assert now is not None
    assert {name: getattr(now, name) for name in change} == change
    assert (now.created_at, now.changed_at) == (make.NOW, make.after(5))
    assert not await store.accounts.change("nobody", entry("user.changed"), role="admin")


async def test_a_user_who_is_removed_has_no_session(store: Store) -> None:
    """Their entries in the audit stay."""
    who = await user(store)
    assert await begin(store, "d1", who)
    assert await store.accounts.remove("chen", entry("user.removed", by="root", subject="chen"))
    assert not await store.accounts.remove("chen", entry("user.removed"))
    assert await store.accounts.session("d1") is None
    assert not await begin(store, "d2", who)
    assert await actions(store) == ["user.removed", "login", "user.added"]


async def test_old_sessions_go_when_one_begins(store: Store) -> None:
    """What nobody can use any more is not kept."""
    who = await user(store)
    assert await begin(store, "d1", who)
    assert await begin(store, "d2", who, 3599)
    assert await begin(store, "d3", who, 3601)
    left = [d for d in ("d1", "d2", "d3") if await store.accounts.session(d) is not None]
    assert left == ["d2", "d3"]


async def test_users_and_the_audit_outlive_the_process(store: Store, place: Place) -> None:
    """A restart keeps everybody logged in."""
    who = await user(store)
    assert await begin(store, "d1", who)
    await store.close()
    again = place.gateway()
    await again.open()
    assert await again.accounts.session("d1") is not None
    assert await actions(again) == ["login", "user.added"]
    await again.close()


async def test_a_command_beside_the_gateway_adds_users(store: Store, place: Place) -> None:
    """The running gateway lets them in at once."""
    command = place.command()
    await command.open()
    await user(command)
    await command.close()
    assert await store.accounts.user("chen") is not None


async def test_the_audit_is_read_in_pages_and_by_what_is_asked(store: Store) -> None:
    """Newest first, by user, by action, by both, and between two instants."""
    for second in range(6):
        by, action = ("chen", "li")[second % 2], ("login", "logout", "refused")[second % 3]
        detail = {"why": f"{second}\0😀"}
        await store.accounts.note(entry(action, second, by=by, subject=f"/{second}", detail=detail))

    async def seconds(before: int | None = None, limit: int = 9, **more: Any) -> list[float]:
        found = await store.accounts.audit(Wanted(**more), before, limit)
        return [(one.at - make.NOW).total_seconds() for one in found]

    newest = await store.accounts.audit(Wanted(), None, 2)
    assert [one.subject for one in newest] == ["/5", "/4"]
    assert newest[0].detail["why"].endswith("😀")
    assert await seconds(newest[1].seq) == [3, 2, 1, 0]
    assert await seconds(by="li") == [5, 3, 1]
    assert await seconds(action="login") == [3, 0]
    assert await seconds(by="li", action="login") == [3]
    assert await seconds(since=make.after(2), until=make.after(4)) == [3, 2]
    assert await seconds(since=make.after(99)) == []
    assert await seconds(until=make.NOW) == []


async def test_the_audit_cannot_be_changed(store: Store, place: Place) -> None:
    """Not even by who writes statements of their own."""
    await store.accounts.note(entry("login"))
    for statement in ("UPDATE audit SET by = 'li'", "DELETE FROM audit"):
        with pytest.raises((apsw.ConstraintError, AssertionError), match="append-only"):
            ask(place, statement)
    assert await actions(store) == ["login"]


async def test_routes_are_kept_with_what_they_replace(store: Store) -> None:
    """What stood in the file is kept once, before the first version and after a change by hand."""
    kept = store.routes_kept
    assert await kept.keep("routes: 2\n", "holidays", "routes: 1\n", entry("routes.change")) == 2
    await kept.came_into_force(2, entry("routes.in_force", 1, subject="2"))
    assert await kept.keep("routes: 3\n", "again", "routes: 2\n", entry("routes.change", 2)) == 3
    assert await kept.keep("routes: 5\n", "by hand", "routes: 4\n", entry("routes.change", 3)) == 5
    found = await kept.versions(None, 10)
    assert [(one.number, one.by, one.why, one.text) for one in found] == [
        (5, "chen", "by hand", "routes: 5\n"),
        (4, "", "", "routes: 4\n"),
        (3, "chen", "again", "routes: 3\n"),
        (2, "chen", "holidays", "routes: 2\n"),
        (1, "", "", "routes: 1\n"),
    ]
    assert [one.in_force_at for one in found[2:]] == [None, make.after(1), make.NOW]
    assert [one.number for one in await kept.versions(3, 1)] == [2]
    assert await kept.version(4) == found[1]
    assert await kept.version(9) is None
    audit = await store.accounts.audit(Wanted(action="routes.change"), None, 9)
    assert [one.subject for one in audit] == ["5", "3", "2"]


def ask(place: Place, statement: str) -> None:
    """Run a statement as an administrator would, past the program."""
    if isinstance(place, PostgresPlace):
        place.ask(statement)
        return
    assert isinstance(place, SqlitePlace)
    connection = apsw.Connection(str(place.path))
    try:
        connection.execute(statement)
    finally:
        connection.close()
