"""What a gateway believes of a server that crashed, a session that hangs, and a lease that has ended."""

import asyncio
import socket
import threading

import pytest

from gateway.store import postgres_link
from gateway.store.base import Lane, Outcome
from gateway.store.postgres import PostgresStore
from gateway.store.postgres_commit import LOCKS
from normalizer.errors import StoreError
from tests.peers.postgres import PostgresServer
from tests.store import make
from tests.store.conftest import PostgresPlace
from tests.store.wire import Wire

#: Ends the session of a gateway as the server's administrator would.
_END_HOLDER = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND classid = $1::bigint::oid AND objid = $2::bigint::oid
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class Stopping(Wire):
    """A wire that keeps the next COMMIT back and then takes nobody until it is `mended`."""

    def __init__(self, port: int) -> None:
        self.stopped, self.mended = threading.Event(), threading.Event()
        super().__init__(port)

    def takes(self) -> bool:
        """Return whether a connection is carried."""
        return self.mended.is_set() or not self.stopped.is_set()

    def committing(self, source: socket.socket, sink: socket.socket, data: bytes) -> None:
        """Keep it back."""
        self.stopped.set()
        self.mended.wait()


async def test_a_number_that_a_crashed_server_gives_out_again_deceives_nobody(
    own_server: PostgresServer,
) -> None:
    """A transaction lost in a crash is done again, though another's now has its number."""
    place = PostgresPlace(own_server)
    for setting in ("wal_writer_delay = '10s'", "autovacuum = off"):  # nothing is flushed by chance
        place.ask(f"ALTER SYSTEM SET {setting}")
    place.ask("SELECT pg_reload_conf()")
    wire = Stopping(own_server.port)
    store = PostgresStore(place.url.replace(f":{own_server.port}/", f":{wire.port}/"))
    await store.open()
    await store.add(make.acceptance(key="first"))
    place.ask("CREATE TABLE other (i integer)")
    place.ask("CHECKPOINT")
    mine = place.ask("SELECT pg_snapshot_xmax(pg_current_snapshot())")
    theirs: list[str] = []

    def crash() -> None:
        assert wire.stopped.wait(20)
        own_server.kill()
        own_server.start()
        for _ in range(4):
            theirs.extend(place.ask("INSERT INTO other VALUES (1) RETURNING pg_current_xact_id()"))
        wire.mended.set()

    wire.armed = True
    added, _ = await asyncio.gather(store.add(make.acceptance(key="k")), asyncio.to_thread(crash))
    assert mine[0] in theirs
    assert place.ask("SELECT key FROM tickets ORDER BY seq") == ["first", "k"]
    again = await store.add(make.acceptance(key="k"))
    assert (again.duplicate, again.number) == (True, added.number)
    await store.close()
    wire.close()


async def test_a_connection_half_prepared_is_not_used(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its old session holds a gateway's lock nothing is written; then its leases are its own."""
    place = PostgresPlace(postgres)
    stores = place.gateway(), place.gateway()
    for store in stores:
        await store.open()
    await stores[0].add(make.acceptance())
    await stores[0].claim("backoffice", Lane.ORDINARY, make.NOW, 1, make.after(3600))
    node = int(place.ask("SELECT node FROM deliveries WHERE state = 'leased'")[0])
    hung = postgres_link.Link(
        place.url, {"end": _END_HOLDER, "hold": "SELECT pg_advisory_lock($1::integer, $2::integer)"}
    )

    def hang() -> None:
        hung.ensure()
        assert hung.rows("end", LOCKS, node) == [(True,)]
        hung.rows("hold", LOCKS, node)

    await asyncio.to_thread(hang)
    monkeypatch.setitem(postgres_link._SETTINGS, "lock_timeout", "200ms")
    for _ in range(2):
        with pytest.raises(StoreError):
            await stores[0].add(make.acceptance())
    await asyncio.to_thread(hung.close)
    await stores[0].add(make.acceptance())
    assert [await stores[1].tend() for _ in range(3)] == [0, 0, 0]
    for store in stores:
        await store.close()


@pytest.mark.parametrize("state", ["due", "dead"])
async def test_a_lease_that_has_ended_gives_nothing_back(
    postgres: PostgresServer, state: str
) -> None:
    """A gateway that slept over its lease's end leaves the delivery to the one that is at it now."""
    place = PostgresPlace(postgres)
    stores = place.gateway(), place.gateway()
    for store in stores:
        await store.open()
    await stores[0].add(make.acceptance())
    asked = ("backoffice", Lane.ORDINARY)
    (slept,) = await stores[0].claim(*asked, make.NOW, 1, make.after(30))
    (taken,) = await stores[1].claim(*asked, make.after(31), 1, make.after(90))
    assert taken.seq == slept.seq
    await stores[0].settle([Outcome(seq=slept.seq, state=state, error="no answer in time")])
    assert await stores[0].claim(*asked, make.after(32), 1, make.after(90)) == []
    assert place.ask("SELECT state FROM deliveries") == ["leased"]
    await stores[1].settle([Outcome(seq=taken.seq, state="done")])
    assert place.ask("SELECT state FROM deliveries") == ["done"]
    for store in stores:
        await store.close()
