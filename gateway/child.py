"""A child process of this interpreter, spoken to in frames over a pair of sockets.

A frame is four octets of length, big-endian, and that many octets. The first frame from the child
is a MessagePack None once it can work, or the reason why it cannot. The child's side is in
`gateway.frames`.
"""

import asyncio
import os
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import cast

import msgspec

#: Seconds that a child may take for its end before it is killed.
LAST_WORK_S = 30

_decode_greeting = msgspec.msgpack.Decoder(str | None).decode


class ChildFailed(Exception):
    """The child could not be started, or says why it cannot work."""


class Child(asyncio.Protocol, ABC):
    """The way to one child at a time; a subclass says what is asked and what a death means."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._child: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._live = False  #: there is a child that can work

    @abstractmethod
    def _answered(self, frame: bytes) -> None:
        """Take one frame behind the greeting."""

    @abstractmethod
    def _died(self) -> None:
        """Take note that a child that could work is gone."""

    async def _spawn(
        self, module: str, arguments: Sequence[str], held: Sequence[int] = (), first: bytes = b""
    ) -> None:
        """Return once a child can work.

        Args:
            module: What it runs, with the number of its socket and the arguments.
            arguments: For the module.
            held: Descriptors that it inherits.
            first: Sent to it before anything else.

        Raises:
            ChildFailed: It cannot.
        """
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise ChildFailed(f"it cannot be started: {error.strerror}") from error
        try:
            with theirs:
                self._child = _start(module, theirs.fileno(), arguments, held)
        except OSError as error:
            ours.close()
            raise ChildFailed(f"it cannot be started: {error.strerror}") from error
        self._greeted = self._loop.create_future()
        self._buffer.clear()
        await self._loop.create_connection(lambda: self, sock=ours)
        if first:
            self._send_frame(first)
        try:
            await self._greeted
        except ChildFailed:
            await self._reap()
            raise
        self._live = True

    def _send_frame(self, body: bytes) -> bool:
        """Send a frame; return False where there is nobody to send it to."""
        if self._transport is None:
            return False
        self._transport.write(len(body).to_bytes(4) + body)
        return True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the child."""
        # Not by isinstance: uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in the child's frames."""
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4])
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[4:end])
            del self._buffer[:end]
            if self._greeted.done():
                self._answered(frame)
            else:
                self._greet(_decode_greeting(frame))

    def _greet(self, reason: str | None) -> None:
        if reason is None:
            self._greeted.set_result(None)
        else:
            self._greeted.set_exception(ChildFailed(reason))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell of a death, or end the waiting for a greeting."""
        self._transport = None
        if not self._greeted.done():
            self._greeted.set_exception(ChildFailed("it died while starting"))
        elif self._live:
            self._live = False
            self._died()

    async def _reap(self) -> None:
        """Let the child finish, and return once it is gone."""
        self._live = False
        if self._transport is not None:
            self._transport.close()
        child, self._child = self._child, None
        if child is None:
            return
        try:
            await asyncio.to_thread(child.wait, LAST_WORK_S)
        except (subprocess.TimeoutExpired, asyncio.CancelledError) as error:
            child.kill()
            if isinstance(error, asyncio.CancelledError):
                raise
            await asyncio.to_thread(child.wait)


def _start(
    module: str, descriptor: int, arguments: Sequence[str], held: Sequence[int]
) -> subprocess.Popen[bytes]:
    # Not in a helper thread: the child dies with the very thread that made it.
    return subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
        [sys.executable, "-P", "-m", module, str(descriptor), *arguments],
        pass_fds=(descriptor, *held),
        stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(p or os.curdir for p in sys.path)},
    )
