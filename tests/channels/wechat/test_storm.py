"""Storms of repeats over many connections, while the process is killed and started again."""

import asyncio
import contextlib
import random
import re
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.wechat.simulator.pusher import Pusher, members
from gateway.store.base import StoredTicket
from gateway.store.engines import from_url
from gateway.store.sqlite import SqliteStore
from tests.channels.wechat.world import FIRE, LAMP, SEALED, World, until
from tests.peers.postgres import PostgresServer

KILLS, CITIZENS, CONNECTIONS = 3, 12, 48
_NUMBER = re.compile(r"\b\d{8}-\d{6,}-\d\b", re.ASCII)


class Storm:
    """The platform's side: pushes the same messages over and over, and remembers each answer."""

    def __init__(self, world: World, messages: list[dict[str, Any]]) -> None:
        self.world = world
        self.messages = messages
        self.told: dict[str, set[str]] = defaultdict(set)  #: numbers that a citizen was shown
        self.answers = 0
        self.url = asyncio.Event()
        self.urls: list[str] = []  #: of the gateways, where there is more than one

    async def rage(self, seed: int) -> None:
        """Push messages at random until cancelled; a process that is gone is no answer."""
        chooser = random.Random(seed)  # noqa: S311 - which message and process, no secret
        while True:
            await self.url.wait()
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                url = f"{chooser.choice(self.urls or [self.world.url])}/sealed"
                async with Pusher(SEALED, url, patience_s=10) as pusher:
                    while self.url.is_set():
                        await self.push(pusher, chooser.choice(self.messages))

    async def push(self, pusher: Pusher, fields: dict[str, Any]) -> int:
        """Return the status of the answer; the number that it shows is remembered."""
        status, body = await pusher.once(*pusher.request(fields))
        if status == 200:
            self.answers += 1
            shown = pusher._shown(body) or ""  # `success`: a slow machine answers by message
            self.told[fields["FromUserName"]] |= set(_NUMBER.findall(shown))
        return status


def _messages() -> list[dict[str, Any]]:
    """Return what the citizens say: the first an emergency, the others not."""
    return [
        members("text", f"oStorm-{n:04}", Content=FIRE if n == 0 else f"{LAMP}，第{n}处")
        for n in range(CITIZENS)
    ]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    found = World(tmp_path)
    yield found
    await found.close()


async def _serve(
    world: World, name: str = "gateway", store: dict[str, str] | None = None
) -> asyncio.subprocess.Process:
    """Return a gateway in a process of its own, on the world's store or another one."""
    config = await world.configure(name, store)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert child.stdout is not None
    ready = (await child.stdout.readline()).decode().split()
    assert ready[0] == "ready"
    world.url = f"{ready[1]}/channels/wechat"
    return child


async def _reached(storm: Storm, answers: int) -> None:
    """Return once so many answers were read."""
    await until(lambda: storm.answers >= answers, within_s=60)


async def test_a_storm_over_processes_that_are_killed_is_one_ticket_each(world: World) -> None:
    """The same messages over 48 connections and four processes: one ticket, one number each."""
    chooser = random.Random(20261127)  # noqa: S311 - when to kill, no secret
    storm = Storm(world, _messages())
    raging = [asyncio.create_task(storm.rage(seed)) for seed in range(CONNECTIONS)]
    for _ in range(KILLS):
        child = await _serve(world)
        before = storm.answers
        storm.url.set()
        await _reached(storm, before + 1 + chooser.randrange(60))
        child.send_signal(signal.SIGKILL)
        storm.url.clear()
        await child.wait()
    for task in raging:
        task.cancel()
    await asyncio.gather(*raging, return_exceptions=True)
    child = await _serve(world)
    async with world.pusher("sealed", SEALED, patience_s=30) as pusher:
        for _ in range(2):
            statuses = await asyncio.gather(*(storm.push(pusher, m) for m in storm.messages))
            assert statuses == [200] * CITIZENS
    child.send_signal(signal.SIGTERM)
    assert await child.wait() == 0
    store = SqliteStore(world.folder / "gateway.db")
    await store.open()
    stored = await store.page("", 1000)
    await store.close()
    numbers = {s.ticket.channel.thread or "": s.number for s in stored}
    assert (len(stored), sorted(numbers)) == (CITIZENS, sorted(storm.told))
    # Whoever was answered, by any of the processes, was told the number of the one ticket.
    assert any(storm.told.values())
    assert all(told <= {numbers[citizen]} for citizen, told in storm.told.items())


def _store_of(world: World, url: str, name: str) -> dict[str, str]:
    """Return where one of several gateways keeps what."""
    files = str(world.folder / "files")
    return {"url": url, "folder": str(world.folder / name), "attachments": files}


async def _rage_while_one_is_killed(
    storm: Storm, stores: list[dict[str, str]]
) -> list[asyncio.subprocess.Process]:
    """Return two gateways that have been stormed, one of them killed and started again."""
    children = []
    for name, store in zip("ab", stores, strict=True):
        children.append(await _serve(storm.world, name, store))
        storm.urls.append(storm.world.url)
    raging = [asyncio.create_task(storm.rage(seed)) for seed in range(CONNECTIONS)]
    storm.url.set()
    await _reached(storm, 60)
    children[0].send_signal(signal.SIGKILL)
    await children[0].wait()
    await _reached(storm, storm.answers + 60)
    children[0] = await _serve(storm.world, "a", stores[0])
    storm.urls[0] = storm.world.url
    await _reached(storm, storm.answers + 60)
    for task in raging:
        task.cancel()
    await asyncio.gather(*raging, return_exceptions=True)
    for at in storm.urls:
        async with Pusher(SEALED, f"{at}/sealed", patience_s=30) as pusher:
            statuses = await asyncio.gather(*(storm.push(pusher, m) for m in storm.messages))
            assert statuses == [200] * CITIZENS
    return children


async def _once_handed_over(url: str) -> list[StoredTicket]:
    """Return all tickets of a store once nothing of it waits to be delivered."""
    store = from_url(url, owner=False)
    await store.open()

    async def is_done() -> bool:
        return (await store.counts())["due"] == 0

    await until(is_done, within_s=40)
    found = await store.page("", 1000)
    await store.close()
    return found


async def test_a_storm_over_two_gateways_on_one_store_is_one_ticket_each(
    world: World, postgres: PostgresServer
) -> None:
    """Two live gateways get the same messages, one is killed: one ticket and one push each."""
    storm = Storm(world, _messages())
    url = postgres.url(postgres.database())
    children = await _rage_while_one_is_killed(storm, [_store_of(world, url, n) for n in "ab"])
    stored = await _once_handed_over(url)
    numbers = {s.ticket.channel.thread or "": s.number for s in stored}
    assert (len(stored), sorted(numbers)) == (CITIZENS, sorted(storm.told))
    assert all(told <= {numbers[citizen]} for citizen, told in storm.told.items())
    pushed: dict[str, set[str]] = defaultdict(set)  # tickets, and the ids of their acceptance
    for event in world.office.events:
        if event["type"] == "hotline.ticket.accepted":
            pushed[event["subject"]].add(event["id"])
    assert sorted(pushed) == sorted(numbers.values())
    assert all(len(ids) == 1 for ids in pushed.values())
    fire = next(s for s in stored if s.ticket.channel.thread == "oStorm-0000")
    raised = {e["subject"] for e in world.office.events if e["type"] == "hotline.emergency.raised"}
    assert raised == set(fire.incidents)
    assert len(raised) >= 2  # the fire brigade's and the ambulance's, once each
    for child in children:
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
