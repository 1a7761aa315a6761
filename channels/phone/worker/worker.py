# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker: answers calls, talks with callers, records them, and hands them to the gateway.

It needs the gateway for nothing of that: without it calls are kept on the disk, and handed over
when it is back.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from pathlib import Path

import msgspec

from channels.phone import dialogue as talk
from channels.phone import numbers, sip
from channels.phone.dialogue import Event, Happened
from channels.phone.link import (
    Alarmed,
    Dial,
    Filed,
    Heard,
    Hello,
    LineState,
    Ping,
    Said,
    Shown,
    Stop,
    WorkerSettings,
    began,
    digest,
)
from channels.phone.link import Call as Record
from channels.phone.worker.agent import Address, Agent
from channels.phone.worker.call import Call
from channels.phone.worker.dialling import Dialling
from channels.phone.worker.dialog import Dialog
from channels.phone.worker.dialogs import Dialogs
from channels.phone.worker.gateway import Gateway
from channels.phone.worker.guests import Guest, Guests
from channels.phone.worker.handing import Handing
from channels.phone.worker.media import Leg, Media
from channels.phone.worker.recorder import Recorder, Recording
from channels.phone.worker.settings import Doors, Prompts, resolved
from channels.phone.worker.sockets import Sockets
from channels.phone.worker.spool import Spool

log = logging.getLogger(__name__)

_BEAT_S = 0.2
#: How often the gateway is told the line's state.
_TELL_S = 5.0
#: How long the calls that go on have for their goodbye when the worker is stopped.
_DRAIN_S = 2.0


