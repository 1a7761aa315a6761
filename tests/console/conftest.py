"""One gateway a module."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.console.world import Console, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Console]:
    """A running gateway that the tests of a module share, with a user for every role."""
    async with running(tmp_path_factory.mktemp("console")) as found:
        yield found
