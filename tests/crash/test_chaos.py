"""Killed at random while it accepts and pushes."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.crash.world import World


async def _kill_at_random(folder: Path, kills: int, seed: int, *, processes: bool = False) -> World:
    chooser = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    async with World(folder, processes=processes) as world:
        for round_ in range(kills):
            process, url = await world.serve()
            stop = asyncio.Event()
            flood = asyncio.create_task(world.flood(url, round_ * 10_000, 8, stop))
            await asyncio.sleep(chooser.uniform(0.0, 0.25))
            await world.kill(process)
            stop.set()
            await flood
        await world.finish()
        return world


async def test_random_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    """Twenty kills under load: each act is one ticket, pushed under one id, each fire is told."""
    world = await _kill_at_random(tmp_path, 20, 1)
    assert len(world.citizens) > 100


async def test_random_kills_of_a_gateway_of_three_processes(tmp_path: Path) -> None:
    """Writer and reader go with the gateway that is killed; nothing is lost or doubled."""
    world = await _kill_at_random(tmp_path, 5, 3, processes=True)
    assert len(world.citizens) > 20


async def test_kills_of_the_reader_are_seen_by_nobody(tmp_path: Path) -> None:
    """Under load each request is answered as ever though the process that reads is killed."""
    async with World(tmp_path, processes=True) as world:
        process, url = await world.serve()
        stop = asyncio.Event()
        # As many as can be sent once more, and pushed, in a moment.
        flood = asyncio.create_task(world.flood(url, 0, 8, stop, pause_s=0.05))
        reader = 0
        for _ in range(4):
            reader = await world.reader_of(process, reader)
            os.kill(reader, signal.SIGKILL)
        stop.set()
        await flood
        assert all(citizen.numbers for citizen in world.citizens)
        await world.kill(process)
        await world.finish()


@pytest.mark.slow
async def test_chaos_of_two_hundred_kills(tmp_path: Path) -> None:
    """The same with two hundred kills."""
    world = await _kill_at_random(tmp_path, 200, 2)
    assert len(world.citizens) > 1000
