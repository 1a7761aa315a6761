"""One message off the air: who to whom, its octets, and which part of a longer one it is. Sans-io.

Source: 3GPP TS 23.040 section 9.2.3.24 (user data header), 9.2.3.24.1 and 9.2.3.24.8
(concatenation with 8-bit and 16-bit references); SMPP 3.4 section 5.3.2.22 to 24 (SAR).
"""

import hashlib
from datetime import datetime

from normalizer.schema import Value

_SHORT, _WIDE = 0x00, 0x08  # information elements of concatenation


class Part(Value, frozen=True, kw_only=True):
    """Which part of a longer message a piece is."""

    reference: int
    total: int
    place: int  #: from 1
    width: int  #: bits of the reference: 8 or 16 in a header, 0 of SAR parameters


class Piece(Value, frozen=True, kw_only=True):
    """One message as the carrier delivered it."""

    source: str  #: as the carrier writes it
    destination: str
    coding: int
    octets: bytes  #: without its user data header
    raw: bytes  #: evidence: what came, without what differs between repeats
    part: Part | None = None
    carrier_id: str | None = None  #: the carrier's own id of the piece, the same when it repeats it
    readable: bool = True  #: False: the carrier's frame could not be understood; ``octets`` is it

    @property
    def digest(self) -> str:
        """What two deliveries of the same piece have in common, in hexadecimal digits."""
        said = f"{self.source}\n{self.destination}\n{self.coding}\n{self.part}\n".encode()
        return hashlib.sha256(said + self.octets).hexdigest()

    @property
    def group(self) -> str | None:
        """What all parts of one message have in common; None of a message of one piece."""
        if self.part is None:
            return None
        part = self.part
        return f"{self.source}\n{self.destination}\n{part.reference}/{part.total}/{part.width}"


class Held(Value, frozen=True, kw_only=True):
    """A piece and when it came."""

    piece: Piece
    at: datetime


def split_header(octets: bytes) -> tuple[Part | None, bytes]:
    """Return what a user data header says of concatenation, and the octets behind it.

    A header that cannot be read, and one with a part that does not exist, say nothing: the text
    behind them is delivered as a message of its own.
    """
    if not octets:
        return None, b""
    length = octets[0]
    if length + 1 > len(octets):
        return None, octets  # no header after all: better a strange character than a lost text
    header, rest = octets[1 : length + 1], octets[length + 1 :]
    found: Part | None = None
    while len(header) >= 2:
        kind, size = header[0], header[1]
        data, header = header[2 : 2 + size], header[2 + size :]
        if len(data) < size:
            break
        found = _part(kind, data) or found
    return found, rest


def _part(kind: int, data: bytes) -> Part | None:
    if kind == _SHORT and len(data) == 3:
        return part_of(data[0], data[1], data[2], 8)
    if kind == _WIDE and len(data) == 4:
        return part_of(int.from_bytes(data[:2], "big"), data[2], data[3], 16)
    return None


def part_of(reference: int, total: int, place: int, width: int) -> Part | None:
    """Return a part, None where the numbers make a message of its own (total 0 or 1, no such place)."""
    if total < 2 or not 1 <= place <= total:
        return None
    return Part(reference=reference, total=total, place=place, width=width)
