"""A speech recognizer that says what its script says, with delays, drops and errors."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web


@dataclass
class Script:
    """What the server does, by octets of sound that it has heard."""

    says: list[tuple[int, str, str]] = field(default_factory=list)  #: from octet, mode, text
    final: str | None = ""  #: text of the last answer; None: there is none
    drop_at: int | None = None  #: close the connection after so many octets
    nonsense: bool = False  #: begin with an answer that is none
    sessions: int = 0
    firsts: list[dict[str, Any]] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)  #: octets of sound, by session


async def _serve(request: web.Request) -> web.WebSocketResponse:
    script = request.app[_SCRIPT]
    socket = web.WebSocketResponse(protocols=("binary",))
    await socket.prepare(request)
    script.sessions += 1
    script.heard.append(0)
    if script.nonsense:
        await socket.send_str("[not an answer")
    waiting = list(script.says)
    async for message in socket:
        if message.type is WSMsgType.BINARY:
            script.heard[-1] += len(message.data)
            await _hear(socket, script, waiting)
            if script.drop_at is not None and script.heard[-1] >= script.drop_at:
                break
        elif message.type is WSMsgType.TEXT:
            await _told(socket, script, json.loads(message.data))
    await socket.close()
    return socket


async def _hear(
    socket: web.WebSocketResponse, script: Script, waiting: list[tuple[int, str, str]]
) -> None:
    while waiting and script.heard[-1] >= waiting[0][0]:
        _, mode, text = waiting.pop(0)
        await socket.send_str(json.dumps({"mode": mode, "text": text, "is_final": False}))


async def _told(socket: web.WebSocketResponse, script: Script, said: dict[str, Any]) -> None:
    if said["is_speaking"]:
        script.firsts.append(said)
    elif script.final is not None:
        answer = {"mode": "2pass-offline", "text": script.final, "is_final": True}
        await socket.send_str(json.dumps(answer))


_SCRIPT = web.AppKey("script", Script)


@asynccontextmanager
async def recognizer(script: Script) -> AsyncIterator[str]:
    """Give the address of a recognizer."""
    app = web.Application()
    app[_SCRIPT] = script
    app.router.add_get("/", _serve)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()
