"""A process that minds limits until it is killed.

``python -m tests.cards.victim PATH``; prints a line once it has begun, and one when nothing is left.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from gateway.cards.watch import PAUSE_S, CardWatch, Terms
from gateway.metrics import Metrics
from gateway.store.base import Delivery, Lane
from gateway.store.sqlite import SqliteStore
from tests.clock import START, FakeClock

#: When everything that the test has stored is over.
LATER = START + timedelta(days=9)


class Nobody:
    """An outbox that carries nothing away."""

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Leave them."""

    def wake(self, destination: str, lane: Lane) -> None:
        """Sleep on."""


async def mind(store: SqliteStore) -> None:
    """Show every card that is due."""
    clock = FakeClock(LATER)
    watch = CardWatch(store, clock, Nobody(), lambda: Terms(near=0.25), Metrics())
    while await watch.look() < PAUSE_S:
        pass


async def main(path: str) -> None:
    """Mind the limits of a store."""
    store = SqliteStore(Path(path))
    await store.open()
    os.write(1, b"begun\n")
    await mind(store)
    os.write(1, b"done\n")
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
