"""Identifiers: sortable, unique, made without asking the store."""

import random
import time

#: Bits 48-51 hold the version, 64-65 the variant, counted from the left.
_FIXED = 0xF << 76 | 0x3 << 62
_VERSION_AND_VARIANT = 7 << 76 | 2 << 62


def new_id() -> str:
    """Return a UUID version 7: milliseconds since 1970, then 74 random bits.

    Source: RFC 9562 §5.7.
    """
    milliseconds = time.time_ns() // 1_000_000 & 0xFFFFFFFFFFFF
    # Ids must be unique, not secret. The system's generator would give the interpreter's lock away
    # to the store's writer at every call.
    tail = random.getrandbits(80)
    value = milliseconds << 80 | tail & ~_FIXED | _VERSION_AND_VARIANT
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
