"""Refused logins in the audit: so many a minute, whoever tries, and of the rest their number."""

from gateway.clock import Clock
from gateway.store.accounts import Accounts, NewEntry

#: Entries within a minute: anybody can cause them, and nobody can take them out again.
MOST, _WITHIN_S = 60, 60.0


class Refusals:
    """Notes refused logins.

    Args:
        accounts: Where the audit is.
        clock: The time.
    """

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._since = clock.monotonic()
        self._written = 0
        self._more = 0
        self._last = ""  # the address of the last one that was not written

    async def note(self, action: str, subject: str, remote: str) -> None:
        """Write into the audit, or count what is too much for this minute. Raises `StoreError`."""
        await self.settle()
        if self._written >= MOST:
            self._more, self._last = self._more + 1, remote
            return
        self._written += 1
        await self._note(action, subject, remote)

    async def settle(self) -> None:
        """Once a minute is over, tell how many it had that were not written."""
        now = self._clock.monotonic()
        if now - self._since < _WITHIN_S:
            return
        more, self._since, self._written, self._more = self._more, now, 0, 0
        if more:
            try:
                await self._note("login.more", "", self._last, count=str(more))
            except BaseException:
                self._more += more
                raise

    async def _note(self, action: str, subject: str, remote: str, **detail: str) -> None:
        now = self._clock.now()
        entry = NewEntry(
            at=now, by="", remote=remote, action=action, subject=subject, detail=detail
        )
        await self._accounts.note(entry)
