"""One gateway a module, in a folder of its own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.acceptance.world import World, opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A running gateway that the tests of a module share."""
    async with opened(tmp_path_factory.mktemp("world")) as world:
        yield world
