"""A message centre: delivers one message, as many as are answered, or so many a second."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self, cast

from channels.sms.smpp import (
    RESPONSE,
    Command,
    Frame,
    Frames,
    ShortMessage,
    Status,
    frame,
    response,
    short_message_body,
)
from gateway.loopback import HOST

_TEXT = "人民路{n}号门口的路灯坏了三盏，晚上一片漆黑，请尽快派人修理。"
#: Seconds that connections have to end.
_CLOSING_S = 1.0
_UTF16 = "utf-16-be"


@dataclass(slots=True)
class Centre:
    """Takes one bind at a time."""

    window: int = 64
    took: Callable[[Frame], None] = lambda _: None  #: told of every submit_sm
    host: str = HOST
    port: int = 0  #: 0: any that is free, told here once it listens
    answered: list[tuple[float, float]] = field(default_factory=list)  #: when, and ms it took
    refused: int = 0
    submitted: int = 0
    _sent: dict[int, float] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _citizens: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _writer: asyncio.StreamWriter | None = None
    _connected: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _server: asyncio.Server | None = None
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _bound: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._connected.values():
            writer.close()
        if self._connected:
            await asyncio.wait(self._connected, timeout=_CLOSING_S)

    async def bound(self, limit_s: float = 60.0) -> None:
        """Return once somebody has bound."""
        async with asyncio.timeout(limit_s):
            await self._bound.wait()

    async def flood(self, seconds: float) -> None:
        """Deliver as fast as the window allows."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            while len(self._sent) < self.window:
                self._deliver()
            self._room.clear()
            await self._room.wait()

    async def trickle(self, seconds: float, rate: float) -> None:
        """Deliver so many a second."""
        began = time.perf_counter()
        for n in range(int(seconds * rate)):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            self._deliver()

    async def settled(self, limit_s: float = 30.0) -> None:
        """Return once everything was answered."""
        async with asyncio.timeout(limit_s):
            while self._sent:
                self._room.clear()
                await self._room.wait()

    def deliver(self, message: ShortMessage) -> None:
        """Deliver one message to whoever has bound."""
        sequence = next(self._numbers) & 0x7FFF_FFFF
        self._sent[sequence] = time.perf_counter()
        if self._writer is not None:
            body = short_message_body(message)
            self._writer.write(frame(Command.DELIVER_SM, sequence, body).octets)

    def _deliver(self) -> None:
        number = next(self._citizens)
        self.deliver(
            ShortMessage(
                source=f"86139{number:08}",
                source_ton=1,
                destination="106912345",
                coding=8,
                octets=_TEXT.format(n=number).encode(_UTF16),
            )
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._connected[task] = writer
        task.add_done_callback(lambda done: self._connected.pop(done, None))
        frames = Frames()
        while octets := await reader.read(1 << 16):
            for each in frames.feed(octets):
                self._handle(each, writer)
        writer.close()

    def _handle(self, came: Frame, writer: asyncio.StreamWriter) -> None:
        if came.command == Command.DELIVER_SM | RESPONSE:
            now = time.perf_counter()
            self.answered.append((now, (now - self._sent.pop(came.sequence, now)) * 1000))
            self.refused += came.status != Status.OK
            self._room.set()
            return
        if came.command & RESPONSE:
            return
        body = b""
        if came.command == Command.SUBMIT_SM:
            self.submitted += 1
            self.took(came)
            body = f"{self.submitted}\0".encode()
        elif came.command == Command.BIND_TRANSCEIVER:
            self._writer = writer
            body = b"bench\0"
        writer.write(response(came, body=body).octets)
        if came.command == Command.BIND_TRANSCEIVER:
            self._bound.set()
