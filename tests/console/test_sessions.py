"""How long sessions last, what passwords are kept as, and who may do what."""

import asyncio
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console import passwords, refusals, sessions
from gateway.console.roles import ROLES, Right, may
from gateway.console.sessions import IDLE, LASTS, Granted, Login, Refused, Sessions
from gateway.store.accounts import Entry, NewEntry, Wanted
from gateway.store.sqlite import SqliteStore
from normalizer.errors import ConfigError
from tests.clock import FakeClock
from tests.console.world import PASSWORD, kept


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Yield a store with one user."""
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    entry = NewEntry(at=FakeClock().now(), by="", remote="", action="user.added")
    await opened.accounts.add("chen", "operator", kept(), entry)
    yield opened
    await opened.close()


def login(name: str = "chen", password: str = PASSWORD, device: str = "") -> Login:
    """Return what somebody typed."""
    return Login(name=name, password=password, remote="10.0.0.7", device=device)


async def begun(found: Sessions, device: str = "") -> Granted:
    """Return a new session."""
    granted = await found.login(login(device=device))
    assert isinstance(granted, Granted)
    return granted


async def test_a_session_that_is_not_used_ends(store: SqliteStore) -> None:
    """An hour without a click; a page that refreshes itself is none."""
    clock = FakeClock()
    found = Sessions(store.accounts, clock, store.secret)
    token = (await begun(found)).token
    for _ in range(3):
        await clock.advance(IDLE.total_seconds() - 1)
        assert await found.find(token, active=True) is not None
    await clock.advance(IDLE.total_seconds() - 1)
    assert await found.find(token, active=False) is not None
    await clock.advance(1)
    assert await found.find(token, active=False) is None


async def test_a_session_that_is_used_ends_with_the_shift(store: SqliteStore) -> None:
    """Twelve hours after the login, whatever was clicked."""
    clock = FakeClock()
    found = Sessions(store.accounts, clock, store.secret)
    token, half = (await begun(found)).token, IDLE.total_seconds() / 2
    for _ in range(int(LASTS.total_seconds() / half) - 1):
        await clock.advance(half)
        assert await found.find(token, active=True) is not None
    await clock.advance(half)
    assert await found.find(token, active=True) is None


async def test_a_known_browser_has_tries_of_its_own(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is held up may try again later; a browser's cookie is good for its own user alone."""
    monkeypatch.setattr(passwords, "matches", lambda given, _: given == PASSWORD)
    clock = FakeClock()
    found = Sessions(store.accounts, clock, store.secret)
    device = (await begun(found)).device
    for _ in range(sessions.OF_NAME):
        assert await found.login(login(password="wrong")) == Refused()
    held_up = await found.login(login())
    assert isinstance(held_up, Refused)
    assert 0 < held_up.after_s <= 600
    assert isinstance(await found.login(login(device="x" + device)), Refused)
    await begun(found, device)
    await clock.advance(600)
    await begun(found)


