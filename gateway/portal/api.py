"""The citizens' HTTP interface to a ticket of theirs (contract section 4)."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec
from aiohttp import web

from channels.web.codec import key_of
from gateway.attempts import TooMany
from gateway.portal.citizen import Citizen, Done, NotFound, Progress
from gateway.problems import decoding_of, problem

T = TypeVar("T")


class _Message(msgspec.Struct):
    text: str


class _Rating(msgspec.Struct):
    rating: str
    comment: str | None = None


class CitizenApi:
    """The handlers below ``/api/v1/requests/{number}``."""

    def __init__(self, citizen: Citizen, remote: Callable[[web.Request], str]) -> None:
        self._citizen = citizen
        self._remote = remote

    def _who(self, request: web.Request) -> tuple[str, str, str]:
        code = request.headers.get("X-Query-Code", "")
        return request.match_info["number"], code, self._remote(request)

    async def progress(self, request: web.Request) -> web.Response:
        """Tell where the ticket stands."""
        return _answer(200, await self._citizen.progress(*self._who(request)))

    async def message(self, request: web.Request) -> web.Response:
        """Add to the ticket."""
        body = _decode(await request.read(), _Message)
        key = key_of(request.headers.get("Idempotency-Key"))
        return _answer(202, await self._citizen.add(*self._who(request), body.text, key=key))

    async def rating(self, request: web.Request) -> web.Response:
        """Rate the answer."""
        body = _decode(await request.read(), _Rating)
        done = await self._citizen.rate(*self._who(request), body.rating, body.comment)
        return _answer(202, done)

    async def withdraw(self, request: web.Request) -> web.Response:
        """Take the ticket back."""
        return _answer(202, await self._citizen.withdraw(*self._who(request)))


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise decoding_of(error) from None


def _answer(status: int, value: Progress | Done) -> web.Response:
    return web.Response(
        status=status,
        body=msgspec.json.encode(value),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _guarded(handler: Handler) -> Handler:
    """Answer a wrong code and an unknown number alike."""

    async def guarded(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except NotFound as error:
            return problem(404, str(error))
        except TooMany as error:
            return problem(429, str(error), headers={"Retry-After": str(int(error.after_s) + 1)})

    return guarded


def routes(citizen: Citizen, remote: Callable[[web.Request], str]) -> list[web.RouteDef]:
    """Return the routes of this module."""
    api, base = CitizenApi(citizen, remote), "/api/v1/requests/{number}"
    return [
        web.get(base, _guarded(api.progress)),
        web.post(f"{base}/messages", _guarded(api.message)),
        web.post(f"{base}/rating", _guarded(api.rating)),
        web.post(f"{base}/withdraw", _guarded(api.withdraw)),
    ]
