"""Every engine that the conformance suite runs on; another one is another parameter here."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from gateway.store.base import Store
from gateway.store.postgres import PostgresStore
from gateway.store.sqlite import SqliteStore
from tests.peers.postgres import PostgresServer, running

#: For tests that are worth running on every store, but not every time: a process takes a while
#: to start.
STORES = (
    "thread",
    pytest.param("process", marks=pytest.mark.slow, id="process-chaos"),
    "postgres",
)


class Place(Protocol):
    """Where a store is kept."""

    def gateway(self) -> Store:
        """Return a store as the gateway process opens it."""
        ...

    def command(self) -> Store:
        """Return a store as a command beside the gateway opens it."""
        ...

    def another(self) -> "Place":
        """Return another place of the same kind."""
        ...


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

    def another(self) -> "SqlitePlace":
        """Return another place of the same kind."""
        return SqlitePlace(self.path.parent / "other", self.writer)


class PostgresPlace:
    """A database."""

    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.database = server.database()
        self.url = server.url(self.database)

    def gateway(self) -> PostgresStore:
        """Return a store as a gateway process opens it."""
        return PostgresStore(self.url)

    def command(self) -> PostgresStore:
        """Return a store as a command beside the gateway opens it."""
        return PostgresStore(self.url, owner=False)

    def another(self) -> "PostgresPlace":
        """Return another place of the same kind."""
        return PostgresPlace(self.server)

    def ask(self, statement: str) -> list[str]:
        """Return the rows of a statement as the server's own client prints them."""
        return self.server.ask(self.database, statement)


def place_of(engine: str, request: pytest.FixtureRequest, folder: Path) -> Place:
    """Return a new place for this engine."""
    if engine == "postgres":
        return PostgresPlace(request.getfixturevalue("postgres"))
    return SqlitePlace(folder, engine)


@pytest.fixture(params=["thread", "process", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Return where the store of a test is."""
    return place_of(request.param, request, tmp_path)


@pytest.fixture
async def store(place: Place) -> AsyncIterator[Store]:
    """Yield an open, empty store."""
    opened = place.gateway()
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """Yield a server that a test may kill."""
    with running() as server:
        yield server