async def test_an_address_is_held_up_whatever_names_it_tries(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guessing one password for many names ends, too, and costs no name its tries."""
    monkeypatch.setattr(passwords, "matches", lambda given, _: given == PASSWORD)
    found = Sessions(store.accounts, FakeClock(), store.secret)
    for count in range(sessions.OF_ADDRESS):
        assert await found.login(login(f"name-{count}", "wrong")) == Refused()
    held_up = await found.login(login())
    assert isinstance(held_up, Refused)
    assert held_up.after_s > 0
    elsewhere = Login(name="chen", password=PASSWORD, remote="10.0.0.8")
    assert isinstance(await found.login(elsewhere), Granted)


async def noted(store: SqliteStore, action: str) -> list[Entry]:
    """Return the entries of a kind, newest first."""
    return await store.accounts.audit(Wanted(action=action), None, 1000)


async def test_a_flood_from_one_address_is_one_entry_whatever_names_it_tries(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can fill the audit, which is never shortened, by names that they make up."""
    monkeypatch.setattr(passwords, "matches", lambda *_: False)
    found = Sessions(store.accounts, FakeClock(), store.secret)
    for count in range(sessions.OF_ADDRESS + 20):
        await found.login(login(f"name-{count}", "wrong"))
    assert len(await noted(store, "login.refused")) == sessions.OF_ADDRESS
    assert len(await noted(store, "login.held_up")) == 1


async def test_refused_logins_are_so_many_entries_a_minute(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From however many addresses; one more entry has the number of the others."""
    monkeypatch.setattr(passwords, "matches", lambda *_: False)
    clock = FakeClock()
    found = Sessions(store.accounts, clock, store.secret)
    for count in range(refusals.MOST + 7):
        name = f"name-{count}"
        await found.login(Login(name=name, password="wrong", remote=f"10.1.0.{count}"))
    assert len(await noted(store, "login.refused")) == refusals.MOST
    await clock.advance(60)
    await found.login(login("last", "wrong"))
    assert len(await noted(store, "login.refused")) == refusals.MOST + 1
    (more,) = await noted(store, "login.more")
    assert more.detail == {"count": "7"}


async def test_a_known_browser_gets_in_whatever_its_address_does(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither wrong passwords from behind the same address nor a queue of strangers hold it up."""
    going_on = threading.Event()

    def matches(given: str, _: str) -> bool:
        if given == "slow":
            going_on.wait(20)
        return given == PASSWORD

    monkeypatch.setattr(passwords, "matches", matches)
    found = Sessions(store.accounts, FakeClock(), store.secret)
    device = (await begun(found)).device
    for count in range(sessions.OF_ADDRESS):
        await found.login(login(f"name-{count}", "wrong"))
    strangers = [
        asyncio.create_task(
            found.login(Login(name=f"n{count}", password="slow", remote=f"10.2.0.{count}"))
        )
        for count in range(40)
    ]
    await asyncio.sleep(0)
    await begun(found, device)
    assert not all(one.done() for one in strangers)
    going_on.set()
    busy = [one for one in await asyncio.gather(*strangers) if one != Refused()]
    assert busy == [Refused(after_s=5.0)] * 24


async def test_who_comes_again_and_again_while_all_are_busy_is_held_up(store: SqliteStore) -> None:
    """A refusal for want of room counts like a wrong password, for a stranger's address."""
    clock = FakeClock()
    found = Sessions(store.accounts, clock, store.secret)
    many = [found.login(login(f"n{count}", "wrong")) for count in range(16 + sessions.OF_ADDRESS)]
    assert Refused(after_s=5.0) in await asyncio.gather(*many)
    held_up = await found.login(login())
    assert isinstance(held_up, Refused)
    assert held_up.after_s > 60


async def test_an_unknown_name_costs_as_much_as_a_known_one(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared where there is no user takes the same work."""
    compared: list[str] = []

    def matches(_: str, kept: str) -> bool:
        compared.append(kept.rsplit("$", 2)[0])
        return True

    monkeypatch.setattr(passwords, "matches", matches)
    found = Sessions(store.accounts, FakeClock(), store.secret)
    assert await found.login(login("nobody")) == Refused()
    await begun(found)
    assert compared == ["scrypt$ln=14,r=8,p=5", "scrypt$ln=4,r=8,p=1"]  # as new ones, as theirs


def test_a_password_is_the_same_from_every_keyboard() -> None:
    """Full width or half; anything else is another password, and no two are kept alike."""
    found = passwords.hashed(PASSWORD)
    assert re.fullmatch(r"scrypt\$ln=14,r=8,p=5\$[\w+/=]{24}\$[\w+/=]{44}", found)
    assert kept() != kept()
    found = kept()
    wide = "".join(chr(ord(c) + 0xFEE0) if c != " " else "\u3000" for c in PASSWORD)
    assert passwords.matches(wide, found)
    assert not passwords.matches(PASSWORD + " ", found)
    assert not passwords.matches("\ud800" * 10_000, found)


@pytest.mark.parametrize("weak", ["", "short", "elevenchars", "abababababab", "长" * 12, "x" * 129])
def test_a_weak_password_is_refused(weak: str) -> None:
    """Too short, too long, or the same few characters again and again."""
    with pytest.raises(ConfigError, match="password"):
        passwords.checked(weak)


def test_the_table_of_roles_is_what_the_contract_says() -> None:
    """Admins may do all; operators all but users and audit; auditors change nothing."""
    changing = {Right.REPLAY, Right.EDIT_ROUTES, Right.EDIT_USERS}
    own = {Right.AUDIT, Right.USERS, Right.EDIT_USERS}
    assert ROLES["admin"] == set(Right)
    assert ROLES["operator"] == set(Right) - own
    assert ROLES["auditor"] == set(Right) - changing
    assert ROLES["liaison"] == {Right.EMERGENCIES, Right.HEALTH}
    assert not any(may("somebody", right) for right in Right)
