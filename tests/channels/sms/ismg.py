"""A carrier's CMPP gateway, written from the layout alone: it shares no code with the client.

Numbers and offsets are spelled out here on purpose: a mistake in the client's codec must show.
"""

import asyncio
import hashlib
import struct
from typing import Any, Self


def header(command: int, sequence: int, body: bytes = b"") -> bytes:
    """Return a message."""
    return struct.pack(">III", 12 + len(body), command, sequence) + body


def deliver(
    message_id: int,
    source: str,
    content: bytes,
    *,
    wide: bool,
    coding: int = 8,
    udhi: int = 0,
    report: int = 0,
) -> bytes:
    """Return the body of a DELIVER."""
    head = struct.pack(">Q21s10sBBB", message_id, b"106912345", b"HELP", 0, udhi, coding)
    if wide:
        head += struct.pack(">32sBBB", source.encode(), 0, report, len(content))
        return head + content + bytes(20)
    head += struct.pack(">21sBB", source.encode(), report, len(content))
    return head + content + bytes(8)


class Ismg:
    """A gateway on a private port that delivers until it is answered with 0.

    Args:
        wide: Speaks 3.0.
        secret: Shared with the SP.
    """

    def __init__(self, *, wide: bool = True, secret: str = "secret") -> None:  # noqa: S107 - of a test
        self.wide = wide
        self.secret = secret
        self.port = 0
        self.connects: list[tuple[str, int, int]] = []  #: source, version, status
        self.results: list[tuple[int, int]] = []  #: message id and result of every answer
        self.submits: list[bytes] = []
        self.flow: list[int] = []  #: results of the next submits
        self.tests = 0  #: ACTIVE_TESTs of the SP
        self.answers: list[bytes] = []  #: other responses of the SP, whole
        self.ended = 0
        self.crumbs = False  #: one octet at a time
        self.silent = False
        self.forged = False  #: proves itself wrongly
        self.log: list[tuple[str, bytes]] = []
        self._queue: dict[int, bytes] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._sequence = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def deliver(self, message_id: int, *args: Any, **more: Any) -> None:
        """Have a message delivered; again and again until it is taken."""
        self._queue[message_id] = deliver(message_id, *args, wide=self.wide, **more)
        self._send(message_id)

    def again(self, message_id: int, *args: Any, **more: Any) -> None:
        """Deliver a message once more, taken or not."""
        self.deliver(message_id, *args, **more)

    def write(self, octets: bytes) -> None:
        """Write octets as they are."""
        assert self._writer is not None
        self.log.append(("out", octets))
        if self.crumbs:
            for at in range(len(octets)):
                self._writer.write(octets[at : at + 1])
        else:
            self._writer.write(octets)

    def reset(self) -> None:
        """Break the connection."""
        assert self._writer is not None
        self._writer.transport.abort()

    def _send(self, message_id: int) -> None:
        if self._writer is None or self._writer.is_closing():
            return
        self._sequence += 1
        self.write(header(5, self._sequence, self._queue[message_id]))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(12)
                length, command, sequence = struct.unpack(">III", head)
                body = await reader.readexactly(length - 12)
                self.log.append(("in", head + body))
                self._handle(writer, command, sequence, body)
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            self.ended += 1
            if self._writer is writer:
                self._writer = None
            writer.close()

    def _handle(
        self, writer: asyncio.StreamWriter, command: int, sequence: int, body: bytes
    ) -> None:
        if command == 1:
            self._connect(writer, sequence, body)
        elif self.silent:
            return
        elif command == 4:
            self._submit(sequence, body)
        elif command == 8:
            self.tests += 1
            self.write(header(0x80000008, sequence, b"\0"))
        elif command == 2:
            self.write(header(0x80000002, sequence))
        elif command == 0x80000005:
            self._answered(body)
        else:
            self.answers.append(struct.pack(">III", 12 + len(body), command, sequence) + body)

    def _connect(self, writer: asyncio.StreamWriter, sequence: int, body: bytes) -> None:
        source, proof, version, stamp = struct.unpack(">6s16sBI", body)
        name = source.rstrip(b"\0")
        said = name + bytes(9) + self.secret.encode() + b"%010d" % stamp
        status = 0 if hashlib.md5(said, usedforsecurity=False).digest() == proof else 3
        self.connects.append((name.decode(), version, status))
        told = struct.pack(">I" if self.wide else ">B", status)
        ours = hashlib.md5(told + proof + self.secret.encode(), usedforsecurity=False).digest()
        if self.forged:
            ours = bytes(16)
        self._writer = writer
        self.write(header(0x80000001, sequence, told + ours + (b"\x30" if self.wide else b"\x20")))
        if status:
            writer.close()
            self._writer = None
            return
        for message_id in list(self._queue):
            self._send(message_id)

    def _submit(self, sequence: int, body: bytes) -> None:
        result = self.flow.pop(0) if self.flow else 0
        if result == 0:
            self.submits.append(body)
        message_id = 0x1122334455660000 + len(self.submits)
        told = struct.pack(">QI" if self.wide else ">QB", message_id, result)
        self.write(header(0x80000004, sequence, told))

    def _answered(self, body: bytes) -> None:
        message_id, result = struct.unpack(">QI" if self.wide else ">QB", body)
        self.results.append((message_id, result))
        if result == 0:
            self._queue.pop(message_id, None)
        elif message_id in self._queue:
            asyncio.get_running_loop().call_later(0.05, self._send, message_id)
