"""One access token for all processes that serve an account.

The token lies in what all nodes share, with the mark of whoever is fetching a new one; the others
wait for it. Source: developers.weixin.qq.com, "获取稳定版接口调用凭据": the stable token does not change
while it is valid, both the old and the new one work for five minutes, 20 forced refreshes a day.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from channels.base import Shared
from normalizer.errors import TryLater
from normalizer.schema import Value

#: Seconds before its end at which a token is replaced: in the last five minutes both are valid.
MARGIN_S = 240.0
#: How long a process may take to fetch; should it die, another one fetches after that.
FETCH_S = 10.0
_LOOK_S = 0.05
_WAIT_S = 15.0


class Issued(Value, frozen=True, kw_only=True):
    """A token as the platform issues it."""

    token: str
    lasts_s: float


class _State(Value, frozen=True, kw_only=True):
    """What all processes see."""

    token: str = ""
    until: float = 0.0  #: seconds since 1970
    fetching_until: float = 0.0  #: somebody is at it


#: Fetches a token; True: one that differs from the token in force.
Fetch = Callable[[bool], Awaitable[Issued]]


class Tokens:
    """Gives out the account's access token.

    Args:
        name: Of the account, in what is shared.
        shared: What all processes see.
        fetch: Asks the platform. Raises `TryLater`.
        now: Seconds since 1970.
    """

    def __init__(self, name: str, shared: Shared, fetch: Fetch, now: Callable[[], float]) -> None:
        self._name = f"wechat-token:{name}"
        self._shared = shared
        self._fetch = fetch
        self._now = now
        self._known = _State()

    async def get(self, refused: str | None = None) -> str:
        """Return a token that is valid as far as is known.

        Args:
            refused: The one that the platform has just refused: another one is wanted.

        Raises:
            TryLater: None can be had now.
        """
        if self._usable(self._known, refused):
            return self._known.token
        looks = int(_WAIT_S / _LOOK_S)
        for _ in range(looks):
            state, version = await self._read()
            if self._usable(state, refused):
                self._known = state
                return state.token
            if state.fetching_until <= self._now():
                mine = msgspec.structs.replace(state, fetching_until=self._now() + FETCH_S)
                if await self._write(mine, version):
                    return await self._renew(mine, version + 1, refused)
            await asyncio.sleep(_LOOK_S)
        raise TryLater("another process has been fetching the access token for too long")

    def _usable(self, state: _State, refused: str | None) -> bool:
        fresh = state.until - MARGIN_S > self._now()
        return bool(state.token) and fresh and state.token != refused

    async def _renew(self, mine: _State, version: int, refused: str | None) -> str:
        """Fetch, as the only one, and tell the others."""
        try:
            async with asyncio.timeout(FETCH_S):
                issued = await self._fetch(False)
                if issued.token == refused:  # the stable interface still believes in it
                    issued = await self._fetch(True)
        except TimeoutError:
            await self._write(msgspec.structs.replace(mine, fetching_until=0.0), version)
            raise TryLater("the platform gave no access token in time") from None
        except TryLater:
            await self._write(msgspec.structs.replace(mine, fetching_until=0.0), version)
            raise
        state = _State(token=issued.token, until=self._now() + issued.lasts_s)
        await self._write(state, version)
        self._known = state
        return state.token

    async def _read(self) -> tuple[_State, int]:
        entry = await self._shared.shared(self._name)
        if entry is None:
            return _State(), 0
        return msgspec.json.decode(entry.value, type=_State), entry.version

    async def _write(self, state: _State, version: int) -> bool:
        return await self._shared.swap(self._name, msgspec.json.encode(state), version)
