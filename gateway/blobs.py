"""Files that citizens sent, kept under the SHA-256 of their content."""

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from normalizer.errors import Oversized, StoreError

#: Contract section 4: octets of one file at most.
MOST_OCTETS = 10 * 1024 * 1024

#: Octets collected before they are handed to the disk.
CHUNK = 256 * 1024

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Blobs:
    """A folder of files named by their content, so that equal files are kept once.

    A file is written under a temporary name, forced to the disk and renamed; whoever is told its
    name can rely on it. One that no ticket names does no harm.

    Args:
        root: The folder; made when opened.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

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
            await asyncio.to_thread(self._guarded, draft.keep, self.path(sha256))
        finally:
            draft.drop()
        return sha256, draft.size

    def _sweep(self) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._root / "tmp"
        folder.mkdir(mode=0o700, exist_ok=True)
        for left in folder.iterdir():
            left.unlink()

    def _guarded(self, act: Callable[..., None], *values: object) -> None:
        try:
            act(*values)
        except OSError as error:
            raise StoreError(f"{self._root}: a file cannot be kept: {error.strerror}") from error


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

    def keep(self, final: Path) -> None:
        """Force the file to the disk and give it its name, there too."""
        self.append(b"")  # an empty file is a file
        if self._file is not None:
            os.fsync(self._file.fileno())
        if not final.parent.is_dir():
            final.parent.mkdir(mode=0o700, exist_ok=True)
            _force(final.parent.parent)
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
