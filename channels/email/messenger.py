"""The way out: one connection to our server for ordinary mails, one for urgent ones."""

import asyncio
import contextlib
import logging
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime

import aiosmtplib

from channels.base import Message
from channels.email.headers import normal_address
from channels.email.letter import compose
from channels.email.own import OwnIds
from channels.email.settings import EmailSettings, OutgoingAt
from channels.tls import client_context, reason
from normalizer.errors import TryLater, Unreachable

log = logging.getLogger(__name__)

#: A connection that nobody used for so long is asked first whether it still lives.
_STALE_S = 10.0
#: How long nothing is sent to a domain that says "later": grows from the first to the second.
_BACK_OFF_S = (30.0, 3600.0)
_DOMAINS = 10_000
#: After which of two mails to one server the other waits: RFC 5321 §4.5.3.2 allows many.
_PER_CONNECTION = 200


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Line:
    """One connection, kept between mails."""

    def __init__(self, at: OutgoingAt, context: ssl.SSLContext) -> None:
        self._at = at
        self._context = context
        self._client: aiosmtplib.SMTP | None = None
        self._used = 0.0
        self._count = 0
        self.lock = asyncio.Lock()

    async def client(self) -> aiosmtplib.SMTP:
        """Return a client that is connected and logged in."""
        client, now = self._client, time.monotonic()
        if client is not None and now - self._used > _STALE_S:
            try:
                await client.noop()
            except (aiosmtplib.SMTPException, OSError):
                await self.drop()
                client = None
        if client is None or not client.is_connected or self._count >= _PER_CONNECTION:
            await self.drop()
            client = await self._connect()
        self._used = now
        self._count += 1
        return client

    async def _connect(self) -> aiosmtplib.SMTP:
        at = self._at
        client = aiosmtplib.SMTP(
            hostname=at.host,
            port=at.port,
            timeout=at.timeout.total_seconds(),
            use_tls=at.tls == "implicit",
            start_tls=at.tls == "starttls",
            tls_context=self._context if at.tls != "none" else None,
            username=at.user,
            password=at.password.get_secret_value() if at.password is not None else None,
        )
        await client.connect()
        self._client, self._count = client, 0
        return client

    @property
    def lives(self) -> bool:
        """Whether there is a connection that can be used again."""
        return self._client is not None and self._client.is_connected

    async def drop(self) -> None:
        """Leave the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                client.close()

    async def bye(self) -> None:
        """Leave politely."""
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError):
                await client.quit(timeout=2)


class EmailMessenger:
    """Sends mails to citizens and duty officers; ``to`` is an address.

    Args:
        settings: Of the channel, with ``outgoing``.
        now: The time that stands on mails.
        monotonic: Seconds that only grow.
    """

    def __init__(
        self,
        settings: EmailSettings,
        now: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if settings.outgoing is None:
            raise ValueError("a messenger needs outgoing")
        self._settings = settings
        self._now = now
        self._monotonic = monotonic
        context = client_context(settings.ca, verify=settings.outgoing.verify)
        self._lines = tuple(_Line(settings.outgoing, context) for _ in range(2))
        self._own = OwnIds(b"", settings.domain)
        self._later: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.fallback = settings.fallback

    def use(self, own: OwnIds) -> None:
        """Make Message-IDs that can be known again; called before anything is sent."""
        self._own = own

    async def open(self) -> None:
        """Do nothing: connections are made when they are needed."""

    async def close(self) -> None:
        """Leave the server."""
        for line in self._lines:
            await line.bye()

    async def send(self, to: str, message: Message) -> str:
        """Return the mail's Message-ID once our server took it; every try has the same one.

        Raises:
            TryLater: The server is away, or says later.
            Unreachable: This address will never take it.
        """
        address = normal_address(to)
        if not address:
            raise Unreachable("not an address of mail")
        domain = address.rpartition("@")[2]
        if not message.urgent:
            self._wait_for(domain)
        message_id = self._own.make(message.key, message.number)
        octets = compose(
            message,
            sender=self._settings.address,
            name=self._settings.sender_name,
            to=to.strip().strip("<>"),
            message_id=message_id,
            at=self._now(),
        )
        # An automatic answer has no sender: a bounce of it would be answered again. Source:
        # RFC 3834 §3.3. What a unit wrote has one, so that a report of its fate comes back.
        path = "" if message.acknowledges else self._settings.address
        line = self._lines[message.urgent]
        async with line.lock:
            await self._try(line, path, to.strip().strip("<>"), domain, octets)
        self._later.pop(domain, None)
        return f"<{message_id}>"

    def _wait_for(self, domain: str) -> None:
        until, _ = self._later.get(domain, (0.0, 0.0))
        left = until - self._monotonic()
        if left > 0:
            raise TryLater(f"{domain} asked to wait", after_s=left)

    def _put_off(self, domain: str) -> float:
        """Return how long nothing is sent to a domain now: twice as long as the last time."""
        _, last = self._later.get(domain, (0.0, 0.0))
        delay = min(max(last * 2, _BACK_OFF_S[0]), _BACK_OFF_S[1])
        self._later[domain] = (self._monotonic() + delay, delay)
        self._later.move_to_end(domain)
        if len(self._later) > _DOMAINS:
            self._later.popitem(last=False)
        return delay

    async def _try(self, line: _Line, path: str, to: str, domain: str, octets: bytes) -> None:
        try:
            client = await line.client()
        except (aiosmtplib.SMTPException, OSError) as error:
            # Whatever keeps us from the server: the mail itself is good.
            await line.drop()
            raise TryLater(f"no way to the server: {_why(error)}") from None
        try:
            try:
                await _hand_over(client, path, to, octets)
            except aiosmtplib.SMTPSenderRefused as error:
                if path or error.code < 500:
                    raise
                # Some providers take mail of their own customers only, and no null sender.
                log.warning("email.null_refused", extra={"channel": self._settings.name})
                await _hand_over(client, self._settings.address, to, octets)
        except (aiosmtplib.SMTPException, OSError) as error:
            told = self._outcome(error, domain, lives=line.lives)
            if not line.lives or not isinstance(error, aiosmtplib.SMTPRecipientsRefused):
                await line.drop()
            raise told from None
        except asyncio.CancelledError:
            await line.drop()
            raise

    def _outcome(self, error: Exception, domain: str, *, lives: bool) -> TryLater | Unreachable:
        """Return what a failure means for the mail."""
        match error:
            case aiosmtplib.SMTPRecipientsRefused():
                codes = [each.code for each in error.recipients]
                return self._verdict(max(codes, default=450), domain, "the recipient")
            case aiosmtplib.SMTPNotSupported():
                return Unreachable("the server takes no such address")
            case aiosmtplib.SMTPSenderRefused():
                return TryLater(f"the server refused us: {error.code}")
            case aiosmtplib.SMTPDataError() if lives and error.code != 421:
                return self._verdict(error.code, domain, "the mail")
            case aiosmtplib.SMTPResponseException():
                return TryLater(f"the server said {error.code}")
        return TryLater(f"no answer: {type(error).__name__}")

    def _verdict(self, code: int, domain: str, what: str) -> TryLater | Unreachable:
        """Return what a reply code means. Source: RFC 5321 §4.2.1."""
        if code >= 500:
            return Unreachable(f"{what} was refused: {code}")
        return TryLater(f"{what} was put off: {code}", after_s=self._put_off(domain))


def _why(error: Exception) -> str:
    """Return why there is no connection, without what a server may quote of a login."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"it said {error.code}"
    return reason(error) or f"{type(error).__name__}: {error}"


async def _hand_over(client: aiosmtplib.SMTP, path: str, to: str, octets: bytes) -> None:
    options = [] if to.isascii() else ["SMTPUTF8"]
    await client.sendmail(path, [to], octets, mail_options=options)
