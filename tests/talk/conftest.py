"""A world for every test, on rules that are compiled once."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.compose import Rules
from gateway.store.sqlite import SqliteStore
from tests.gateway.world import World, rules_of


@pytest.fixture(scope="session")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Return the rules of the tests' configuration."""
    return rules_of(tmp_path_factory.mktemp("talk"))


@pytest.fixture
async def world(tmp_path: Path, rules: Rules) -> AsyncIterator[World]:
    """Yield a world on an empty store."""
    store = SqliteStore(tmp_path / "gateway.db")
    await store.open()
    yield World(store, rules)
    await store.close()
