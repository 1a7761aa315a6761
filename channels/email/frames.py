"""Values between the gateway and its helper processes, by their standard input and output.

A frame is four octets of length, big-endian, and a list as MessagePack: questions one way, as many
answers in their order the other. A helper ends when its input
does, so that none outlives a gateway that was killed.
"""

import contextlib
import signal
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO, TypeVar

import msgspec

Q = TypeVar("Q")
A = TypeVar("A")

HEAD = struct.Struct(">I")


def framed(value: object) -> bytes:
    """Return a value as a frame."""
    body = msgspec.msgpack.encode(value)
    return HEAD.pack(len(body)) + body


def serve(kind: type[Q], answer: Callable[[Q], A], *, memory: int, last_s: int) -> None:
    """Answer questions until the input ends.

    Args:
        kind: Of the questions.
        answer: Gives an answer to each.
        memory: Octets that this process may take.
        last_s: Seconds after which it ends itself, should nobody be left to kill it.
    """
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    decoder = msgspec.msgpack.Decoder(list[kind])  # type: ignore[valid-type] # known when it runs
    while (frame := read(source)) is not None:
        signal.alarm(last_s)
        told = framed([answer(question) for question in decoder.decode(frame)])
        signal.alarm(0)
        sink.write(told)
        sink.flush()


def read(source: BinaryIO) -> bytes | None:
    """Return the next frame; None at the end."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (size,) = HEAD.unpack(head)
    frame = source.read(size)
    return frame if len(frame) == size else None
