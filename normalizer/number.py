"""The citizen's number of a ticket: ``YYYYMMDD-NNNNNN-C``.

The middle part counts the tickets of a day and has at least six digits; C is the Luhn digit over
all digits before it, so that a slip of one digit and nearly every swap of neighbours shows.
Source: contract section 3; ISO/IEC 7812-1 Annex B (the Luhn formula).
"""

import re
from datetime import date
from functools import lru_cache

_SHAPE = re.compile(r"(\d{8})-(\d{6}|[1-9]\d{6,9})-(\d)", re.ASCII)
#: How a number stands inside a text, well-formed or not.
IN_TEXT = re.compile(r"(?<![0-9-])[0-9]{8}-[0-9]{6,12}-[0-9](?![0-9-])")
#: Numbers of a text that are looked up.
MOST_CITED = 3
#: ASCII digit -> the digit sum of its double, as an octet.
_DOUBLED = bytes.maketrans(b"0123456789", bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_ZERO = ord("0")

#: What three digits add to the sum when the first and the last of them are doubled, and when the
#: middle one is: a number costs two look-ups then, and one is made for every ticket.
_OUTER = tuple(
    sum((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[d] for d in (n // 100, n % 10)) + n // 10 % 10
    for n in range(1000)
)
_INNER = tuple(
    (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[n // 10 % 10] + n // 100 + n % 10 for n in range(1000)
)


def check_digit(digits: str) -> str:
    """Return the Luhn digit that belongs behind ``digits``, a text of ASCII digits only."""
    return str(-_total(digits) % 10)


def _total(digits: str) -> int:
    octets = digits.encode("ascii")
    plain = octets[-2::-2]
    return sum(octets[-1::-2].translate(_DOUBLED)) + sum(plain) - _ZERO * len(plain)


_total_of_day = lru_cache(maxsize=8)(_total)


def make(day: str, count: int) -> str:
    """Return the number of the ``count``-th ticket of ``day``.

    Args:
        day: ``YYYYMMDD``.
        count: From 1 up; from 1,000,000 on the middle part grows.
    """
    if count > 999_999:
        return f"{day}-{count}-{check_digit(f'{day}{count}')}"
    total = _total_of_day(day) + _INNER[count // 1000] + _OUTER[count % 1000]
    return f"{day}-{count:06d}-{-total % 10}"


def parse(number: str) -> tuple[str, int] | None:
    """Return the day (``YYYYMMDD``) and the count of a well-formed number, None of any other.

    Digits other than ASCII, a day that no calendar has, a count of zero, more leading zeros than
    six digits need and a wrong check digit are malformed.
    """
    found = _SHAPE.fullmatch(number)
    if found is None:
        return None
    day, middle, check = found.groups()
    if check_digit(day + middle) != check or int(middle) == 0:
        return None
    try:
        date(int(day[:4]), int(day[4:6]), int(day[6:]))
    except ValueError:
        return None
    return day, int(middle)


def is_number(number: str) -> bool:
    """Return whether this is a well-formed number; it need not have been given out."""
    return parse(number) is not None
