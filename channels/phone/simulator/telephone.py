"""A telephone that calls a line: SIP and RTP over real sockets, without anything to hold in a hand.

It does what a citizen does: calls, speaks, presses keys, listens, hangs up. Requests are sent again
until they are answered, as a network that loses datagrams demands.
"""

import asyncio
import re
import secrets
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from channels.phone import rtp, sdp, sip
from channels.phone.dtmf import KEYS
from channels.phone.g711 import FRAME

Address = tuple[str, int]

#: Pauses between two tries of a request: 0.5 s, 1 s, 2 s … Source: RFC 3261 section 17.1.
_T1, _TRIES = 0.5, 6
TICK_S = 0.02
_FIRST_PORT, _LAST_PORT = 20_000, 32_000
_EVENTS = 101


class Refused(Exception):
    """The call was not answered.

    Args:
        status: What the line said; 408: nothing.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the call was answered {status}")
        self.status = status


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    def datagram_received(self, data: bytes, addr: Address) -> None:
        del addr
        self._take(data)


class Telephone:
    """One telephone and its call. Use as ``async with Telephone(to, number) as telephone``.

    Args:
        to: Where the line listens.
        number: Of the citizen.
        called: What they dial.
    """

    def __init__(self, to: Address, number: str = "13800138000", called: str = "12345") -> None:
        self._to = to
        self._number = number
        self._called = called
        self.call_id = secrets.token_hex(12)
        self.heard = bytearray()  #: A-law, as it came
        self.packets = 0  #: that came
        self.over = asyncio.Event()  #: the line has hung up
        self._tag = secrets.token_hex(6)
        self._sequence = 0
        self._answers: asyncio.Queue[sip.SipMessage] = asyncio.Queue()
        self._peer: sip.Peer | None = None
        self._media: Address | None = None
        self._number_of_packet, self._stamp = secrets.randbits(15), secrets.randbits(31)
        self._ssrc = secrets.randbits(32)
        self._transports: list[asyncio.DatagramTransport] = []

    async def __aenter__(self) -> Self:
        """Open both sockets."""
        loop = asyncio.get_running_loop()
        for take in (self._signalled, self._sounded):
            transport, _ = await loop.create_datagram_endpoint(
                lambda take=take: _Socket(take),  # type: ignore[misc]  # mypy knows no such lambda
                local_addr=("127.0.0.1", 0),
            )
            self._transports.append(transport)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """Close them."""
        for transport in self._transports:
            transport.close()

    # What a citizen does

    async def call(self) -> None:
        """Return once the line has answered. Raises `Refused`."""
        body = sdp.describe("127.0.0.1", _port(self._transports[1]), 1)
        answer = await self._ask("INVITE", body)
        if answer.status != 200:
            self._send_ack(answer)
            raise Refused(answer.status)
        offer = sdp.read(answer.body)
        self._media = (offer.host, offer.port)
        contact = sip.address_of(answer.get("contact") or "")
        self._peer = sip.Peer(
            call_id=self.call_id,
            local=f"{self._ours};tag={self._tag}",
            remote=answer.get("to") or "",
            target=contact,
            routes=tuple(reversed(answer.all("record-route"))),
        )
        self._send(sip.within(self._peer, "ACK", self._sequence, via=self._via()))

    def say(self, frame: bytes) -> None:
        """Send one frame of A-law, 20 ms."""
        self._packet(rtp.PCMA, self._stamp, frame)
        self._stamp = (self._stamp + len(frame)) & 0xFFFFFFFF

    async def speak(self, alaw: bytes) -> None:
        """Send sound as fast as it is spoken."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        for at in range(0, len(alaw), FRAME):
            self.say(alaw[at : at + FRAME])
            due += TICK_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    def press(self, key: str) -> None:
        """Press a key: telephone events of RFC 4733, the end of it three times."""
        for part in range(6):
            ends = 0x80 if part > 2 else 0
            length = FRAME * min(part + 1, 4)
            event = struct.pack(">BBH", KEYS.index(key), ends | 10, length)
            self._packet(_EVENTS, self._stamp, event, marker=part == 0)
        self._stamp = (self._stamp + 4 * FRAME) & 0xFFFFFFFF

    async def hang_up(self) -> None:
        """Return once the line knows that the call is over."""
        if not self.over.is_set():
            await self._ask("BYE")

    # SIP

    @property
    def _ours(self) -> str:
        return f"<sip:{self._number}@127.0.0.1>"

    def _via(self, branch: str = "") -> str:
        branch = branch or "z9hG4bK" + secrets.token_hex(8)
        return f"127.0.0.1:{_port(self._transports[0])};branch={branch}"

    def _send(self, datagram: bytes) -> None:
        self._transports[0].sendto(datagram, self._to)

    async def _ask(self, method: str, body: bytes = b"") -> sip.SipMessage:
        """Return the final answer to a request; 408 where none comes. Raises `Refused`."""
        self._sequence += 1
        request = self._request(method, body)
        for attempt in range(_TRIES):
            self._send(request)
            try:
                async with asyncio.timeout(_T1 * 2**attempt):
                    while True:
                        answer = await self._answers.get()
                        if answer.status >= 200 and answer.method == method:
                            return answer
            except TimeoutError:
                continue
        raise Refused(408)

    def _request(self, method: str, body: bytes) -> bytes:
        if self._peer is not None:
            return sip.within(self._peer, method, self._sequence, via=self._via())
        self._branch = "z9hG4bK" + secrets.token_hex(8)
        return sip.finish(self._first(method), body)

    def _first(self, method: str, to: str = "") -> list[str]:
        """Return the head of a request before the call is answered."""
        host, port = self._to
        return [
            f"{method} sip:{self._called}@{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {self._via(self._branch)};rport",
            f"From: {self._ours};tag={self._tag}",
            f"To: {to or f'<sip:{self._called}@{host}>'}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {self._sequence} {method}",
            f"Contact: <sip:{self._number}@127.0.0.1:{_port(self._transports[0])}>",
            "Max-Forwards: 70",
        ]

    def _send_ack(self, answer: sip.SipMessage) -> None:
        self._send(sip.finish(self._first("ACK", answer.get("to") or "")))

    def _signalled(self, data: bytes) -> None:
        try:
            message = sip.parse(data)
        except sip.NotSip:
            return
        if message.status:
            self._answers.put_nowait(message)
            return
        self._send(sip.response(message, 200, tag=self._tag))
        if message.method == "BYE":
            self.over.set()

    # Sound

    def _packet(self, kind: int, stamp: int, payload: bytes, *, marker: bool = False) -> None:
        if self._media is None:
            return
        self._number_of_packet = (self._number_of_packet + 1) & 0xFFFF
        packet = rtp.Packet(
            payload_type=kind,
            sequence=self._number_of_packet,
            timestamp=stamp,
            ssrc=self._ssrc,
            payload=payload,
            marker=marker,
        )
        self._transports[1].sendto(rtp.build(packet), self._media)

    def _sounded(self, data: bytes) -> None:
        packet = rtp.parse(data)
        if packet is not None and packet.payload_type == rtp.PCMA:
            self.packets += 1
            self.heard += packet.payload


