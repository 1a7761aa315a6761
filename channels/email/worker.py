"""The process that reads mails: a header that takes for ever costs this process, not the gateway.

Frames on stdin and stdout: four octets of length, big-endian, and a MessagePack value; a `Job`
in, a `Mail` out. It ends when its input does, so that none outlives a gateway that was killed.
"""

import contextlib
import signal
import struct
import sys
from typing import BinaryIO

import msgspec

from channels.email.codec import understand
from channels.email.parsed import Job

HEAD = struct.Struct(">I")
#: Octets of memory that a worker may take: a mail of 30 MB needs about 300 MB.
_MEMORY = 1_500_000_000
#: Seconds after which a worker ends itself, should nobody be left to kill it.
LAST_S = 60


def main() -> None:
    """Read mails until the input ends."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    decoder, encoder = msgspec.msgpack.Decoder(Job), msgspec.msgpack.Encoder()
    while (frame := read(source)) is not None:
        signal.alarm(LAST_S)
        answer = encoder.encode(understand(decoder.decode(frame)))
        signal.alarm(0)
        sink.write(HEAD.pack(len(answer)))
        sink.write(answer)
        sink.flush()


def read(source: BinaryIO) -> bytes | None:
    """Return the next frame; None at the end."""
    head = source.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    (size,) = HEAD.unpack(head)
    frame = source.read(size)
    return frame if len(frame) == size else None


if __name__ == "__main__":
    main()
