"""RTP: packets of any shape, and a line of time that no packet bends."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from channels.phone import rtp
from channels.phone.dtmf import Events, of_info
from channels.phone.g711 import ALAW_SILENCE

SILENCE = bytes([ALAW_SILENCE])


def packet(at: int, payload: bytes, ssrc: int = 7) -> rtp.Packet:
    """Return a packet of A-law."""
    return rtp.Packet(payload_type=8, sequence=1, timestamp=at % 2**32, ssrc=ssrc, payload=payload)


def frame(n: int) -> bytes:
    """Return a frame that is like no other and never silent."""
    return bytes([n % 85 + 1, n // 85 + 1]) * 80


@given(st.binary(max_size=400))
def test_any_octets_are_a_packet_or_none(data: bytes) -> None:
    """Nothing raises, and what is read is inside the datagram."""
    found = rtp.parse(data)
    assert found is None or found.payload in data


@given(
    st.integers(0, 127), st.integers(0, 65535), st.integers(0, 2**32 - 1), st.binary(max_size=320)
)
def test_a_packet_reads_as_it_was_built(kind: int, number: int, at: int, payload: bytes) -> None:
    """Building and parsing are each other's inverse."""
    made = rtp.Packet(
        payload_type=kind, sequence=number, timestamp=at, ssrc=at ^ 5, payload=payload, marker=True
    )
    assert rtp.parse(rtp.build(made)) == made


def test_extension_sources_and_padding_are_no_sound() -> None:
    """A header extension, contributing sources and padding are taken off."""
    head = struct.pack(">BBHII", 0x80 | 0x20 | 0x10 | 2, 8, 1, 2, 3) + b"ccccCCCC"
    data = head + struct.pack(">HH", 1, 1) + b"ext." + b"sound" + b"\0\0\3"
    found = rtp.parse(data)
    assert found is not None
    assert found.payload == b"sound"
    assert rtp.parse(head + struct.pack(">HH", 1, 500)) is None


@given(
    st.integers(0, 2**32 - 1),
    st.lists(st.sampled_from(["send", "lose", "swap", "repeat"]), min_size=3, max_size=60),
)
def test_loss_disorder_and_repeats_keep_the_clock(first: int, fates: list[str]) -> None:
    """Every frame that came is in its place, over the wrap of time stamps; the rest is silence."""
    fates = ["send", *fates, "send"]
    line, expected, order = rtp.Timeline(), [], []
    for n, fate in enumerate(fates):
        sent = packet(first + 160 * n, frame(n))
        expected.append(SILENCE * 160 if fate == "lose" else frame(n))
        if fate != "lose":
            order += [sent, sent] if fate == "repeat" else [sent]
        # The first and the last frame stay where they are: they begin and end the recording.
        if fate == "swap" and len(order) > 2 and n < len(fates) - 1:
            order[-1], order[-2] = order[-2], order[-1]
    for n, each in enumerate(order):
        line.put(each, n * 0.02)
    assert line.take(all_of_it=True) == b"".join(expected)
    assert line.samples == 160 * len(fates)


def test_a_pause_without_packets_is_silence_of_its_length() -> None:
    """Three seconds of nothing are three seconds of the recording."""
    line = rtp.Timeline()
    line.put(packet(0, frame(1)), 0.0)
    line.put(packet(160 + 24_000, frame(2)), 3.02)
    assert line.take(all_of_it=True) == frame(1) + SILENCE * 24_000 + frame(2)
    assert line.lost == 24_000


def test_one_packet_cannot_move_the_line() -> None:
    """A leap of the time stamp, or another source, is passed over; two in a row are believed."""
    line = rtp.Timeline()
    line.put(packet(0, frame(0)), 0.0)
    line.put(packet(400_000_000, frame(9)), 0.02)
    line.put(packet(160, frame(8), ssrc=8), 0.02)
    line.put(packet(160, frame(1)), 0.02)
    assert line.take(all_of_it=True) == frame(0) + frame(1)
    line.put(packet(400_000_000, frame(2)), 0.04)
    line.put(packet(400_000_160, frame(3)), 0.06)
    line.put(packet(400_000_320, frame(4)), 0.08)
    assert line.take(all_of_it=True) == frame(2) + frame(3) + frame(4)
    assert line.lost == 0


def test_sound_is_held_back_for_late_packets() -> None:
    """What left by `take` does not change any more; a packet later than that is stray."""
    line = rtp.Timeline()
    for n in range(0, 40, 2):
        line.put(packet(160 * n, frame(n)), n * 0.02)
    early = line.take()
    line.put(packet(160, frame(1)), 1.0)
    line.put(packet(160 * 37, frame(37)), 1.0)
    assert line.stray == 1
    whole = early + line.take(all_of_it=True)
    assert whole[160:320] == SILENCE * 160
    assert whole[160 * 37 : 160 * 38] == frame(37)


def test_each_key_is_told_once() -> None:
    """By its time stamp: repeats, a lost marker and a late packet tell nothing new."""
    events = Events()
    assert events.put(1, 100, b"\x05\x0a\x00\xa0") == "5"
    assert events.put(1, 100, b"\x05\x8a\x01\x40") is None
    assert events.put(1, 900, b"\x0b\x8a\x01\x40") == "#"
    assert events.put(1, 100, b"\x05\x8a\x01\x40") is None
    assert events.put(1, 1700, b"\x10\x8a\x01\x40") is None
    assert events.put(1, 2500, b"\x01\x02") is None


def test_info_bodies_of_both_kinds_are_read() -> None:
    """``dtmf-relay`` with a signal line, and the bare key."""
    assert of_info(b"Signal=5\r\nDuration=160\r\n") == "5"
    assert of_info(b"signal= 11\nDuration=160") == "#"
    assert of_info(b" * ") == "*"
    assert of_info(b"Duration=160") is None
    assert of_info(b"12") is None


def numbered(n: int) -> rtp.Packet:
    """Return the packet of this number."""
    sound = frame(n % 0x1000)
    return rtp.Packet(payload_type=8, sequence=n & 0xFFFF, timestamp=0, ssrc=7, payload=sound)


def test_what_is_passed_on_flows_evenly() -> None:
    """Two packets are gathered first; a gap is silence, and it is gathered anew behind it."""
    relay = rtp.Relay()
    relay.put(numbered(0xFFFF))
    assert relay.take() is None
    relay.put(numbered(0x10000))
    assert [relay.take(), relay.take(), relay.take()] == [frame(0xFFF), frame(0), None]
    relay.put(numbered(0x10001))
    assert relay.take() is None
    relay.put(numbered(0x10000))  # late: its place has gone by
    assert relay.take() is None
    relay.put(numbered(0x10002))
    assert relay.take() == frame(1)


def test_what_is_passed_on_is_never_old() -> None:
    """A burst beyond a fifth of a second is cut down to its newest two packets."""
    relay = rtp.Relay()
    for n in range(11):
        relay.put(numbered(n))
    assert [relay.take(), relay.take(), relay.take()] == [frame(9), frame(10), None]
