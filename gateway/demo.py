"""The demonstration: real requests over real sockets into a gateway with loopback peers.

The back office and the fire desk are small servers and clients of their own that speak only what
the contract says; what they got is compared with what was sent.
"""

import asyncio
import json
import secrets
import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from channels.webhook.codec import key_of, signed_headers, verify
from gateway.clock import SystemClock
from normalizer.errors import Unauthorized

#: A JPEG of one grey pixel, for the request that carries a photograph.
_PHOTO = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300030202020202030202020303030304060404040404"
    "0806060506090808080a0a090809090a0c0f0c0a0b0e0b09090d110d0e0f101011100a0c12131210130f101010ff"
    "c9000b080001000101011100ffcc000600101005ffda0008010100003f00d2cf20ffd9"
)


def new_secret() -> str:
    """Return a fresh signing secret of Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(24)).decode()


@dataclass(slots=True)
class Arrival:
    """An event that a peer received."""

    type: str
    subject: str
    at: float  #: monotonic seconds
    event: dict[str, Any]


@dataclass(slots=True)
class LoopbackOffice:
    """A back office that checks every signature and keeps what it was sent."""

    secret: str
    arrivals: list[Arrival] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    repeats: int = 0
    refused: int = 0
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_post("/events", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}/events"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {k.lower(): v for k, v in request.headers.items()}
        try:
            verify((key_of(self.secret),), headers, body, SystemClock().now())
        except Unauthorized:
            self.refused += 1
            raise
        event = json.loads(body)
        if event["id"] in self.ids:
            self.repeats += 1
        else:
            self.ids.add(event["id"])
            self.arrivals.append(
                Arrival(event["type"], event["subject"], time.perf_counter(), event)
            )
        return web.Response(status=202)


@dataclass(slots=True)
class LoopbackDesk:
    """A liaison desk: follows the stream of one service and acknowledges what is raised."""

    base: str
    service: str
    seen: dict[str, float] = field(default_factory=dict)  #: incident id to monotonic seconds
    reports: dict[str, float] = field(default_factory=dict)  #: ticket number to the same
    acknowledged: set[str] = field(default_factory=set)

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Read server-sent events until cancelled."""
        url = f"{self.base}/api/v1/liaison/{self.service}/stream"
        timeout = aiohttp.ClientTimeout(total=None)
        async with session.get(url, timeout=timeout) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                if line.startswith(b"data:"):
                    await self._take(session, json.loads(line[5:]))

    async def _take(self, session: aiohttp.ClientSession, incident: dict[str, Any]) -> None:
        now = time.perf_counter()
        if "reports" not in incident:
            return  # a heartbeat
        self.seen.setdefault(incident["id"], now)
        for number in incident["reports"]:
            self.reports.setdefault(number, now)
        if incident["state"] == "raised" and incident["id"] not in self.acknowledged:
            self.acknowledged.add(incident["id"])
            url = (
                f"{self.base}/api/v1/liaison/{self.service}/incidents/{incident['id']}/acknowledge"
            )
            note = {"by": "演示席位", "note": "收到，已出动"}
            async with session.post(url, json=note) as answer:
                await answer.read()


@dataclass(slots=True)
class Sent:
    """One request of the demonstration and its answer."""

    channel: str
    text: str
    status: int
    answer: dict[str, Any]
    sent_at: float
    answered_at: float


#: What is sent: channel, text, further fields.
STORY: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "web",
        "埇桥区人民路与淮海路交叉口东北角的井盖昨晚八点左右不见了，电动车差点掉下去，请尽快处理。",
        {"phone": "13800138000", "type": "complaint"},
    ),
    (
        "web",
        "我家楼上着火了，三楼还有老人被困出不来，在埇桥区汴河中路88号，快来人！",
        {"phone": "13900139000"},
    ),
    ("form", "汴河中路88号居民楼起火，浓烟很大，里面有人呼救！", {"phone": "13700137000"}),
    ("form", "请问办理居住证需要带哪些材料？周末能办吗？", {"name": "", "email": ""}),
    ("webhook", "小区门口的超市卖过期牛奶，我要举报，希望市场监管部门查处。", {"to": "12315"}),
    ("webhook", "宿马园区这边已经停水两天了，一直没有通知，什么时候能恢复？", {}),
    ("webhook", "表扬一下政务服务大厅的工作人员，帮我母亲办手续特别耐心。", {}),
)


