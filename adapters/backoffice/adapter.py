"""The push to a back office: one signed CloudEvent a POST (contract section 6).

What an answer means is decided by the codec; this shell owns the connections. Emergencies have a
pool of their own, so that no hanging ordinary push can take their connections.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import aiohttp
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr
from yarl import URL

from adapters.backoffice.cloudevents import MEDIA_TYPE
from adapters.base import Adapter, Item
from channels.webhook.codec import key_of, outcome, signed_headers
from config.plugin import Plugin
from config.settings import Duration, Section, as_list
from normalizer.errors import TryLater

#: How much of an answer is read so that its connection can be used again; more is not worth it.
ANSWER_BYTES = 16 * 1024
ANSWER_S = 1.0
#: At a time; emergencies have as many as there are of them.
ORDINARY_CONNECTIONS = 64
#: How a connection that the other side has closed meanwhile shows itself.
_STALE = (
    aiohttp.ServerDisconnectedError,
    aiohttp.ClientConnectionResetError,
    aiohttp.ClientOSError,
)


def _usable(secret: SecretStr) -> SecretStr:
    key_of(secret.get_secret_value())
    return secret


def _address(value: str) -> str:
    url = URL(value)
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("an http:// or https:// address with a host")
    if url.user or url.password:
        raise ValueError("no user or password in the address: pushes are signed")
    return value


class BackOfficeSettings(Section):
    """A ``kind: backoffice`` section."""

    kind: Literal["backoffice"] = "backoffice"
    name: str
    url: Annotated[str, AfterValidator(_address)]
    #: ``whsec_<base64>``; a list while a secret is replaced: pushes carry a signature by each.
    secret: Annotated[
        tuple[Annotated[SecretStr, AfterValidator(_usable)], ...],
        BeforeValidator(as_list),
        Field(min_length=1),
    ]
    retry_for: Duration = timedelta(days=3)  #: then an event becomes a dead letter
    #: From connecting to the answer's end; below the lease of 30 s that a delivery is held for.
    timeout: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(seconds=25))] = timedelta(
        seconds=15
    )


def _utc_now() -> datetime:
    return datetime.now(UTC)


class BackOffice:
    """Posts events to one address."""

    def __init__(
        self, settings: BackOfficeSettings, now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._url = URL(settings.url)
        self._keys = tuple(key_of(s.get_secret_value()) for s in settings.secret)
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout.total_seconds())
        self._now = now
        self._ordinary: aiohttp.ClientSession | None = None
        self._urgent: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make both pools; connections are made when they are needed."""
        self._ordinary = self._session(ORDINARY_CONNECTIONS)
        self._urgent = self._session(0)

    def _session(self, limit: int) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=limit, ttl_dns_cache=60, keepalive_timeout=60),
            timeout=self._timeout,
            headers={"Content-Type": MEDIA_TYPE, "User-Agent": "intake-gateway"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # what is inside an answer is not looked at
            trust_env=False,
        )

    async def close(self) -> None:
        """Close both pools."""
        for session in (self._ordinary, self._urgent):
            if session is not None:
                await session.close()
        self._ordinary = self._urgent = None

    async def deliver(self, item: Item) -> None:
        """Return once the back office answered 2xx.

        Raises:
            TryLater: It could not be reached, did not answer in time or answered otherwise.
            Gone: It answered 410.
        """
        session = self._urgent if item.urgent else self._ordinary
        if session is None:
            raise TryLater("the adapter is not open")
        try:
            try:
                await self._post(session, item)
            except _STALE as error:
                if isinstance(error, aiohttp.ClientConnectorError):
                    raise
                # The back office closed an idle connection just as it was used again. The id
                # makes a second push harmless, and an emergency must not wait for the schedule.
                await self._post(session, item)
        except TimeoutError:
            raise TryLater("no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TryLater(_reason(error)) from None

    async def _post(self, session: aiohttp.ClientSession, item: Item) -> None:
        now = self._now()
        headers = signed_headers(self._keys, item.id, now, item.body)
        async with session.post(
            self._url, data=item.body, headers=headers, allow_redirects=False
        ) as answer:
            if not answer.content.at_eof():
                await _finish(answer.content)
            outcome(answer.status, answer.headers.get("Retry-After"), now)


async def _finish(content: aiohttp.StreamReader) -> None:
    """Read a short answer to its end, for its connection's sake; the status has said it all."""
    read = 0
    try:
        async with asyncio.timeout(ANSWER_S):
            while read < ANSWER_BYTES and (piece := await content.readany()):
                read += len(piece)
    except (TimeoutError, aiohttp.ClientError):
        return


def _reason(error: Exception) -> str:
    """Return what failed, without the address's path, which may hold a token."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its host name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorError) and (number := error.os_error.errno):
        return f"no connection: {os.strerror(number)}"
    return f"no answer: {type(error).__name__}"


def _build(settings: BackOfficeSettings) -> Adapter:
    return BackOffice(settings)


plugin: Plugin[BackOfficeSettings, Adapter] = Plugin("backoffice", BackOfficeSettings, _build)
