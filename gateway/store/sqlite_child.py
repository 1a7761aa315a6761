"""The writer process: ``python -m gateway.store.sqlite_child SOCKET PATH BUSY_S PARENT LOST``.

LOST is the number of the first batch that an earlier writer may have written without an answer, 0 of
none.

Started by `gateway.store.sqlite_process` only. It ends when the socket closes or its parent dies.
"""

import select
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import msgspec

from gateway.frames import frames, send, settle_in
from gateway.store.ops import AnyOp, Broken
from gateway.store.sqlite_commit import Committer
from gateway.store.sqlite_file import meaning
from normalizer.errors import StoreError

_encode = msgspec.msgpack.Encoder().encode
_decode_batch = msgspec.msgpack.Decoder(tuple[int, list[AnyOp]]).decode
_decode_parts = msgspec.msgpack.Decoder(tuple[int, list[msgspec.Raw]]).decode
_decode_op: Callable[[msgspec.Raw], AnyOp] = msgspec.msgpack.Decoder(AnyOp).decode


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


def serve(connection: socket.socket, writer: Committer) -> None:
    """Carry out batches until the other end closes."""
    for frame in frames(connection):
        number, ops = unpack(frame)
        send(connection, _encode(writer.run(ops, number)))
        waiting, _, _ = select.select([connection], [], [], 0)
        writer.tidy(idle=not waiting)


def main(arguments: list[str]) -> int:
    """Write for the parent; 0 when it is done."""
    descriptor, path, busy_s, parent, lost = arguments
    settle_in(int(parent))
    with socket.socket(fileno=int(descriptor)) as connection:
        try:
            writer = Committer(Path(path), float(busy_s), owner=True)
            writer.give_back(int(lost))
        except (apsw.Error, StoreError) as error:
            send(connection, _encode(meaning(error, Path(path))))
            return 1
        try:
            send(connection, _encode(None))
            serve(connection, writer)
        except ConnectionError:  # the parent died: there is nobody to answer
            return 1
        finally:
            writer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
