# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m channels.phone.worker``: settings come as JSON on the standard input."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import msgspec

from channels.phone.link import WorkerSettings
from channels.phone.worker.agent import Address
from channels.phone.worker.settings import read
from channels.phone.worker.worker import Worker

#: Exit codes that the gateway tells apart.
WRONG, BUSY, TAKEN = 2, 3, 4
_RECEIVE_BUFFER = 1 << 21


class _Receiver(asyncio.DatagramProtocol):
    """Hands datagrams to the worker, once there is one."""

    def __init__(self) -> None:
        self.worker: Worker | None = None

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if self.worker is not None:
            self.worker.receive(data, addr[:2])


async def _serve(settings: WorkerSettings) -> int:
    loop = asyncio.get_running_loop()
    local = (settings.local_host, settings.local_port)
    try:
        transport, receiver = await loop.create_datagram_endpoint(_Receiver, local_addr=local)
    except OSError as error:
        logging.error("line.taken", extra={"port": local[1], "why": error.strerror})  # noqa: LOG015, TRY400 - a program of one file
        return TAKEN
    transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER
    )
    worker = Worker(settings, transport)
    receiver.worker = worker
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, worker.stopped.set)
    worker.start()
    await worker.stopped.wait()
    await worker.stop()
    transport.close()
    return 0


def main() -> int:
    """Serve until told to stop; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="phone-worker %(levelname)s %(message)s")
    logging.raiseExceptions = False  # standard error may be gone with the gateway
    try:
        settings = read(sys.stdin.buffer.read())
    except msgspec.MsgspecError as error:
        logging.error("settings.wrong", extra={"why": str(error)})  # noqa: LOG015, TRY400 - a program of one file
        return WRONG
    spool = Path(settings.spool)
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(spool / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return BUSY  # another worker has this line
    os.ftruncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    sys.setswitchinterval(0.001)  # the clock must not wait long for the interpreter
    return asyncio.run(_serve(settings))


if __name__ == "__main__":
    sys.exit(main())
