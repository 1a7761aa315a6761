"""A mailbox on a real server: everything in it is taken, once, whatever breaks."""

import asyncio
import shutil
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest
from imapclient import IMAPClient

from channels.email.mailbox import TAKEN, Fetched, Mailbox
from channels.email.settings import ImapAt
from channels.tls import client_context
from tests.acceptance.polling import eventually
from tests.channels.email.servers import USER, Dovecot, Wire, open_folder
from tests.channels.email.vectors.building import mail


def letter(number: int) -> bytes:
    """Return a mail that can be told from others."""
    return mail(f"第{number}件事".encode(), message_id=b"<%d@qq.example>" % number)


class Reading:
    """A mailbox that is read in a thread."""

    def __init__(self, at: dict[str, object], ca: Path | None = None) -> None:
        self.taken: Counter[bytes] = Counter()
        self.refuse = False
        settings = ImapAt.model_validate({"poll": "1s", **at})
        context = client_context(ca, verify=settings.verify)
        self.mailbox = Mailbox(settings, "test", self._take, context)
        self.thread = threading.Thread(target=self.mailbox.run)
        self.thread.start()

    def _take(self, mails: Sequence[Fetched]) -> set[int]:
        if self.refuse:
            return set()
        for each in mails:
            self.taken[each.raw] += 1
        return {each.uid for each in mails}

    async def has(self, count: int, within_s: float = 15.0) -> None:
        """Return once so many different mails were taken."""
        until = time.monotonic() + within_s
        while len(self.taken) < count:
            assert time.monotonic() < until, f"{len(self.taken)} of {count}: {self.mailbox.trouble}"
            await asyncio.sleep(0.01)

    async def end(self) -> None:
        """Stop reading."""
        self.mailbox.stop()
        await asyncio.to_thread(self.thread.join, 10)
        assert not self.thread.is_alive()


@pytest.fixture
async def dovecot() -> AsyncIterator[Dovecot]:
    with open_folder() as folder:
        server = await Dovecot(folder).start()
        yield server
        server.stop(now=True)


@pytest.fixture
async def reading() -> AsyncIterator[Callable[[dict[str, object]], Reading]]:
    made: list[Reading] = []

    def make(at: dict[str, object]) -> Reading:
        made.append(Reading(at))
        return made[-1]

    yield make
    for each in made:
        await each.end()


Make = Callable[[dict[str, object]], Reading]


async def _look(dovecot: Dovecot, *criteria: str) -> list[int]:
    def look() -> list[int]:
        with IMAPClient("127.0.0.1", dovecot.port, ssl=False) as client:
            client.login(USER, "secret")
            client.select_folder("INBOX")
            return list(client.search(list(criteria)))

    return await asyncio.to_thread(look)


async def test_what_waits_and_what_comes_is_taken_and_marked(
    dovecot: Dovecot, reading: Make
) -> None:
    """A new mail by IDLE within a moment; each is marked for people and for us."""
    for number in range(120):
        dovecot.put(letter(number))
    read = reading(dovecot.settings(poll="1h"))
    await read.has(120)
    await asyncio.sleep(0.3)  # now it waits in IDLE
    dovecot.put(letter(1000))
    await read.has(121)  # by no other way: it asks once in an hour
    await asyncio.sleep(0.3)
    assert len(await _look(dovecot, "SEEN", "KEYWORD", TAKEN.decode())) == 121
    assert max(read.taken.values()) == 1


async def test_a_backlog_is_taken_from_both_ends(dovecot: Dovecot, reading: Make) -> None:
    """The oldest first, the newest next: neither waits for the whole of it."""
    for number in range(400):
        dovecot.put(letter(number))
    read = reading(dovecot.settings())
    await read.has(400)
    order = list(read.taken)
    assert set(order[:50]) == {letter(number) for number in range(50)}
    assert set(order[50:100]) == {letter(number) for number in range(350, 400)}
    assert max(read.taken.values()) == 1


async def test_no_push_is_missed(dovecot: Dovecot, reading: Make) -> None:
    """A mail that arrives between looking and waiting does not wait for the next look."""
    read = reading(dovecot.settings(poll="30s"))
    for number in range(12):
        await asyncio.sleep(number / 1000)
        dovecot.put(letter(number))
        await read.has(number + 1, 5.0)


async def test_a_connection_that_breaks_inside_a_fetch(dovecot: Dovecot, reading: Make) -> None:
    """The rest is fetched again; nothing is lost, and what was marked is not fetched twice."""
    for number in range(60):
        dovecot.put(letter(number) + b"x" * 5000)
    wire = await Wire(dovecot.port).start()
    wire.break_after = 60_000
    read = reading(dovecot.settings(port=wire.port))
    await read.has(60)
    assert max(read.taken.values()) == 1
    await wire.stop()


async def test_a_server_that_is_killed_inside_a_fetch(dovecot: Dovecot, reading: Make) -> None:
    """It dies as it is asked for mails; all of them come once it is back, each once."""
    for number in range(30):
        dovecot.put(letter(number) + b"x" * 50_000)
    wire = await Wire(dovecot.port).start()
    died = asyncio.Event()

    def kill(line: bytes) -> bytes | None:
        if b"BODY.PEEK" in line and not died.is_set():
            asyncio.get_running_loop().call_later(0.005, lambda: dovecot.stop(now=True))
            died.set()
        return None

    wire.overhear = kill
    read = reading(dovecot.settings(port=wire.port))
    await asyncio.wait_for(died.wait(), 20)
    await asyncio.sleep(0.2)
    await dovecot.start()
    await read.has(30, 30.0)
    assert max(read.taken.values()) == 1
    await wire.stop()


