# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's ports for sound: each call has one while it lasts."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from channels.phone.link import WorkerSettings
from channels.phone.worker.media import Leg, Media

log = logging.getLogger(__name__)

#: What a leg tells: which one, ``key``, ``said`` or ``sound``, and its value.
Tell = Callable[[Leg, str, object], None]


class Sockets:
    """Gives ports out and takes them back.

    Args:
        settings: Which ones.
        media: Who serves them.
        tell: Called on the loop with what a leg tells.
    """

    def __init__(self, settings: WorkerSettings, media: Media, tell: Tell) -> None:
        first, last = settings.rtp_ports
        self._ports = deque(range(first, last, 2))
        self._settings = settings
        self.media = media
        self._tell = tell
        self._loop = asyncio.get_running_loop()

    def open(self) -> Leg | None:
        """Return a leg on a port of its own; None: there is none left that is free."""
        for _ in range(len(self._ports)):
            port = self._ports.popleft()
            try:
                return self._leg(port)
            except OSError as error:
                # Somebody else has it: it goes behind the others, and no caller is refused for it.
                self._ports.append(port)
                log.error("port.taken", extra={"port": port, "why": error.strerror})  # noqa: TRY400 - the error says all
        return None

    def _leg(self, port: int) -> Leg:
        def tell(what: str, value: object) -> None:
            self._loop.call_soon_threadsafe(self._tell, leg, what, value)

        leg = Leg(self._settings.local_host, port, self._settings.loud, tell)
        return leg

    def close(self, leg: Leg) -> None:
        """Serve a leg no longer, and take its port back."""

        def closed() -> None:
            self._loop.call_soon_threadsafe(self._ports.append, leg.port)

        self.media.remove(leg, closed)
