# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's end of the local socket: it connects, and connects again, for ever."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from channels.phone.link import BadFrame, Frames, Heard, Said, encode

log = logging.getLogger(__name__)

_AGAIN_S = 0.5
_READ = 1 << 16
#: Octets waiting to be sent beyond which sound for the recognizer is left out: it is recorded.
_MOST_WAITING = 1 << 22


class Gateway:
    """The gateway, as far as it is there.

    Args:
        path: The socket.
        met: Called on every new connection.
        heard: Called with each of its messages.
    """

    def __init__(self, path: Path, met: Callable[[], None], heard: Callable[[Said], None]) -> None:
        self._path = path
        self._met = met
        self._heard = heard
        self._writer: asyncio.StreamWriter | None = None
        self.gone_at = asyncio.get_running_loop().time()

    @property
    def there(self) -> bool:
        """Whether the gateway is connected."""
        return self._writer is not None

    def tell(self, message: Said) -> None:
        """Send, if the gateway is there; what must not be lost is on the disk."""
        writer = self._writer
        if writer is None or writer.is_closing():
            return
        if isinstance(message, Heard) and writer.transport.get_write_buffer_size() > _MOST_WAITING:
            return
        writer.write(encode(message))

    async def keep(self) -> None:
        """Stay connected."""
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(_AGAIN_S)
                continue
            self._writer = writer
            try:
                self._met()
                await self._listen(reader)
            except (OSError, BadFrame) as error:
                log.warning("gateway.lost", extra={"why": type(error).__name__})
            finally:
                self._writer = None
                self.gone_at = asyncio.get_running_loop().time()
                writer.close()
            await asyncio.sleep(_AGAIN_S)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        frames = Frames()
        while octets := await reader.read(_READ):
            for message in frames.feed(octets):
                self._heard(message)
