"""Two gateways on one store: a citizen and a desk may come to either (ADR 0011)."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.line import STALLED_S
from tests.acceptance.http import Answer, Client
from tests.acceptance.office import BackOffice, Push, accept
from tests.acceptance.polling import eventually
from tests.acceptance.process import Gateway, write_config
from tests.acceptance.world import phone, settings
from tests.peers.postgres import PostgresServer

FIRE = "埇桥区汴河中路88号居民楼着火了，火势很大，三楼有人被困！"


@dataclass
class Node:
    """One of the gateways, and a citizen who comes to it."""

    gateway: Gateway
    citizen: Client


@asynccontextmanager
async def running(folder: Path, url: str, office: BackOffice, name: str) -> AsyncIterator[Node]:
    """Run one of several gateways on a store."""
    at = {"url": url, "folder": f"var-{name}", "attachments": "files"}
    chosen = settings(office.url) | {"store": at}
    gateway = Gateway(write_config(folder / f"{name}.yaml", chosen))
    try:
        await gateway.start()
        async with Client(gateway.url) as citizen:
            yield Node(gateway, citizen)
    finally:
        await gateway.kill()


@pytest.fixture
async def office() -> AsyncIterator[BackOffice]:
    """A back office for both."""
    found = await BackOffice().start()
    yield found
    await found.stop()
    assert found.forged == []


@pytest.fixture
async def nodes(
    tmp_path: Path, postgres: PostgresServer, office: BackOffice
) -> AsyncIterator[tuple[Node, Node]]:
    """Two gateways on a database of their own."""
    url = postgres.url(postgres.database())
    async with running(tmp_path, url, office, "a") as a, running(tmp_path, url, office, "b") as b:
        yield a, b


async def listed(node: Node, service: str, number: str) -> dict[str, Any]:
    """Return a desk's incident with this report, as one of the gateways lists it."""

    async def found() -> dict[str, Any] | None:
        answer = await node.citizen.get(f"/api/v1/liaison/{service}/incidents")
        assert answer.status == 200
        return next((i for i in answer.json["incidents"] if number in i["reports"]), None)

    return await eventually(found, f"{number} at desk {service}", 5)


async def test_a_citizen_may_come_to_either(nodes: tuple[Node, Node], office: BackOffice) -> None:
    """A repeat, the progress, a file and more words at the other gateway: one ticket, one push."""
    a, b = nodes
    body = {"text": "埇桥区人民路的路灯坏了三盏，请尽快修好", "phone": phone()}
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(
        *(n.citizen.post("/api/v1/requests", json=body, headers=headers) for n in (a, b) * 5)
    )
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    (number,) = {answer.json["number"] for answer in answers}
    filed = answers[0].json
    assert (await b.citizen.progress(filed)).json["number"] == number
    assert (await b.citizen.step(filed, "messages", text="第四盏也不亮了")).status == 202
    await office.event(number, "hotline.ticket.added")
    accepted = office.of(number, "hotline.ticket.accepted")
    assert len({push.event["id"] for push in accepted}) == 1
    assert [push.type for push in office.of(number)][:1] == ["hotline.ticket.accepted"]


async def test_a_fire_at_one_is_the_fire_at_the_other(nodes: tuple[Node, Node]) -> None:
    """A page at one gateway shows what is raised at the other; its next report joins, answers count."""
    a, b = nodes
    async with asyncio.timeout(20), b.citizen.stream("/api/v1/liaison/120/stream") as page:
        lines = aiter(page.content)
        first = await a.citizen.file(FIRE, phone=phone())
        incident = await listed(a, "120", first["number"])
        shown = await told(lines, incident["id"])
        assert shown["reports"] == [first["number"]]
        second = await b.citizen.file(f"快来人！{FIRE}", phone=phone())
        joined = await told(lines, second["number"])
        assert joined["id"] == incident["id"]
        assert joined["reports"] == [first["number"], second["number"]]
        path = f"/api/v1/liaison/120/incidents/{incident['id']}/acknowledge"
        assert (await a.citizen.post(path, json={"by": "调度员"})).status == 200
        answered = await told(lines, '"acknowledged"')
    assert answered["id"] == incident["id"]
    assert (await listed(b, "120", first["number"]))["state"] == "acknowledged"


async def told(lines: AsyncIterator[bytes], word: str) -> dict[str, Any]:
    """Return the next incident of a stream whose line holds a word."""
    while True:
        line = (await anext(lines)).decode()
        if line.startswith("data:") and '"service"' in line and word in line:
            found = json.loads(line.removeprefix("data:"))
            assert isinstance(found, dict)
            return found


async def test_the_other_delivers_what_a_killed_one_had_in_hand(
    nodes: tuple[Node, Node], office: BackOffice
) -> None:
    """Killed while the back office hangs: the other gateway pushes all of it within seconds."""
    a, b = nodes
    hang = asyncio.Event()

    async def hanging(_push: Push) -> web.Response:
        await hang.wait()
        return web.Response(status=503)

    office.answer = hanging
    filed = [await a.citizen.file(FIRE, phone=phone())]
    filed += [
        await a.citizen.file(f"埇桥区人民路{n}号门口的路灯坏了", phone=phone()) for n in range(3)
    ]

    async def under_way() -> bool:  # none of them ends, so the office has no news
        return len(office.pushes) >= 4

    await eventually(under_way, "pushes under way", 15)
    before = len(office.pushes)
    await a.gateway.kill()
    office.answer = accept
    hang.set()
    for one, within_s in zip(filed, (8, 25, 25, 25), strict=True):  # a lease lasts 30 s
        await office.until(partial(_came, office, one["number"], before), one["number"], within_s)
        accepted = office.of(one["number"], "hotline.ticket.accepted")
        assert len({push.event["id"] for push in accepted}) == 1
    assert (await b.citizen.get("/readyz")).status == 200


def _came(office: BackOffice, number: str, before: int) -> bool:
    """Return whether a ticket was pushed, and taken, behind so many pushes."""
    kind = "hotline.ticket.accepted"
    return any(p.subject == number and p.type == kind for p in office.pushes[before:])


async def test_a_server_that_hangs_keeps_no_citizen_waiting(
    nodes: tuple[Node, Node], postgres: PostgresServer
) -> None:
    """Turned away within seconds, with the number to dial; afterwards all goes on."""
    citizen = nodes[0].citizen

    async def file(text: str) -> Answer:
        return await citizen.post("/api/v1/requests", json={"text": text, "phone": phone()})

    assert (await file("埇桥区人民路1号门口的路灯坏了")).status == 201
    postgres.pause()
    try:
        begun = asyncio.create_task(file("埇桥区人民路2号门口的路灯坏了"))
        await asyncio.sleep(0.5)
        behind = await asyncio.wait_for(file(FIRE), STALLED_S + 3)
        later = await asyncio.wait_for(file(FIRE), 1)
    finally:
        postgres.resume()
    for answer in (behind, later):
        assert answer.status == 503
        assert "call 110, 119, 120 or 122 now" in answer.json["detail"]
    assert (await begun).status in (201, 503)  # its batch was under way: the server tells its fate

    async def taken() -> str | None:
        answer = await file(FIRE)
        return answer.json["number"] if answer.status == 201 else None

    number = await eventually(taken, "an emergency afterwards", 10)
    assert (await listed(nodes[1], "120", number))["reports"] == [number]
