"""The platform's simulator keeps the platform's rules: what passes against it is worth something."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from channels.wechat.simulator.platform import Platform
from channels.wechat.simulator.pusher import OUT_OF_ORDER, Pusher, members
from tests.channels.wechat.world import APP, PLAIN, SEALED, SECRET

Answer = Callable[[web.Request], Awaitable[web.Response]]
TEXT = members("text", "oCitizen", Content="路灯不亮")


@asynccontextmanager
async def _account(answer: Answer) -> AsyncIterator[str]:
    """Serve an account that answers as it likes."""
    app = web.Application()
    app.router.add_route("*", "/", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}/".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


def _said(*statuses: int) -> tuple[list[bytes], Answer]:
    """Return what an account was pushed, and an account that answers with these statuses in turn."""
    left, seen = list(statuses), []

    async def answer(request: web.Request) -> web.Response:
        seen.append(await request.read())
        return web.Response(status=left.pop(0), text="success")

    return seen, answer


async def test_a_push_is_tried_three_times() -> None:
    """What is answered with an error is pushed again, the same octets; the third answer counts."""
    seen, answer = _said(500, 503, 200)
    async with _account(answer) as url, Pusher(PLAIN, url, patience_s=0.05) as pusher:
        pushed = await pusher.push(TEXT)
    assert (pushed.statuses, pushed.shown) == ([500, 503, 200], None)
    assert len(set(seen)) == 1
    assert sum(pushed.seconds) < 5


async def test_after_three_tries_the_citizen_is_told() -> None:
    """Nobody answers in time: three tries, and the account is out of order."""
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        await asked.wait()
        return web.Response()

    async with _account(never) as url, Pusher(PLAIN, url, patience_s=0.05) as pusher:
        pushed = await pusher.push(TEXT)
        asked.set()
    assert (pushed.statuses, pushed.shown) == ([0, 0, 0], OUT_OF_ORDER)


@pytest.mark.parametrize("body", ["ok", "<xml><Content>x</Content></xml>", "<xml>", "{}"])
async def test_a_reply_that_is_none_is_seen(body: str) -> None:
    """Neither empty, `success` nor a sealed message: the citizen sees that it is out of order."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=body)

    async with _account(answer) as url, Pusher(SEALED, url) as pusher:
        assert (await pusher.push(TEXT)).shown == OUT_OF_ORDER


class Console:
    """Asks for tokens as a program with the secret does."""

    def __init__(self, platform: Platform, session: aiohttp.ClientSession) -> None:
        self._platform = platform
        self._session = session

    async def token(self, *, force: bool = False, secret: str = SECRET) -> str | int:
        """Return the token, or the error's code."""
        asked = {"appid": APP, "secret": secret, "force_refresh": force}
        url = f"{self._platform.url}/cgi-bin/stable_token"
        async with self._session.post(url, json=asked) as answer:
            told = await answer.json()
        found: str | int = told.get("access_token") or told["errcode"]
        return found

    async def works(self, token: str | int) -> int:
        """Return the error's code of a call with this token."""
        url = f"{self._platform.url}/cgi-bin/menu/create"
        async with self._session.post(url, params={"access_token": token}, json={}) as answer:
            assert answer.status == 200  # whatever it says
            code: int = (await answer.json())["errcode"]
            return code


async def test_tokens_live_and_end_as_the_platforms_do() -> None:
    """One token until five minutes before its end; forced ones 30 s apart, twenty a day."""
    at = 1_795_312_800.0
    platform = Platform(APP, SECRET, now=lambda: at)
    await platform.start()
    async with aiohttp.ClientSession() as session:
        console = Console(platform, session)
        first = await console.token()
        assert await console.token() == first
        assert await console.works(first) == 0
        at += 7200 - 299
        second = await console.token()
        assert second != first
        assert [await console.works(t) for t in (first, second)] == [0, 0]
        at += 299
        assert [await console.works(t) for t in (first, second, "made up")] == [42001, 0, 40001]
        forced = [await console.token(force=True), await console.token(force=True)]
        assert forced[0] == forced[1] != second
        for _ in range(19):
            at += 31
            assert isinstance(await console.token(force=True), str)
        at += 31
        assert await console.token(force=True) == 45009
        assert isinstance(await console.token(), str)
        assert await console.token(secret="wrong") == 40125
    await platform.stop()
