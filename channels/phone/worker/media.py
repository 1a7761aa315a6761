# SPDX-License-Identifier: GPL-3.0-or-later
"""Sound: one thread with one clock sends and receives for all calls of the worker.

Every 20 ms each call is sent a packet, by an absolute schedule, so that no call drifts; in between
the thread sleeps on all sockets at once. Nothing here waits for a disk, the gateway or SIP.
"""

import logging
import queue
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable

from channels.phone import rtp
from channels.phone.dtmf import Events
from channels.phone.g711 import (
    ALAW_SILENCE,
    FRAME,
    RATE,
    alaw_to_ulaw,
    loudness,
    mix,
    ulaw_to_alaw,
)
from channels.phone.worker.recorder import Recorder, Recording

log = logging.getLogger(__name__)

TICK_S = 0.02
#: Ticks between two looks at what each call has heard.
_BATCH = 10
#: A clock that is this late gives up what it missed, as a machine that slept does.
_LOST_S = 0.5
_SILENCE = bytes([ALAW_SILENCE]) * FRAME
#: Packets that one call may have read in a row, so that a flood at one starves no other.
_BURST = 16
#: Seconds without a packet after which what is held back is no longer waited for.
_QUIET_S = 0.5
_RECEIVE_BUFFER = 1 << 18
_DATAGRAM = 2048

Address = tuple[str, int]


