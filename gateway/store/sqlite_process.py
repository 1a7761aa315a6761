"""A writer in a process of its own, which takes SQLite off this interpreter's lock.

Each frame to it is a MessagePack pair, a number and a list of changes, and is answered by one frame:
the list of results and the errors by position. Of batches whose answers never came the next child
gives back what they had leased.
"""

import asyncio
import logging
import os
from collections import deque
from pathlib import Path
from typing import Any

import msgspec

from gateway.child import Child, ChildFailed
from gateway.line import Line
from gateway.store.ops import Broken
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

_encode = msgspec.msgpack.Encoder().encode
_decode_answers = msgspec.msgpack.Decoder(tuple[list[Any], dict[int, str]]).decode


def pack(number: int, items: list[Any]) -> bytes:
    """Return the frame of these changes; one that cannot be encoded is replaced by `Broken`."""
    try:
        return _encode((number, items))
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
        return _encode((number, [msgspec.Raw(_part(item)) for item in items]))


def _part(item: Any) -> bytes:
    try:
        return _encode(item)
    except (UnicodeEncodeError, TypeError, ValueError, OverflowError) as error:
        return _encode(Broken(f"this cannot be stored: {type(error).__name__}"))


class ProcessEngine(Child):
    """Carries batches out in a child process and starts a new one when it dies."""

    depth = 1
    express = True

    def __init__(self, line: Line, arguments: list[str], lock: int | None) -> None:
        super().__init__()
        self._line = line
        self._arguments = arguments
        self._lock = lock
        self._restart: asyncio.Task[None] | None = None
        self._held: list[list[Any]] = []  #: batches that wait for a new child
        self._number = 0  #: of the newest batch that was sent
        self._unanswered: deque[int] = deque()  #: batches that were sent

    @classmethod
    async def start(
        cls, line: Line, path: Path, busy_s: float, lock: int | None
    ) -> "ProcessEngine":
        """Return the engine once its child can write.

        Raises:
            StoreError: It cannot.
        """
        engine = cls(line, [str(path), str(busy_s), str(os.getpid())], lock)
        await engine._begin()
        return engine

    async def _begin(self) -> None:
        held = () if self._lock is None else (self._lock,)
        # The first batch whose answer never came; 0: none.
        lost = self._unanswered[0] if self._unanswered else 0
        arguments = [*self._arguments, str(lost)]
        try:
            await self._spawn("gateway.store.sqlite_child", arguments, held)
        except ChildFailed as error:
            raise StoreError(f"the store's writer: {error}") from error
        self._unanswered.clear()

    def _answered(self, frame: bytes) -> None:
        self._unanswered.popleft()
        self._line.answered(_decode_answers(frame))

    def _died(self) -> None:
        """Fail what the dead child had in hand and start another."""
        log.error("store.writer_died")
        self._restart = self._loop.create_task(self._again())
        self._line.failed("the store's writer died; this may be written or not")

    async def _again(self) -> None:
        await self._reap()
        try:
            await self._begin()
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
        for items in held:
            self.send(items)

    def send(self, items: list[Any]) -> bool:
        """Begin a batch; while there is no child it is held until there is one."""
        if self._live and self._transport is not None:
            self._number += 1
            self._unanswered.append(self._number)
            self._send_frame(pack(self._number, items))
            return True
        self._held.append(items)
        if self._restart is None:
            self._restart = self._loop.create_task(self._again())
        return True

    async def stop(self) -> None:
        """Let the child finish and wait for its end."""
        if self._restart is not None:
            await self._restart
        await self._reap()
