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
from collections import deque
from itertools import islice
from pathlib import Path

import msgspec

from channels.phone import dialogue as talk
from channels.phone import numbers, sip
from channels.phone.dialogue import Event, Happened
from channels.phone.link import (
    Alarmed,
    CallBegan,
    Filed,
    Heard,
    Hello,
    LineState,
    Ping,
    Said,
    Stop,
    WorkerSettings,
    digest,
)
from channels.phone.link import Call as Record
from channels.phone.worker.agent import Address, Agent
from channels.phone.worker.call import Call
from channels.phone.worker.dialog import Dialog
from channels.phone.worker.dialogs import Dialogs
from channels.phone.worker.gateway import Gateway
from channels.phone.worker.media import Leg, Media
from channels.phone.worker.recorder import Recorder, Recording
from channels.phone.worker.settings import Doors, Prompts, resolved
from channels.phone.worker.spool import Spool

log = logging.getLogger(__name__)

_BEAT_S = 0.2
#: How often the gateway is told the line's state.
_TELL_S = 5.0
#: When finished calls that the gateway did not take are offered again, and how many at a time.
_AGAIN_S, _AT_ONCE = 3.0, 100
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
        self._ports = deque(range(settings.rtp_ports[0], settings.rtp_ports[1], 2))
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
        self._by_dialog: dict[int, Call] = {}
        self._closing: set[str] = set()  #: calls whose recording is being closed
        #: Calls that were handed over and are not taken yet, and when that was.
        self._offered: dict[str, tuple[float, Record]] = {}
        self._handed = asyncio.Event()
        self._handed.set()
        self._gateway = Gateway(Path(settings.socket), self._met, self._told)
        self._answered = 0
        self._served: Address | None = None
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
                    await self._handed.wait()
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
        if len(self._calls) >= self.settings.max_calls or not self._ports:
            return False
        identity = secrets.token_hex(4)
        name = f"{int(time.time() * 1000):013}-{identity}"
        port = self._ports.popleft()
        try:
            leg = self._leg(name, port)
        except OSError as error:
            # Somebody else has the port: it goes behind the others.
            self._ports.append(port)
            log.error("port.taken", extra={"port": port, "why": error.strerror})  # noqa: TRY400 - the error says all
            return False
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
        dialog.host, dialog.port = self.settings.local_host, port
        call = Call(record, dialog, leg, self)
        self._calls[name] = self._by_dialog[id(dialog)] = call
        self._loop.call_later(self.settings.ring_s, self._answer, call)
        return True

    def _leg(self, name: str, port: int) -> Leg:
        def tell(what: str, value: object) -> None:
            self._loop.call_soon_threadsafe(self._heard, name, what, value)

        return Leg(self.settings.local_host, port, self.settings.loud, tell)

    def _answer(self, call: Call) -> None:
        if call.dialog.state != "ringing":
            return
        record = msgspec.structs.replace(call.record, answered_at=time.time())
        try:
            self._spool.begin(record)
            call.leg.recording = Recording(self._spool.sound(record.id))
        except OSError as error:
            # What cannot be recorded is answered all the same: a human voice may be needed.
            log.error("recording.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all
        self.aim(call.dialog)
        self._media.add(call.leg)
        self._dialogs.answer(call.dialog)
        self._answered += 1
        call.record = record
        self._gateway.tell(_began(record))
        call.answered()

    def aim(self, dialog: Dialog) -> None:
        """Take the peer's description."""
        call, offer = self._by_dialog.get(id(dialog)), dialog.offer
        if call is None or offer is None:
            return
        leg = call.leg
        sending = offer.direction in ("sendrecv", "sendonly")
        self._media.order(
            lambda: leg.aim((offer.host, offer.port), offer.codec, offer.events, sending=sending)
        )

    def key(self, dialog: Dialog, key: str) -> None:
        """Take a key that came by INFO."""
        if call := self._by_dialog.get(id(dialog)):
            call.key(key)

    def ended(self, dialog: Dialog, why: str) -> None:
        """Take that a call is over."""
        call = self._by_dialog.pop(id(dialog), None)
        if call is None:
            return
        if call.live:  # else it was cancelled before it was answered: no ticket
            call.end(why)
        self._calls.pop(call.record.id, None)
        self._release(call)

    def _release(self, call: Call) -> None:
        port = call.leg.port

        def closed() -> None:
            self._loop.call_soon_threadsafe(self._ports.append, port)

        self._media.remove(call.leg, closed)

    # What a call asks for (Desk)

    def play(self, leg: Leg, pieces: tuple[str, ...], token: int) -> None:
        """Play prompts."""
        sound = self._prompts.sound(pieces)
        self._media.order(lambda: leg.play(sound, token))

    def tell(self, message: Said) -> None:
        """Tell the gateway, if it is there."""
        self._gateway.tell(message)

    def finish(self, call: Call, record: Record) -> None:
        """Close the recording and hand the call over."""

        def closed(octets: int) -> None:
            done = msgspec.structs.replace(record, octets=octets, how=record.how or "said")
            try:
                self._spool.done(done)
            except OSError as error:
                log.error("spool.failed", extra={"why": error.strerror})  # noqa: TRY400 - the error says all
            self._loop.call_soon_threadsafe(self._offer, done)

        self._closing.add(record.id)
        self._handed.clear()
        self._media.finish(call.leg, closed)

    async def transfer(self, call: Call) -> bool:
        """Return whether a seat has taken the call."""
        seats = self.settings.seats
        return seats is not None and await self._dialogs.refer(call.dialog, seats)

    def hang_up(self, call: Call, why: str) -> None:
        """End a call."""
        self._dialogs.hang_up(call.dialog, why)

    # The media thread and the gateway

    def _heard(self, name: str, what: str, value: object) -> None:
        call = self._calls.get(name)
        if what == "sound" and isinstance(value, tuple):
            sound, loud_s = value
            if sound:  # the last of it comes when the call is over already
                self._gateway.tell(Heard(id=name, sound=sound))
            if call is not None:
                call.sound(loud_s)
        elif call is None:
            return
        elif what == "key" and isinstance(value, str):
            call.key(value)
        elif what == "said" and isinstance(value, int):
            call.said(value)

    def _offer(self, record: Record) -> None:
        self._closing.discard(record.id)
        self._handed.clear()
        self._offered[record.id] = self._loop.time(), record
        self._gateway.tell(record)

    def _met(self) -> None:
        ours = self.settings
        self._gateway.tell(Hello(pid=os.getpid(), settings=digest(ours), spool=ours.spool))
        self._tell_state()
        for call in self._calls.values():
            if call.live and not call.filed:
                self._gateway.tell(_began(call.record))
        for record in self._spool.waiting():
            self._offer(record)

    def _told(self, message: Said) -> None:
        match message:
            case Filed():
                self._spool.forget(message.id)
                self._offered.pop(message.id, None)
                if not self._offered and not self._closing:
                    self._handed.set()
                self._step(message.id, Happened.FILED, message)
            case Alarmed():
                self._step(message.id, Happened.ALARMED, message)
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
                waiting=len(self._offered),
            )
        )

    async def _beat(self) -> None:
        """Look after calls five times a second, and after what waits for the gateway."""
        told = self._loop.time()
        while True:
            await asyncio.sleep(_BEAT_S)
            self._look_after_calls()
            now = self._loop.time()
            self._offer_again(now)
            if now - told >= _TELL_S:
                told = now
                self._tell_state()
            alone_s = 0.0 if self._gateway.there else now - self._gateway.gone_at
            if not self._calls and alone_s > self.settings.alone_s:
                log.warning("gateway.gone")
                self.stopped.set()

    def _look_after_calls(self) -> None:
        now = time.monotonic()
        for call in list(self._calls.values()):
            if not call.live:
                continue
            quiet = now - call.leg.last_heard
            if now - call.began > self.settings.longest_s:
                self.hang_up(call, "longest")
            elif call.leg.sending and quiet > self.settings.no_media_s:
                self.hang_up(call, "no_media")
            elif quiet > 2 * _BEAT_S:
                call.silent()

    def _offer_again(self, now: float) -> None:
        if self._gateway.there:
            late = (record for at, record in self._offered.values() if now - at > _AGAIN_S)
            for record in list(islice(late, _AT_ONCE)):
                self._offer(record)


def _began(record: Record) -> CallBegan:
    return CallBegan(
        id=record.id,
        call_id=record.call_id,
        from_tag=record.from_tag,
        caller=record.caller,
        called=record.called,
        at=record.answered_at,
    )