class Leg:
    """The sound of one call. Made on any thread, then touched by the media thread alone.

    Args:
        host: Our address.
        port: Ours.
        loud: From where sound counts as speech, of 255.
        tell: Called in the media thread with ``key``, ``said`` or ``sound`` and its value.
    """

    def __init__(
        self, host: str, port: int, loud: int, tell: Callable[[str, object], None]
    ) -> None:
        self.port = port
        self.name = ""  #: of the call whose words are to be understood
        self._loud = loud
        self.tell = tell
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            self.socket.bind((host, port))
        except OSError:
            self.socket.close()
            raise
        self.socket.setblocking(False)
        self.remote: Address | None = None
        self.codec, self.events_type = rtp.PCMA, -1
        self.sending = True
        self.recording: Recording | None = None
        self.timeline = rtp.Timeline()
        self.last_heard = time.monotonic()
        self.bad = self.foreign = self.sent = self.unsent = 0
        self._latched = False
        self._events = Events()
        self._sequence = secrets.randbits(16)
        self._stamp, self._ssrc = secrets.randbits(32), secrets.randbits(32)
        self._playing, self._at, self._token = b"", 0, 0
        self._loud_samples = 0
        self.recorded = 0  #: octets of a recording that was closed
        self.relay: rtp.Relay | None = None  #: of who is put through: what they just said
        self.hears: bytes | None = None  #: what the others in the room said this tick

    def aim(self, remote: Address, codec: int, events_type: int | None, *, sending: bool) -> None:
        """Take what the peer's description says."""
        if remote != self.remote:
            self._latched = False
        self.remote, self.codec, self.sending = remote, codec, sending
        self.events_type = -1 if events_type is None else events_type

    def play(self, sound: bytes, token: int) -> None:
        """Play A-law instead of what is playing; tell ``said`` with the token at its end.

        Token 0: play nothing any more.
        """
        self._playing, self._at, self._token = sound, 0, token

    def send(self) -> None:
        """Send one packet of what is being played, else silence."""
        frame = self._frame()
        if self.sending and self.remote is not None:
            packet = rtp.Packet(
                payload_type=self.codec,
                sequence=self._sequence,
                timestamp=self._stamp,
                ssrc=self._ssrc,
                payload=frame if self.codec == rtp.PCMA else alaw_to_ulaw(frame),
            )
            try:
                self.socket.sendto(rtp.build(packet), self.remote)
                self.sent += 1
            except OSError:
                self.unsent += 1
            self._sequence = (self._sequence + 1) & 0xFFFF
        self._stamp = (self._stamp + FRAME) & 0xFFFFFFFF

    def _frame(self) -> bytes:
        if not self._token:
            return self.hears or _SILENCE
        frame = self._playing[self._at : self._at + FRAME]
        self._at += FRAME
        if self._at >= len(self._playing):
            token, self._token, self._playing = self._token, 0, b""
            self.tell("said", token)
        return frame + _SILENCE[len(frame) :]

    def receive(self, now: float) -> None:
        """Take the datagrams that have come."""
        for _ in range(_BURST):
            try:
                data, source = self.socket.recvfrom(_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of something we sent
                self.unsent += 1
                continue
            packet = rtp.parse(data)
            if not self._is_from_peer(source):
                self.foreign += 1
            elif packet is None:
                self.bad += 1
            else:
                self._take(packet, now)

    def _is_from_peer(self, source: Address) -> bool:
        """Return whether a datagram is the peer's: from where it said, or at first its host."""
        if source == self.remote:
            self._latched = True
            return True
        # Some send from another port than they listen on: until the right one is heard, any of the
        # peer's host will do.
        return self.remote is not None and not self._latched and source[0] == self.remote[0]

    def _take(self, packet: rtp.Packet, now: float) -> None:
        if packet.payload_type == self.codec:
            if self.codec == rtp.PCMU:
                packet = rtp.Packet(
                    payload_type=rtp.PCMA,
                    sequence=packet.sequence,
                    timestamp=packet.timestamp,
                    ssrc=packet.ssrc,
                    payload=ulaw_to_alaw(packet.payload),
                )
            self.last_heard = now
            if loudness(packet.payload) >= self._loud:
                self._loud_samples += len(packet.payload)
            self.timeline.put(packet, now)
            if self.relay is not None:
                self.relay.put(packet)
        elif packet.payload_type == self.events_type:
            self.last_heard = now
            key = self._events.put(packet.ssrc, packet.timestamp, packet.payload)
            if key is not None:
                self.tell("key", key)
        else:
            self.bad += 1

    def gather(self, recorder: Recorder, now: float, *, last: bool = False) -> None:
        """Hand over what was heard, to the recording and to whoever listens."""
        sound = self.timeline.take(all_of_it=last or now - self.last_heard > _QUIET_S)
        loud, self._loud_samples = self._loud_samples, 0
        if self.recording is not None and sound:
            recorder.write(self.recording, sound)
        if sound or loud:
            self.tell("sound", (sound, loud / RATE))


class Room:
    """Calls that hear each other. Used by the media thread alone."""

    def __init__(self) -> None:
        self._legs: list[Leg] = []

    def enter(self, leg: Leg) -> None:
        """Let a call in."""
        leg.relay = rtp.Relay()
        self._legs.append(leg)

    def leave(self, leg: Leg) -> bool:
        """Let a call out; return whether others are left."""
        if leg in self._legs:
            self._legs.remove(leg)
            leg.relay = leg.hears = None
        return bool(self._legs)

    def tick(self) -> None:
        """Give each call what the others have said."""
        said = [leg.relay.take() if leg.relay is not None else None for leg in self._legs]
        for at, leg in enumerate(self._legs):
            others = [s for n, s in enumerate(said) if n != at and s is not None]
            leg.hears = mix(others) if others else None


class Media(threading.Thread):
    """The clock."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(name="media", daemon=True)
        self._recorder = recorder
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._legs: dict[int, Leg] = {}
        self._rooms: set[Room] = set()
        self._poll = select.epoll()
        self.ticks = self.late = 0

    def order(self, act: Callable[[], None]) -> None:
        """Have something done in the media thread, within a tick."""
        self._orders.put(act)

    def add(self, leg: Leg) -> None:
        """Serve a call from now on."""
        self.order(lambda: self._add(leg))

    def remove(self, leg: Leg, then: Callable[[], None]) -> None:
        """Serve a call no longer; ``then`` is called in this thread when its socket is closed."""
        self.order(lambda: self._remove(leg, then))

    def finish(self, leg: Leg, then: Callable[[int], None]) -> None:
        """Close the recording of a call that may go on.

        ``then`` gets its octets in the recorder's thread, also for one that was closed before.
        """
        self.order(lambda: self._finish(leg, then))

    def join_in(self, room: Room, leg: Leg) -> None:
        """Let a call hear those in a room, and be heard by them."""

        def act() -> None:
            self._rooms.add(room)
            room.enter(leg)

        self.order(act)

    def part(self, room: Room, leg: Leg) -> None:
        """Let a call leave a room; an empty one is forgotten."""

        def act() -> None:
            if not room.leave(leg):
                self._rooms.discard(room)

        self.order(act)

    def stop(self) -> None:
        """End."""
        self._orders.put(None)
        self.join()

    def run(self) -> None:
        """Work until stopped."""
        due = time.monotonic()
        while self._obey():
            now = time.monotonic()
            if now >= due:
                if now - due > TICK_S:
                    self.late += 1
                due = now if now - due > _LOST_S else due
                self._tick(now)
                due += TICK_S
                continue
            for descriptor, _ in self._poll.poll(max(0.0, due - now), 256):
                leg = self._legs.get(descriptor)
                if leg is not None:
                    leg.receive(time.monotonic())

    def _tick(self, now: float) -> None:
        self.ticks += 1
        for room in self._rooms:
            room.tick()
        for leg in self._legs.values():
            leg.send()
        part = self.ticks % _BATCH
        for at, leg in enumerate(self._legs.values()):  # not all in the same tick
            if at % _BATCH == part:
                leg.gather(self._recorder, now)

    def _obey(self) -> bool:
        while True:
            try:
                order = self._orders.get_nowait()
            except queue.Empty:
                return True
            if order is None:
                return False
            order()

    def _add(self, leg: Leg) -> None:
        leg.last_heard = time.monotonic()
        self._legs[leg.socket.fileno()] = leg
        self._poll.register(leg.socket.fileno(), select.EPOLLIN)

    def _remove(self, leg: Leg, then: Callable[[], None]) -> None:
        descriptor = leg.socket.fileno()
        if self._legs.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)
        leg.socket.close()
        then()

    def _finish(self, leg: Leg, then: Callable[[int], None]) -> None:
        if leg.socket.fileno() >= 0:
            leg.receive(time.monotonic())
        leg.gather(self._recorder, time.monotonic(), last=True)
        recording, leg.recording = leg.recording, None

        def closed(octets: int) -> None:
            leg.recorded += octets
            then(leg.recorded)

        self._recorder.close(recording, closed)
