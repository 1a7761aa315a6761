"""Replacing a file by another content: either the old or the new one is there, whatever happens."""

import contextlib
import logging
import os
from pathlib import Path

from normalizer.errors import GatewayError

log = logging.getLogger(__name__)


class Unwritable(GatewayError):
    """A file cannot be replaced."""

    code = "unwritable"


class ChangedMeanwhile(GatewayError):
    """A file is not what it was when somebody began to change it."""

    code = "changed_meanwhile"


def replace(path: Path, expected: bytes, new: bytes) -> None:
    """Put another content in place of a file, durably, with its mode, owner and group as they were.

    Whoever is killed within leaves the old file or the new one, and beside it perhaps a file whose name
    ends in ``.new``, which the next call overwrites.

    Raises:
        Unwritable: The file or its folder may not be written, or is mounted by itself.
        ChangedMeanwhile: It is not as expected.
    """
    beside = path.with_name(f".{path.name}.new")
    try:
        if path.read_bytes() != expected:
            raise ChangedMeanwhile(f"{path}: somebody has changed the file meanwhile")
        if not os.access(path, os.W_OK):
            raise Unwritable(f"{path}: the gateway's user may not write it")
        _write(beside, new, path.stat())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise Unwritable(f"{error.filename or path}: {error.strerror}") from None
    try:
        _sync_folder(path.parent)
    except (
        OSError
    ) as error:  # it is in place for all who read it: a crash of the machine may undo it
        log.warning("console.folder_not_synced", extra={"why": error.strerror})


def _write(path: Path, content: bytes, like: os.stat_result) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.fchown(descriptor, like.st_uid, like.st_gid)
        os.fchmod(descriptor, like.st_mode & 0o7777)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
