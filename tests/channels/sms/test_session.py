"""A session on streams of a test's own: what it writes, and in how many pieces."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from channels.sms.pieces import Piece
from channels.sms.receipts import DeliveryReport
from channels.sms.session import Hands, LinkLost, Session
from channels.sms.smpp import (
    RESPONSE,
    Command,
    Frame,
    Frames,
    Login,
    ShortMessage,
    frame,
    response,
    short_message_body,
)
from channels.sms.smpp_dialect import SmppDialect
from tests.channels.sms.world import QUICK_ENOUGH, until

COUNT = 50


class Wire(asyncio.Transport):
    """The way to a carrier that keeps what is written, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self._closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        """Return whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Close it."""
        self._closed = True

    abort = close

    @property
    def frames(self) -> list[Frame]:
        """The PDUs that were written."""
        return list(Frames().feed(b"".join(self.written)))


def delivered(number: int) -> bytes:
    """Return a deliver_sm."""
    message = ShortMessage(source=f"{number}", destination="12345", octets=b"lamp")
    return frame(Command.DELIVER_SM, number, short_message_body(message)).octets


async def test_what_one_commit_answers_goes_out_in_one_piece() -> None:
    """Fifty messages that are durable at the same moment cost one write, not fifty."""
    wire, reader, commit = Wire(), asyncio.StreamReader(), asyncio.Event()
    protocol = asyncio.StreamReaderProtocol(reader)
    writer = asyncio.StreamWriter(wire, protocol, reader, asyncio.get_running_loop())

    async def take(_piece: Piece) -> None:
        await commit.wait()

    def ignore(_value: DeliveryReport | Sequence[str]) -> None:
        return None

    hands = Hands(take=take, report=ignore, sure=ignore, now=lambda: datetime.now(UTC))
    dialect = SmppDialect(Login(system_id="u", password="p"), "12345")
    session = Session(dialect, (reader, writer), QUICK_ENOUGH, hands)
    ready = asyncio.Event()
    running = asyncio.create_task(session.run(ready.set))
    await until(lambda: bool(wire.written))
    (bind,) = wire.frames
    reader.feed_data(response(bind, body=b"c\0").octets)
    await ready.wait()
    reader.feed_data(b"".join(map(delivered, range(1, COUNT + 1))))
    await until(lambda: len(session._taking) == COUNT)
    before = len(wire.written)
    commit.set()
    await until(lambda: not session._taking)
    await asyncio.sleep(0)
    answers = [f for f in wire.frames if f.command == Command.DELIVER_SM | RESPONSE]
    assert [f.sequence for f in answers] == list(range(1, COUNT + 1))
    assert len(wire.written) - before == 1
    protocol.connection_lost(None)
    with pytest.raises(LinkLost, match="closed"):
        await running
