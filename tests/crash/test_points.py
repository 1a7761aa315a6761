"""Killed at every step between receiving a message and marking its delivery done."""

import asyncio
from pathlib import Path

import pytest

from tests.crash.child import POINTS
from tests.crash.world import World


@pytest.mark.parametrize("point", POINTS)
async def test_nothing_is_lost_or_doubled_when_killed_at(point: str, tmp_path: Path) -> None:
    """A kill at any edge loses no answered act, doubles none, and hides no fire."""
    async with World(tmp_path) as world:
        process, url = await world.serve(point, "3")
        await world.flood(url, 0, 4, asyncio.Event())
        async with asyncio.timeout(20):
            assert await process.wait() == -9, "the point was never passed"
        await world.finish()


@pytest.mark.parametrize("point", ["add:before", "add:after"])
async def test_a_request_of_open311_is_stored_once_when_killed_at(
    point: str, tmp_path: Path
) -> None:
    """A client that asks again after a kill gets the one ticket that there is."""
    async with World(tmp_path, open311=True) as world:
        process, url = await world.serve(point, "3")
        await world.flood(url, 0, 4, asyncio.Event())
        async with asyncio.timeout(20):
            assert await process.wait() == -9, "the point was never passed"
        await world.finish()
