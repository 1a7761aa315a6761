"""Mails handed over by SMTP and LMTP: 250 means durable, and each recipient hears it."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

import pytest

from channels.email.handover import HandOver
from channels.email.parsed import Envelope
from channels.email.settings import ListenAt
from normalizer.errors import StoreError
from tests.channels.email.vectors.building import OURS, mail

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


class Place:
    """A listener and what it took."""

    def __init__(self, protocol: str, connections: int = 100) -> None:
        at = ListenAt.model_validate({"protocol": protocol, "port": 0, "connections": connections})
        self.taken: list[tuple[bytes, Envelope]] = []
        self.error: Exception | None = None
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.listener = HandOver(at, "city.example", self._take, lambda: NOW)

    async def _take(self, raw: bytes, envelope: Envelope, at: datetime) -> None:
        assert at == NOW
        await self.open_gate.wait()
        if self.error is not None:
            raise self.error
        self.taken.append((raw, envelope))

    async def talk(self, *lines: bytes, replies: int) -> list[str]:
        """Send lines one after another, each after its reply; return every reply's lines."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        found = [(await reader.readline()).decode().strip()]
        for line in lines:
            writer.write(line + b"\r\n")
            found.append(await _reply(reader))
        while len(found) < replies:
            found.append(await _reply(reader))
        writer.close()
        return found


async def _reply(reader: asyncio.StreamReader) -> str:
    while True:
        line = (await asyncio.wait_for(reader.readline(), 10)).decode().strip()
        if line[3:4] != "-":
            return line


Open = Callable[..., "asyncio.Future[Place]"]


