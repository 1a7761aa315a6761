"""What is PostgreSQL's own: several gateways, a server that goes away, and its errors."""

import asyncio
import random
import socket
import subprocess
from pathlib import Path

import asyncpg
import pytest

from gateway.store import postgres_link
from gateway.store.base import Acceptance, Lane, Outcome
from gateway.store.engines import from_url
from gateway.store.postgres import PostgresStore
from gateway.store.sql import migrations
from normalizer.errors import ConfigError, StoreError
from tests.peers.postgres import PostgresServer
from tests.store import make
from tests.store.conftest import PostgresPlace
from tests.store.test_kill import check, killed_at_random, start
from tests.store.wire import Wire


@pytest.fixture
def place(postgres: PostgresServer) -> PostgresPlace:
    """Return an empty database."""
    return PostgresPlace(postgres)


def columns(place: PostgresPlace, statement: str) -> list[list[str]]:
    """Return the rows of a statement by the server's own client."""
    return [row.split("|") for row in place.ask(statement)]


async def both(place: PostgresPlace) -> tuple[PostgresStore, PostgresStore]:
    """Return two gateways' open stores."""
    stores = place.gateway(), place.gateway()
    await asyncio.gather(*(store.open() for store in stores))
    return stores


async def test_two_gateways_make_one_ticket_of_one_message(place: PostgresPlace) -> None:
    """The same messages at two gateways at once: each is one ticket, and the numbers have no gap."""
    stores = await both(place)
    given = [make.acceptance(key=f"k{n % 40}") for n in range(200)]
    added = await asyncio.gather(*(s.add(one) for one in given for s in stores))
    assert sum(not one.duplicate for one in added) == 40
    numbers = {one.number for one in added}
    assert len(numbers) == 40
    found = await stores[0].numbered("20261122", None, 100)
    assert {one.number for one in found} == numbers
    assert place.ask("SELECT max(nr) - min(nr) + 1 FROM tickets") == ["40"]
    for store in stores:
        await store.close()


async def test_a_page_misses_nothing_that_another_gateway_stores(place: PostgresPlace) -> None:
    """Paging while two gateways write brings every ticket once, in the order of their commits."""
    stores = await both(place)
    writing = asyncio.gather(*(s.add(make.acceptance()) for _ in range(300) for s in stores))
    seen: list[str] = []
    while not writing.done() or len(seen) < 600:
        page = await stores[0].page(seen[-1] if seen else "", 50)
        seen += [stored.ticket.id for stored in page]
    assert len(seen) == len(set(seen)) == 600
    for store in stores:
        await store.close()


async def test_a_report_joins_what_the_other_gateway_raised(place: PostgresPlace) -> None:
    """Whichever gateway stores a report first raises the incident; the others join it."""
    stores = await both(place)
    _, before = await stores[1].moved(None)
    fire = make.incident(id="fire")
    added = await asyncio.gather(
        *(
            s.add(make.acceptance(reports=(make.report(fire, on_raise=(), on_join=()),)))
            for _ in range(10)
            for s in stores
        )
    )
    assert {one.incidents for one in added} == {("fire",)}
    stored = await stores[0].incident("fire")
    assert stored is not None
    assert [event.event for event in stored.events] == ["raised", *["joined"] * 19]
    moved, head = await stores[1].moved(before)
    assert [(one.incident, one.version, one.is_open) for one in moved] == [("fire", 20, True)]
    assert await stores[1].moved(head) == ([], head)
    for store in stores:
        await store.close()


