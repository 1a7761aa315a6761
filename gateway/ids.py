"""Identifiers: sortable, unique, made without asking the store."""

import os
import time
import uuid


def new_id() -> str:
    """Return a UUID version 7: milliseconds since 1970, then 74 random bits.

    Source: RFC 9562 §5.7.
    """
    milliseconds = time.time_ns() // 1_000_000
    tail = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & 0xFFFFFFFFFFFF) << 80 | tail
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=value))
