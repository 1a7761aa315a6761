"""A text channel between a message centre and a gateway of the smallest kind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from channels.base import Receipt
from channels.sms.channel import Texting, plugin
from channels.sms.session import Timing
from channels.testing import Ledger
from normalizer.errors import StoreError
from normalizer.schema import Inbound

#: Short clocks: a test waits for none of them longer than it must.
QUICK = Timing(
    heartbeat_s=0.2, answer_s=0.6, connect_s=1.0, first_pause_s=0.05, longest_pause_s=0.4
)

#: Clocks by which no heartbeat comes within a test.
QUICK_ENOUGH = msgspec.structs.replace(QUICK, heartbeat_s=60.0)


class Gateway:
    """Accepts as a store does, one ticket a key; can be told to be down."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.down = False
        self.calls = 0
        self.slow_s = 0.0

    async def accept(self, inbound: Inbound) -> Receipt:
        """Accept, or be down."""
        self.calls += 1
        await asyncio.sleep(self.slow_s)
        if self.down:
            raise StoreError("the store is down")
        return await self.ledger.accept(inbound)

    @property
    def tickets(self) -> list[Inbound]:
        """What became a ticket, in order."""
        return list(self.ledger.tickets.values())

    @property
    def texts(self) -> list[str]:
        """Their texts."""
        return [inbound.text for inbound in self.tickets]

    async def until(self, count: int, limit_s: float = 15.0) -> None:
        """Return once there are so many tickets."""
        await until(lambda: len(self.tickets) >= count, limit_s)


async def until(holds: Callable[[], bool], limit_s: float = 15.0) -> None:
    """Return once something holds."""
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 - another process is waited for
            await asyncio.sleep(0.01)


class Hand:
    """A clock that goes on by itself and can be moved."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def now(self) -> datetime:
        """Return the instant."""
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)


def texting(
    port: int, folder: Path, timing: Timing = QUICK, hand: Hand | None = None, **more: Any
) -> Texting:
    """Return a channel to a centre on a port."""
    section = {
        "kind": "sms",
        "name": "mobile",
        "protocol": "smpp",
        "number": "106912345",
        "host": "127.0.0.1",
        "port": port,
        "user": "hotline",
        "password": "secret",
        **more,
    }
    now = (hand or Hand()).now
    channel = Texting(plugin.check(section), now, timing=timing)
    channel.keep_in(folder)
    return channel


@asynccontextmanager
async def running(channel: Texting, gateway: Gateway) -> AsyncIterator[Texting]:
    """Run a channel; leaving the block ends it as a restart does."""
    task = asyncio.create_task(channel.run(gateway.accept))
    try:
        yield channel
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def ucs2(text: str) -> str:
    """Return a text as a centre is told to send it."""
    return text.encode("utf-16-be").hex()


def message(id_: Any, text: str, source: str = "8613800138000", **more: Any) -> dict[str, Any]:
    """Return a message of one piece."""
    return {"id": id_, "source": source, "ton": 1, "coding": 8, "hex": ucs2(text), **more}


def parts(
    id_: str, text: str, reference: int, source: str, *, size: int = 67, wide: bool = False
) -> list[dict[str, Any]]:
    """Return a long message as its parts in order, cut at UTF-16 units, through pairs too."""
    units = text.encode("utf-16-be")
    cuts = [units[at : at + 2 * size] for at in range(0, len(units), 2 * size)]
    items = []
    for place, octets in enumerate(cuts, 1):
        head = (
            bytes([6, 8, 4, *reference.to_bytes(2, "big"), len(cuts), place])
            if wide
            else bytes([5, 0, 3, reference, len(cuts), place])
        )
        items.append(
            {
                "id": f"{id_}.{place}",
                "source": source,
                "ton": 1,
                "coding": 8,
                "esm": 0x40,
                "hex": (head + octets).hex(),
            }
        )
    return items
