"""Where a mail server hands mails over, by SMTP or LMTP: 250 means durable.

Sources: RFC 5321, RFC 2033 §4.2 (LMTP: one reply a recipient), RFC 6531 (SMTPUTF8).
"""

import asyncio
import logging
import re
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, cast

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Session
from aiosmtpd.smtp import Envelope as Received

from channels.email.mime import MAIL_OCTETS
from channels.email.parsed import Envelope
from channels.email.settings import ListenAt
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Octets of a line; mail servers cut at 998, programs do not.
_LINE = 1024 * 1024
_RECIPIENTS = 100
_TAKEN = "250 2.0.0 OK: it is durable"
_LATER = "451 4.3.0 it could not be stored; try again"
#: Octets of a mail beyond which it is refused: base64 of 30 MB of files has 41 MB.
MOST_OCTETS = MAIL_OCTETS

#: An address as nearly everybody has one, without quotes, comments or routes: RFC 5321 §4.1.2.
_ORDINARY = re.compile(
    r"\s*<([A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,9}[A-Za-z0-9-]{1,63})>"
)

TakeOne = Callable[[bytes, Envelope, datetime], Awaitable[None]]


class _Handler:
    """What aiosmtpd calls."""

    def __init__(self, take: TakeOne, now: Callable[[], datetime], *, starttls: bool) -> None:
        self._take = take
        self._now = now
        self._starttls = starttls

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name and arguments
        self,
        server: SMTP,
        session: Session,
        envelope: Received,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        """Offer that commands come several at once (RFC 2920): the library reads line by line."""
        del server, envelope
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name and arguments
        self, server: SMTP, session: Session, envelope: Received, address: str, options: list[str]
    ) -> str:
        """Take note of a sender; before STARTTLS, where it is wanted, none is taken.

        The library's own demand for it would refuse LHLO too.
        """
        del server
        if self._starttls and session.ssl is None:
            return "530 5.7.0 Must issue a STARTTLS command first"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name and arguments
        self, server: SMTP, session: Session, envelope: Received, address: str, options: list[str]
    ) -> str:
        """Take note of a recipient."""
        del server, session
        if len(envelope.rcpt_tos) >= _RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Received) -> str:  # noqa: N802 - as above
        """Answer once the mail is durable."""
        raw = envelope.original_content or b""
        told = Envelope(
            sender=(envelope.mail_from or "").strip("<>"),
            recipients=tuple(envelope.rcpt_tos),
            peer=session.peer[0] if session.peer else None,
            helo=session.host_name,
        )
        # A client that hangs up must not stop the store half-way: it sends the mail again.
        task = asyncio.ensure_future(self._take(raw, told, self._now()))
        try:
            await asyncio.shield(task)
        except StoreError as error:
            log.warning("email.put_off", extra={"error": error.code})
            return for_each(server, envelope, _LATER)
        return for_each(server, envelope, _TAKEN)

    async def handle_exception(self, error: Exception) -> str:
        """Let the mail server keep what we failed on."""
        log.error("email.handover_failed", extra={"error": type(error).__name__})
        return "451 4.3.0 internal error; try again"


def for_each(server: SMTP, envelope: Received, reply: str) -> str:
    """Return the reply to a mail: by LMTP one for each recipient."""
    if isinstance(server, LMTP):
        return "\r\n".join([reply] * max(1, len(envelope.rcpt_tos)))
    return reply


class _Room:
    """Counts connections."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.used = 0


class _Counted:
    """Mixed into a server: says 421 when there is no room."""

    room: _Room
    _counts = False

    def connection_made(self, transport: Any) -> None:
        """Begin, or say that there is no room."""
        if self.room.used >= self.room.most:
            transport.write(b"421 4.3.2 too many connections\r\n")
            transport.close()
            return
        self.room.used += 1
        self._counts = True
        super().connection_made(transport)  # type: ignore[misc] # mixed into a protocol

    def connection_lost(self, error: Exception | None) -> None:
        """Give the room back."""
        if self._counts:
            self._counts = False
            self.room.used -= 1
            super().connection_lost(error)  # type: ignore[misc] # as above


class _Plain:
    """Mixed into a server: reads an ordinary address at once; the library takes long for any."""

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        found = _ORDINARY.match(arg)
        if found is None:
            slow: Any = super()  # mixed into a server
            return cast("tuple[str | None, str | None]", slow._getaddr(arg))  # noqa: SLF001 - overridden here
        return found[1], arg[found.end() :]


class _Smtp(_Counted, _Plain, SMTP):
    line_length_limit = _LINE


class _Lmtp(_Counted, _Plain, LMTP):
    line_length_limit = _LINE
    _within = False  # after 354: the next reply is to the mail

    async def push(self, status: Any) -> None:
        """Send a reply."""
        text = status.decode() if isinstance(status, bytes) else status
        recipients = list(self.envelope.rcpt_tos) if self.envelope else []
        if self._within and text[:3] in {"500", "552", "451"} and "\r\n" not in text:
            text = "\r\n".join([text] * max(1, len(recipients)))
        self._within = text.startswith("354")
        await super().push(text)


class HandOver:
    """The listening side.

    Args:
        at: Where.
        domain: By which it calls itself.
        take: Makes a mail durable.
        now: Our clock.
        context: What connections are encrypted with, where ``at`` wants it.
    """

    def __init__(
        self,
        at: ListenAt,
        domain: str,
        take: TakeOne,
        now: Callable[[], datetime],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._at = at
        self._domain = domain
        self._context = context
        self._handler = _Handler(take, now, starttls=at.tls == "starttls")
        self._room = _Room(at.connections)
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Listen. Raises `OSError`."""
        # It logs addresses, and at its lowest level whole mails.
        logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            self._protocol,
            self._at.host,
            self._at.port,
            ssl=self._context if self._at.tls == "implicit" else None,
        )
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _protocol(self) -> asyncio.Protocol:
        kind = _Lmtp if self._at.protocol == "lmtp" else _Smtp
        server = kind(
            self._handler,
            hostname=self._domain,
            ident="intake-gateway",
            data_size_limit=MOST_OCTETS,
            enable_SMTPUTF8=True,
            decode_data=False,
            tls_context=self._context if self._at.tls == "starttls" else None,
            timeout=300,
            loop=asyncio.get_running_loop(),
        )
        server.room = self._room
        return server
