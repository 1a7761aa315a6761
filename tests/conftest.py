"""Servers that many tests share: each is started at its first use, once a run."""

from collections.abc import Iterator

import pytest

from tests.peers.postgres import PostgresServer, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Yield a running PostgreSQL server; each test makes a database of its own."""
    with running() as server:
        yield server
