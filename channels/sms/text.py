"""Octets of a text message to characters and back. Sans-io.

A message is decoded only once it is whole: carriers cut at octets, through characters.

Source: data codings SMPP 3.4 section 5.2.19 and 3GPP TS 23.038 sections 4 and 6.2.1 (default
alphabet and its extension table); CMPP 3.0 section 7.4.2.1, field Msg_Fmt.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, TypeAlias

from normalizer.schema import Value

#: What data coding 0 means by agreement with the carrier.
Alphabet: TypeAlias = Literal["gsm7", "ascii", "latin1"]

#: 3GPP TS 23.038 section 6.2.1, the place of a character is its code; 0x1B leads to `_EXTENSION`.
_GSM7 = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
ESCAPE = 0x1B
#: 3GPP TS 23.038 section 6.2.1.1.
_EXTENSION: Mapping[int, str] = MappingProxyType(
    {
        0x0A: "\f",
        0x14: "^",
        0x28: "{",
        0x29: "}",
        0x2F: "\\",
        0x3C: "[",
        0x3D: "~",
        0x3E: "]",
        0x40: "|",
        0x65: "€",
    }
)
_TO_GSM7: Mapping[str, bytes] = MappingProxyType(
    {character: bytes([code]) for code, character in enumerate(_GSM7) if code != ESCAPE}
    | {character: bytes([ESCAPE, code]) for code, character in _EXTENSION.items()}
)

GSM7, ASCII, LATIN1, BINARY, UCS2, GB = "gsm7", "ascii", "latin1", "binary", "ucs2", "gb18030"

#: SMPP 3.4 section 5.2.19; 15 is reserved there and means GB in China (CMPP's Msg_Fmt).
_CODINGS: Mapping[int, str] = MappingProxyType(
    {
        1: ASCII,
        2: BINARY,
        3: LATIN1,
        4: BINARY,
        5: "shift_jis",
        6: "iso8859_5",
        7: "iso8859_8",
        8: UCS2,
        10: "iso2022_jp",
        14: "euc_kr",
        15: GB,
    }
)
_LONE = re.compile("[\ud800-\udfff]")
#: What a text in Chinese or English is made of.
_PLAIN = re.compile(r"[一-鿿㐀-䶿 -~　-〿！-～\r\n\t‘’“”…—·]")
#: Share of such characters from which on a guess is taken for right.
_ENOUGH = 0.7


class Decoded(Value, frozen=True, kw_only=True):
    """A message as characters."""

    text: str
    sure: bool  #: False: a guess, a human must look at the octets


def charset_of(coding: int, default: Alphabet) -> str | None:
    """Return the charset that a data coding means, None where nobody knows.

    Args:
        coding: One octet.
        default: What 0 means on this account.
    """
    if coding in _CODINGS:
        return _CODINGS[coding]
    if coding & 0xC0 == 0:  # general group: bits 3 and 2 are the alphabet, bit 5 compression
        if coding & 0x20:
            return None
        return (default, BINARY, UCS2, None)[coding >> 2 & 3] if coding != 0 else default
    if coding & 0xF0 == 0xF0:  # data coding and message class
        return BINARY if coding & 0x04 else GSM7
    if coding & 0xF0 == 0xE0:  # message waiting, 3GPP TS 23.038 section 4
        return UCS2
    return GSM7 if coding & 0xE0 == 0xC0 else None


def decode(octets: bytes, coding: int, default: Alphabet = "gsm7") -> Decoded:
    """Return a whole message as characters; never raises, and never drops what it cannot read."""
    if not octets:
        return Decoded(text="", sure=True)
    charset = charset_of(coding, default)
    if charset == UCS2:
        return _ucs2(octets)
    if charset == GSM7:
        text = gsm7_text(octets)
        return _guessed(octets) if text is None else Decoded(text=text, sure=True)
    if charset in (None, BINARY):
        return _guessed(octets)
    try:
        return Decoded(text=octets.decode(charset), sure=True)
    except UnicodeDecodeError:
        return _guessed(octets)


def _ucs2(octets: bytes) -> Decoded:
    """Decode as UTF-16: emoji come as surrogate pairs; an odd last octet is half a character."""
    text = octets[: len(octets) & ~1].decode("utf-16-be", "surrogatepass")
    # Where a pair was whole it is one character already; half a one has no form in UTF-8.
    whole = text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "replace")
    return Decoded(text=_LONE.sub("\ufffd", whole), sure=True)


def gsm7_text(octets: bytes) -> str | None:
    """Return a text of unpacked septets, None where an octet is none.

    An escape before something else than an extension stands for a space (23.038 section 6.2.1).
    """
    if any(octet & 0x80 for octet in octets):
        return None
    out: list[str] = []
    escaped = False
    for octet in octets:
        if escaped:
            out.append(_EXTENSION.get(octet, _GSM7[octet] if octet != ESCAPE else " "))
            escaped = False
        elif octet == ESCAPE:
            escaped = True
        else:
            out.append(_GSM7[octet])
    return "".join(out)


def gsm7_octets(text: str) -> bytes | None:
    """Return a text as unpacked septets, None if the alphabet lacks one of its characters."""
    try:
        return b"".join([_TO_GSM7[character] for character in text])
    except KeyError:
        return None


def _guessed(octets: bytes) -> Decoded:
    """Return the likeliest reading of octets of an unknown coding; hexadecimal digits at worst."""
    best, most = "", 0.0
    for charset in ("utf-8", "gb18030", "utf-16-be"):
        try:
            text = octets.decode(charset)
        except UnicodeDecodeError:
            continue
        share = len(_PLAIN.findall(text)) / len(text) if text else 0.0
        if share > most:
            best, most = text, share
    return Decoded(text=best if most >= _ENOUGH else octets.hex(" "), sure=False)
