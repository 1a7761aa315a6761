"""Logging in and out of the console, and telling who asks.

Sources: OWASP Session Management Cheat Sheet; NIST SP 800-63B-4 §2.2.3 for how long a session lasts;
OWASP, "Slow Down Online Guessing Attacks with Device Cookies": who guesses at a name keeps nobody out
who has been in before with the same browser.
"""

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.attempts import Attempts, network_of
from gateway.clock import Clock
from gateway.console import names, passwords
from gateway.console.refusals import Refusals
from gateway.store.accounts import Accounts, NewEntry, Session, User

#: A shift.
LASTS = timedelta(hours=12)
#: Without a click; a page that refreshes itself is none.
IDLE = timedelta(hours=1)
#: How often a session that is used is written down.
_SEEN_EVERY = timedelta(minutes=1)
#: Wrong passwords within ten minutes: for a name, and from an address, behind which a whole office may be.
OF_NAME, OF_ADDRESS = 10, 30
#: Logins that may wait while one is being compared, which takes a quarter of a second.
_WAITING = 16


@dataclass(frozen=True, slots=True)
class Granted:
    """A login that went well."""

    token: str  #: of the session, for the cookie alone
    device: str  #: by which this browser is known next time


@dataclass(frozen=True, slots=True)
class Refused:
    """A login that did not."""

    after_s: float = 0.0  #: seconds until the next try; 0: name or password are wrong


@dataclass(frozen=True, slots=True)
class Login:
    """What was typed, and where."""

    name: str
    password: str
    remote: str
    device: str = ""  #: the browser's cookie


@dataclass(frozen=True, slots=True)
class _Keys:
    """What a wrong password is counted for."""

    name: str  #: with the browser, where it is known
    address: str
    known: bool  #: the browser was logged in before by this name


class _Queue:
    """Logins of which one after another is compared."""

    def __init__(self) -> None:
        self.one = asyncio.Lock()
        self.waiting = 0


