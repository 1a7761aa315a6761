"""A caller that can do everything right and everything wrong: SIP and RTP by hand."""

import asyncio
import re
import secrets
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

Address = tuple[str, int]
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"
)


class Endpoint(asyncio.DatagramProtocol):
    """A socket whose datagrams are read one by one."""

    def __init__(self) -> None:
        self.got: asyncio.Queue[bytes] = asyncio.Queue()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket."""
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        """Keep a datagram."""
        self.got.put_nowait(data)

    @property
    def port(self) -> int:
        """Ours."""
        assert self.transport is not None
        return int(self.transport.get_extra_info("sockname")[1])

    def send(self, data: bytes, to: Address) -> None:
        """Send a datagram."""
        assert self.transport is not None
        self.transport.sendto(data, to)


def status(answer: bytes) -> int:
    """Return the code of a response, 0 of a request."""
    found = re.match(rb"SIP/2\.0 (\d{3})", answer)
    return int(found[1]) if found else 0


def header(message: bytes, name: str) -> str:
    """Return the value of a header."""
    found = re.search(rf"^{name}\s*:\s*(.*?)\r?$".encode(), message, re.MULTILINE | re.IGNORECASE)
    assert found is not None, message
    return found[1].decode()


def repeated(request: bytes) -> list[str]:
    """Return the header lines that every answer repeats, however many there are."""
    found = re.findall(rb"^((?:Via|Record-Route): .*?)\r?$", request, re.MULTILINE)
    return [line.decode() for line in found]


class Caller:
    """One call of a citizen to the line at ``to``."""

    def __init__(self, sip: Endpoint, sound: Endpoint, to: Address) -> None:
        self.sip, self.sound, self.to = sip, sound, to
        self.call_id = secrets.token_hex(8)
        self.tag = secrets.token_hex(4)
        self.branch = "z9hG4bK" + secrets.token_hex(8)
        self.number = "13800138000"
        self.called = "12345"
        self.their_tag = ""
        self.sequence = 1
        self.media: Address = ("127.0.0.1", 0)
        self.target = f"sip:{self.called}@127.0.0.1:{to[1]}"
        self.routes: list[str] = []
        self.stamp, self.count, self.ssrc = 1000, 1, secrets.randbits(32)

    def request(
        self,
        method: str,
        body: str = "",
        *,
        sequence: int | None = None,
        branch: str | None = None,
        extra: str = "",
        kind: str = "application/sdp",
    ) -> bytes:
        """Return a request of this call."""
        to = f"<sip:{self.called}@127.0.0.1>" + (f";tag={self.their_tag}" if self.their_tag else "")
        content = f"Content-Type: {kind}\r\n" if body else ""
        return (
            f"{method} {self.target} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.sip.port};branch={branch or self.branch};rport\r\n"
            f"{''.join(f'Route: {route}' + chr(13) + chr(10) for route in self.routes)}"
            f"From: <sip:{self.number}@127.0.0.1>;tag={self.tag}\r\n"
            f"To: {to}\r\nCall-ID: {self.call_id}\r\n"
            f"CSeq: {self.sequence if sequence is None else sequence} {method}\r\n"
            f"Contact: <sip:{self.number}@127.0.0.1:{self.sip.port}>\r\n"
            f"Max-Forwards: 70\r\n{extra}{content}Content-Length: {len(body.encode())}\r\n\r\n"
            f"{body}"
        ).encode()

    def send(self, data: bytes) -> None:
        """Send a datagram as it is."""
        self.sip.send(data, self.to)

    async def final(self, within_s: float = 2.0, method: str = "") -> bytes:
        """Return the next final response (to ``method``)."""
        async with asyncio.timeout(within_s):
            while True:
                answer = await self.sip.got.get()
                if status(answer) >= 200 and header(answer, "CSeq").endswith(method):
                    return answer

    async def asked(self, method: str) -> bytes:
        """Return the next request of the line's with this method."""
        async with asyncio.timeout(5):
            while True:
                message = await self.sip.got.get()
                if message.startswith(method.encode() + b" "):
                    return message

    def reply(self, request: bytes, code: int) -> None:
        """Answer a request of the line's."""
        lines = [f"SIP/2.0 {code} X", *repeated(request)]
        lines += [f"{n}: {header(request, n)}" for n in ("From", "To", "Call-ID", "CSeq")]
        self.send(("\r\n".join([*lines, "Content-Length: 0", "", ""])).encode())

    async def call(self, sdp: str | None = None, extra: str = "", within_s: float = 2.0) -> bytes:
        """Return the final answer to an INVITE, acknowledged."""
        body = SDP.format(port=self.sound.port) if sdp is None else sdp
        self.send(self.request("INVITE", body, extra=extra))
        answer = await self.final(within_s, method="INVITE")
        self.acknowledge(answer)
        return answer

    def acknowledge(self, answer: bytes, body: str = "") -> None:
        """Send the ACK of a final answer."""
        self.their_tag = header(answer, "To").partition(";tag=")[2]
        if status(answer) == 200:
            found = re.findall(rb"^Record-Route: (.*?)\r?$", answer, re.MULTILINE)
            self.routes = [route.decode() for route in reversed(found)]
            self.target = header(answer, "Contact").strip("<>")
            port = re.search(rb"m=audio (\d+)", answer)
            assert port is not None, answer
            self.media = ("127.0.0.1", int(port[1]))
            self.send(self.request("ACK", body, branch="z9hG4bK" + secrets.token_hex(4)))
        else:
            self.send(self.request("ACK"))

    async def bye(self) -> bytes:
        """Hang up."""
        self.sequence += 1
        self.send(self.request("BYE", branch="z9hG4bK" + secrets.token_hex(8)))
        return await self.final(method="BYE")

    def packet(self, payload: bytes, kind: int = 8, *, stamp: int | None = None) -> bytes:
        """Return the next RTP packet."""
        at = self.stamp if stamp is None else stamp
        head = struct.pack(">BBHII", 0x80, kind, self.count & 0xFFFF, at & 0xFFFFFFFF, self.ssrc)
        self.count += 1
        return head + payload

    def say(self, frame: bytes) -> None:
        """Send one frame of A-law."""
        self.sound.send(self.packet(frame), self.media)
        self.stamp += len(frame)

    async def speak(self, alaw: bytes, pause_s: float = 0.02) -> None:
        """Send sound in frames of 20 ms, ``pause_s`` apart."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for at in range(0, len(alaw), 160):
            self.say(alaw[at : at + 160])
            due += pause_s
            await asyncio.sleep(max(0.0, due - loop.time()))

    def press(self, key: str, *, marker: bool = True, times: int = 1) -> None:
        """Send a key as telephone events: six packets, of which three end it."""
        event = "0123456789*#".index(key)
        for n in range(6):
            ends = 0x80 if n > 2 else 0
            payload = struct.pack(">BBH", event, ends | 10, 160 * min(n + 1, 4))
            first = n == 0
            data = self.packet(payload, 101 | (0x80 if first else 0), stamp=self.stamp)
            if first and not marker:
                continue
            for _ in range(times):
                self.sound.send(data, self.media)
        self.stamp += 960


@asynccontextmanager
async def calling(to: Address, number: str = "13800138000") -> AsyncIterator[Caller]:
    """Give a caller with sockets of its own."""
    loop = asyncio.get_running_loop()
    ends = [
        await loop.create_datagram_endpoint(Endpoint, local_addr=("127.0.0.1", 0)) for _ in range(2)
    ]
    caller = Caller(ends[0][1], ends[1][1], to)
    caller.number = number
    try:
        yield caller
    finally:
        for transport, _ in ends:
            transport.close()