class Citizens:
    """The senders of the demonstration."""

    def __init__(self, session: aiohttp.ClientSession, base: str, partner_secret: str) -> None:
        self._session = session
        self._base = base
        self._partner_key = key_of(partner_secret)

    async def send(self, channel: str, text: str, fields: dict[str, str]) -> Sent:
        """Send one request by its channel and return what was answered."""
        began = time.perf_counter()
        if channel == "web":
            request = self._session.post(
                f"{self._base}/api/v1/requests",
                json={"text": text, **fields},
                headers={"Idempotency-Key": secrets.token_hex(16)},
            )
        elif channel == "form":
            form = aiohttp.FormData()
            for name, value in {"text": text, **fields}.items():
                form.add_field(name, value)
            form.add_field("files", _PHOTO, filename="现场.jpg", content_type="image/jpeg")
            request = self._session.post(f"{self._base}/api/v1/requests", data=form)
        else:
            request = self._pushed(text, fields)
        async with request as answer:
            document = await answer.json(content_type=None)
            return Sent(channel, text, answer.status, document, began, time.perf_counter())

    def _pushed(self, text: str, fields: dict[str, str]) -> Any:
        id_ = secrets.token_hex(12)
        body = json.dumps({"id": id_, "from": "u-" + id_[:8], "text": text, **fields}).encode()
        headers = signed_headers((self._partner_key,), id_, SystemClock().now(), body)
        headers["Content-Type"] = "application/json"
        return self._session.post(
            f"{self._base}/channels/webhook/partner", data=body, headers=headers
        )

    async def all(self) -> list[Sent]:
        """Send the whole story, one after another, the third request twice over."""
        return [await self.send(*line) for line in STORY]


def _short(text: str, width: int) -> str:
    """Return the text cut to ``width`` terminal columns; a Chinese character takes two."""
    out, used = "", 0
    for character in text:
        columns = 2 if ord(character) > 0x2E7F else 1
        if used + columns > width - 1:
            return out + "…" + " " * (width - used - 1)
        out, used = out + character, used + columns
    return out + " " * (width - used)


def table(sent: list[Sent], office: LoopbackOffice, desks: list[LoopbackDesk]) -> tuple[str, bool]:
    """Return the closing table, and whether everything arrived exactly as it should."""
    rows = [("channel", "what was sent", "ticket", "urgency", "went to", "ms")]
    good = office.refused == 0
    for one in sent:
        number = one.answer.get("number", f"HTTP {one.status}")
        pushes = [
            a
            for a in office.arrivals
            if a.subject == number and a.type.startswith("hotline.ticket.")
        ]
        where, last = [], one.answered_at
        if pushes:
            unit = pushes[0].event["data"]["ticket"]["route"]["unit"]
            where.append(f"back office: {unit}")
            last = max(last, pushes[0].at)
        for desk in desks:
            if number in desk.reports:
                where.insert(0, f"desk {desk.service}")
        wanted = {s for s in one.answer.get("services", ()) if s in ("110", "119", "120", "122")}
        emergency = one.answer.get("urgency") == "emergency"
        reached = {desk.service for desk in desks if number in desk.reports}
        good &= len(pushes) == 1 and one.status in (201, 202)
        good &= reached == (wanted if emergency else set())
        ticket = pushes[0].event["data"]["ticket"] if pushes else {}
        rows.append(
            (
                one.channel,
                one.text,
                number,
                str(ticket.get("urgency_label", "")),
                ", ".join(where) or "nowhere yet",
                f"{(last - one.sent_at) * 1000:.0f}",
            )
        )
    widths = (8, 46, 18, 8, 44, 5)
    lines = [" ".join(_short(cell, w) for cell, w in zip(row, widths, strict=True)) for row in rows]
    lines.insert(1, " ".join("-" * w for w in widths))
    return "\n".join(line.rstrip() for line in lines), good


async def settled(
    sent: list[Sent], office: LoopbackOffice, desks: list[LoopbackDesk], timeout_s: float = 15.0
) -> bool:
    """Return the verdict once everything arrived, or after ``timeout_s``."""
    deadline = time.perf_counter() + timeout_s
    while True:
        _, good = table(sent, office, desks)
        if good or time.perf_counter() > deadline:
            return good
        await asyncio.sleep(0.05)