class Sessions:
    """Sessions of the console's users.

    Args:
        accounts: Where they are kept.
        clock: The time.
        secret: Of the store, for what is derived.
    """

    def __init__(self, accounts: Accounts, clock: Clock, secret: bytes) -> None:
        self._accounts = accounts
        self._clock = clock
        self._secret = secret
        self._by_name = Attempts(OF_NAME)
        self._by_address = Attempts(OF_ADDRESS)
        self._told = Attempts(1)
        self._nobodys = ""
        self._refusals = Refusals(accounts, clock)
        # Whoever floods the one keeps nobody out of the other.
        self._queues = {known: _Queue() for known in (False, True)}

    async def login(self, login: Login) -> Granted | Refused:
        """Return a new session, or when to try again. Raises `StoreError`."""
        found = await self._compared(login)
        if isinstance(found, Refused):
            return found
        if (token := await self._begin(found, login.remote)) is None:
            return Refused()  # changed while the password was compared
        device = secrets.token_urlsafe(12)
        return Granted(token, f"{device}.{self._device_signature(found.name, device)}")

    async def wrong(self, login: Login) -> float | None:
        """Return None if name and password are right; else seconds until the next try, 0: now."""
        found = await self._compared(login)
        return found.after_s if isinstance(found, Refused) else None

    async def _compared(self, login: Login) -> User | Refused:
        """Return the user whose name and password these are; one compares after another."""
        name = names.tidy(login.name)
        keys = self._keys(name, login)
        await self._refusals.settle()
        if self._blocked_for(keys) > 0:
            return await self._held_up(keys, login)
        queue = self._queues[keys.known]
        if queue.waiting >= _WAITING:
            return self._busy(keys)
        queue.waiting += 1
        try:
            async with queue.one:
                # Others may have guessed meanwhile.
                if self._blocked_for(keys) > 0:
                    return await self._held_up(keys, login)
                return await self._compare(name, keys, login)
        finally:
            queue.waiting -= 1

    def _busy(self, keys: _Keys) -> Refused:
        """Refuse because too many wait; who comes again and again at once is held up in the end."""
        if not keys.known:
            self._by_address.count(keys.address, self._clock.monotonic())
        return Refused(after_s=5.0)

    def _keys(self, name: str, login: Login) -> _Keys:
        device, _, signature = login.device.partition(".")
        known = bool(device) and _same(signature, self._device_signature(name, device))
        return _Keys(f"{name} {device if known else ''}", network_of(login.remote), known)

    def _address_blocked_for(self, keys: _Keys) -> float:
        """Return how long an address must wait; a known browser waits for its own mistakes alone."""
        if keys.known:
            return 0.0
        return self._by_address.blocked_for(keys.address, self._clock.monotonic())

    def _blocked_for(self, keys: _Keys) -> float:
        now = self._clock.monotonic()
        return max(self._by_name.blocked_for(keys.name, now), self._address_blocked_for(keys))

    async def _held_up(self, keys: _Keys, login: Login) -> Refused:
        """Refuse without comparing; a flood of tries is one entry of the audit.

        Told once of what is held up: of an address, whatever names are tried from there.
        """
        by_address = self._address_blocked_for(keys) > 0
        now, key = self._clock.monotonic(), f"@{keys.address}" if by_address else keys.name
        if not self._told.blocked_for(key, now):
            self._told.count(key, now)
            await self._refusals.note("login.held_up", "", login.remote)
        return Refused(after_s=self._blocked_for(keys))

    async def _compare(self, name: str, keys: _Keys, login: Login) -> User | Refused:
        user = await self._accounts.user(name)
        self._nobodys = self._nobodys or await asyncio.to_thread(passwords.nobodys)
        kept = user.password if user is not None else self._nobodys
        right = await asyncio.to_thread(passwords.matches, login.password, kept)
        if user is not None and right:
            return user
        now = self._clock.monotonic()
        self._by_name.count(keys.name, now)
        self._by_address.count(keys.address, now)
        # A name that is nobody's may be a password in the wrong field.
        await self._refusals.note(
            "login.refused", user.name if user is not None else "", login.remote
        )
        return Refused()

    async def _begin(self, user: User, remote: str) -> str | None:
        token, now = secrets.token_urlsafe(32), self._clock.now()
        entry = NewEntry(at=now, by=user.name, remote=remote, action="login")
        begun = await self._accounts.begin(
            digest_of(token), user, entry, opened=now - LASTS, seen=now - IDLE
        )
        return token if begun else None

    async def find(self, token: str, *, active: bool) -> Session | None:
        """Return the session of a token that holds still.

        Args:
            token: As the cookie has it.
            active: Somebody asked, not a page that refreshes itself.
        """
        if not token:
            return None
        digest, now = digest_of(token), self._clock.now()
        found = await self._accounts.session(digest)
        if found is None or is_over(found, now):
            return None
        if active and now - found.seen_at > _SEEN_EVERY:
            await self._accounts.see(digest, now)
        return found

    async def logout(self, token: str, session: Session, remote: str) -> None:
        """End a session."""
        entry = NewEntry(at=self._clock.now(), by=session.user.name, remote=remote, action="logout")
        await self._accounts.end(digest_of(token), entry)

    def form_token(self, token: str) -> str:
        """Return what a form must bring that belongs to this session, or to this login page."""
        return hmac.digest(self._secret, b"console-form:" + token.encode(), "sha256").hex()

    def is_form_token(self, token: str, given: str) -> bool:
        """Return whether a form was made for this session, in constant time."""
        return bool(token) and _same(given, self.form_token(token))

    def _device_signature(self, name: str, device: str) -> str:
        said = f"console-device:{device}:{name}".encode(errors="replace")
        return hmac.digest(self._secret, said, "sha256").hex()


def is_over(session: Session, now: datetime) -> bool:
    """Return whether a session has lasted, or not been used, for too long."""
    return now - session.opened_at >= LASTS or now - session.seen_at >= IDLE


def digest_of(token: str) -> str:
    """Return what the store keeps of a session's token."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
