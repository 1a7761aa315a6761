"""Mail on the citizens' side: letters as their programs write them, and a server for our answers."""

import asyncio
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope

from gateway.loopback import HOST
from gateway.peers.photo import PHOTO
from gateway.peers.waiting import Waiting


class Mailboxes:
    """The citizens' provider: keeps what is sent to them, by recipient.

    Args:
        host: Where it listens.
        port: Likewise; 0: any that is free.
    """

    def __init__(self, host: str = HOST, port: int = 0) -> None:
        self.mails: dict[str, list[EmailMessage]] = {}
        self._waiting = Waiting()
        self.port = port
        self._host = host
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises `OSError` where somebody else does."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example", loop=loop), self._host, self.port
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def first(self, recipient: str, within_s: float) -> str:
        """Return the words of the first mail to a recipient; empty: none came in time."""
        if mails := self.mails.get(recipient):
            return words_of(mails[0])
        return await self._waiting.answer(recipient, lambda: None, within_s)

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        content = envelope.content
        octets = content if isinstance(content, bytes) else (content or "").encode()
        mail = message_from_bytes(octets, policy=policy.default)
        for recipient in envelope.rcpt_tos:
            self.mails.setdefault(recipient, []).append(mail)
            self._waiting.came(recipient, words_of(mail))
        return "250 2.0.0 kept"


def words_of(mail: EmailMessage) -> str:
    """Return what a citizen reads of a mail."""
    body = mail.get_body(("plain",))
    return str(body.get_content()).strip() if body is not None else ""


def letter(
    *,
    by: str,
    to: str,
    subject: str,
    text: str,
    id_: str,
    at: datetime,
    photo: str = "",
) -> bytes:
    """Return a letter as mail programs in China still write many: in GB 18030.

    Args:
        by: Address of the citizen.
        to: Address of the hotline.
        subject: Of the letter.
        text: Likewise.
        id_: ``Message-ID`` with its brackets.
        at: ``Date``.
        photo: Name of the photograph that goes with it; empty: none does.
    """
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = by, to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(at)
    mail["Message-ID"] = id_
    mail.set_content(text, charset="gb18030")
    if photo:
        mail.add_attachment(PHOTO, maintype="image", subtype="jpeg", filename=photo)
    return mail.as_bytes()
