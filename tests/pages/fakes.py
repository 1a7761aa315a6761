"""A gateway behind the pages that remembers what it was asked and answers as it is told."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from channels.base import Receipt
from gateway.portal.citizen import RATINGS, Done, NotFound, Progress
from gateway.portal.page_views import Views
from gateway.portal.pages import routes
from gateway.portal.routes import Portal
from normalizer.errors import Conflict
from normalizer.schema import (
    LABELS,
    Decision,
    HistoryEntry,
    Inbound,
    Limits,
    RequestType,
    Service,
    Status,
    Urgency,
)
from tests.clock import FakeClock

ZONE = ZoneInfo("Asia/Shanghai")
NUMBER, CODE, TEMPORARY = "20261123-000123-4", "K7MPX2QD", "12345678"
AT = datetime(2026, 11, 23, 10, 0, tzinfo=ZONE)


class MemorySink:
    """Keeps files in memory under their SHA-256."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def write(self, chunks: AsyncIterator[bytes], limit: int) -> tuple[str, int]:
        """Keep the octets."""
        content = b"".join([chunk async for chunk in chunks])
        assert len(content) <= limit
        digest = hashlib.sha256(content).hexdigest()
        self.kept[digest] = content
        return digest, len(content)


def progress(status: Status = Status.SIGNED, **changes: object) -> Progress:
    """Return a ticket's progress as the core gives it."""
    shown = Progress(
        number=NUMBER,
        status=status,
        status_label=LABELS[status],
        type=RequestType.COMPLAINT,
        type_label="投诉",
        urgency=Urgency.NORMAL,
        urgency_label="一般",
        services=(),
        received_at=AT,
        acceptance=Decision(),
        limits=Limits(
            sign_by=AT + timedelta(days=1),
            finish_by=AT + timedelta(days=15),
            policy="suzhou",
            basis="宿州市长热线办理规定 四(四)",
        ),
        unit="市城管局",
        duplicate_of=None,
        exercise=False,
        history=(
            HistoryEntry(at=AT, event="accepted", by="gateway"),
            HistoryEntry(at=AT + timedelta(hours=2), event="signed", by="市城管局"),
        ),
        rating=None,
        can_rate=False,
        can_withdraw=True,
        ratings=RATINGS,
    )
    return msgspec.structs.replace(shown, **changes)


@dataclass
class FakeCore:
    """Accepts and opens one ticket; what it was asked is in ``seen`` and ``steps``."""

    urgency: Urgency = Urgency.NORMAL
    services: tuple[Service, ...] = ()
    status: Status = Status.ACCEPTED
    message: str = (
        "您的诉求已受理。工单编号 20261123-000123-4，查询码 K7MPX2QD，凭此可查询办理进度。"
    )
    shown: Progress = field(default_factory=progress)
    escalated: bool = False
    fails: Exception | None = None
    seen: list[Inbound] = field(default_factory=list)
    steps: list[tuple[str, ...]] = field(default_factory=list)
    sink: MemorySink = field(default_factory=MemorySink)

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return a receipt; the first one again for a key that was used before."""
        if self.fails:
            raise self.fails
        known = [i for i in self.seen if i.key is not None and i.key == inbound.key]
        if known and known[0].digest != inbound.digest:
            raise Conflict(inbound.key_name, "it was used before with other content")
        if not known:
            self.seen.append(inbound)
        return Receipt(
            number=NUMBER,
            query_code=CODE,
            duplicate=bool(known),
            status=self.status,
            urgency=self.urgency,
            services=self.services,
            type=inbound.type or RequestType.HELP,
            received_at=inbound.received_at,
            message=self.message,
        )

    def _open(self, number: str, code: str) -> None:
        if self.fails:
            raise self.fails
        if number != NUMBER or code not in (CODE, TEMPORARY):
            raise NotFound("no request with this number and query code")

    async def progress(self, number: str, code: str, remote: str) -> Progress:
        """Return the ticket."""
        self._open(number, code)
        return self.shown

    async def own_code(self, number: str, code: str, remote: str) -> str:
        """Return the ticket's own code."""
        self._open(number, code)
        return CODE

    def _done(self) -> Done:
        return Done(
            number=NUMBER,
            status=self.shown.status,
            status_label=self.shown.status_label,
            urgency=self.urgency,
            services=self.services,
            escalated=self.escalated,
        )

    async def add(
        self, number: str, code: str, remote: str, text: str, *, key: str | None = None
    ) -> Done:
        """Note the words."""
        self._open(number, code)
        self.steps.append(("add", text, key or ""))
        return self._done()

    async def rate(
        self, number: str, code: str, remote: str, rating: str, comment: str | None = None
    ) -> Done:
        """Note the rating."""
        self._open(number, code)
        self.steps.append(("rate", rating, comment or ""))
        return self._done()

    async def withdraw(self, number: str, code: str, remote: str) -> Done:
        """Note the withdrawal."""
        self._open(number, code)
        self.steps.append(("withdraw",))
        return self._done()


class FakeCodes:
    """Notes who asked for a code."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str]] = []  #: number, telephone, language
        self.fails: Exception | None = None

    def phone_of(self, typed: str) -> str | None:
        """Return a number of eleven digits."""
        return f"+86{typed}" if re.fullmatch("[0-9]{11}", typed) else None

    def ask(self, number: str, phone: str, remote: str, language: str) -> None:
        """Note it."""
        if self.fails:
            raise self.fails
        self.asked.append((number, phone, language))


@cache
def _views() -> Views:
    return Views("宿州12345", ZONE, secure=False)


def application(
    core: FakeCore, clock: FakeClock | None = None, codes: FakeCodes | None = None
) -> web.Application:
    """Return the pages on top of ``core``."""
    app = web.Application()
    app.add_routes(
        routes(
            Portal(
                account="portal",
                accept=core.accept,
                tickets=core,
                blobs=core.sink,
                clock=clock or FakeClock(AT.astimezone(UTC)),
                zone=ZONE,
                views=_views(),
                remote=lambda request: request.remote or "",
                codes=codes,
            )
        )
    )
    return app


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[str]:
    """Serve on a free port of loopback as production does, and yield the address.

    aiohttp's own test server cancels handlers when their client goes away; a real one does not.
    """
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()
