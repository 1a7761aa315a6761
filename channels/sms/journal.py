"""What a text channel must still know after a crash: parts of unfinished messages, and recent acts.

One file of lines, each a JSON object. A line that nothing else holds is on the disk before anything
that relies on it is answered; several that come together are forced to the disk together. The file is written anew,
with what still counts, when it is opened and when it has grown.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

import msgspec

from channels.sms.pieces import Piece
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Octets after which the file is written anew.
_GROWN = 4 << 20


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One fact. Which members it has depends on ``op``."""

    op: str  #: part, act, whole or sure; of spans: span, mark or end
    slot: str = ""  #: what the pieces of a message have in common
    at: float = 0.0  #: seconds since 1970
    piece: Piece | None = None  #: of a part
    until: float = 0.0  #: of a span
    key: str = ""  #: of an act
    message_id: str = ""  #: of an act
    digests: tuple[str, ...] = ()  #: of an act's pieces; of the pieces that the carrier is sure of


_LINE = msgspec.json.Decoder(Line)


class Journal:
    """The lines of one account.

    Args:
        path: The file; its folder is made when it is opened.
        living: Returns the lines that still count, in order; the file is written anew with them.
        grown: Octets after which that is done.
    """

    def __init__(
        self, path: Path, living: Callable[[], Iterable[Line]], grown: int = _GROWN
    ) -> None:
        self._grown = grown
        self._path = path
        self._living = living
        self._file: BinaryIO | None = None
        self._waiting: list[bytes] = []
        self._asking: list[asyncio.Future[None]] = []  #: wait for all that is waiting
        self._writer: asyncio.Task[None] | None = None
        self._spoilt = False  #: lines that count may be missing: the file is to be written anew
        self._size = 0
        self._limit = grown

    @property
    def path(self) -> Path:
        """Where the lines are."""
        return self._path

    def read(self) -> list[Line]:
        """Return the lines of the file, without what was half written when the power went.

        Raises:
            StoreError: The file cannot be read.
        """
        try:
            octets = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be read: {error.strerror}") from error
        lines, broken = [], 0
        *whole, _torn = octets.split(b"\n")
        for each in whole:
            try:
                lines.append(_LINE.decode(each))
            except msgspec.DecodeError:
                broken += 1
        if broken:
            # Evidence: the file is kept beside the new one.
            with contextlib.suppress(OSError):
                self._path.with_suffix(".broken").write_bytes(octets)
            log.error("sms.journal.broken", extra={"path": str(self._path), "lines": broken})
        return lines

    async def open(self) -> None:
        """Write the file anew with what counts, ready to be added to. Raises `StoreError`."""
        await asyncio.to_thread(self._rewrite, list(self._living()))

    async def close(self) -> None:
        """Write what is waiting and let go of the file."""
        with contextlib.suppress(StoreError):  # logged
            await self.settle()
        while self._writer is not None and not self._writer.done():
            await asyncio.wait([self._writer])
        if self._file is not None:
            self._file.close()
            self._file = None

    async def add(self, line: Line) -> None:
        """Return once a line is on the disk. Raises `StoreError`."""
        self._waiting.append(_encoded(line))
        await self._force()

    def note(self, line: Line) -> None:
        """Add a line that may be lost in a crash; it goes to the disk with the next that may not."""
        self._waiting.append(_encoded(line))

    async def settle(self) -> None:
        """Return once what was noted is on the disk. Raises `StoreError`."""
        if self._waiting or self._spoilt:
            await self._force()

    async def _force(self) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asking.append(done)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._asking:
            octets, self._waiting = b"".join(self._waiting), []
            asking, self._asking = self._asking, []
            error: StoreError | None = None
            try:
                await asyncio.to_thread(self._append, octets)
            except StoreError as failed:
                error, self._spoilt = failed, True
                log.warning("sms.journal.not_written", extra={"why": str(error)})
            for done in asking:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(StoreError(str(error)))
            if error is None and (self._spoilt or self._size > self._limit):
                await self._shrink()

    async def _shrink(self) -> None:
        """Write the file anew; while that is done nobody adds to it."""
        try:
            await asyncio.to_thread(self._rewrite, list(self._living()))
            self._spoilt = False
        except StoreError as error:
            log.warning("sms.journal.not_shrunk", extra={"why": str(error)})
        self._limit = max(self._grown, 2 * self._size)

    def _append(self, octets: bytes) -> None:
        try:
            if self._file is None:
                raise StoreError(f"{self._path}: the journal is not open")
            before = self._size
            try:
                _write_all(self._file, octets)
                os.fdatasync(self._file.fileno())
            except OSError:
                # Half a line would join the next one.
                with contextlib.suppress(OSError):
                    self._file.truncate(before)
                raise
            self._size = before + len(octets)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {error.strerror}") from error

    def _rewrite(self, lines: list[Line]) -> None:
        octets = b"".join(map(_encoded, lines))
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file = os.fdopen(
                os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600),
                "ab",
                buffering=0,
            )
            _write_all(file, octets)
            os.fsync(file.fileno())
            new.replace(self._path)
            _force(self._path.parent)
        except OSError as error:
            raise StoreError(f"{self._path}: cannot be written: {error.strerror}") from error
        if self._file is not None:
            self._file.close()
        self._file, self._size = file, len(octets)


def _encoded(line: Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _write_all(file: BinaryIO, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[file.write(view) :]


def _force(folder: Path) -> None:
    # A rename is durable only when its folder is. Source: fsync(2), Notes.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
