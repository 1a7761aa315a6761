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
#: Forced refreshes of a day, and seconds between two: what is beyond is wasted or refused.
FORCED_A_DAY, FORCED_APART_S = 20, 30.0
_DAY_S = 86_400.0
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
    forced: tuple[float, ...] = ()  #: when others were forced, within the last day


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
        forced = tuple(at for at in mine.forced if at > self._now() - _DAY_S)
        try:
            async with asyncio.timeout(FETCH_S):
                issued = await self._fetch(False)
                if issued.token == refused:  # the stable interface still believes in it
                    _check_forced(forced, self._now())
                    forced = (*forced, self._now())
                    issued = _another(await self._fetch(True), refused)
        except (TimeoutError, TryLater) as error:
            given_up = msgspec.structs.replace(mine, fetching_until=0.0, forced=forced)
            await self._write(given_up, version)
            if isinstance(error, TryLater):
                raise
            raise TryLater("the platform gave no access token in time") from None
        state = _State(token=issued.token, until=self._now() + issued.lasts_s, forced=forced)
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


def _another(issued: Issued, refused: str | None) -> Issued:
    """Return a token that is not the refused one. Raises `TryLater` if it is."""
    if issued.token == refused:
        raise TryLater("the platform gives no other token than the one it refuses", FORCED_APART_S)
    return issued


def _check_forced(forced: tuple[float, ...], now: float) -> None:
    """Return if another token may be forced now. Raises `TryLater`, with the time to wait."""
    free_at = [forced[-1] + FORCED_APART_S] if forced else []
    if len(forced) >= FORCED_A_DAY:
        free_at.append(forced[-FORCED_A_DAY] + _DAY_S)
    if free_at and max(free_at) > now:
        why = "the platform refuses its own access token, and another one was forced just before"
        raise TryLater(why, max(free_at) - now)
