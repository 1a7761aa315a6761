"""Mail servers on both sides: one hands citizens' mails over, one takes our answers."""

import time
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import make_msgid

import aiosmtplib

from gateway.clock import SystemClock
from gateway.demo.reading import sent, waited
from gateway.demo.story import Scene, Sent
from gateway.loopback import HOST, free_port, listening
from gateway.peers.mailboxes import Mailboxes, letter, words_of

_ADDRESS = "12345@city.example"


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
        letter_ = letter(
            by=scene.by,
            to=_ADDRESS,
            subject=scene.more["title"],
            text=scene.text,
            id_=make_msgid(domain="mail.example"),
            at=SystemClock().now(),
            photo=scene.photo,
        )
        await aiosmtplib.send(
            letter_,
            sender=scene.by,
            recipients=[_ADDRESS],
            hostname=HOST,
            port=self._port,
            start_tls=False,
        )
        await waited(lambda: len(self._box(scene.by)) > before)
        mails = self._box(scene.by)[before:]
        return sent(scene, began, words_of(mails[0]) if mails else "")

    async def stop(self) -> None:
        """Listen no more."""
        await self._mailboxes.stop()

    def _box(self, citizen: str) -> list[EmailMessage]:
        return self._mailboxes.mails.get(citizen, [])
