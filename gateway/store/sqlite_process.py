"""A writer in a process of its own, which takes SQLite off this interpreter's lock.

Frames on the socket are four octets of length, big-endian, and a MessagePack value. The first
frame from the child is None once it can write, or the reason why it cannot. Then each frame to it
is a number and a list of changes and is answered by one frame: the list of results and the errors
by position. Of a batch whose answer never came the next child gives back what it had leased.
"""

import asyncio
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import msgspec

from gateway.store.ops import Broken
from gateway.store.writer import Line
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Seconds that a writer may take for its last checkpoint before it is killed.
LAST_CHECKPOINT_S = 30

_encode = msgspec.msgpack.Encoder().encode
_decode_answers = msgspec.msgpack.Decoder(tuple[list[Any], dict[int, str]]).decode
_decode_greeting = msgspec.msgpack.Decoder(str | None).decode


def pack(number: int, items: list[Any]) -> bytes:
    """Return the frame of these changes; one that cannot be encoded is replaced by `Broken`."""
    try:
        body = _encode((number, items))
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
        body = _encode((number, [msgspec.Raw(_part(item)) for item in items]))
    return len(body).to_bytes(4) + body


def _part(item: Any) -> bytes:
    try:
        return _encode(item)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError) as error:
        return _encode(Broken(f"this cannot be stored: {type(error).__name__}"))


class ProcessEngine(asyncio.Protocol):
    """Carries batches out in a child process and starts a new one when it dies."""

    express = False  #: of two batches without an answer, what they leased could not be told apart

    def __init__(self, line: Line, arguments: list[str], lock: int | None) -> None:
        self._line = line
        self._arguments = arguments
        self._lock = lock
        self._loop = asyncio.get_running_loop()
        self._child: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = bytearray()
        self._greeted: asyncio.Future[None] = self._loop.create_future()
        self._restart: asyncio.Task[None] | None = None
        self._held: list[Any] = []  #: a batch that waits for a new child
        self._live = False  #: there is a child that can write
        self._number = 0  #: of the newest batch that was sent
        self._lost = 0  #: the batch whose answer never came; 0: none

    @classmethod
    async def start(
        cls, line: Line, path: Path, busy_s: float, lock: int | None
    ) -> "ProcessEngine":
        """Return the engine once its child can write.

        Raises:
            StoreError: It cannot.
        """
        engine = cls(line, [str(path), str(busy_s), str(os.getpid())], lock)
        await engine._spawn()
        return engine

    async def _spawn(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._child = self._fork(theirs.fileno())
        except OSError as error:
            ours.close()
            raise StoreError(f"the writer cannot be started: {error.strerror}") from error
        self._greeted = self._loop.create_future()
        self._buffer.clear()
        await self._loop.create_connection(lambda: self, sock=ours)
        try:
            await self._greeted
        except StoreError:
            await self._reap()
            raise
        self._lost = 0
        self._live = True

    def _fork(self, descriptor: int) -> subprocess.Popen[bytes]:
        # Not in a helper thread: the child dies with the very thread that made it.
        module = ("-m", "gateway.store.sqlite_child", str(descriptor))
        held = (descriptor,) if self._lock is None else (descriptor, self._lock)
        arguments = [*self._arguments, str(self._lost)]
        return subprocess.Popen(  # noqa: S603 - our own module in our own interpreter
            [sys.executable, "-P", *module, *arguments],
            pass_fds=held,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p or os.curdir for p in sys.path)},
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way to the child."""
        # Not by isinstance: uvloop's transports do not derive from asyncio's.
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """Take in the child's answers."""
        self._buffer += data
        while len(self._buffer) >= 4:
            end = 4 + int.from_bytes(self._buffer[:4])
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[4:end])
            del self._buffer[:end]
            self._frame(frame)

    def _frame(self, frame: bytes) -> None:
        if self._greeted.done():
            self._lost = 0
            self._line.answered(_decode_answers(frame))
            return
        reason = _decode_greeting(frame)
        if reason is None:
            self._greeted.set_result(None)
        else:
            self._greeted.set_exception(StoreError(reason))

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what the dead child had in hand and start another."""
        self._transport = None
        if not self._greeted.done():
            self._greeted.set_exception(StoreError("the store's writer died while starting"))
        elif self._live:
            self._live = False
            log.error("store.writer_died")
            self._restart = self._loop.create_task(self._again())
            self._line.failed("the store's writer died; this may be written or not")

    async def _again(self) -> None:
        await self._reap()
        try:
            await self._spawn()
        except StoreError as error:
            log.error("store.writer_failed", extra={"reason": str(error)})  # noqa: TRY400 - it says all
            self._restart = None
            held, self._held = self._held, []
            if held:
                self._line.failed(str(error))
            return
        self._restart = None
        log.info("store.writer_restarted")
        held, self._held = self._held, []
        if held:
            self.send(held)

    def send(self, items: list[Any]) -> None:
        """Begin a batch; while there is no child it is held until there is one."""
        if self._live and self._transport is not None:
            self._number += 1
            self._lost = self._number  # until it is answered
            self._transport.write(pack(self._number, items))
            return
        self._held = items
        if self._restart is None:
            self._restart = self._loop.create_task(self._again())

    async def _reap(self) -> None:
        self._live = False
        if self._transport is not None:
            self._transport.close()
        child, self._child = self._child, None
        if child is None:
            return
        try:
            await asyncio.to_thread(child.wait, LAST_CHECKPOINT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            await asyncio.to_thread(child.wait)

    async def stop(self) -> None:
        """Let the child finish and wait for its end."""
        if self._restart is not None:
            await self._restart
        await self._reap()
