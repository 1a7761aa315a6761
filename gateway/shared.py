"""What all processes of an instance on one machine see: small values in files beside the store.

A store that several machines use brings `shared` and `swap` itself; then this is not used.
"""

import asyncio
import fcntl
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar, cast

from channels.base import Entry, Shared
from normalizer.errors import StoreError

T = TypeVar("T")


def shared_of(store: object, folder: Path) -> Shared:
    """Return what all nodes see: the store's own, else files in a folder."""
    return cast("Shared", store) if hasattr(store, "swap") else FileShared(folder)


class FileShared:
    """A `channels.base.Shared` in a folder.

    Each value is a file: its version, a line feed, its octets. It is replaced whole, under a lock
    that the kernel takes back from a process that dies. Only the owner may read it: tokens lie here.

    Args:
        folder: Made at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def shared(self, name: str) -> Entry | None:
        """Return what lies under a name. Raises `StoreError`."""
        return await asyncio.to_thread(self._guarded, lambda: self._read(self._path(name)))

    async def swap(self, name: str, value: bytes, version: int) -> bool:
        """Put a value where this version lies (0: nothing); False where another one does.

        Raises:
            StoreError: The disk refused; nothing was written.
        """
        return await asyncio.to_thread(
            self._guarded, lambda: self._swap(self._path(name), value, version)
        )

    def _path(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:32]

    def _guarded(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except OSError as error:
            raise StoreError(f"{self._folder}: not to be used: {error.strerror}") from error

    def _read(self, path: Path) -> Entry | None:
        try:
            version, _, value = path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return None
        return Entry(value=value, version=int(version))

    def _swap(self, path: Path, value: bytes, version: int) -> bool:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(self._folder / "lock"):
            found = self._read(path)
            if (found.version if found else 0) != version:
                return False
            draft = self._folder / f"draft-{secrets.token_hex(8)}"
            try:
                with os.fdopen(
                    os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
                ) as file:
                    file.write(b"%d\n" % (version + 1) + value)
                    file.flush()
                    os.fsync(file.fileno())
                draft.replace(path)
            finally:
                draft.unlink(missing_ok=True)
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)  # a rename is durable only when its folder is
            finally:
                os.close(folder)
        return True


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
