"""The outages that people know of, beside the store: a restart tells nobody a second time."""

import logging

import msgspec

from channels.base import Shared
from gateway.alarms.notice import Outage
from normalizer.errors import StoreError
from normalizer.schema import Value

log = logging.getLogger(__name__)

_NAME = "alarms"


class _Page(Value, frozen=True, kw_only=True):
    outages: tuple[Outage, ...]


class Ledger:
    """Keeps them under one name of `channels.base.Shared`; one process writes.

    Args:
        shared: Of this machine, not the store: it must take a note while the store is down.
    """

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._version = 0
        self._written: bytes | None = None

    async def read(self) -> tuple[Outage, ...]:
        """Return what was written last; nothing where that cannot be read: better told twice."""
        try:
            entry = await self._shared.shared(_NAME)
            if entry is None:
                return ()
            self._version, self._written = entry.version, entry.value
            return msgspec.json.decode(entry.value, type=_Page).outages
        except (StoreError, ValueError) as error:
            log.error("alarm.ledger", extra={"why": str(error)})  # noqa: TRY400 - the error says all
            return ()

    async def write(self, outages: tuple[Outage, ...]) -> None:
        """Write them if they have changed; what the disk refuses is written with the next change."""
        value = msgspec.json.encode(_Page(outages=outages))
        if value == self._written or (self._written is None and not outages):
            return
        try:
            while not await self._shared.swap(_NAME, value, self._version):
                # Something else has written; ours is newer.
                entry = await self._shared.shared(_NAME)
                self._version = entry.version if entry else 0
        except StoreError as error:
            log.error("alarm.ledger", extra={"why": str(error)})  # noqa: TRY400 - the error says all
            return
        self._version, self._written = self._version + 1, value
