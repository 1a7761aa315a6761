"""What Outlook hides in a ``winmail.dat``: files, and at times the text; sans-io.

Source: MS-OXTNEF §2.1.3 (attributes), §2.1.3.4 (properties); MS-OXPROPS for the properties' numbers.
"""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.email.charset import decode

_SIGNATURE = struct.pack("<I", 0x223E9F78)
_RENDERED, _TITLE, _DATA, _ATTACHMENT = 0x00069002, 0x00018010, 0x0006800F, 0x00069005
_BODY, _PROPERTIES, _CODEPAGE = 0x0002800C, 0x00069003, 0x00069007
_TEXT, _RICH, _PAGE = 0x1000, 0x1009, 0x1013
_CONTENT, _SHORT, _LONG = 0x3701, 0x3704, 0x3707
#: Octets of a value by its type, as it stands in the stream; others have a length.
_FIXED = {
    **dict.fromkeys((0x02, 0x03, 0x04, 0x0A, 0x0B), 4),
    **dict.fromkeys((0x05, 0x06, 0x07, 0x14, 0x40), 8),
    0x48: 16,
}
_OBJECT, _WIDE = 0x00D, 0x01F
_MOST = 5000  #: attributes, or properties of one of them


@dataclass
class Hidden:
    """What was found."""

    text: str = ""
    page: bytes = b""  #: the text as a page, where there is one
    rich: bool = False  #: there is a text in RTF, which nobody here reads
    files: list[tuple[str, bytes]] = field(default_factory=list)


class _Cursor:
    """Reads numbers and octets one after another. Raises `ValueError` at the end."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def left(self) -> int:
        """How many octets are left."""
        return len(self._octets) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise ValueError("it is cut off")
        self._at += count
        return self._octets[self._at - count : self._at]

    def number(self, octets: int = 4) -> int:
        return int.from_bytes(self.take(octets), "little")

    def padded(self) -> bytes:
        """Return a value with its length before it; it is filled up to groups of four."""
        value = self.take(self.number())
        self.take(min(-len(value) % 4, self.left))
        return value


def is_tnef(octets: bytes) -> bool:
    """Return whether something is of this form at all."""
    return octets.startswith(_SIGNATURE)


def hidden(octets: bytes) -> Hidden:
    """Return what is inside, as far as it can be read: what is cut off keeps what stands before."""
    found, charset = Hidden(), "cp936"
    for tag, value in _attributes(octets):
        if tag == _CODEPAGE:
            charset = f"cp{int.from_bytes(value[:4], 'little')}"
        elif tag == _RENDERED:
            found.files.append(("", b""))
        elif tag == _BODY:
            found.text = _words(value, charset)
        elif tag == _PROPERTIES:
            _of_the_mail(found, _properties(value), charset)
        elif found.files:
            found.files[-1] = _of_a_file(*found.files[-1], tag, value, charset)
    found.files = [(name or "file", content) for name, content in found.files if content]
    return found


def _attributes(octets: bytes) -> Iterator[tuple[int, bytes]]:
    cursor = _Cursor(octets)
    with contextlib.suppress(ValueError):
        cursor.take(6)  # signature and key
        for _ in range(_MOST):
            cursor.take(1)  # of the mail or of a file; the tag tells it too
            tag = cursor.number()
            yield tag, cursor.take(cursor.number())
            cursor.take(2)  # sum of the octets


def _properties(octets: bytes) -> dict[int, bytes]:
    """Return the first values of properties by number; of text as UTF-16 bit 16 is set."""
    cursor, found = _Cursor(octets), dict[int, bytes]()
    with contextlib.suppress(ValueError):
        for _ in range(min(cursor.number(), _MOST)):
            kind, number = cursor.number(2), cursor.number(2)
            if number >= 0x8000:
                _skip_name(cursor)
            value = _value(cursor, kind)
            if kind & 0xFFF == _OBJECT:
                value = value[16:]  # which interface it has
            found[number | 0x10000 if kind & 0xFFF == _WIDE else number] = value
    return found


def _skip_name(cursor: _Cursor) -> None:
    cursor.take(16)
    if cursor.number() == 0:
        cursor.take(4)
    else:
        cursor.padded()


def _value(cursor: _Cursor, kind: int) -> bytes:
    size = _FIXED.get(kind & 0xFFF)
    if size is not None:
        count = cursor.number() if kind & 0x1000 else 1
        return cursor.take(size * min(count, cursor.left))
    values = [cursor.padded() for _ in range(min(cursor.number(), _MOST))]
    return values[0] if values else b""


def _of_the_mail(found: Hidden, properties: dict[int, bytes], charset: str) -> None:
    if not found.text:
        found.text = _named(properties, _TEXT, charset)
    found.page = properties.get(_PAGE, b"")
    found.rich = _RICH in properties


def _of_a_file(
    name: str, content: bytes, tag: int, value: bytes, charset: str
) -> tuple[str, bytes]:
    if tag == _TITLE:
        return name or _words(value, charset), content
    if tag == _DATA:
        return name, value
    if tag == _ATTACHMENT:
        told = _properties(value)
        better = _named(told, _LONG, charset) or name or _named(told, _SHORT, charset)
        # Of a mail or a document inside the stream has an icon too.
        return better, max(content, told.get(_CONTENT, b""), key=len)
    return name, content


def _named(properties: dict[int, bytes], number: int, charset: str) -> str:
    wide = properties.get(number | 0x10000)
    if wide is not None:
        return wide.decode("utf-16-le", "replace").rstrip("\0")
    return _words(properties.get(number, b""), charset)


def _words(octets: bytes, charset: str) -> str:
    return decode(octets.rstrip(b"\0"), charset).text
