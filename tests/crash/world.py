"""A gateway to kill, citizens who try again, and a back office that remembers."""

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from channels.webhook.codec import key_of, signed_headers
from gateway.demo.peers import new_secret

_CONFIG = """\
instance: {{name: crash, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///crash.db{writer}"}}
reading: {{process: {reading}}}
channels: [{{kind: web, name: portal}}]
adapters:
  - {{kind: backoffice, name: backoffice, url: "{office}", secret: {secret}}}
liaison:
  "119": {{ack_within: 1s}}
  "120": {{ack_within: 1s}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""
ORDINARY = "汴河路中段的路灯坏了三盏，请尽快修好。（{n}）"
FIRE = "埇桥区汴河中路{n}号居民楼三楼着火了，有老人被困出不来，快来人！"


@dataclass(slots=True)
class Office:
    """A back office that keeps every event by id."""

    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    pushes: int = 0
    url: str = ""
    _runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_post("/events", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/events"

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        event = json.loads(await request.read())
        self.pushes += 1
        known = self.events.setdefault(event["id"], event)
        assert known == event, "one id, two bodies"
        return web.Response(status=202)

    def ids(self, kind: str) -> Counter[str]:
        """Return how many ids each subject has for events of this type."""
        return Counter(e["subject"] for e in self.events.values() if e["type"] == kind)


@dataclass(slots=True)
class Citizen:
    """One act: the same key until it was answered."""

    text: str
    key: str = field(default_factory=lambda: secrets.token_hex(12))
    numbers: list[str] = field(default_factory=list)  #: of every answer, at most one different


def _readers(parent: int) -> list[int]:
    """Return the children of a gateway that read for it."""
    found = []
    for child in Path(f"/proc/{parent}/task/{parent}/children").read_text("ascii").split():
        with contextlib.suppress(OSError):  # it has just ended
            if b"gateway.reading_child" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


class World:
    """Everything around the gateway of one test.

    Args:
        folder: Where it lives.
        processes: Whether the gateway writes and reads in processes of their own.
        open311: Whether citizens send by clients of Open311.
    """

    def __init__(self, folder: Path, *, processes: bool = False, open311: bool = False) -> None:
        self.folder = folder
        self._open311 = open311
        self._with = {
            "writer": "?writer=process" if processes else "",
            "reading": "true" if processes else "false",
        }
        self.office = Office()
        self.citizens: list[Citizen] = []
        self.secret = new_secret()
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> "World":
        await self.office.start()
        config = _CONFIG.format(office=self.office.url, secret=self.secret, **self._with)
        (self.folder / "gateway.yaml").write_text(config, encoding="utf-8")
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            await self.kill(process)
        await self.office.stop()

    async def serve(self, *trap: str) -> tuple[asyncio.subprocess.Process, str]:
        """Start a gateway, with a trap if given, and return it with its address."""
        config = str(self.folder / "gateway.yaml")
        arguments = (
            ("-m", "tests.crash.child", config, *trap)
            if trap
            else ("-m", "gateway", "serve", "--config", config)
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._processes.append(process)
        assert process.stdout is not None
        async with asyncio.timeout(30):
            line = await process.stdout.readline()
        assert line.startswith(b"ready "), "the gateway did not start"
        return process, line.split()[1].decode()

    async def kill(self, process: asyncio.subprocess.Process) -> None:
        """Kill with SIGKILL and wait."""
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        await process.wait()

    async def reader_of(self, process: asyncio.subprocess.Process, before: int = 0) -> int:
        """Return the process that reads for a gateway, once it is another than ``before``."""
        async with asyncio.timeout(30):
            while True:
                readers = await asyncio.to_thread(_readers, process.pid)
                if others := [reader for reader in readers if reader != before]:
                    return others[0]
                await asyncio.sleep(0.02)

    def act(self, n: int, every: int = 4) -> Citizen:
        """Return a new citizen's act; every so manieth is a fire of its own."""
        text = FIRE.format(n=n * 100) if n % every == 0 else ORDINARY.format(n=n)
        citizen = Citizen(text)
        self.citizens.append(citizen)
        return citizen

    async def send(self, session: aiohttp.ClientSession, url: str, citizen: Citizen) -> bool:
        """Send an act once; True if it was answered."""
        try:
            async with session.post(
                **self._request(url, citizen.text), headers={"Idempotency-Key": citizen.key}
            ) as answer:
                document = await answer.json()
                assert answer.status in (200, 201), document
                told = document[0]["service_request_id"] if self._open311 else document["number"]
                citizen.numbers.append(told)
                return True
        except (aiohttp.ClientError, OSError):
            return False

    def _request(self, url: str, text: str) -> dict[str, Any]:
        if not self._open311:
            return {"url": f"{url}/api/v1/requests", "json": {"text": text}}
        place = {"service_code": "other", "address_string": "汴河路"}
        return {"url": f"{url}/open311/v2/requests.json", "data": {**place, "description": text}}

    async def flood(
        self, url: str, first: int, senders: int, stop: asyncio.Event, pause_s: float = 0.0
    ) -> None:
        """Send new acts over several connections until told to stop or the gateway is gone."""

        async def sender(session: aiohttp.ClientSession, offset: int) -> None:
            n = first + offset
            while not stop.is_set():
                if not await self.send(session, url, self.act(n)):
                    return
                n += senders
                await asyncio.sleep(pause_s)

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(sender(session, i) for i in range(senders)))

    async def finish(self) -> None:
        """Serve without a trap, let every citizen without an answer try again, wait for quiet."""
        process, url = await self.serve()
        async with aiohttp.ClientSession() as session:
            left = iter(self.citizens)

            async def again() -> None:
                for citizen in left:
                    assert await self.send(session, url, citizen)

            await asyncio.gather(*(again() for _ in range(16)))
            stored = await self._stored(session, url)
            await self._until_pushed(stored)
            self.check(stored, await self._incidents(session, url))
        await self.kill(process)

    async def _stored(self, session: aiohttp.ClientSession, url: str) -> dict[str, dict[str, Any]]:
        tickets: dict[str, dict[str, Any]] = {}
        after: str | None = ""
        while after is not None:
            headers = signed_headers(
                (key_of(self.secret),), secrets.token_hex(8), datetime.now(UTC), b""
            )
            address = f"{url}/api/v1/backoffice/backoffice/tickets"
            async with session.get(address, params={"after": after}, headers=headers) as answer:
                page = await answer.json()
            for ticket in page["tickets"]:
                assert ticket["number"] not in tickets, "a page repeats a ticket"
                tickets[ticket["number"]] = ticket
            after = page["next"]
        return tickets

    async def _incidents(
        self, session: aiohttp.ClientSession, url: str
    ) -> dict[str, list[dict[str, Any]]]:
        found: dict[str, list[dict[str, Any]]] = {}
        for service in ("119", "120"):
            found[service] = []
            after: str | None = ""
            while after is not None:
                address = f"{url}/api/v1/liaison/{service}/incidents"
                params = {"after": after} if after else {}
                async with session.get(address, params=params) as answer:
                    page = await answer.json()
                found[service] += page["incidents"]
                after = page["next"]
        return found

    async def _until_pushed(self, stored: dict[str, Any]) -> None:
        async with asyncio.timeout(60):
            while set(self.office.ids("hotline.ticket.accepted")) != set(stored):  # noqa: ASYNC110 - it is another process that is waited for
                await asyncio.sleep(0.05)

    def check(
        self, stored: dict[str, dict[str, Any]], incidents: dict[str, list[dict[str, Any]]]
    ) -> None:
        """Assert that every act is one ticket, pushed under one id, every fire at its desks."""
        for citizen in self.citizens:
            assert len(set(citizen.numbers)) == 1, "one act, two tickets"
        numbers = {citizen.numbers[0] for citizen in self.citizens}
        assert numbers == set(stored), "answered and stored differ"
        accepted = self.office.ids("hotline.ticket.accepted")
        assert set(accepted) == numbers
        assert set(accepted.values()) <= {1}, "a ticket was pushed under two ids"
        fires = {c.numbers[0] for c in self.citizens if "着火" in c.text}
        for service in ("119", "120"):
            reported = Counter(n for i in incidents[service] for n in i["reports"])
            assert set(reported) == fires, f"desk {service} misses a fire"
            assert set(reported.values()) <= {1}, f"desk {service} has a fire twice"
