"""A back office on loopback that does whatever a test wants of it."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
from aiohttp import web


@dataclass(frozen=True)
class Push:
    """One push as it came in."""

    id: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent."""
        return msgspec.json.decode(self.body)  # type: ignore[no-any-return]

    @property
    def subject(self) -> str:
        """The ticket's number or the incident's id."""
        return str(self.event["subject"])

    @property
    def type(self) -> str:
        """The event's type."""
        return str(self.event["type"])


@dataclass(frozen=True)
class Answer:
    """How a push is answered."""

    status: int = 202
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    after_s: float = 0.0  #: real seconds
    hangs: bool = False  #: never answers
    written: bytes | None = None  #: these octets instead of an answer, then a reset


class BackOfficePeer:
    """An HTTP server that keeps what was pushed and answers as ``answer`` says."""

    def __init__(self, answer: Callable[[Push], Answer] | None = None) -> None:
        self.answer = answer or (lambda _push: Answer())
        self.pushes: list[Push] = []  #: all that came in
        self.taken: list[Push] = []  #: those that were answered 2xx
        self.under_way: list[Push] = []
        self.most_under_way = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/events"

    async def start(self) -> Self:
        """Listen, on the same port as before if there was one."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post("/events", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.StreamResponse:
        headers = {k.lower(): v for k, v in request.headers.items()}
        push = Push(headers.get("webhook-id", ""), headers, await request.read())
        self.pushes.append(push)
        self.under_way.append(push)
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        try:
            return await self._reply(request, push)
        finally:
            self.under_way.remove(push)

    async def _reply(self, request: web.Request, push: Push) -> web.StreamResponse:
        answer = self.answer(push)
        if answer.hangs:
            await asyncio.Event().wait()
        if answer.after_s:
            await asyncio.sleep(answer.after_s)
        if answer.written is not None:
            _reset(request, answer.written)
        if 200 <= answer.status < 300:
            self.taken.append(push)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _reset(request: web.Request, octets: bytes) -> None:
    """Write octets that are no whole answer and reset the connection."""
    transport = request.transport
    if transport is None:
        return
    transport.write(octets)
    with contextlib.suppress(OSError):
        # Lingering for no time at all makes the end a reset.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


class SilentPeer:
    """A port where connections are made by the kernel and nobody ever reads or answers."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/events"

    def close(self) -> None:
        """Let go of the port."""
        self._socket.close()
