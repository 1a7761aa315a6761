"""Ports of this machine, for peers that are started beside a gateway."""

import asyncio
import socket
from contextlib import suppress

HOST = "127.0.0.1"
_TRIES, _PAUSE_S = 200, 0.05


def free_port(wished: int = 0) -> int:
    """Return the port that is wished for where nobody listens on it, else any free one."""
    try:
        with socket.create_server((HOST, wished)) as probe:
            return int(probe.getsockname()[1])
    except OSError:
        if not wished:
            raise
        return free_port()


async def listening(port: int) -> None:
    """Return once somebody listens. Raises `TimeoutError` after ten seconds."""
    for _ in range(_TRIES):
        with suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writer.close()
            return
        await asyncio.sleep(_PAUSE_S)
    raise TimeoutError(f"nobody listens on port {port}")
