# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting callers through: to a seat or a desk, by the network's REFER or by a bridge of our own.

Bridged, all talk in one room: the caller, whoever took the call, and a desk that they call in by its
number between ``*`` and ``#``. Each side is recorded.
"""

import asyncio
import logging
import re
import time
from typing import Protocol

import msgspec

from channels.phone.link import Call as Record
from channels.phone.link import PuttingThrough, Side, WorkerSettings
from channels.phone.worker.agent import Address
from channels.phone.worker.dialog import Dialog
from channels.phone.worker.dialogs import Dialogs
from channels.phone.worker.gateway import Gateway
from channels.phone.worker.media import Leg, Room
from channels.phone.worker.outgoing import Wanted
from channels.phone.worker.recorder import Recording
from channels.phone.worker.settings import resolved
from channels.phone.worker.sockets import Sockets
from channels.phone.worker.spool import Spool

log = logging.getLogger(__name__)

#: How long a page may take to show a call before it rings all the same.
_SHOWN_S = 1.0
#: How long a desk that is called in may ring.
_RING_S = 45.0
_DIALLED = re.compile(r"\*([0-9]{2,6})#$")
_HOST = re.compile(r"sips?:(?:[^@]*@)?(\[[^\]]+\]|[^:;?]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_IPV4 = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")


class Host(Protocol):
    """The call of whoever is put through."""

    record: Record
    dialog: Dialog
    leg: Leg
    ended: bool
    guests: list["Guest"]
    joining: set[asyncio.Task[None]]
    room: Room | None

    def left(self, guest: "Guest") -> None:
        """Take that somebody has hung up."""
        ...


class Guest:
    """Somebody whom a caller was put through to."""

    def __init__(self, host: Host, dialog: Dialog, leg: Leg, to: str, desk: "Guests") -> None:
        self.host = host
        self.dialog = dialog
        self.leg = leg
        self.to = to
        self.began = time.monotonic()
        self.gone = False
        self._desk = desk
        self._keys = ""

    @property
    def live(self) -> bool:
        """Whether they are on the line."""
        return not self.gone

    def key(self, key: str) -> None:
        """Take a key: a desk's number between * and # calls that desk in."""
        self._keys = (self._keys + key)[-8:]
        if (found := _DIALLED.search(self._keys)) is not None:
            self._keys = ""
            self._desk.call_in(self, found[1])

    def said(self, token: int) -> None:
        """Take that a prompt was played; nothing follows."""

    def sound(self, loud_s: float) -> None:
        """Take for how long they were loud; nobody waits for them to speak."""

    def silent(self) -> None:
        """Take that a fifth of a second has gone by without a packet."""

    def end(self, why: str) -> None:
        """Take that they are gone."""
        del why
        if not self.gone:
            self.gone = True
            self._desk.part(self)


class Parties(Protocol):
    """Who knows the sides of calls by their dialogs and legs."""

    def seat(self, guest: Guest) -> None:
        """Take somebody in."""
        ...


