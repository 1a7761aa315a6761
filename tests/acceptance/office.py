"""A loopback back office that verifies every push with the reference library."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from tests.acceptance.signing import OFFICE_SECRET


@dataclass(frozen=True)
class Push:
    """One push whose signature held."""

    id: str  #: the header ``webhook-id``
    headers: Mapping[str, str]
    event: dict[str, Any]
    at: float  #: the loop's clock, seconds

    @property
    def type(self) -> str:
        """The event's type."""
        return str(self.event["type"])

    @property
    def subject(self) -> str:
        """The ticket's number or the incident's id."""
        return str(self.event["subject"])

    @property
    def ticket(self) -> dict[str, Any]:
        """The ticket that the event carries."""
        found = self.event["data"]["ticket"]
        assert isinstance(found, dict)
        return found

    @property
    def emergency(self) -> bool:
        """Whether it came by the emergency lane."""
        return self.type.startswith("hotline.emergency.")


Handler = Callable[[Push], Awaitable[web.Response]]


async def accept(_push: Push) -> web.Response:
    """Take a push."""
    return web.Response(status=202)


class BackOffice:
    """Keeps what was pushed and answers as ``answer`` says."""

    def __init__(self, secret: str = OFFICE_SECRET, path: str = "/events") -> None:
        self.answer: Handler = accept
        self.pushes: list[Push] = []  #: all that came, in order
        self.taken: list[Push] = []  #: those that were answered 2xx
        self.forged: list[str] = []  #: why a signature did not hold
        self.port = 0
        self._path = path
        self._verifier = Webhook(secret)
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{self._path}"

    async def start(self) -> Self:
        """Listen, on the same port as before if there was one."""
        app = web.Application(client_max_size=1 << 24)
        app.router.add_post(self._path, self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        """Refuse connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            event = self._verifier.verify(body, dict(request.headers))
        except WebhookVerificationError as error:
            self.forged.append(str(error))
            return web.Response(status=401)
        now = asyncio.get_running_loop().time()
        push = Push(request.headers["webhook-id"], request.headers.copy(), event, now)
        self.pushes.append(push)
        response = await self.answer(push)
        if 200 <= response.status < 300:
            self.taken.append(push)
        async with self._news:
            self._news.notify_all()
        return response

    async def until(self, holds: Callable[[], bool], what: str, within_s: float = 15.0) -> None:
        """Return once the condition holds; it is asked anew at every push.

        Raises:
            AssertionError: it did not hold within the time.
        """
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            seen = [(push.type, push.subject) for push in self.taken[-8:]]
            raise AssertionError(f"not within {within_s} s: {what}; last taken: {seen}") from None

    def of(self, subject: str, kind: str = "") -> list[Push]:
        """Return what was taken about a ticket or an incident, of one type or of all."""
        return [p for p in self.taken if p.subject == subject and p.type.startswith(kind)]

    async def event(
        self, subject: str, kind: str = "hotline.ticket.accepted", within_s: float = 15.0
    ) -> Push:
        """Return the first event of a type about a subject, as soon as it was taken."""
        await self.until(lambda: bool(self.of(subject, kind)), f"{kind} of {subject}", within_s)
        return self.of(subject, kind)[0]

    async def raised(self, number: str, service: str, within_s: float = 15.0) -> dict[str, Any]:
        """Return the incident of a service that a ticket raised or joined."""

        def found() -> list[Push]:
            return [
                push
                for push in self.taken
                if push.emergency
                and push.event["data"]["incident"]["service"] == service
                and number in push.event["data"]["incident"]["reports"]
            ]

        await self.until(lambda: bool(found()), f"an incident for {service}", within_s)
        incident = found()[0].event["data"]["incident"]
        assert isinstance(incident, dict)
        return incident
