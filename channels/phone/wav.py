"""WAV files of A-law: what a recording is as an attachment."""

import struct
from typing import NamedTuple

from channels.phone.g711 import RATE

#: ``WAVE_FORMAT_ALAW``. Source: RFC 2361 section A.6.
_ALAW = 6
_PCM = 1
HEADER_OCTETS = 58


class Wav(NamedTuple):
    """What a WAV file holds."""

    format: int  #: 1 linear samples, 6 A-law, 7 mu-law
    rate: int
    channels: int
    bits: int
    data: bytes


def alaw_header(octets: int) -> bytes:
    """Return what stands before ``octets`` of A-law, 8,000 samples a second, to make a WAV file.

    The format comes first and has the extension size that formats other than linear need, and a
    ``fact`` chunk tells the number of samples. Source: Multimedia Programming Interface and Data
    Specifications 1.0, and New Multimedia Data Types, "fact chunk".
    """
    return (
        struct.pack("<4sI4s", b"RIFF", HEADER_OCTETS - 8 + octets + octets % 2, b"WAVE")
        + struct.pack("<4sIHHIIHHH", b"fmt ", 18, _ALAW, 1, RATE, RATE, 1, 8, 0)
        + struct.pack("<4sII", b"fact", 4, octets)
        + struct.pack("<4sI", b"data", octets)
    )


def read_wav(content: bytes) -> Wav:
    """Return what a WAV file holds.

    Raises:
        ValueError: It is none, or its format or data are missing.
    """
    if content[:4] != b"RIFF" or content[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    form: tuple[int, int, int, int] | None = None
    at = 12
    while at + 8 <= len(content):
        name, size = struct.unpack_from("<4sI", content, at)
        body = content[at + 8 : at + 8 + size]
        if name == b"fmt " and len(body) >= 16:
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            form = (kind, rate, channels, bits)
        elif name == b"data" and form is not None:
            return Wav(*form, body)
        at += 8 + size + size % 2
    raise ValueError("a WAV file without format or data")