async def test_what_a_killed_gateway_had_leased_is_due_soon(place: PostgresPlace) -> None:
    """Deliveries of a gateway that was killed are given back at the second look, of others never."""
    store = place.gateway()
    await store.open()
    victim = start(place.url, "0")
    assert victim.stdout is not None
    for _ in range(30):
        victim.stdout.readline()
    mine = await store.claim("backoffice", Lane.ORDINARY, make.NOW, 3, make.after(3600))
    assert len(mine) == 3
    victim.kill()
    victim.stdout.read()
    victim.stdout.close()
    victim.wait()
    # What it was about to settle is leased still: by this, too, if chance would have it.
    place.ask(
        "UPDATE deliveries SET state = 'leased', ready_at = 9000000000000000, node = "
        "(SELECT last_value FROM nodes) WHERE state = 'due' AND turn = 1"
    )
    leased = int(place.ask("SELECT count(*) FROM deliveries WHERE state = 'leased'")[0])
    assert await store.tend() == 0
    assert await store.tend() == leased - 3
    assert await store.tend() == 0
    held = columns(place, "SELECT seq FROM deliveries WHERE state = 'leased' ORDER BY seq")
    assert held == [[str(one.seq)] for one in sorted(mine, key=lambda d: d.seq)]
    await store.close()


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.slow, id="chaos")])
async def test_kills_of_two_gateways_lose_nothing(place: PostgresPlace, kills: int) -> None:
    """Two gateways that write at once are killed at random: what they acknowledged is there, once."""
    acknowledged: dict[str, str] = {}
    for turn in range(kills):
        told = await asyncio.gather(
            *(
                asyncio.to_thread(killed_at_random, place.url, f"{turn}{name}", random.Random())  # noqa: S311
                for name in "ab"
            )
        )
        for one in told:
            acknowledged |= one
    # The last commands of a killed client may still be under way.
    await asyncio.sleep(0.5)
    check(lambda statement: columns(place, statement), acknowledged)
    assert len(set(acknowledged.values())) == len(acknowledged)


async def test_a_restarted_server_is_waited_for(own_server: PostgresServer) -> None:
    """A server that is killed and is back in a moment fails nobody; what was stored is there."""
    place = PostgresPlace(own_server)
    store = place.gateway()
    await store.open()
    answers: list[str] = []
    begun = asyncio.Event()

    async def citizen(name: int) -> None:
        for count in range(30):
            added = await store.add(make.acceptance(key=f"{name}-{count}"))
            assert not added.duplicate
            answers.append(added.number)
            if len(answers) == 50:
                begun.set()

    citizens = asyncio.gather(*(citizen(name) for name in range(10)))
    await begun.wait()
    await asyncio.to_thread(own_server.kill)
    await asyncio.to_thread(own_server.start)
    await citizens
    assert len(set(answers)) == 300
    assert (await store.counts())["tickets"] == 300
    assert place.ask("SELECT count(*), count(DISTINCT key) FROM tickets") == ["300|300"]
    await store.close()


