"""Attachments on disk, named by their content and durable before their ticket is."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import BinaryIO

from normalizer.errors import Oversized, StoreError

_TEMPORARY = ".part"


class Blobs:
    """A folder of files named by their SHA-256, two levels deep.

    Args:
        root: The folder; made when it is opened.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    async def open(self) -> None:
        """Make the folder and sweep what interrupted uploads left. Raises `StoreError`."""
        try:
            await asyncio.to_thread(self._prepare)
        except OSError as error:
            raise StoreError(f"{self._root}: {error.strerror}") from error

    def _prepare(self) -> None:
        self._root.mkdir(parents=True, exist_ok=True)
        for leftover in self._root.glob(f"*{_TEMPORARY}"):
            leftover.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Return where the content with this digest is, if it is kept."""
        name = sha256 if len(sha256) == 64 and sha256.isalnum() else "0" * 64
        return self._root / name[:2] / name

    async def write(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep the octets and return their SHA-256 in hex and their number, once durable.

        Raises:
            Oversized: There are more than ``limit``; nothing is kept.
            StoreError: The disk did not take them.
        """
        temporary = self._root / (secrets.token_hex(16) + _TEMPORARY)
        try:
            with await asyncio.to_thread(temporary.open, "xb") as file:
                sha256, size = await _copy(chunks, file, limit)
                await asyncio.to_thread(_sync, file)
            await asyncio.to_thread(self._adopt, temporary, sha256)
        except OSError as error:
            raise StoreError(f"{self._root}: {error.strerror}") from error
        finally:
            await asyncio.to_thread(temporary.unlink, missing_ok=True)
        return sha256, size

    def _adopt(self, temporary: Path, sha256: str) -> None:
        final = self.path(sha256)
        made = not final.parent.exists()
        final.parent.mkdir(exist_ok=True)
        temporary.replace(final)
        _sync_folder(final.parent)
        if made:
            _sync_folder(self._root)


async def _copy(chunks: AsyncIterator[bytes], file: BinaryIO, limit: int) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise Oversized("files", f"a file is at most {limit:,} octets")
        digest.update(chunk)
        await asyncio.to_thread(file.write, chunk)
    return digest.hexdigest(), size


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
