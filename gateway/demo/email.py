"""Mail servers on both sides: one hands citizens' mails over, one takes our answers."""

import asyncio
import time
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any

import aiosmtplib
from aiosmtpd.smtp import SMTP, Envelope

from gateway.clock import SystemClock
from gateway.demo.photo import PHOTO
from gateway.demo.reading import sent, waited
from gateway.demo.story import Scene, Sent
from gateway.loopback import HOST, free_port, listening

_ADDRESS = "12345@city.example"


class Mailboxes:
    """The citizens' provider: keeps what is sent to them, by recipient."""

    def __init__(self) -> None:
        self.mails: dict[str, list[EmailMessage]] = {}
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="mail.example", loop=loop), HOST, 0
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def handle_DATA(self, _server: SMTP, _session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail."""
        content = envelope.content
        octets = content if isinstance(content, bytes) else (content or "").encode()
        mail = message_from_bytes(octets, policy=policy.default)
        for recipient in envelope.rcpt_tos:
            self.mails.setdefault(recipient, []).append(mail)
        return "250 2.0.0 kept"


class Email:
    """Citizens who write letters."""

    name = "email"

    def __init__(self) -> None:
        self._mailboxes = Mailboxes()
        self._port = 0

    async def start(self) -> Mapping[str, object] | None:
        """Listen for our answers, and return the mailbox's section."""
        await self._mailboxes.start()
        self._port = free_port()
        return {
            "kind": "email",
            "name": "mailbox",
            "address": _ADDRESS,
            "listen": {"protocol": "smtp", "host": HOST, "port": self._port},
            "outgoing": {"host": HOST, "port": self._mailboxes.port},
        }

    async def meet(self, gateway: str) -> None:
        """Return once the gateway takes mails over."""
        del gateway
        await listening(self._port)

    async def play(self, scene: Scene) -> Sent:
        """Hand a letter over as a mail server does, and wait for the acknowledgement."""
        before = len(self._box(scene.by))
        began = time.perf_counter()
        await aiosmtplib.send(
            _letter(scene),
            sender=scene.by,
            recipients=[_ADDRESS],
            hostname=HOST,
            port=self._port,
            start_tls=False,
        )
        await waited(lambda: len(self._box(scene.by)) > before)
        return sent(scene, began, _words(self._box(scene.by)[before:]))

    async def stop(self) -> None:
        """Listen no more."""
        await self._mailboxes.stop()

    def _box(self, citizen: str) -> list[EmailMessage]:
        return self._mailboxes.mails.get(citizen, [])


def _letter(scene: Scene) -> bytes:
    """Return a letter as mail programs in China still write many: in GB 18030."""
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"], mail["To"] = scene.by, _ADDRESS
    mail["Subject"] = scene.more["title"]
    mail["Date"] = format_datetime(SystemClock().now())
    mail["Message-ID"] = make_msgid(domain="mail.example")
    mail.set_content(scene.text, charset="gb18030")
    if scene.photo:
        mail.add_attachment(PHOTO, maintype="image", subtype="jpeg", filename=scene.photo)
    return mail.as_bytes()


def _words(mails: list[EmailMessage]) -> str:
    """Return what a citizen reads of the first of these mails."""
    body = mails[0].get_body(("plain",)) if mails else None
    return str(body.get_content()).strip() if body is not None else ""
