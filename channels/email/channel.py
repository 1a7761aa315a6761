"""The mail channel: mailboxes and hand-over in, one messenger out (contract section 5)."""

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib.util import find_spec

from channels.base import Accept, Listener
from channels.email.checking import Senders
from channels.email.handover import HandOver
from channels.email.limits import AnswerLimits
from channels.email.mailbox import Fetched, Mailbox
from channels.email.messenger import EmailMessenger
from channels.email.own import OwnIds
from channels.email.parsed import Envelope
from channels.email.ports import Registry
from channels.email.readers import Readers
from channels.email.settings import EmailSettings, ListenAt
from channels.email.sorting import Sorter, take_all
from channels.tls import client_context, server_context
from config.plugin import Plugin
from normalizer.errors import ConfigError, StoreError

log = logging.getLogger(__name__)

#: Seconds that a mailbox's thread may take to end.
_END_S = 5.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class EmailChannel:
    """Brings mails in; `messenger` takes ours out.

    Args:
        settings: Of the channel.
        now: Our clock.
        monotonic: Seconds that only grow.
    """

    def __init__(
        self,
        settings: EmailSettings,
        now: Callable[[], datetime] = _utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._now = now
        self._limits = AnswerLimits(monotonic)
        self._registry: Registry | None = None
        self._mailbox: Mailbox | None = None
        self._trouble: str | None = "not started yet"
        self.messenger = EmailMessenger(settings, now) if settings.outgoing is not None else None
        self.port = 0  #: of the hand-over, once it listens

    def entrust(self, registry: Registry) -> None:
        """Take what keeps files and remarks; its secret makes our Message-IDs."""
        self._registry = registry
        if self.messenger is not None:
            self.messenger.use(OwnIds(registry.secret, self._settings.domain))

    def trouble(self) -> str | None:
        """Return why no mail comes in now; None: it does."""
        return self._trouble or (self._mailbox.trouble if self._mailbox is not None else None)

    async def run(self, accept: Accept) -> None:
        """Bring mails in until cancelled."""
        if self._registry is None:
            raise ConfigError("email: nobody keeps its files; it was not composed")
        readers = Readers()
        senders = Senders(self._registry, self._settings.check_sender)
        sorter = Sorter(
            self._settings,
            accept,
            self._registry,
            readers.understand,
            self._limits,
            senders,
            self.messenger,
        )
        hand_over: HandOver | None = None
        try:
            hand_over = self._hand_over(sorter)
            await readers.open()
            if hand_over is not None:
                await hand_over.open()
                self.port = hand_over.port
            self._trouble = None
            await self._read_mailbox(sorter)
        except OSError as error:
            self._trouble = f"cannot start: {error.strerror}"
            raise
        finally:
            if hand_over is not None:
                await hand_over.close()
            await readers.close()
            await senders.close()

    def _hand_over(self, sorter: Sorter) -> HandOver | None:
        settings = self._settings
        if settings.listen is None:
            return None
        return HandOver(
            settings.listen,
            settings.domain,
            sorter.take,
            self._now,
            _shown(settings, settings.listen),
        )

    async def _read_mailbox(self, sorter: Sorter) -> None:
        """Read the mailbox in a thread; without one, wait."""
        at = self._settings.imap
        ended = asyncio.Event()
        if at is None:
            await ended.wait()
            return
        loop = asyncio.get_running_loop()

        def take(mails: Sequence[Fetched]) -> set[int]:
            return asyncio.run_coroutine_threadsafe(self._take(sorter, mails), loop).result()

        mailbox = self._mailbox = Mailbox(
            at, self._settings.name, take, client_context(self._settings.ca, verify=at.verify)
        )

        def read() -> None:
            try:
                mailbox.run()
            finally:
                loop.call_soon_threadsafe(ended.set)

        thread = threading.Thread(target=read, name=f"imap-{self._settings.name}", daemon=True)
        thread.start()
        try:
            await ended.wait()
        finally:
            mailbox.stop()
            await asyncio.to_thread(thread.join, _END_S)

    async def _take(self, sorter: Sorter, mails: Sequence[Fetched]) -> set[int]:
        """Return the uids of the mails that are durable."""
        pairs = [(mail.raw, Envelope()) for mail in mails]
        outcomes = await take_all(sorter, pairs, self._now())
        for outcome in outcomes:
            if isinstance(outcome, StoreError):
                log.warning("email.put_off", extra={"channel": self._settings.name})
            elif outcome is not None:
                raise outcome
        return {mail.uid for mail, outcome in zip(mails, outcomes, strict=True) if outcome is None}


def _shown(settings: EmailSettings, at: ListenAt) -> ssl.SSLContext | None:
    """Return what our listener encrypts with; None: nothing. Raises `OSError`."""
    if at.tls == "none" or settings.certificate is None:
        return None
    return server_context(settings.certificate, settings.certificate_key)


def _build(settings: EmailSettings) -> Listener:
    if settings.check_sender is not None:
        missing = [name for name in ("dkim", "spf", "authheaders") if find_spec(name) is None]
        if missing:
            raise ConfigError(
                f"email: check_sender needs {', '.join(missing)}: "
                "pip install 'intake-gateway[mailauth]'"
            )
    return EmailChannel(settings)


plugin: Plugin[EmailSettings, Listener] = Plugin("email", EmailSettings, _build)
