"""The side of a child process: frames on its socket, and an end with its parent's.

`gateway.child` is the other side.
"""

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import IO, cast

#: ``prctl(2)``: the signal that this process gets when the thread that made it ends.
PR_SET_PDEATHSIG = 1


def settle_in(parent: int) -> None:
    """Leave the end of this process to its parent: no signal of the group's, but its death."""
    # The parent decides when the child ends: signals to the whole group must not come first.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def send(connection: socket.socket, body: bytes) -> None:
    """Send one frame."""
    connection.sendall(len(body).to_bytes(4) + body)


def frames(connection: socket.socket) -> Iterator[bytes]:
    """Yield frames until the other end closes."""
    with cast("IO[bytes]", connection.makefile("rb", buffering=1 << 18)) as stream:
        while (frame := _next(stream)) is not None:
            yield frame


def _next(stream: IO[bytes]) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head)
    frame = stream.read(size)
    return frame if len(frame) == size else None