def _port(transport: asyncio.DatagramTransport) -> int:
    return int(transport.get_extra_info("sockname")[1])


@asynccontextmanager
async def talking(to: Address, number: str = "13800138000") -> AsyncIterator[Telephone]:
    """Give a telephone whose call is answered; it is hung up in the end. Raises `Refused`."""
    async with Telephone(to, number) as telephone:
        await telephone.call()
        try:
            yield telephone
        finally:
            await telephone.hang_up()


def murmur(seconds: float) -> bytes:
    """Return A-law that a line takes for somebody who speaks: loud, and never the same."""
    loud = re.sub(rb"[\x40-\x7f\xc0-\xff]", b"", bytes(range(256)))
    return bytes(loud[(n * 7 + n // 97) % len(loud)] for n in range(int(8000 * seconds)))


def free_ports(count: int) -> int:
    """Return the first of so many UDP ports in a row that nobody has now, an even one.

    They lie below those that the kernel gives out by itself, at a place of chance: others may be
    looking at the same time. Raises `OSError` where none are found.
    """
    for _ in range(100):
        first = _FIRST_PORT + 2 * secrets.randbelow((_LAST_PORT - _FIRST_PORT - count) // 2)
        taken = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
        try:
            for port, one in enumerate(taken, start=first):
                one.bind(("127.0.0.1", port))
        except OSError:
            continue
        finally:
            for one in taken:
                one.close()
        return first
    raise OSError("no free ports")
