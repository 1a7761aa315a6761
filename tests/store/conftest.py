"""Every engine that the conformance suite runs on; another one is another parameter here."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.store.base import Store
from gateway.store.sqlite import SqliteStore

#: For tests that are worth running on every store, but not every time: a process takes a while
#: to start.
STORES = ("thread", pytest.param("process", marks=pytest.mark.slow, id="process-chaos"))


class SqlitePlace:
    """Where an SQLite store is kept."""

    def __init__(self, folder: Path, writer: str) -> None:
        self.path = folder / "gateway.db"
        self.writer = writer

    def gateway(self) -> SqliteStore:
        """Return a store as the gateway process opens it."""
        return SqliteStore(self.path, writer=self.writer, busy_s=0.2)

    def command(self) -> SqliteStore:
        """Return a store as a command beside the gateway opens it."""
        return SqliteStore(self.path, owner=False, busy_s=5.0)


@pytest.fixture(params=["thread", "process"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> SqlitePlace:
    """Return where the store of a test is."""
    return SqlitePlace(tmp_path, request.param)


@pytest.fixture
async def store(place: SqlitePlace) -> AsyncIterator[Store]:
    """Yield an open, empty store."""
    opened = place.gateway()
    await opened.open()
    yield opened
    await opened.close()