@pytest.fixture
async def places() -> AsyncIterator[Callable[..., Place]]:
    made: list[Place] = []

    def make(*arguments: object) -> Place:
        made.append(Place(*arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for place in made:
        await place.listener.close()


def _lmtp(recipients: Sequence[bytes], body: bytes) -> list[bytes]:
    rcpt = [b"RCPT TO:<" + r + b">" for r in recipients]
    return [b"LHLO x", b"MAIL FROM:<zs@qq.example>", *rcpt, b"DATA", body + b"\r\n."]


async def test_smtp_says_250_once_it_is_durable(places: Callable[..., Place]) -> None:
    """Octets, sender and recipients arrive; nothing is said before."""
    place = places("smtp")
    await place.listener.open()
    place.open_gate.clear()
    raw = mail("路灯不亮".encode())

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", place.listener.port, timeout=10) as client:
            client.sendmail("zs@qq.example", [OURS], raw)

    task = asyncio.create_task(asyncio.to_thread(send))
    done, _ = await asyncio.wait([task], timeout=0.3)
    assert not done
    place.open_gate.set()
    await task
    ((taken, envelope),) = place.taken
    assert taken.rstrip() == raw.rstrip()
    assert (envelope.sender, envelope.recipients) == ("zs@qq.example", (OURS,))
    assert envelope.peer == "127.0.0.1"


@pytest.mark.parametrize("count", [1, 2, 50])
async def test_lmtp_answers_each_recipient(places: Callable[..., Place], count: int) -> None:
    """RFC 2033 §4.2: as many replies as recipients, in one session that goes on."""
    place = places("lmtp")
    await place.listener.open()
    lines = _lmtp([b"u%d@city.example" % n for n in range(count)], b"Subject: x\r\n\r\ny")
    replies = await place.talk(*lines, replies=1 + len(lines) + count - 1)
    assert [r[:3] for r in replies[-count:]] == ["250"] * count
    assert len(place.taken) == 1


async def test_lmtp_answers_each_recipient_when_the_store_is_down(
    places: Callable[..., Place],
) -> None:
    """451 each, so that the mail server keeps it and comes again."""
    place = places("lmtp")
    await place.listener.open()
    lines = _lmtp([b"a@city.example", b"b@city.example"], b"Subject: x\r\n\r\ny")
    for error in (StoreError("full"), RuntimeError("a bug")):
        place.error = error
        replies = await place.talk(*lines, replies=len(lines) + 2)
        assert [r[:3] for r in replies[-2:]] == ["451", "451"]
    assert place.taken == []


async def test_lmtp_refuses_a_giant_once_for_each_recipient(places: Callable[..., Place]) -> None:
    """552 twice; the session stays in step."""
    place = places("lmtp")
    await place.listener.open()
    body = b"\r\n".join([b"a" * 1_000_000] * 32)
    lines = _lmtp([b"a@city.example", b"b@city.example"], body)
    replies = await place.talk(*lines, replies=len(lines) + 2)
    assert [r[:3] for r in replies[-2:]] == ["552", "552"]


async def test_a_long_line_arrives_whole(places: Callable[..., Place]) -> None:
    """9,000 octets and more without a break, as programs write."""
    place = places("smtp")
    await place.listener.open()
    raw = mail("灯".encode() * 100_000)
    lines = [b"EHLO x", b"MAIL FROM:<>", b"RCPT TO:<a@city.example>", b"DATA", raw + b"\r\n."]
    replies = await place.talk(*lines, replies=6)
    assert replies[-1].startswith("250")
    assert place.taken[0][0].rstrip() == raw
    assert place.taken[0][1].sender == ""


async def test_addresses_beyond_ascii(places: Callable[..., Place]) -> None:
    """SMTPUTF8 of RFC 6531."""
    place = places("smtp")
    await place.listener.open()
    lines = [
        b"EHLO x",
        "MAIL FROM:<张三@例子.example> SMTPUTF8".encode(),
        "RCPT TO:<热线@city.example>".encode(),
        b"DATA",
        b"Subject: x\r\n\r\ny\r\n.",
    ]
    replies = await place.talk(*lines, replies=6)
    assert replies[-1].startswith("250")
    envelope = place.taken[0][1]
    assert (envelope.sender, envelope.recipients) == ("张三@例子.example", ("热线@city.example",))


async def test_a_client_that_hangs_up_does_not_stop_the_store(places: Callable[..., Place]) -> None:
    """What was sent whole is taken; the client sends it again and is told of one ticket."""
    place = places("smtp")
    await place.listener.open()
    place.open_gate.clear()
    reader, writer = await asyncio.open_connection("127.0.0.1", place.listener.port)
    writer.write(b"EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@city.example>\r\nDATA\r\n")
    while not (await reader.readline()).startswith(b"354"):
        pass
    writer.write(b"Subject: x\r\n\r\ny\r\n.\r\n")
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.sleep(0.1)
    place.open_gate.set()
    await asyncio.sleep(0.1)
    assert len(place.taken) == 1


async def test_beyond_its_room_it_says_421(places: Callable[..., Place]) -> None:
    """And has room again once somebody leaves."""
    place = places("smtp", 1)
    await place.listener.open()
    reader, writer = await asyncio.open_connection("127.0.0.1", place.listener.port)
    assert (await reader.readline()).startswith(b"220")
    assert (await place.talk(replies=1))[0].startswith("421")
    writer.write(b"QUIT\r\n")
    await reader.readline()
    writer.close()
    for _ in range(50):
        if (await place.talk(replies=1))[0].startswith("220"):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("no room again")


async def test_commands_may_come_several_at_once(places: Callable[..., Place]) -> None:
    """RFC 2920: it is offered, and every command has its reply in its order."""
    for protocol, hello in (("smtp", b"EHLO x"), ("lmtp", b"LHLO x")):
        place = places(protocol)
        await place.listener.open()
        reader, writer = await asyncio.open_connection("127.0.0.1", place.listener.port)
        await reader.readline()
        writer.write(hello + b"\r\n")
        offered = [await reader.readline()]
        while offered[-1][3:4] == b"-":
            offered.append(await reader.readline())
        assert b"250-PIPELINING\r\n" in offered
        writer.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<x@city.example>\r\nDATA\r\n")
        assert [(await _reply(reader))[:3] for _ in range(3)] == ["250", "250", "354"]
        writer.write(b"Subject: x\r\n\r\ny\r\n.\r\nRSET\r\nNOOP\r\n")
        assert [(await _reply(reader))[:3] for _ in range(3)] == ["250"] * 3
        writer.close()
        assert len(place.taken) == 1


@pytest.mark.parametrize(
    "address", [b'"a b"@c.example', b"<a@[192.0.2.1]>", b"<@x.example:a@b.example>", b"<>", b"<a>"]
)
async def test_unusual_addresses_are_read_by_the_library(
    places: Callable[..., Place], address: bytes
) -> None:
    """What is no ordinary address takes the longer way, and breaks nothing."""
    place = places("smtp")
    await place.listener.open()
    replies = await place.talk(b"EHLO x", b"MAIL FROM:" + address, b"QUIT", replies=4)
    assert replies[2][:3] in {"250", "501", "553"}
    assert replies[3].startswith("221")