async def test_a_connection_that_hangs(dovecot: Dovecot, reading: Make) -> None:
    """A half-open connection is found out by asking, and a new one made."""
    wire = await Wire(dovecot.port).start()
    dovecot.put(letter(1))
    read = reading(dovecot.settings(port=wire.port, timeout="1s"))
    await read.has(1)
    wire.frozen.set()
    dovecot.put(letter(2))
    await asyncio.sleep(1.5)
    wire.frozen.clear()
    await read.has(2)
    assert max(read.taken.values()) == 1
    await wire.stop()


async def test_a_provider_that_wants_to_know_who_asks(dovecot: Dovecot, reading: Make) -> None:
    """NetEase opens no folder to a program that did not name itself by RFC 2971."""
    named: list[bytes] = []

    def netease(line: bytes) -> bytes | None:
        tag, _, command = line.partition(b" ")
        if command.startswith(b"ID ("):
            named.append(command)
        if command.startswith((b"SELECT", b"EXAMINE")) and not named:
            return tag + b" NO SELECT Unsafe Login. Please contact kefu@188.com for help\r\n"
        return None

    wire = await Wire(dovecot.port).start()
    wire.overhear = netease
    dovecot.put(letter(1))
    read = reading(dovecot.settings(port=wire.port))
    await read.has(1)
    assert b'"name" "intake-gateway"' in named[0]
    await wire.stop()


async def test_why_a_folder_is_not_opened_is_told(dovecot: Dovecot, reading: Make) -> None:
    """In the server's words, without the login."""
    wire = await Wire(dovecot.port).start()
    words = f" NO {USER} may not, says secret\r\n".encode()
    wire.overhear = lambda line: line.split()[0] + words if b" SELECT " in line else None
    read = reading(dovecot.settings(port=wire.port))

    async def told() -> str | None:
        return read.mailbox.trouble

    assert (await eventually(told, "a trouble")).endswith("… may not, says …")
    await wire.stop()


async def test_a_server_that_goes_and_comes(dovecot: Dovecot, reading: Make) -> None:
    """Killed, kicked and started again; what came meanwhile is taken."""
    dovecot.put(letter(1))
    read = reading(dovecot.settings())
    await read.has(1)
    dovecot.stop(now=True)
    dovecot.put(letter(2))
    await asyncio.sleep(0.5)
    assert read.mailbox.trouble is not None
    await dovecot.start()
    await read.has(2)
    dovecot.kick()
    dovecot.put(letter(3))
    await read.has(3)
    assert max(read.taken.values()) == 1


async def test_without_idle_it_looks_again_and_again(dovecot: Dovecot, reading: Make) -> None:
    """A server that cannot push is polled."""
    dovecot.stop()
    dovecot.idle = False
    await dovecot.start()
    read = reading(dovecot.settings())
    dovecot.put(letter(1))
    await read.has(1)
    dovecot.put(letter(2))
    await read.has(2, 4.0)


async def test_a_mailbox_that_was_numbered_anew(dovecot: Dovecot, reading: Make) -> None:
    """UIDVALIDITY changes, keywords are lost: nothing is taken twice, what is new is taken."""
    for number in range(5):
        dovecot.put(letter(number))
    read = reading(dovecot.settings())
    await read.has(5)
    await asyncio.sleep(0.2)
    dovecot.stop()
    for file in dovecot.folder.glob("dovecot*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    dovecot.put(letter(9))
    await dovecot.start()
    await read.has(6)
    assert read.taken[letter(9)] == 1


async def test_what_people_have_read_is_taken_too(dovecot: Dovecot, reading: Make) -> None:
    """While we were away somebody read a mail in a web client; what is older is left alone."""
    dovecot.put(letter(1), seen=True)
    dovecot.put(letter(2))
    read = reading(dovecot.settings())
    await read.has(1)
    await asyncio.sleep(0.2)
    await read.end()
    dovecot.put(letter(3), seen=True)
    again = reading(dovecot.settings())
    await again.has(1)
    assert set(again.taken) == {letter(3)}
    assert set(read.taken) == {letter(2)}


async def test_what_could_not_be_stored_is_brought_again(dovecot: Dovecot, reading: Make) -> None:
    """The store is down: nothing is marked, and all of it comes once it is back."""
    read = reading(dovecot.settings())
    read.refuse = True
    dovecot.put(letter(1))
    await asyncio.sleep(1.0)
    assert await _look(dovecot, "UNSEEN") == [1]
    read.refuse = False
    await read.has(1)
    assert read.taken[letter(1)] == 1


async def test_mails_are_moved_where_it_is_wanted(dovecot: Dovecot, reading: Make) -> None:
    """The folder is empty afterwards."""

    def make() -> None:
        with IMAPClient("127.0.0.1", dovecot.port, ssl=False) as client:
            client.login(USER, "secret")
            client.create_folder("Done")

    await asyncio.to_thread(make)
    for number in range(3):
        dovecot.put(letter(number), seen=number == 0)
    read = reading(dovecot.settings(move_to="Done"))
    await read.has(3)
    for _ in range(100):
        if not await _look(dovecot, "ALL"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not moved")


async def test_a_wrong_password_is_no_busy_loop(dovecot: Dovecot) -> None:
    """It says why, and tries a few times only."""
    wire = await Wire(dovecot.port).start()
    read = Reading(dovecot.settings(port=wire.port, user="nobody@city.example", password="wrong"))
    for _ in range(200):
        if read.mailbox.trouble is not None:
            break
        await asyncio.sleep(0.05)
    assert read.mailbox.trouble is not None
    assert "wrong" not in read.mailbox.trouble
    assert len(wire._pairs) <= 4
    await read.end()
    await wire.stop()
