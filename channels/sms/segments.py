"""Texts cut into messages that telephones join again. Sans-io.

Source: 3GPP TS 23.040 section 9.2.3.24.1 (concatenation, 8-bit reference) and 9.1 (140 octets);
160 septets of the default alphabet or 70 UTF-16 units fill one message, a part of several holds
153 or 67.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from channels.sms.text import ESCAPE, Alphabet, gsm7_octets
from normalizer.schema import Value

DEFAULT_CODING, UCS2_CODING = 0, 8
#: What stands at the end of a text that was cut.
_MORE = "…"


class Segment(Value, frozen=True, kw_only=True):
    """One message as it goes over the air."""

    coding: int
    octets: bytes  #: with its user data header, if it is a part
    total: int = 1
    place: int = 1  #: from 1

    @property
    def udhi(self) -> bool:
        """Whether ``octets`` begin with a user data header."""
        return self.total > 1


def segments(
    text: str, reference: int, *, alphabet: Alphabet = "gsm7", most: int = 10
) -> tuple[Segment, ...]:
    """Return the messages of a text, never cut inside a character.

    Args:
        text: What to tell.
        reference: What the parts are known by, 0 to 255.
        alphabet: What data coding 0 means on the account.
        most: Parts at most; a longer text ends with an ellipsis instead.
    """
    way = _way(text, alphabet)
    octets = way.encode(text) or b""
    if len(octets) <= way.single:
        return (Segment(coding=way.coding, octets=octets),)
    if most == 1:
        return (Segment(coding=way.coding, octets=_shortened(octets, way, way.single)),)
    parts = list(_cut(octets, way, way.part))
    if len(parts) > most:
        # What is left begins where the last part does.
        left = octets[sum(map(len, parts[: most - 1])) :]
        parts[most - 1 :] = [_shortened(left, way, way.part)]
    total = len(parts)
    head = bytes([5, 0, 3, reference & 0xFF, total])
    return tuple(
        Segment(coding=way.coding, octets=head + bytes([n]) + octets, total=total, place=n)
        for n, octets in enumerate(parts, 1)
    )


def count(text: str, alphabet: Alphabet = "gsm7") -> int:
    """Return how many messages a text is."""
    return len(segments(text, 0, alphabet=alphabet, most=255))


class _Way(Value, frozen=True, kw_only=True):
    """How a text becomes octets, and how many of them fit."""

    coding: int
    encode: Callable[[str], bytes | None]  #: None: the alphabet lacks a character
    inside: Callable[[bytes, int], int]  #: octets of the character before the place of a cut
    single: int  #: octets of a message
    part: int  #: octets of a part, its header left out


def _way(text: str, alphabet: Alphabet) -> _Way:
    way = _WAYS[alphabet]
    return _UCS2 if way.encode(text) is None else way


def _plain(text: str) -> bytes | None:
    """Return the octets of what ASCII and the default alphabet have in common."""
    octets = gsm7_octets(text)
    return octets if octets is not None and octets == text.encode() else None


def _latin1(text: str) -> bytes | None:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _septets(encode: Callable[[str], bytes | None]) -> _Way:
    """Return the way of an alphabet of septets, whose extensions are two of them."""
    return _Way(
        coding=DEFAULT_CODING,
        encode=encode,
        inside=lambda octets, at: octets[at - 1] == ESCAPE,
        single=160,
        part=153,
    )


_WAYS: Mapping[Alphabet, _Way] = MappingProxyType(
    {"gsm7": _septets(gsm7_octets), "ascii": _septets(_plain), "latin1": _septets(_latin1)}
)
_UCS2 = _Way(
    coding=UCS2_CODING,
    encode=lambda text: text.encode("utf-16-be", "replace"),
    inside=lambda octets, at: 2 * (octets[at] & 0xFC == 0xDC),  # the first half of a pair
    single=140,
    part=134,
)


def _cut(octets: bytes, way: _Way, size: int) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        end = min(at + size, len(octets))
        if end < len(octets):
            end -= way.inside(octets, end)
        yield octets[at:end]
        at = end


def _shortened(octets: bytes, way: _Way, size: int) -> bytes:
    """Return as many characters as fit, and the mark that there were more."""
    more = way.encode(_MORE) or b"..."
    return next(_cut(octets, way, size - len(more))) + more
