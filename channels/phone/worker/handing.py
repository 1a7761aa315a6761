# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished calls on their way to the gateway: closed, kept on the disk, offered until they are taken."""

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice

import msgspec

from channels.phone.link import Call as Record
from channels.phone.worker.gateway import Gateway
from channels.phone.worker.media import Leg, Media
from channels.phone.worker.spool import Spool

log = logging.getLogger(__name__)

#: When finished calls that the gateway did not take are offered again, and how many at a time.
_AGAIN_S, _AT_ONCE = 3.0, 100


class Handing:
    """Hands finished calls over. Used on one loop.

    Args:
        media: Closes their recordings.
        spool: Keeps them.
        gateway: Takes them.
    """

    def __init__(self, media: Media, spool: Spool, gateway: Gateway) -> None:
        self._media = media
        self._spool = spool
        self._gateway = gateway
        self._loop = asyncio.get_running_loop()
        self._closing: set[str] = set()  #: calls whose recording is being closed
        #: Calls that were handed over and are not taken yet, and when that was.
        self._offered: dict[str, tuple[float, Record]] = {}
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def waiting(self) -> int:
        """How many calls the gateway has not taken yet."""
        return len(self._offered)

    async def emptied(self) -> None:
        """Return once the gateway has taken every call."""
        await self._empty.wait()

    def finish(self, record: Record, legs: Sequence[Leg]) -> None:
        """Close a call's recordings and hand it over.

        Args:
            record: The call as it stands.
            legs: The caller's side, then those whom they were put through to, as in `Record.sides`.
        """
        self._closing.add(record.id)
        self._empty.clear()
        octets: list[int] = []  # in the order of the recorder's thread, which is that of the orders

        def closed(number: int) -> None:
            octets.append(number)
            if len(octets) == len(legs):
                self._keep(record, octets)

        for leg in legs:
            self._media.finish(leg, closed)

    def _keep(self, record: Record, octets: Sequence[int]) -> None:
        """Write a call down, in the recorder's thread."""
        sides = tuple(
            msgspec.structs.replace(side, octets=number)
            for side, number in zip(record.sides, octets[1:], strict=True)
        )
        done = msgspec.structs.replace(
            record, octets=octets[0], sides=sides, how=record.how or "said"
        )
        try:
            self._spool.done(done)
        except OSError as error:
            log.error("spool.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all
        self._loop.call_soon_threadsafe(self._offer, done)

    def _offer(self, record: Record) -> None:
        self._closing.discard(record.id)
        self._empty.clear()
        self._offered[record.id] = self._loop.time(), record
        self._gateway.tell(record)

    def offer_all(self) -> None:
        """Offer every call that is on the disk, to a gateway that has just come."""
        for record in self._spool.waiting():
            self._offer(record)

    def offer_again(self, now: float) -> None:
        """Offer what was not taken for a while."""
        if self._gateway.there:
            late = (record for at, record in self._offered.values() if now - at > _AGAIN_S)
            for record in list(islice(late, _AT_ONCE)):
                self._offer(record)

    def taken(self, name: str) -> None:
        """Forget a call whose ticket is durable."""
        self._spool.forget(name)
        self._offered.pop(name, None)
        if not self._offered and not self._closing:
            self._empty.set()
