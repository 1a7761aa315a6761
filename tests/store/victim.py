"""A process that stores tickets until it is killed, and says which were acknowledged.

``python -m tests.store.victim URL ROUND``; prints ``NUMBER KEY`` a line.
"""

import asyncio
import os
import sys

from gateway.store.base import IncidentReport, Outcome, Store
from gateway.store.engines import from_url
from normalizer.schema import ChannelRef
from tests.store import make

WORKERS = 24


async def work(store: Store, name: str) -> None:
    """Store tickets without end; every tenth reports the fire of this round."""
    fire = make.incident(id=f"fire-{name.split('-', maxsplit=1)[0]}")
    count = 0
    while True:
        count += 1
        key = f"{name}-{count}"
        reports: tuple[IncidentReport, ...] = ()
        if count % 10 == 0:
            ids = (make.urgent(id=f"raise-{key}"), make.urgent(id=f"join-{key}"))
            reports = (make.report(fire, on_raise=ids[:1], on_join=ids[1:]),)
        acceptance = make.acceptance(
            make.ticket(id=key, channel=ChannelRef(kind="web", account="a", message_id=key)),
            key=key,
            deliveries=(make.delivery(id=f"d-{key}"),),
            reports=reports,
        )
        added = await store.add(acceptance)
        os.write(1, f"{added.number} {key}\n".encode())
        if added.leased:
            await store.settle([Outcome(seq=d.seq, state="done") for d in added.leased])


async def main(url: str, turn: str) -> None:
    """Store tickets from many tasks at once."""
    store = from_url(url)
    await store.open()
    await asyncio.gather(*(work(store, f"{turn}-{n}") for n in range(WORKERS)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
