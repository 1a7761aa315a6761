"""Killed at random while it accepts and pushes."""

import asyncio
import random
from pathlib import Path

import pytest

from tests.crash.world import World


async def _kill_at_random(folder: Path, kills: int, seed: int) -> World:
    chooser = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    async with World(folder) as world:
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


@pytest.mark.slow
async def test_chaos_of_two_hundred_kills(tmp_path: Path) -> None:
    """The same with two hundred kills."""
    world = await _kill_at_random(tmp_path, 200, 2)
    assert len(world.citizens) > 1000
