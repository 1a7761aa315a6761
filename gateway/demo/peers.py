"""A back office and liaison desks that speak what the contract says and remember what they got."""

import asyncio
import json
import secrets
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from channels.webhook.codec import key_of, signed_headers, verify
from gateway.clock import SystemClock
from gateway.loopback import HOST
from normalizer.errors import Unauthorized

#: A desk in a browser or a client connects again by itself; so does ours.
_AGAIN_S = 0.1


def new_secret() -> str:
    """Return a fresh signing secret of Standard Webhooks."""
    return "whsec_" + b64encode(secrets.token_bytes(24)).decode()


@dataclass(slots=True)
class Arrival:
    """An event that the back office received."""

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
        await web.TCPSite(self._runner, HOST, 0).start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}/events"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def of(self, number: str, kind: str) -> list[Arrival]:
        """Return what came about a ticket, of this type."""
        return [a for a in self.arrivals if a.subject == number and a.type == kind]

    async def report(self, gateway: str, step: str, data: Mapping[str, str]) -> int:
        """Tell the gateway what was done about a ticket; return the status of its answer."""
        id_ = secrets.token_hex(12)
        now = SystemClock().now()
        event = {
            "specversion": "1.0",
            "id": id_,
            "source": self.url,
            "type": f"hotline.work.{step}",
            "time": now.isoformat(),
            "subject": data["number"],
            "data": dict(data),
        }
        body = json.dumps(event, ensure_ascii=False).encode()
        headers = signed_headers((key_of(self.secret),), id_, now, body)
        headers["Content-Type"] = "application/cloudevents+json"
        url = f"{gateway}/api/v1/backoffice/backoffice/events"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=headers) as answer,
        ):
            return answer.status

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {k.lower(): v for k, v in request.headers.items()}
        try:
            verify((key_of(self.secret),), headers, body, SystemClock().now())
        except Unauthorized:
            self.refused += 1
            return web.Response(status=401)
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
    ready: asyncio.Event = field(default_factory=asyncio.Event)  #: it sees what is raised

    async def follow(self, session: aiohttp.ClientSession) -> None:
        """Read server-sent events until cancelled."""
        url = f"{self.base}/api/v1/liaison/{self.service}/stream"
        timeout = aiohttp.ClientTimeout(total=None)
        while True:
            try:
                async with session.get(url, timeout=timeout) as answer:
                    answer.raise_for_status()
                    self.ready.set()
                    async for line in answer.content:
                        if line.startswith(b"data:"):
                            await self._take(session, json.loads(line[5:]))
            except aiohttp.ClientError:
                await asyncio.sleep(_AGAIN_S)

    async def _take(self, session: aiohttp.ClientSession, incident: dict[str, Any]) -> None:
        now = time.perf_counter()
        if "reports" not in incident:
            return  # a heartbeat
        self.seen.setdefault(incident["id"], now)
        for number in incident["reports"]:
            self.reports.setdefault(number, now)
        if incident["state"] == "raised" and incident["id"] not in self.acknowledged:
            url = f"{self.base}/api/v1/liaison/{self.service}/incidents/{incident['id']}"
            note = {"by": "演示席位", "note": "收到，已出动"}
            async with session.post(f"{url}/acknowledge", json=note) as answer:
                if answer.status == 200:
                    self.acknowledged.add(incident["id"])
