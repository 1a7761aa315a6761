"""Builds a ``winmail.dat``; MS-OXTNEF §2.1.3."""

import struct


def _attribute(level: int, tag: int, value: bytes) -> bytes:
    return (
        struct.pack("<BII", level, tag, len(value)) + value + struct.pack("<H", sum(value) % 65536)
    )


def _padded(value: bytes) -> bytes:
    return struct.pack("<II", 1, len(value)) + value + bytes(-len(value) % 4)


def properties(*found: tuple[int, int, bytes]) -> bytes:
    """Return properties of type, number and value."""
    out = struct.pack("<I", len(found))
    for kind, number, value in found:
        out += struct.pack("<HH", kind, number)
        out += value if kind in {3, 0x0B} else _padded(value)
    return out


def winmail(*files: tuple[str, bytes], mail: bytes = b"") -> bytes:
    """Return a stream with files, their long names as UTF-16, and properties of the mail."""
    out = struct.pack("<IH", 0x223E9F78, 1) + _attribute(1, 0x00089006, b"\0\0\1\0")
    out += _attribute(1, 0x00069007, struct.pack("<II", 936, 0))
    if mail:
        out += _attribute(1, 0x00069003, mail)
    for name, content in files:
        out += _attribute(2, 0x00069002, struct.pack("<HIHHI", 1, 0xFFFFFFFF, 32, 32, 0))
        out += _attribute(2, 0x00018010, "短名.JPG".encode("gbk") + b"\0")
        out += _attribute(2, 0x0006800F, content)
        long = (0x1F, 0x3707, name.encode("utf-16-le") + b"\0\0")
        other = (0x03, 0x7FFF, struct.pack("<I", 7))
        out += _attribute(2, 0x00069005, properties(other, long))
    return out
