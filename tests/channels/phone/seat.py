"""A seat's telephone: it rings, is answered or not, and talks."""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from channels.phone.digest import answer as digest
from channels.phone.digest import challenge
from tests.channels.phone.caller import (
    SDP,
    Address,
    Caller,
    Endpoint,
    calling,
    header,
    repeated,
    status,
)


class Seat(Caller):
    """A telephone that is called; once it has answered it can do what a caller can."""

    def __init__(self, sip: Endpoint, sound: Endpoint) -> None:
        super().__init__(sip, sound, ("127.0.0.1", 0))
        self.invite = b""
        self.rung: list[str] = []  #: whose calls have rung

    @property
    def uri(self) -> str:
        """Where it is called."""
        return f"sip:seats@127.0.0.1:{self.sip.port}"

    async def asked_by(self, method: str, within_s: float = 5.0) -> bytes:
        """Return the next request with this method, from wherever it comes."""
        async with asyncio.timeout(within_s):
            while True:
                message = await self.sip.got.get()
                if message.startswith(method.encode() + b" "):
                    return message

    async def ring(self, within_s: float = 5.0) -> bytes:
        """Return the INVITE that has come, after telling that it rings."""
        self.invite = invite = await self.asked_by("INVITE", within_s)
        via = re.search(rb"SIP/2\.0/UDP 127\.0\.0\.1:(\d+)", invite)
        media = re.search(rb"m=audio (\d+)", invite)
        assert via is not None
        assert media is not None
        self.to = ("127.0.0.1", int(via[1]))
        self.media = ("127.0.0.1", int(media[1]))
        self.call_id = header(invite, "Call-ID")
        self.rung.append(header(invite, "From"))
        self.answer(180)
        return invite

    def answer(self, code: int, extra: str = "") -> None:
        """Answer the INVITE."""
        body = SDP.format(port=self.sound.port) if code == 200 else ""
        lines = [f"SIP/2.0 {code} X", *repeated(self.invite)]
        lines += [f"{n}: {header(self.invite, n)}" for n in ("From", "Call-ID", "CSeq")]
        lines += [f"To: {header(self.invite, 'To')};tag={self.tag}"]
        lines += [f"Contact: <sip:seat@127.0.0.1:{self.sip.port}>"]
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head = "\r\n".join(lines) + "\r\n" + extra + kind
        self.send(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

    async def pick_up(self, extra: str = "") -> None:
        """Answer, and return once the line has acknowledged it and can be heard."""
        self.answer(200, extra)
        await self.asked_by("ACK")
        async with asyncio.timeout(5):
            await self.sound.got.get()
        ours, theirs = header(self.invite, "To"), header(self.invite, "From")
        self.their_tag = theirs.partition(";tag=")[2]
        self.from_to = (f"{ours};tag={self.tag}", theirs)

    async def register(self, at: Address, password: str) -> None:
        """Register as ``seats`` with a registrar that asks for a digest."""
        self.number = self.called = "seats"
        self.to, self.target = at, f"sip:127.0.0.1:{at[1]}"
        answer = b""
        for credentials in ("", "asked"):
            extra = "Expires: 60\r\n"
            if credentials:
                asked = challenge([header(answer, "WWW-Authenticate")])
                assert asked is not None
                value = digest(asked, "REGISTER", self.target, "seats", password)
                extra += f"Authorization: {value}\r\n"
            self.sequence += 1
            branch = "z9hG4bK" + secrets.token_hex(8)
            self.send(self.request("REGISTER", branch=branch, extra=extra))
            answer = await self.final(method="REGISTER")
        assert status(answer) == 200, answer

    async def hang_up(self) -> None:
        """End the call from the seat's side."""
        target = header(self.invite, "Contact").strip("<>")
        lines = [
            f"BYE {target} SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.sip.port};branch=z9hG4bK{secrets.token_hex(8)}",
            f"From: {self.from_to[0]}",
            f"To: {self.from_to[1]}",
            f"Call-ID: {self.call_id}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
            "",
            "",
        ]
        self.send("\r\n".join(lines).encode())
        await self.final(method="BYE")


@asynccontextmanager
async def seated() -> AsyncIterator[Seat]:
    """Give a seat with sockets of its own."""
    async with calling(("127.0.0.1", 0)) as one:
        yield Seat(one.sip, one.sound)
