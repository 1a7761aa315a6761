"""The way back to a partner's citizens: signed posts to ``reply_url``."""

from collections.abc import Callable
from datetime import UTC, datetime

import aiohttp
import msgspec

from channels.base import Message
from channels.webhook.codec import Told, key_of, outcome, signed_headers
from channels.webhook.settings import WebhookSettings
from normalizer.errors import TryLater

TIMEOUT_S = 15.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class PartnerMessenger:
    """Sends to the citizens of one partner; ``to`` is the ``from`` of their message."""

    def __init__(self, settings: WebhookSettings, now: Callable[[], datetime] = _utc_now) -> None:
        if settings.reply_url is None:
            raise ValueError("a messenger needs a reply_url")
        self._url = settings.reply_url
        self._keys = tuple(key_of(s.get_secret_value()) for s in settings.secret)
        self._now = now
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready to send; connections are made when they are needed."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers={"Content-Type": "application/json", "User-Agent": "intake-gateway"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, to: str, message: Message) -> str:
        """Return the message's id once the partner answered 2xx.

        Raises:
            TryLater: The partner did not take it now.
            Gone: It answered 410.
        """
        if self._session is None:
            raise TryLater("the messenger is not open")
        told = Told(id=message.key, to=to, text=message.text, title=message.title)
        body = msgspec.json.encode(told)
        now = self._now()
        headers = signed_headers(self._keys, message.key, now, body)
        try:
            async with self._session.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                outcome(answer.status, answer.headers.get("Retry-After"), now)
        except TimeoutError:
            raise TryLater("no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryLater(f"no answer: {type(error).__name__}") from None
        return message.key
