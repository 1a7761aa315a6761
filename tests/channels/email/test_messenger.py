"""What goes out: as RFC 3834 wants it, once for each key, and told apart when it fails."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from channels.base import Message
from channels.email.messenger import EmailMessenger
from channels.email.own import OwnIds
from channels.email.settings import EmailSettings
from normalizer.errors import TryLater, Unreachable
from tests.channels.email.sink import Sink

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
OWN = OwnIds(b"a secret", "city.example")
ACK = Message(
    key="0199a000-0000-7000-8000-000000000001",
    text="您的诉求已受理。工单编号 20261122-000123-4。",
    number="20261122-000123-4",
    in_reply_to="<tencent_1F@qq.example>",
    acknowledges=True,
)
ANSWER = Message(key="0199a000-2", text="路灯已修好。", number="20261122-000123-4")


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def messenger_to(port: int, clock: Clock) -> EmailMessenger:
    """Return a messenger to a sink."""
    settings = EmailSettings.model_validate(
        {
            "address": "12345@city.example",
            "sender_name": "宿州12345",
            "listen": {"port": 0},
            "outgoing": {"host": "127.0.0.1", "port": port, "timeout": "5s"},
        }
    )
    made = EmailMessenger(settings, lambda: NOW, clock)
    made.use(OWN)
    return made


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    sink = await Sink().start()
    yield sink
    await sink.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def messenger(sink: Sink, clock: Clock) -> AsyncIterator[EmailMessenger]:
    made = messenger_to(sink.port, clock)
    yield made
    await made.close()


async def test_an_acknowledgement(sink: Sink, messenger: EmailMessenger) -> None:
    """Null return path, auto-replied, in the citizen's thread, readable."""
    sent = await messenger.send("zs@qq.example", ACK)
    (got,) = sink.got
    assert (got.path, got.to) == ("", ("zs@qq.example",))
    told = got.message
    assert told["Auto-Submitted"] == "auto-replied"
    assert told["In-Reply-To"] == "<tencent_1F@qq.example>"
    assert told["References"] == "<tencent_1F@qq.example>"
    assert told["From"] == "宿州12345 <12345@city.example>"
    assert told["To"] == "zs@qq.example"
    assert "20261122-000123-4" in told["Subject"]
    assert told["Date"].datetime == NOW
    assert told["Message-ID"] == sent
    assert got.text.strip() == ACK.text
    read = OWN.read(sent)
    assert read is not None
    assert (read.number, read.key) == (ACK.number, ACK.key)


async def test_an_answer_has_a_way_back(sink: Sink, messenger: EmailMessenger) -> None:
    """So that a report of its fate comes to the mailbox; no machine answers it."""
    await messenger.send("zs@qq.example", ANSWER)
    assert sink.got[0].path == "12345@city.example"
    assert sink.got[0].message["Auto-Submitted"] == "auto-generated"
    assert sink.got[0].message["In-Reply-To"] is None


async def test_every_try_is_the_same_mail(sink: Sink, messenger: EmailMessenger) -> None:
    """The citizen's client shows it once."""
    ids = {await messenger.send("zs@qq.example", ACK) for _ in range(2)}
    assert len(ids) == 1


async def test_one_connection_serves_many(sink: Sink, messenger: EmailMessenger) -> None:
    """Ordinary ones one, urgent ones another."""
    await asyncio.gather(*(messenger.send(f"u{n}@qq.example", ACK) for n in range(20)))
    urgent = Message(key="k", text="火情", urgent=True)
    await messenger.send("duty@city.example", urgent)
    assert len(sink.got) == 21
    assert sink.connections == 2
    assert sink.got[-1].message["Subject"].startswith("【紧急】")


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("550 5.1.1 no such user", Unreachable),
        ("552 5.2.2 mailbox full", Unreachable),
        ("450 4.2.0 greylisted", TryLater),
        ("451 4.3.0 later", TryLater),
    ],
)
async def test_a_recipient_that_is_refused(
    sink: Sink, messenger: EmailMessenger, reply: str, error: type[Exception]
) -> None:
    """For ever or for now, by the first digit; the connection goes on."""
    sink.rcpt = lambda _address: reply
    with pytest.raises(error):
        await messenger.send("zs@qq.example", ACK)
    sink.rcpt = lambda _address: None
    await messenger.send("ls@163.example", ACK)
    assert sink.connections == 1