class Worker:
    """Everything of one line.

    Args:
        settings: What the gateway said.
        send: Sends a datagram by the SIP socket.
    """

    def __init__(self, settings: WorkerSettings, transport: asyncio.DatagramTransport) -> None:
        self.settings = settings
        self.dialogue = talk.load(settings.dialogue)
        self.stopped = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._doors = Doors(settings.allow)
        self._prompts = Prompts(Path(settings.prompts))
        self._spool = Spool(Path(settings.spool))
        self._recorder = Recorder()
        self._media = Media(self._recorder)
        self._sockets = Sockets(settings, self._media, self._heard)
        local = (settings.local_host, settings.local_port)
        self._agent = Agent(
            (settings.server, settings.port),
            settings.user,
            settings.password,
            local,
            self._send,
            settings.priority,
        )
        self._dialogs = Dialogs(self._agent, self, self._send)
        self._calls: dict[str, Call] = {}
        self._parties: dict[int, Call | Guest] = {}  #: by the port of their sound
        self._gateway = Gateway(Path(settings.socket), self._met, self._told)
        self._handing = Handing(self._media, self._spool, self._gateway)
        self._guests = Guests(
            settings,
            self._dialogs,
            self._sockets,
            self._spool,
            self._gateway,
            self,
        )
        self._dialling = Dialling(
            settings, self.dialogue, self._dialogs, self._sockets, self._gateway, self._reached
        )
        self._answered = 0
        self._tasks: list[asyncio.Task[None]] = []

    # Life

    def start(self) -> None:
        """Begin to work."""
        if cut := self._spool.recover():
            log.warning("calls.recovered", extra={"calls": cut})
        self._recorder.start()
        self._media.start()
        jobs = [self._gateway.keep(), self._beat()]
        if self.settings.register:
            jobs.append(
                self._agent.keep_registered(self._server, self.settings.expires_s, self._tell_state)
            )
        self._tasks = [asyncio.create_task(job) for job in jobs]

    async def stop(self) -> None:
        """End every call with its ticket, and let go of everything."""
        self._dialogs.draining = True
        await self._dialling.stop()
        for call in list(self._calls.values()):
            self.hang_up(call, "stopped")
        ends = self._loop.time() + _DRAIN_S
        if self.settings.register and (server := self._server()):
            try:
                async with asyncio.timeout(_DRAIN_S / 2):
                    await self._agent.leave(server)
            except TimeoutError:
                log.warning("line.not_left")
        if self._gateway.there:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(ends):
                    await self._handing.emptied()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._media.stop)
        await asyncio.to_thread(self._recorder.stop)

    def _server(self) -> Address | None:
        return resolved(self.settings.server, self.settings.port)

    def _send(self, datagram: bytes, to: Address) -> None:
        self._transport.sendto(datagram, to)

    def receive(self, data: bytes, source: Address) -> None:
        """Take a datagram: the guard before everything else."""
        if not self._doors.open(source[0]):
            return
        if not data.strip(b"\r\n\0"):
            return  # a keep-alive
        try:
            message = sip.parse(data)
        except sip.NotSip:
            return
        self._dialogs.receive(message, source)

    # Calls that come (Answerer)

    def ring(self, dialog: Dialog) -> bool:
        """Take a call, if there is room for it, and answer it."""
        leg = self._sockets.open() if self._has_room() else None
        if leg is None:
            return False
        name = _new_name()
        parties = numbers.read(dialog.invite)
        record = Record(
            id=name,
            call_id=dialog.invite.call_id,
            from_tag=dialog.invite.from_tag,
            caller=parties.caller,
            called=parties.called,
            withheld=parties.withheld,
            diverted_by=parties.diverted_by,
        )
        leg.name = name
        dialog.host, dialog.port = self.settings.local_host, leg.port
        call = Call(record, dialog, leg, self)
        self._calls[name] = self._parties[leg.port] = call
        self._loop.call_later(self.settings.ring_s, self._answer, call)
        return True

    def _has_room(self) -> bool:
        return len(self._calls) + self._dialling.ringing < self.settings.max_calls

    def _answer(self, call: Call) -> None:
        if call.dialog.state == "ringing":
            self._begin(call)
            self._dialogs.answer(call.dialog)
            call.answered()

    def _reached(self, dial: Dial, dialog: Dialog, leg: Leg, begins: talk.Talk) -> None:
        """Take that somebody has answered whom we called."""
        leg.name = _new_name()
        record = Record(
            id=leg.name,
            call_id=dialog.invite.call_id,
            from_tag=dialog.tag,
            caller=dial.to,
            called=self.settings.user,
            task=dial.id,
            purpose=dial.purpose,
            number=dial.number,
        )
        call = Call(record, dialog, leg, self, begins)
        self._calls[leg.name] = self._parties[leg.port] = call
        self._begin(call)
        call.answered()

    def _begin(self, call: Call) -> None:
        """Record a call from now on, and let its sound flow."""
        record = msgspec.structs.replace(call.record, answered_at=time.time())
        try:
            self._spool.begin(record)
            call.leg.recording = Recording(self._spool.sound(record.id))
        except OSError as error:
            # What cannot be recorded is answered all the same: a human voice may be needed.
            log.error("recording.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all
        self.aim(call.dialog)
        self._media.add(call.leg)
        self._answered += 1
        call.record = record
        self._gateway.tell(began(record))

    def _party(self, dialog: Dialog) -> Call | Guest | None:
        party = self._parties.get(dialog.port)
        return party if party is not None and party.dialog is dialog else None

    def aim(self, dialog: Dialog) -> None:
        """Take the peer's description."""
        party, offer = self._party(dialog), dialog.offer
        if party is None or offer is None:
            return
        leg = party.leg
        sending = offer.direction in ("sendrecv", "sendonly")
        self._media.order(
            lambda: leg.aim((offer.host, offer.port), offer.codec, offer.events, sending=sending)
        )

    def key(self, dialog: Dialog, key: str) -> None:
        """Take a key that came by INFO."""
        if party := self._party(dialog):
            party.key(key)

    def ended(self, dialog: Dialog, why: str) -> None:
        """Take that a call is over."""
        party = self._party(dialog)
        if party is None:
            return
        party.end(why)
        del self._parties[party.leg.port]
        if isinstance(party, Call):
            self._calls.pop(party.record.id, None)
        self._sockets.close(party.leg)

    def seat(self, guest: Guest) -> None:
        """Take in somebody whom a caller was put through to."""
        self._parties[guest.leg.port] = guest
        self.aim(guest.dialog)
        self._media.add(guest.leg)

    # What a call asks for (Desk)

    def play(self, leg: Leg, pieces: tuple[str, ...], token: int) -> None:
        """Play prompts."""
        sound = self._prompts.sound(pieces)
        self._media.order(lambda: leg.play(sound, token))

    def tell(self, message: Said) -> None:
        """Tell the gateway, if it is there."""
        self._gateway.tell(message)

    def finish(self, call: Call, record: Record) -> None:
        """Close the recordings and hand the call over."""
        self._handing.finish(record, [call.leg, *(guest.leg for guest in call.guests)])

    async def put_through(self, call: Call, to: str, within_s: float) -> bool | None:
        """Return whether somebody took the call; None: they talk in a room of ours."""
        return await self._guests.put_through(call, to, within_s)

    def dismiss(self, call: Call) -> None:
        """Hang up on whomever a caller talked with."""
        self._guests.dismiss(call)

    def hang_up(self, party: Call | Guest, why: str) -> None:
        """End a call."""
        self._dialogs.hang_up(party.dialog, why)

    # The media thread and the gateway

    def _heard(self, leg: Leg, what: str, value: object) -> None:
        party = self._parties.get(leg.port)
        if what == "sound" and isinstance(value, tuple):
            sound, value = value
            if sound and leg.name:  # the last of it comes when the call is over already
                self._gateway.tell(Heard(id=leg.name, sound=sound))
        if party is None or party.leg is not leg:
            return
        if what == "sound" and isinstance(value, float):
            party.sound(value)
        elif what == "key" and isinstance(value, str):
            party.key(value)
        elif what == "said" and isinstance(value, int):
            party.said(value)

    def _met(self) -> None:
        ours = self.settings
        self._gateway.tell(Hello(pid=os.getpid(), settings=digest(ours), spool=ours.spool))
        self._tell_state()
        for call in self._calls.values():
            if call.live and not call.filed:
                self._gateway.tell(began(call.record))
        self._handing.offer_all()

    def _told(self, message: Said) -> None:
        match message:
            case Filed():
                self._handing.taken(message.id)
                self._step(message.id, Happened.FILED, message)
            case Alarmed():
                self._step(message.id, Happened.ALARMED, message)
            case Dial():
                self._dialling.dial(message, room=self._has_room())
            case Shown():
                self._guests.shown(message.id)
            case Stop():
                self.stopped.set()
            case Ping():
                self._tell_state()
            case _:
                log.warning("gateway.strange", extra={"kind": type(message).__name__})

    def _step(self, name: str, what: Happened, told: Filed | Alarmed) -> None:
        if call := self._calls.get(name):
            call.happened(Event(what=what, number=told.number, advice=told.advice))

    def _tell_state(self) -> None:
        up = self._agent.registered or not self.settings.register
        self._gateway.tell(
            LineState(
                up=up,
                why=None if up else f"not registered at {self.settings.server}",
                calls=len(self._calls),
                most=self.settings.max_calls,
                answered=self._answered,
                refused=self._dialogs.refused,
                waiting=self._handing.waiting,
            )
        )

    async def _beat(self) -> None:
        """Look after calls five times a second, and after what waits for the gateway."""
        told = self._loop.time()
        while True:
            await asyncio.sleep(_BEAT_S)
            self._look_after_calls()
            now = self._loop.time()
            self._handing.offer_again(now)
            if now - told >= _TELL_S:
                told = now
                self._tell_state()
            alone_s = 0.0 if self._gateway.there else now - self._gateway.gone_at
            if not self._calls and alone_s > self.settings.alone_s:
                log.warning("gateway.gone")
                self.stopped.set()

    def _look_after_calls(self) -> None:
        now = time.monotonic()
        for party in list(self._parties.values()):
            if not party.live:
                continue
            quiet = now - party.leg.last_heard
            if now - party.began > self.settings.longest_s:
                self.hang_up(party, "longest")
            elif party.leg.sending and quiet > self.settings.no_media_s:
                self.hang_up(party, "no_media")
            elif quiet > 2 * _BEAT_S:
                party.silent()


def _new_name() -> str:
    """Return a name for a call: safe in a file's name, in the order of time."""
    return f"{int(time.time() * 1000):013}-{secrets.token_hex(4)}"
