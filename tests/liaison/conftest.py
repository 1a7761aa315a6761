"""Fixtures of the desks' tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.liaison.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The emergency parts on a fresh store."""
    one = await World(tmp_path).open()
    yield one
    await one.close()