@pytest.mark.parametrize(
    ("reply", "error"), [("554 5.7.1 spam", Unreachable), ("452 4.3.1 full", TryLater)]
)
async def test_a_mail_that_is_refused(
    sink: Sink, messenger: EmailMessenger, reply: str, error: type[Exception]
) -> None:
    """After its content, by the first digit too."""
    sink.data = lambda: reply
    with pytest.raises(error):
        await messenger.send("zs@qq.example", ACK)


async def test_a_domain_that_says_later_is_left_alone(
    sink: Sink, messenger: EmailMessenger, clock: Clock
) -> None:
    """Longer each time; others, and what is urgent, do not wait."""
    tries: list[str] = []

    def refuse(address: str) -> str | None:
        tries.append(address)
        return "450 later" if address.endswith("@qq.example") else None

    sink.rcpt = refuse
    waits = []
    for _ in range(3):
        with pytest.raises(TryLater) as found:
            await messenger.send("zs@qq.example", ACK)
        waits.append(found.value.after_s)
        with pytest.raises(TryLater):
            await messenger.send("ls@qq.example", ACK)
        clock.seconds += (found.value.after_s or 0) + 1
    assert waits == [30, 60, 120]
    assert tries == ["zs@qq.example"] * 3
    with pytest.raises(TryLater):
        await messenger.send("zs@qq.example", ACK)
    await messenger.send("zs@163.example", ACK)
    with pytest.raises(TryLater):
        await messenger.send("zs@qq.example", Message(key="k", text="x", urgent=True))
    assert tries[-1] == "zs@qq.example"


async def test_a_provider_that_takes_no_null_sender(sink: Sink, messenger: EmailMessenger) -> None:
    """Our own address stands in: better a bounce than no acknowledgement."""
    sink.sender = lambda address: None if address else "501 mail from address must be same"
    await messenger.send("zs@qq.example", ACK)
    assert sink.got[0].path == "12345@city.example"
    assert sink.got[0].message["Auto-Submitted"] == "auto-replied"


async def test_a_server_that_is_away(sink: Sink, messenger: EmailMessenger, clock: Clock) -> None:
    """Later; and once it is back a new connection is made."""
    await messenger.send("zs@qq.example", ACK)
    await sink.stop()
    nobody = messenger_to(sink.port, clock)
    with pytest.raises(TryLater):
        await nobody.send("zs@qq.example", ACK)
    await sink.start()
    await nobody.send("zs@qq.example", ACK)
    await nobody.close()


async def test_a_server_that_closes(sink: Sink, messenger: EmailMessenger) -> None:
    """421 drops the connection, and the next try makes another."""
    sink.data = lambda: "421 4.3.2 going down"
    with pytest.raises(TryLater):
        await messenger.send("zs@qq.example", ACK)
    sink.data = lambda: None
    await messenger.send("zs@qq.example", ACK)
    assert sink.connections == 2


async def test_nothing_is_smuggled_into_a_header(sink: Sink, messenger: EmailMessenger) -> None:
    """Line breaks in addresses, titles and ids are harmless."""
    bad = Message(
        key="k\r\nBcc: x@y.example",
        text="x",
        title="a\r\nBcc: x@y.example\r\n\r\nbody",
        in_reply_to="<a@b>\r\nBcc: x@y.example",
    )
    await messenger.send("zs@qq.example", bad)
    assert sink.got[0].message["Bcc"] is None
    assert sink.got[0].to == ("zs@qq.example",)
    for address in ("zs@qq.example\r\nRCPT TO:<x@y.example>", "", "nobody", "a b@c.example"):
        with pytest.raises(Unreachable):
            await messenger.send(address, ACK)


async def test_addresses_beyond_ascii(sink: Sink, messenger: EmailMessenger, clock: Clock) -> None:
    """Are sent by SMTPUTF8; a server that has none will never take them."""
    await messenger.send("张三@例子.example", ACK)
    assert sink.got[0].to == ("张三@例子.example",)
    plain = await Sink(utf8=False).start()
    other = messenger_to(plain.port, clock)
    with pytest.raises(Unreachable):
        await other.send("张三@例子.example", ACK)
    await other.close()
    await plain.stop()
