"""RTP packets, and the line of time that a stream of them draws.

Source: RFC 3550 section 5.1 (packets), RFC 3551 (G.711), RFC 4733 section 2 (telephone events).
"""

import struct

from channels.phone.g711 import ALAW_SILENCE, FRAME, RATE
from normalizer.schema import Value

_FIXED = struct.Struct(">BBHII")
_WRAP = 1 << 32
#: Static payload types of G.711. Source: RFC 3551 table 4.
PCMU, PCMA = 0, 8
#: No packet of ours or of any sane peer holds more samples than a fifth of a second.
_MOST_PAYLOAD = 1600
#: Samples that a packet may come late and still be put in its place.
_HELD = RATE * 3 // 10
#: Samples by which the peer's clock may run ahead of ours before its time stamp is doubted.
_AHEAD = RATE
#: Samples back in time beyond which a packet is not late but of another stream.
_BACK = 10 * RATE


class Packet(Value, frozen=True, kw_only=True):
    """One RTP packet."""

    payload_type: int
    sequence: int
    timestamp: int  #: in samples
    ssrc: int
    payload: bytes
    marker: bool = False


def parse(data: bytes) -> Packet | None:
    """Return the packet in a datagram, without header extension and padding; None: it holds none."""
    if len(data) < _FIXED.size or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = _FIXED.unpack_from(data)
    begins = _FIXED.size + 4 * (first & 15)
    if first & 0x10:
        if len(data) < begins + 4:
            return None
        begins += 4 + 4 * int.from_bytes(data[begins + 2 : begins + 4], "big")
    ends = len(data) - (data[-1] if first & 0x20 else 0)
    if ends < begins or ends - begins > _MOST_PAYLOAD:
        return None
    return Packet(
        payload_type=second & 0x7F,
        marker=bool(second & 0x80),
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=data[begins:ends],
    )


def build(packet: Packet) -> bytes:
    """Return the datagram of a packet."""
    second = packet.payload_type | (0x80 if packet.marker else 0)
    head = _FIXED.pack(0x80, second, packet.sequence, packet.timestamp, packet.ssrc)
    return head + packet.payload


class Timeline:
    """Puts the sound of a stream where it belongs in time; what is lost or not sent is silence.

    Sound leaves by `take` 300 ms after it came, so that a packet that comes late still finds
    its place. A single packet cannot move the line: another source or a leap of time stamps
    counts only when a second packet goes on from it.
    """

    def __init__(self, silence: int = ALAW_SILENCE) -> None:
        self._silence = bytes([silence])
        self._held = bytearray()
        self._next: int | None = None  #: time stamp expected
        self._ssrc = 0
        self._at = 0.0  #: when the newest packet came, monotonic seconds
        self._doubted: tuple[int, int, bytes] | None = None  #: SSRC, next time stamp, sound
        self.samples = 0  #: of the whole line so far
        self.lost = 0  #: samples that are silence because nothing came for them
        self.stray = 0  #: packets that found no place

    def put(self, packet: Packet, now: float) -> None:
        """Take a packet of sound that came at ``now`` (monotonic seconds)."""
        if not packet.payload:
            self.stray += 1
        elif self._next is None:
            self._begin(packet, now)
        elif packet.ssrc != self._ssrc:
            self._doubt(packet, now)
        else:
            self._place(packet, now)

    def take(self, *, all_of_it: bool = False) -> bytes:
        """Return the sound that will not change any more, once."""
        ready = len(self._held) - (0 if all_of_it else _HELD)
        if ready <= 0:
            return b""
        taken = bytes(self._held[:ready])
        del self._held[:ready]
        return taken

    def _begin(self, packet: Packet, now: float) -> None:
        self._ssrc = packet.ssrc
        self._append(packet.payload, packet.timestamp, now)

    def _append(self, payload: bytes, timestamp: int, now: float) -> None:
        self._held += payload
        self.samples += len(payload)
        self._next = (timestamp + len(payload)) % _WRAP
        self._at = now
        self._doubted = None

    def _place(self, packet: Packet, now: float) -> None:
        ahead = (packet.timestamp - (self._next or 0)) % _WRAP
        if ahead < _WRAP // 2:
            if ahead > (now - self._at) * RATE + _AHEAD:
                self._doubt(packet, now)
                return
            self._held += self._silence * ahead
            self.samples += ahead
            self.lost += ahead
            self._append(packet.payload, packet.timestamp, now)
            return
        back = _WRAP - ahead
        if back > _BACK:
            self._doubt(packet, now)
        elif len(packet.payload) <= back <= len(self._held):
            begins = len(self._held) - back
            gap = self._silence * len(packet.payload)
            if self._held[begins : begins + len(gap)] == gap:
                self.lost -= min(len(gap), self.lost)
            self._held[begins : begins + len(packet.payload)] = packet.payload
        else:
            self.stray += 1

    def _doubt(self, packet: Packet, now: float) -> None:
        """Believe another source or time only from its second packet on."""
        doubted, self._doubted = self._doubted, None
        follows = (packet.ssrc, packet.timestamp)
        if doubted is None or doubted[:2] != follows:
            self.stray += 1
            ends = (packet.timestamp + len(packet.payload)) % _WRAP
            self._doubted = (packet.ssrc, ends, packet.payload)
            return
        self.stray -= 1
        self._ssrc = packet.ssrc
        silent = int((now - self._at) * RATE) - len(doubted[2]) - len(packet.payload)
        if silent > _AHEAD:
            self._held += self._silence * silent
            self.samples += silent
            self.lost += silent
        self._held += doubted[2]
        self.samples += len(doubted[2])
        self._append(packet.payload, packet.timestamp, now)


#: Octets that are gathered before sound is passed on, and beyond which it is late and shortened.
_PRIMED, _LATE = 2 * FRAME, 10 * FRAME


class Relay:
    """Sound on its way to whoever is put through: a short queue that levels uneven arrival.

    What comes too late is left out, what is missing is silence; the recording has it all.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._last: int | None = None
        self._flows = False

    def put(self, packet: Packet) -> None:
        """Take a packet."""
        last, self._last = self._last, packet.sequence
        if last is not None and (packet.sequence - last - 1) & 0xFFFF >= 0x8000:
            self._last = last  # older than what was passed on
            return
        self._held += packet.payload
        if len(self._held) > _LATE:
            del self._held[: len(self._held) - _PRIMED]

    def take(self) -> bytes | None:
        """Return the next 20 ms; None: there is nothing to pass on now."""
        self._flows = len(self._held) >= (FRAME if self._flows else _PRIMED)
        if not self._flows:
            return None
        frame = bytes(self._held[:FRAME])
        del self._held[:FRAME]
        return frame
