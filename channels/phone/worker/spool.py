# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls on the disk, until the gateway has made their tickets.

Three files a call: ``ID.alaw`` grows while the caller speaks, ``ID.call`` is written before the call
is answered, ``ID.done`` once it is finished. Of whoever is put through there is ``ID.1.alaw``, and so on. What has no ``.done`` when the worker starts was cut
off by a crash, and is finished then with what there is.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from channels.phone.link import Call

log = logging.getLogger(__name__)

_BEGUN, _DONE, _SOUND = ".call", ".done", ".alaw"


class Spool:
    """A folder of calls."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def sound(self, call_id: str, side: int = 0) -> Path:
        """Return where a call's recording is, or the one of a side of it, counted from 1."""
        return self.folder / ((f"{call_id}.{side}" if side else call_id) + _SOUND)

    def begin(self, call: Call) -> None:
        """Keep what is known of a call that is about to be answered, or goes on with others."""
        draft = self.folder / (call.id + ".new")
        draft.write_bytes(msgspec.json.encode(call))
        draft.replace(self.folder / (call.id + _BEGUN))  # never half of it

    def done(self, call: Call) -> None:
        """Keep a finished call; it survives a loss of power from here on."""
        draft = self.folder / (call.id + ".tmp")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(call))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(self.folder / (call.id + _DONE))
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def forget(self, call_id: str) -> None:
        """Remove a call whose ticket is durable; its ``.done`` last but one, its sound last."""
        for ending in (_BEGUN, _DONE, _SOUND):
            (self.folder / (call_id + ending)).unlink(missing_ok=True)
        for sound in self.folder.glob(f"{call_id}.*{_SOUND}"):
            sound.unlink(missing_ok=True)

    def waiting(self) -> Iterator[Call]:
        """Yield the finished calls, the oldest first."""
        yield from self._read(_DONE)

    def recover(self) -> int:
        """Finish what a crash cut off; return how many calls that were."""
        cut = 0
        for call in list(self._read(_BEGUN)):
            if (self.folder / (call.id + _DONE)).exists():
                continue
            self.done(self._cut_off(call))
            cut += 1
        for sound in self.folder.glob("*" + _SOUND):  # of calls that were just being forgotten
            name = sound.name.partition(".")[0]
            if not any((self.folder / (name + end)).exists() for end in (_BEGUN, _DONE)):
                sound.unlink()
        return cut

    def _cut_off(self, call: Call) -> Call:
        """Return a call that a crash cut off, with what is on the disk of it."""
        sound = self.sound(call.id)
        octets = _octets(sound)
        sides = tuple(
            msgspec.structs.replace(side, octets=_octets(self.sound(call.id, at)))
            for at, side in enumerate(call.sides, start=1)
        )
        return msgspec.structs.replace(
            call,
            how="crash",
            octets=octets,
            ended_at=sound.stat().st_mtime if sound.exists() else call.answered_at,
            spoke=octets > 0,
            sides=sides,
        )

    def _read(self, ending: str) -> Iterator[Call]:
        found = sorted(self.folder.glob("*" + ending), key=lambda path: path.name)
        for path in found:
            try:
                yield msgspec.json.decode(path.read_bytes(), type=Call)
            except FileNotFoundError:
                continue
            except (msgspec.MsgspecError, OSError):
                # Its sound stays for a human; the rest of the calls must not wait for it.
                log.error("spool.unreadable", extra={"call": path.stem})  # noqa: TRY400 - the error says all


def _octets(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