class Guests:
    """Puts callers through.

    Args:
        settings: Where to, and how.
        dialogs: Asks the network to do it, or calls by itself.
        sockets: Gives ports out.
        spool: Keeps recordings.
        gateway: Shows the call before it rings.
        parties: Takes in whoever has answered.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        dialogs: Dialogs,
        sockets: Sockets,
        spool: Spool,
        gateway: Gateway,
        parties: Parties,
    ) -> None:
        self._settings = settings
        self._dialogs = dialogs
        self._media = sockets.media
        self._sockets = sockets
        self._spool = spool
        self._gateway = gateway
        self._parties = parties
        self._shown: dict[str, asyncio.Event] = {}

    async def put_through(self, host: Host, to: str, within_s: float) -> bool | None:
        """Return whether somebody took the call.

        Returns:
            True: they have it, and it has left us. None: they talk to the caller in a room of ours.
            False: nobody took it.
        """
        target = self._settings.places.get(to)
        if target is None:
            return False
        await self._show(host, to)
        how = self._settings.put_through
        if how != "bridge":
            taken = await self._dialogs.refer(host.dialog, target)
            if taken is not None or how == "refer":
                return bool(taken)
        return None if await self._bridge(host, to, target, within_s) else False

    async def _show(self, host: Host, to: str) -> None:
        """Have the call shown where it is about to ring; a page that hangs holds nobody up."""
        if not self._gateway.there:
            return
        shown = self._shown[host.record.id] = asyncio.Event()
        self._gateway.tell(PuttingThrough(id=host.record.id, call=host.record, to=to))
        try:
            async with asyncio.timeout(_SHOWN_S):
                await shown.wait()
        except TimeoutError:
            log.warning("call.not_shown", extra={"to": to})
        finally:
            self._shown.pop(host.record.id, None)

    def shown(self, name: str) -> None:
        """Take that a call is shown."""
        if (event := self._shown.get(name)) is not None:
            event.set()

    # The bridge

    async def _bridge(self, host: Host, to: str, target: str, within_s: float) -> bool:
        leg, hop = self._sockets.open(), self._hop(target)
        if leg is None or hop is None:
            if leg is not None:
                self._sockets.close(leg)
            return False
        wanted = Wanted(
            target, hop, self._settings.local_host, leg.port, shown=host.record.caller or ""
        )
        try:
            answer = await self._dialogs.outgoing.call(wanted, within_s)
        except asyncio.CancelledError:
            self._sockets.close(leg)
            raise
        if not isinstance(answer, Dialog):
            log.info("seat.refused", extra={"to": to, "status": answer})
            self._sockets.close(leg)
            return False
        if host.ended:
            self._dialogs.hang_up(answer, "given_up")
            self._sockets.close(leg)
            return False
        self._seat(host, Guest(host, answer, leg, to, self))
        return True

    def _hop(self, target: str) -> Address | None:
        """Return where a call is sent: to an address that is named with its port, else our server."""
        named = _HOST.match(target)
        if named is not None and named[2] and _IPV4.fullmatch(named[1]):
            return named[1], int(named[2])
        return resolved(self._settings.server, self._settings.port)

    def _seat(self, host: Host, guest: Guest) -> None:
        """Let somebody who has answered talk with the caller."""
        host.guests.append(guest)
        side = Side(to=guest.to, begins=host.leg.timeline.samples)
        host.record = msgspec.structs.replace(
            host.record, how="transferred", sides=(*host.record.sides, side)
        )
        try:
            self._spool.begin(host.record)
            guest.leg.recording = Recording(self._spool.sound(host.record.id, len(host.guests)))
        except OSError as error:
            log.error("recording.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all
        if host.room is None:
            host.room = Room()
            self._media.order(lambda: host.leg.play(b"", 0))  # nothing of ours any more
            self._media.join_in(host.room, host.leg)
        self._parties.seat(guest)
        self._media.join_in(host.room, guest.leg)

    def part(self, guest: Guest) -> None:
        """Let somebody go; the last one ends the call."""
        host = guest.host
        if host.room is not None:
            self._media.part(host.room, guest.leg)
        self._media.finish(guest.leg, lambda _octets: None)
        host.left(guest)

    def call_in(self, guest: Guest, to: str) -> None:
        """Have a desk join the caller and whoever has them."""
        joining = guest.host.joining
        task = asyncio.create_task(self._call_in(guest, to))
        joining.add(task)
        task.add_done_callback(joining.discard)

    async def _call_in(self, guest: Guest, to: str) -> None:
        target = self._settings.places.get(to)
        if target is None or any(g.to == to and g.live for g in guest.host.guests):
            return
        await self._show(guest.host, to)
        if not await self._bridge(guest.host, to, target, _RING_S):
            log.info("desk.not_joined", extra={"to": to})

    def dismiss(self, host: Host) -> None:
        """Hang up on everybody whom a caller talked with, who has gone."""
        for guest in list(host.guests):
            if guest.live:
                self._dialogs.hang_up(guest.dialog, "caller")
        if host.room is not None:
            self._media.part(host.room, host.leg)
