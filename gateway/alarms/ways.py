"""How operators are reached: by a channel that works, or by a signed post to their monitoring."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping

from adapters.backoffice.adapter import BackOffice, BackOfficeSettings
from channels.base import Message, Messenger
from config.settings import AlarmRung
from gateway.alarms.notice import Notice, Words
from normalizer.errors import DeliveryError, Gone, TryLater


def key_of(rung: AlarmRung) -> str:
    """Return what a rung is known by: whom it tells, and how; not when, nor by which secret."""
    said = json.dumps([rung.to, rung.number, rung.address, rung.url])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def posting(rung: AlarmRung) -> BackOfficeSettings:
    """Return how a rung to a webhook is posted to: as to a back office.

    Raises:
        ValidationError: Its address or secret is wrong.
    """
    given = {"name": "alarms", "url": rung.url, "secret": rung.secret}
    return BackOfficeSettings.model_validate(given)


class Ways:
    """Sends notices.

    Args:
        speakers: The channels' ways out by destination, ``answer:sms:mobile``, ``notify:sms``.
        words: What is said.
    """

    def __init__(self, speakers: Mapping[str, Messenger], words: Words) -> None:
        self._speakers = speakers
        self._words = words
        self._posts: dict[AlarmRung, BackOffice] = {}
        #: Answered 410; a restart, or another secret, tries again.
        self._gone: set[AlarmRung] = set()

    async def close(self) -> None:
        """Let go of connections."""
        for post in self._posts.values():
            await post.close()
        self._posts.clear()

    async def send(self, rung: AlarmRung, notice: Notice, down: Collection[str]) -> None:
        """Return once somebody has taken a notice.

        Args:
            rung: Whom to tell.
            notice: What.
            down: Parts that are down, by which nothing is sent.

        Raises:
            TryLater: Nobody has, now.
            Unreachable: The rung's number or address is none.
            Gone: The monitoring system wants nothing more.
        """
        if rung.to == "webhook":
            await self._deliver(rung, notice)
            return
        message = Message(
            key=notice.id,
            text=self._words.text(notice, spoken=rung.to == "phone"),
            title=self._words.title(notice),
            urgent=True,
            kind=f"hotline.alarm.{notice.kind}",
        )
        to = rung.address if rung.to == "email" else rung.number
        failed: DeliveryError = TryLater("every channel that could tell it is down itself")
        for messenger in self._by(rung.to, down):
            try:
                await messenger.send(to or "", message)
            except DeliveryError as error:
                failed = error
            else:
                return
        raise failed

    async def _deliver(self, rung: AlarmRung, notice: Notice) -> None:
        if rung in self._gone:
            raise Gone("answered 410 before: it wants nothing more")
        try:
            await (await self._post(rung)).deliver(self._words.item(notice))
        except Gone:
            self._gone.add(rung)
            raise

    async def _post(self, rung: AlarmRung) -> BackOffice:
        post = self._posts.get(rung)
        if post is None:
            post = BackOffice(posting(rung))
            await post.open()
            self._posts[rung] = post
        return post

    def _by(self, kind: str, down: Collection[str]) -> Iterator[Messenger]:
        """Yield the ways out of a kind whose channel works, each once."""
        accounts = f"answer:{kind}:"
        of = {
            id(m): w.removeprefix(accounts)
            for w, m in self._speakers.items()
            if w.startswith(accounts)
        }
        seen = set()
        for way, messenger in self._speakers.items():
            if way != f"notify:{kind}" and not way.startswith(accounts):
                continue
            account = of.get(id(messenger))
            if id(messenger) not in seen and f"channels/{kind}:{account}" not in down:
                seen.add(id(messenger))
                yield messenger
