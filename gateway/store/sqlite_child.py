"""The writer process: ``python -m gateway.store.sqlite_child SOCKET PATH BUSY_S PARENT LOST``.

LOST is the number of the batch that an earlier writer may have written without an answer, 0 of none.

Started by `gateway.store.sqlite_process` only. It ends when the socket closes or its parent dies.
"""

import ctypes
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, cast

import apsw
import msgspec

from gateway.store.ops import AnyOp, Broken
from gateway.store.sqlite_commit import Committer
from gateway.store.sqlite_file import meaning
from normalizer.errors import StoreError

#: ``prctl(2)``: the signal that this process gets when the thread that made it ends.
PR_SET_PDEATHSIG = 1

_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(tuple[int, list[AnyOp]]).decode
_decode_parts = msgspec.msgpack.Decoder(tuple[int, list[msgspec.Raw]]).decode
_decode_op: Callable[[msgspec.Raw], AnyOp] = msgspec.msgpack.Decoder(AnyOp).decode


def die_with(parent: int) -> None:
    """Have this process killed when its parent dies, and end it if that happened already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def unpack(frame: bytes) -> tuple[int, list[AnyOp]]:
    """Return a batch's number and changes; one that does not fit its type becomes `Broken`."""
    try:
        return _decode_batch(frame)
    except msgspec.ValidationError:
        number, parts = _decode_parts(frame)
        return number, [_unpacked(part) for part in parts]


def _unpacked(part: msgspec.Raw) -> AnyOp:
    try:
        return _decode_op(part)
    except msgspec.ValidationError:
        return Broken("this change has a value of a wrong type; it is a program's fault")


def _tell(connection: socket.socket, value: object) -> None:
    body = _encode(value)
    connection.sendall(len(body).to_bytes(4) + body)


def _next_frame(stream: IO[bytes]) -> bytes | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head)
    frame = stream.read(size)
    return frame if len(frame) == size else None


def serve(connection: socket.socket, writer: Committer) -> None:
    """Carry out batches until the other end closes."""
    with cast("IO[bytes]", connection.makefile("rb", buffering=1 << 18)) as stream:
        while (frame := _next_frame(stream)) is not None:
            number, ops = unpack(frame)
            _tell(connection, writer.run(ops, number))
            waiting, _, _ = select.select([connection], [], [], 0)
            writer.tidy(idle=not waiting)


def main(arguments: list[str]) -> int:
    """Write for the parent; 0 when it is done."""
    descriptor, path, busy_s, parent, lost = arguments
    # The parent decides when the writer ends: signals to the whole group must not come first.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    die_with(int(parent))
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            writer = Committer(Path(path), float(busy_s), owner=True)
            writer.give_back(int(lost))
        except (apsw.Error, StoreError) as error:
            _tell(connection, meaning(error, Path(path)))
            return 1
        try:
            _tell(connection, None)
            serve(connection, writer)
        except ConnectionError:  # the parent died: there is nobody to answer
            return 1
        finally:
            writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
