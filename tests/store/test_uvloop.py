"""The writer process under the loop that `gateway serve` prefers."""

from pathlib import Path

import uvloop

from gateway.store.sqlite import SqliteStore
from tests.store import make


def test_the_writer_process_works_on_uvloop(tmp_path: Path) -> None:
    """A ticket is written and found, and the store closes, on uvloop's transports."""

    async def write() -> int:
        store = SqliteStore(tmp_path / "store.db", writer="process")
        await store.open()
        added = await store.add(make.acceptance(make.ticket()))
        found = await store.ticket(added.number)
        await store.close()
        return 0 if found is None else len(found.events)

    assert uvloop.run(write()) == 1
