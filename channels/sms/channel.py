"""Text messages: one kind of channel, whatever the carrier speaks."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from channels.base import Accept, Listener, Message, Webhook
from channels.sms.cloud import CloudPushes
from channels.sms.cmpp import Version
from channels.sms.cmpp_dialect import CmppDialect
from channels.sms.dialect import Dialect
from channels.sms.inbox import Account, Inbox, Needs, Taken, Urgent
from channels.sms.link import Link
from channels.sms.messenger import Follower, Texts
from channels.sms.session import Hands, Timing
from channels.sms.settings import SmsSettings
from channels.sms.smpp import Login
from channels.sms.smpp_dialect import SmppDialect
from channels.sms.text import Alphabet
from config.plugin import Plugin
from normalizer.errors import DeliveryError


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Texting:
    """An account with a session of its own: SMPP or CMPP. What comes in and goes out shares it.

    Args:
        settings: With ``protocol: smpp`` or ``cmpp``.
        now: The time.
        timing: The session's clocks; None takes them from the settings.
    """

    def __init__(
        self,
        settings: SmsSettings,
        now: Callable[[], datetime] = _utc_now,
        timing: Timing | None = None,
    ) -> None:
        self._settings = settings
        self._now = now
        self._folder = Path("var") / "sms"
        self._urgent: Urgent = lambda _text: False
        self._taken: Taken | None = None
        at = (settings.host or "", settings.port or 0)
        self.link = Link(
            settings.name, at, _dialect(settings), timing or _timing(settings), settings.secured()
        )
        self.messenger = Texts(self.link, _alphabet(settings), settings.most_segments)

    def heed(self, urgent: Urgent) -> None:
        """Neither slow nor hold what sounds like an emergency; called before `run`."""
        self._urgent = urgent

    def recall(self, taken: Taken) -> None:
        """Ask this, after a crash, what the store holds; called before `run`."""
        self._taken = taken

    def follow(self, tell: Follower) -> None:
        """Tell what became of messages; called before `run`."""
        self.messenger.follow(tell)

    def keep_in(self, folder: Path) -> None:
        """Keep what must survive a crash in this folder; called before `run`."""
        self._folder = folder

    def trouble(self) -> str | None:
        """Return why nothing comes or goes, None while the carrier lets us in."""
        return None if self.link.up else self.link.why

    async def run(self, accept: Accept) -> None:
        """Serve until cancelled."""
        settings = self._settings
        account = Account(
            name=settings.name,
            number=settings.number,
            raw_type=f"application/x-{settings.protocol}",
            alphabet=_alphabet(settings),
            combine_s=settings.combine_for.total_seconds(),
        )
        needs = Needs(now=self._now, tell=self._tell, urgent=self._urgent, taken=self._taken)
        inbox = Inbox(account, self._folder, needs)
        await inbox.open(accept)
        hands = Hands(
            take=inbox.take, report=self.messenger.reported, sure=inbox.sure, now=self._now
        )
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(inbox.sweep())
                tasks.create_task(self.link.run(hands))
        finally:
            await inbox.close()

    async def _tell(self, to: str, text: str) -> None:
        """Answer a command; a citizen who gets nothing asks again."""
        key = f"told:{to}:{self._now().timestamp():.6f}"
        try:
            await self.messenger.send(to, Message(key=key, text=text))
        except DeliveryError:
            return


def _timing(settings: SmsSettings) -> Timing:
    return Timing(
        heartbeat_s=settings.heartbeat.total_seconds(),
        answer_s=settings.answer_within.total_seconds(),
        window=settings.window,
    )


def _alphabet(settings: SmsSettings) -> Alphabet:
    # CMPP 3.0, Msg_Fmt 0 is ASCII.
    return "ascii" if settings.protocol == "cmpp" else settings.alphabet


def _dialect(settings: SmsSettings) -> Callable[[], Dialect]:
    user = settings.user or ""
    password = settings.password.get_secret_value() if settings.password else ""
    if settings.protocol == "smpp":
        login = Login(system_id=user, password=password, system_type=settings.system_type)
        return lambda: SmppDialect(login, settings.number, receipts=settings.receipts)
    return lambda: CmppDialect(
        Version(settings.version),
        user,
        password,
        settings.number,
        service=settings.service_id,
        receipts=settings.receipts,
    )


def _build(settings: SmsSettings) -> Listener | Webhook:
    return CloudPushes(settings) if settings.protocol == "http" else Texting(settings)


plugin: Plugin[SmsSettings, Listener | Webhook] = Plugin("sms", SmsSettings, _build)
