"""An SMTP server that remembers, and answers what a test wants."""

import asyncio
import email
import email.policy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Self

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Got:
    """A mail that was sent."""

    path: str
    to: tuple[str, ...]
    raw: bytes
    at: float = field(default_factory=time.monotonic)  #: when it was taken

    @property
    def message(self) -> EmailMessage:
        """The mail, read by the standard library."""
        found = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return found

    @property
    def text(self) -> str:
        """Its text."""
        return str(self.message.get_content())


@dataclass
class Sink:
    """Takes mails for anybody."""

    got: list[Got] = field(default_factory=list)
    connections: int = 0
    #: Returns the reply to a recipient, a sender or a mail; None: it is taken.
    rcpt: Callable[[str], str | None] = lambda _address: None
    sender: Callable[[str], str | None] = lambda _address: None
    data: Callable[[], str | None] = lambda: None
    port: int = 0
    utf8: bool = True
    _server: asyncio.Server | None = None

    async def start(self) -> Self:
        """Listen."""

        def protocol() -> SMTP:
            self.connections += 1
            return SMTP(
                self,
                hostname="sink.example",
                enable_SMTPUTF8=self.utf8,
                loop=asyncio.get_running_loop(),
            )

        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(protocol, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a sender."""
        del server, session, options
        if told := self.sender((address or "").strip("<>")):
            return told
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(  # noqa: N802 - as above
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take or refuse a recipient."""
        del server, session, options
        if told := self.rcpt(address):
            return told
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        """Take or refuse a mail."""
        del server, session
        if told := self.data():
            return told
        raw: Any = envelope.original_content
        path = (envelope.mail_from or "").strip("<>")
        self.got.append(Got(path, tuple(envelope.rcpt_tos), raw))
        return "250 OK"