async def test_a_server_that_stays_away_is_named(
    own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody answers everything is refused with the reason; afterwards all works again."""
    place = PostgresPlace(own_server)
    store = place.gateway()
    await store.open()
    await store.add(make.acceptance(key="before"))
    monkeypatch.setattr(postgres_link, "PATIENCE_S", 0.5)
    await asyncio.to_thread(own_server.kill)
    for asked in (store.add(make.acceptance(key="k")), store.counts()):
        with pytest.raises(StoreError, match="the server does not answer"):
            await asked
    began = asyncio.get_running_loop().time()
    with pytest.raises(StoreError, match=f"127.0.0.1:{own_server.port}"):
        await store.add(make.acceptance(key="k"))
    assert asyncio.get_running_loop().time() - began < 3  # it is not waited for any more
    await asyncio.to_thread(own_server.start)
    assert not (await store.add(make.acceptance(key="k"))).duplicate
    assert (await store.counts())["tickets"] == 2
    await store.close()


class Cutting(Wire):
    """A wire that is cut once, before or after a COMMIT has passed."""

    def __init__(self, port: int, *, after: bool) -> None:
        self._after = after
        self.cuts = 0
        super().__init__(port)

    def committing(self, source: socket.socket, sink: socket.socket, data: bytes) -> None:
        """Cut the wire."""
        self.cuts += 1
        if self._after:
            source.shutdown(socket.SHUT_RD)
            sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
            while sink.recv(65536):  # the server is done with it
                pass


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_commit_without_an_answer_is_asked_after(
    postgres: PostgresServer, after: bool
) -> None:
    """Whether a commit was carried out before the wire was cut or not, the ticket is stored once."""
    place = PostgresPlace(postgres)
    wire = Cutting(postgres.port, after=after)
    store = PostgresStore(place.url.replace(f":{postgres.port}/", f":{wire.port}/"))
    await store.open()
    await store.add(make.acceptance(key="first"))
    wire.armed = True
    urgent = make.acceptance(key="k", deliveries=(make.urgent("backoffice", id="told"),))
    added = await store.add(urgent)
    assert wire.cuts == 1
    assert not added.duplicate
    assert [one.id for one in added.leased] == ["told"]
    await store.settle([Outcome(seq=one.seq, state="done") for one in added.leased])
    again = await store.add(make.acceptance(key="k"))
    assert (again.duplicate, again.number) == (True, added.number)
    assert place.ask("SELECT count(*), max(nr) % 10 FROM tickets") == ["2|2"]
    await store.close()
    wire.close()


async def test_a_nul_is_shown_and_lost_nowhere(place: PostgresPlace) -> None:
    """PostgreSQL's text holds no NUL: the words are shown with its sign, and kept as they were."""
    store = place.gateway()
    await store.open()
    ticket = make.ticket()
    given = Acceptance(
        ticket=ticket,
        key="a\0b",
        digest="d",
        raw=b"\0raw",
        raw_type="text/plain",
        number_on="20261122",
        events=(make.event(text="路灯\0不亮", data={"said": "路灯\0不亮"}),),
        deliveries=(),
    )
    added = await store.add(given)
    stored = await store.ticket(added.number)
    assert stored is not None
    assert stored.ticket == ticket
    assert (stored.events[0].text, stored.events[0].data) == ("路灯␀不亮", {"said": "路灯\0不亮"})
    assert await store.raw(ticket.id) == (b"\0raw", "text/plain")
    assert (await store.add(given)).duplicate
    await store.close()


async def test_shared_values_are_swapped_once(place: PostgresPlace) -> None:
    """Of several gateways that put a value where the same version lies, one does."""
    stores = await both(place)
    assert await stores[0].shared("token") is None
    for version in range(3):
        done = await asyncio.gather(
            *(s.swap("token", b"%d" % n, version) for n in range(4) for s in stores)
        )
        assert sum(done) == 1
    found = await stores[1].shared("token")
    assert found is not None
    assert found.version == 3
    for store in stores:
        await store.close()


async def test_a_database_that_does_not_fit_is_named(postgres: PostgresServer) -> None:
    """A wrong password, a missing database, another program's and another encoding: each its error."""
    name = postgres.database()
    wrong = await make.opens(PostgresStore(postgres.url(name, password="s3cret")))
    assert "refuses this user" in wrong
    assert "s3cret" not in wrong
    assert "gateway:" not in wrong
    assert "no such database" in await make.opens(PostgresStore(postgres.url("nothing")))
    latin = postgres.database("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    assert "ENCODING 'UTF8'" in await make.opens(PostgresStore(postgres.url(latin)))
    postgres.ask(name, "CREATE TABLE invoices (id integer)")
    assert "another program's database" in await make.opens(PostgresStore(postgres.url(name)))
    assert postgres.ask(name, "SELECT count(*) FROM pg_class WHERE relname = 'tickets'") == ["0"]
    fresh = PostgresPlace(postgres)
    assert "run `gateway migrate`" in await make.opens(fresh.command())
    assert await make.opens(fresh.gateway()) == ""
    assert await make.opens(fresh.command()) == ""
    fresh.ask("UPDATE schema_version SET version = 99")
    assert "run the newer program" in await make.opens(fresh.gateway())


async def test_a_gateways_folder_is_its_own(place: PostgresPlace, tmp_path: Path) -> None:
    """Two gateways on one database need a folder each; a command needs none."""
    first = from_url(place.url, folder=tmp_path / "a")
    await first.open()
    second = PostgresStore(place.url, folder=tmp_path / "a")
    assert "store.folder" in await make.opens(second)
    command = from_url(place.url, owner=False, folder=tmp_path / "a")
    await command.open()
    await command.close()
    other = from_url(place.url, folder=tmp_path / "b")
    await other.open()
    for store in (first, other):
        await store.close()
    assert await make.opens(second) == ""


@pytest.mark.parametrize("url", ["postgresql://host", "postgresql://u:p@host/"])
def test_an_address_without_a_database_is_refused(url: str) -> None:
    """An address must name the database."""
    with pytest.raises(ConfigError, match="postgresql://user:pw@host/db"):
        from_url(url)


def test_gateways_that_start_together_make_one_schema(place: PostgresPlace) -> None:
    """Four gateways at once on an empty database: one makes the schema, all run."""
    victims = [start(place.url, str(n)) for n in range(4)]
    try:
        for victim in victims:
            assert victim.stdout is not None
            assert victim.stdout.readline()
    finally:
        for victim in victims:
            victim.kill()
            victim.communicate()
    newest = str(len(migrations("postgres")))
    assert place.ask("SELECT version FROM schema_version") == [newest]
    assert isinstance(victims[0], subprocess.Popen)


async def test_a_gateway_whose_connection_breaks_keeps_what_it_leased(place: PostgresPlace) -> None:
    """Its session ended by the server, a gateway is back at once: nobody takes its deliveries."""
    stores = await both(place)
    await stores[0].add(make.acceptance())
    mine = await stores[0].claim("backoffice", Lane.ORDINARY, make.NOW, 1, make.after(3600))
    assert len(mine) == 1
    for _ in range(3):
        place.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'intake-gateway' AND datname = current_database()"
        )
        await stores[0].add(make.acceptance())
        assert await stores[1].tend() == 0
        assert await stores[1].tend() == 0
    assert await stores[1].counts() == await stores[0].counts()
    held = place.ask("SELECT count(*) FROM deliveries WHERE state = 'leased'")
    assert held == ["1"]
    for store in stores:
        await store.close()


async def test_a_gateway_that_hangs_holds_the_others_up_for_a_while_only(
    place: PostgresPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who took the writers' row and does not go on is let go of by the server."""
    store = place.gateway()
    await store.open()
    hangs: list[postgres_link.Link] = []

    def hang() -> None:
        hung = postgres_link.Link(place.url, {"heads": "SELECT seq FROM heads FOR UPDATE"})
        hangs.append(hung)
        hung.ensure()
        hung.execute("SET idle_in_transaction_session_timeout = '700ms'")
        hung.execute("BEGIN")
        hung.rows("heads")

    await asyncio.to_thread(hang)
    began = asyncio.get_running_loop().time()
    assert not (await store.add(make.acceptance(key="k"))).duplicate
    assert 0.4 < asyncio.get_running_loop().time() - began < 10
    monkeypatch.setitem(postgres_link._SETTINGS, "lock_timeout", "300ms")
    other = place.gateway()
    await other.open()
    await asyncio.to_thread(hang)
    asked = [other.add(make.acceptance(key=f"n{n}")) for n in range(20)]
    began = asyncio.get_running_loop().time()
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert asyncio.get_running_loop().time() - began < 5  # not once for each of them
    assert all("write lock" in str(one) for one in done if isinstance(one, BaseException))
    assert any(isinstance(one, StoreError) for one in done)
    for hung in hangs:
        await asyncio.to_thread(hung.close)
    for one in (store, other):
        await one.close()


async def test_every_statement_is_sound(place: PostgresPlace) -> None:
    """Every statement of the package fits the schema of the package."""
    store = place.gateway()
    await store.open()
    await store.close()
    connection = await asyncpg.connect(place.url)
    await connection.execute("SET gateway.node = 1")
    for names in (("read", "postgres_read"), ("write", "postgres_write"), ("postgres_link",)):
        statements = postgres_link.asked(*names)
        assert len(statements) > 1
        for statement in statements.values():
            await connection.prepare(statement)
    await connection.close()
