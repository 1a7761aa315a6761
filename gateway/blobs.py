"""Files that citizens sent, kept under the SHA-256 of their content."""

import asyncio
import hashlib
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeVar

from gateway.clock import Clock
from normalizer.errors import Oversized, StoreError

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Returns those of the hashes that something stored names.
Named = Callable[[Sequence[str]], Awaitable[set[str]]]

#: How long a file may wait for the ticket that will name it; also how often `Blobs.keep_tidy`
#: looks for those that none did.
UNNAMED_FOR = timedelta(days=1)

#: Files that are asked after at once.
_PART = 500

#: Contract section 4: octets of one file at most.
MOST_OCTETS = 10 * 1024 * 1024

#: Octets collected before they are handed to the disk.
CHUNK = 256 * 1024

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Blobs:
    """A folder of files named by their content, so that equal files are kept once.

    A file is written under a temporary name, forced to the disk and renamed; whoever is told its
    name can rely on it. One that no ticket names, because its form was refused, is removed later.

    Args:
        root: The folder; made when opened.
        alone: Nobody else writes here: what is half written was left by a process that is gone.
    """

    def __init__(self, root: Path, *, alone: bool = True) -> None:
        self._root = root
        self._alone = alone
        # Between looking at a file's age and removing it nobody puts the same file there again.
        self._naming = threading.Lock()

    async def open(self) -> None:
        """Make the folder and remove what an earlier process left half written.

        Raises:
            StoreError: The folder cannot be made or written.
        """
        await asyncio.to_thread(self._guarded, self._sweep)

    def path(self, sha256: str) -> Path:
        """Return where the file with this hash is, or would be.

        Raises:
            ValueError: This is no SHA-256 in lower-case hexadecimal digits.
        """
        if not _SHA256.fullmatch(sha256):
            raise ValueError("a SHA-256 has 64 lower-case hexadecimal digits")
        return self._root / sha256[:2] / sha256

    async def write(
        self, chunks: bytes | AsyncIterable[bytes], limit: int = MOST_OCTETS
    ) -> tuple[str, int]:
        """Return the SHA-256 and the size in octets of a file that is on the disk now.

        Args:
            chunks: The whole file, or its parts as they arrive.
            limit: Octets it may have at most.

        Raises:
            Oversized: It has more; nothing is kept.
            StoreError: The disk refused.
        """
        draft = _Draft(self._root / "tmp" / secrets.token_hex(16))
        try:
            async for chunk in _collected(chunks):
                if draft.size + len(chunk) > limit:
                    raise Oversized("file", f"a file may have {limit:,} octets")
                await asyncio.to_thread(self._guarded, draft.append, chunk)
            sha256 = draft.digest.hexdigest()
            await asyncio.to_thread(self._guarded, draft.keep, self.path(sha256), self._naming)
        finally:
            draft.drop()
        return sha256, draft.size

    async def keep_tidy(self, named: Named, clock: Clock) -> None:
        """Remove what nothing names, now and every day, for ever."""
        never = asyncio.Event()
        while True:
            try:
                count = await self.remove_unnamed(named, clock.now() - UNNAMED_FOR)
                log.info("blobs.swept", extra={"count": count})
            except StoreError as error:
                log.warning("blobs.unswept", extra={"why": str(error)})
            await clock.wait(never, UNNAMED_FOR.total_seconds())

    async def remove_unnamed(self, named: Named, before: datetime) -> int:
        """Remove the files that were written before an instant and that nothing names.

        Returns:
            How many there were.

        Raises:
            StoreError: The disk or the store refused.
        """
        oldest = before.timestamp()
        found = await asyncio.to_thread(self._guarded, self._older, oldest)
        removed = 0
        for start in range(0, len(found), _PART):
            part = found[start : start + _PART]
            kept = await named(part)
            unnamed = [sha256 for sha256 in part if sha256 not in kept]
            removed += await asyncio.to_thread(self._guarded, self._remove, unnamed, oldest)
        return removed

    def _older(self, oldest: float) -> list[str]:
        files = (entry for folder in self._root.iterdir() for entry in folder.iterdir())
        return [
            entry.name
            for entry in files
            if _SHA256.fullmatch(entry.name) and entry.stat().st_mtime < oldest
        ]

    def _remove(self, names: Sequence[str], oldest: float) -> int:
        removed = 0
        for name in names:
            path = self.path(name)
            with self._naming:
                # Another gateway may remove the same.
                if path.exists() and path.stat().st_mtime < oldest:
                    path.unlink(missing_ok=True)
                    removed += 1
        return removed

    def _sweep(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._root / "tmp"
        folder.mkdir(mode=0o700, exist_ok=True)
        old = time.time() - UNNAMED_FOR.total_seconds()
        for left in folder.iterdir():
            if self._alone or left.stat().st_mtime < old:
                left.unlink(missing_ok=True)

    def _guarded(self, act: Callable[..., T], *values: object) -> T:
        try:
            return act(*values)
        except OSError as error:
            raise StoreError(
                f"{self._root}: a file cannot be kept or removed: {error.strerror}"
            ) from error


class _Draft:
    """A file under its temporary name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self.size = 0
        self.digest = hashlib.sha256()

    def append(self, chunk: bytes) -> None:
        """Write some octets behind the others."""
        if self._file is None:
            self._file = os.fdopen(os.open(self._path, _NEW, 0o600), "wb", buffering=0)
        view = memoryview(chunk)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(chunk)
        self.digest.update(chunk)

    def keep(self, final: Path, naming: threading.Lock) -> None:
        """Force the file to the disk and give it its name, there too."""
        self.append(b"")  # an empty file is a file
        if self._file is not None:
            os.fsync(self._file.fileno())
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            _force(final.parent.parent)
        with naming:
            self._path.replace(final)
        _force(final.parent)

    def drop(self) -> None:
        """Let go of the file, and remove it if it has only its temporary name."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)


def _force(folder: Path) -> None:
    # A rename is durable only when its folder is. Source: fsync(2), Notes.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


async def _collected(chunks: bytes | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(chunks, bytes):
        yield chunks
        return
    held = bytearray()
    async for part in chunks:
        held += part
        if len(held) >= CHUNK:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
