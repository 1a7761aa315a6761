# SPDX-License-Identifier: GPL-3.0-or-later
"""The thread that writes recordings: what the media clock hands over is on the disk a second later.

The clock never waits for a disk: it puts octets into a queue and goes on.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

log = logging.getLogger(__name__)

#: Seconds between two forcings of what was written to the disk.
FORCE_EVERY_S = 1.0


class Recording:
    """A file that grows at its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.octets = 0
        self.failed = False
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def append(self, octets: bytes) -> None:
        """Write behind what is there; a disk that refuses is told once and loses the rest."""
        view = memoryview(octets)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            self.octets += len(octets)
        except OSError as error:
            if not self.failed:
                log.error("recording.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all
            self.failed = True

    def force(self) -> None:
        """Return once all is on the disk."""
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            log.error("recording.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all

    def close(self) -> None:
        """Force and let go of the file."""
        self.force()
        os.close(self._fd)


class Recorder(threading.Thread):
    """Writes for all calls."""

    def __init__(self) -> None:
        super().__init__(name="recorder", daemon=True)
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._dirty: set[Recording] = set()

    def write(self, recording: Recording, octets: bytes) -> None:
        """Have octets written."""
        self._jobs.put(lambda: self._write(recording, octets))

    def close(self, recording: Recording | None, then: Callable[[int], None]) -> None:
        """Have a recording closed; ``then`` gets its octets in this thread, 0 of none."""
        self._jobs.put(lambda: self._close(recording, then))

    def stop(self) -> None:
        """Finish what is queued, and end."""
        self._jobs.put(None)
        self.join()

    def run(self) -> None:
        """Work until stopped."""
        forced = time.monotonic()
        while True:
            try:
                job = self._jobs.get(timeout=FORCE_EVERY_S)
            except queue.Empty:
                self._force()
                continue
            if job is None:
                self._force()
                return
            job()
            if time.monotonic() - forced >= FORCE_EVERY_S:
                self._force()
                forced = time.monotonic()

    def _write(self, recording: Recording, octets: bytes) -> None:
        recording.append(octets)
        self._dirty.add(recording)

    def _close(self, recording: Recording | None, then: Callable[[int], None]) -> None:
        if recording is None:
            then(0)
            return
        self._dirty.discard(recording)
        recording.close()
        then(recording.octets)

    def _force(self) -> None:
        for recording in self._dirty:
            recording.force()
        self._dirty.clear()
