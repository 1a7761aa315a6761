"""G.711: A-law and mu-law to and from linear samples, by table.

A-law is what calls are recorded and played in; one octet is one sample of 125 microseconds.
"""

import sys
from array import array
from bisect import bisect_left
from collections.abc import Sequence

#: Octets and samples a second.
RATE = 8000
#: Samples in a packet of 20 ms.
FRAME = 160
#: The octet of silence, by codec: the smallest positive value. Source: ITU-T G.711, tables 1a, 2a.
ALAW_SILENCE = 0xD5
ULAW_SILENCE = 0xFF

_ULAW_BIAS = 0x84
_ULAW_CLIP = 32635


def _alaw_value(octet: int) -> int:
    """Return the 16-bit sample of an A-law octet (ITU-T G.711 table 1a, left-aligned)."""
    bits = octet ^ 0x55
    segment, step = (bits >> 4) & 7, bits & 15
    level = (step << 4) + 8 if segment == 0 else ((step << 4) + 0x108) << (segment - 1)
    return level if bits & 0x80 else -level


def _ulaw_value(octet: int) -> int:
    """Return the 16-bit sample of a mu-law octet (ITU-T G.711 table 2a, left-aligned)."""
    bits = ~octet & 0xFF
    level = ((((bits & 15) << 3) + _ULAW_BIAS) << ((bits >> 4) & 7)) - _ULAW_BIAS
    return -level if bits & 0x80 else level


#: Upper ends of the segments, of a magnitude of 12 bits (A-law) and 13 bits (mu-law).
_ALAW_ENDS = (0x1F, 0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF)
_ULAW_ENDS = (0x3F, 0x7F, 0xFF, 0x1FF, 0x3FF, 0x7FF, 0xFFF, 0x1FFF)


def _alaw_octet(sample: int) -> int:
    magnitude = sample >> 3
    mask = 0xD5
    if magnitude < 0:
        magnitude, mask = -magnitude - 1, 0x55
    segment = bisect_left(_ALAW_ENDS, magnitude)
    return ((segment << 4) | ((magnitude >> max(segment, 1)) & 15)) ^ mask


def _ulaw_octet(sample: int) -> int:
    value = sample >> 2
    magnitude = min(abs(value), _ULAW_CLIP >> 2) + (_ULAW_BIAS >> 2)
    segment = bisect_left(_ULAW_ENDS, magnitude)
    bits = (segment << 4) | ((magnitude >> (segment + 1)) & 15)
    return ~(bits | (0x80 if value < 0 else 0)) & 0xFF


_ALAW = tuple(_alaw_value(octet) for octet in range(256))
_ULAW = tuple(_ulaw_value(octet) for octet in range(256))
#: By the upper 13 and 14 bits of an unsigned 16-bit word: G.711 looks at no more of a sample.
_TO_ALAW = bytes(
    _alaw_octet((word << 3) - (0x10000 if word >= 0x1000 else 0)) for word in range(0x2000)
)
_TO_ULAW = bytes(
    _ulaw_octet((word << 2) - (0x10000 if word >= 0x2000 else 0)) for word in range(0x4000)
)
_ULAW_TO_ALAW = bytes(_alaw_octet(value) for value in _ULAW)
_ALAW_TO_ULAW = bytes(_ulaw_octet(value) for value in _ALAW)
#: How loud an A-law octet is, 0 to 255, of full scale.
_LOUDNESS = bytes(min(abs(value) >> 7, 255) for value in _ALAW)


def alaw_to_pcm(data: bytes) -> bytes:
    """Return 16-bit little-endian samples."""
    return _little(array("h", [_ALAW[octet] for octet in data]))


def ulaw_to_pcm(data: bytes) -> bytes:
    """Return 16-bit little-endian samples."""
    return _little(array("h", [_ULAW[octet] for octet in data]))


def pcm_to_alaw(data: bytes) -> bytes:
    """Return A-law octets of 16-bit little-endian samples; a half sample at the end is left out."""
    return bytes([_TO_ALAW[word >> 3] for word in _words(data)])


def pcm_to_ulaw(data: bytes) -> bytes:
    """Return mu-law octets of 16-bit little-endian samples; a half one at the end is left out."""
    return bytes([_TO_ULAW[word >> 2] for word in _words(data)])


def ulaw_to_alaw(data: bytes) -> bytes:
    """Return the same sound in A-law."""
    return data.translate(_ULAW_TO_ALAW)


def alaw_to_ulaw(data: bytes) -> bytes:
    """Return the same sound in mu-law."""
    return data.translate(_ALAW_TO_ULAW)


def loudness(alaw: bytes) -> int:
    """Return the loudest sample of some A-law octets, 0 to 255 of full scale; 0 of none."""
    return max(alaw.translate(_LOUDNESS), default=0)


def mix(sounds: Sequence[bytes]) -> bytes:
    """Return A-law sounds of one length together; a single one stays as it is."""
    if len(sounds) == 1:
        return sounds[0]
    sums = map(sum, zip(*([_ALAW[octet] for octet in sound] for sound in sounds), strict=True))
    return bytes([_TO_ALAW[(max(-32768, min(32767, level)) & 0xFFFF) >> 3] for level in sums])


def _words(data: bytes) -> "array[int]":
    words = array("H", data[: len(data) & ~1])
    if sys.byteorder == "big":
        words.byteswap()
    return words


def _little(samples: "array[int]") -> bytes:
    if sys.byteorder == "big":
        samples.byteswap()
    return samples.tobytes()
