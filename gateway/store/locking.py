"""Locks by which a gateway process holds what is its own."""

import fcntl
import os
from pathlib import Path

from normalizer.errors import StoreError


def take_lock(path: Path) -> int | None:
    """Return the descriptor that holds the store for this process until it is closed.

    The lock belongs to the open file, so a child that inherits it holds it on. None: another
    process has it.

    Raises:
        StoreError: The folder cannot be written.
    """
    lock = lock_of(path)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"{lock}: cannot be made: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def lock_of(path: Path) -> Path:
    """Return the file whose lock belongs to the gateway process of a store."""
    return path.with_name(path.name + ".lock")
