"""Texts cut into messages that telephones join again. Sans-io.

Source: 3GPP TS 23.040 section 9.2.3.24.1 (concatenation, 8-bit reference) and 9.1 (140 octets);
160 septets of the default alphabet or 70 UTF-16 units fill one message, a part of several holds
153 or 67.
"""

from collections.abc import Callable, Iterator

from channels.sms.text import Alphabet, gsm7_octets
from normalizer.schema import Value

DEFAULT_CODING, UCS2_CODING = 0, 8
#: Longest single message and longest part, in septets and in octets.
_SEPTETS = (160, 153)
_OCTETS = (140, 134)
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
    encode, coding, (single, part) = _way(text, alphabet)
    characters = [encode(c) or b"" for c in text]
    if sum(map(len, characters)) <= single:
        return (Segment(coding=coding, octets=b"".join(characters)),)
    parts = list(_cut(characters, part))
    if len(parts) > most:
        shorter = _shortened(characters, encode(_MORE) or b"...", part * most)
        parts = list(_cut(shorter, part))[:most]
    total = len(parts)
    head = bytes([5, 0, 3, reference & 0xFF, total])
    return tuple(
        Segment(coding=coding, octets=head + bytes([n]) + octets, total=total, place=n)
        for n, octets in enumerate(parts, 1)
    )


def count(text: str, alphabet: Alphabet = "gsm7") -> int:
    """Return how many messages a text is."""
    return len(segments(text, 0, alphabet=alphabet, most=255))


def _way(
    text: str, alphabet: Alphabet
) -> tuple[Callable[[str], bytes | None], int, tuple[int, int]]:
    encode = _ENCODERS[alphabet]
    if all(encode(c) is not None for c in text):
        return encode, DEFAULT_CODING, _SEPTETS
    return _utf16, UCS2_CODING, _OCTETS


def _plain(character: str) -> bytes | None:
    """Return the octet of what ASCII and the default alphabet have in common."""
    octets = gsm7_octets(character)
    return octets if octets is not None and octets == character.encode() else None


def _latin1(character: str) -> bytes | None:
    return character.encode("latin-1") if ord(character) < 0x100 else None


def _utf16(character: str) -> bytes | None:
    return character.encode("utf-16-be", "replace")


_ENCODERS: dict[str, Callable[[str], bytes | None]] = {
    "gsm7": gsm7_octets,
    "ascii": _plain,
    "latin1": _latin1,
}


def _cut(characters: list[bytes], size: int) -> Iterator[bytes]:
    held = bytearray()
    for octets in characters:
        if len(held) + len(octets) > size:
            yield bytes(held)
            held.clear()
        held += octets
    if held:
        yield bytes(held)


def _shortened(characters: list[bytes], more: bytes, size: int) -> list[bytes]:
    """Return as many characters as surely fit, and the mark that there were more."""
    # A part may end early, before an escape or a pair: three octets each are room enough.
    left, kept = size - len(more) - 3 * (size // 134 + 1), []
    for octets in characters:
        left -= len(octets)
        if left < 0:
            break
        kept.append(octets)
    return [*kept, more]
