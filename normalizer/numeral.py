"""Whole numbers as people write them: 12, 十二, 二十, 两, 二〇二六."""

_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_UNITS = {"十": 10, "百": 100, "千": 1000}
#: Digits in a row: what the characters of a year or a room number spell.
_SPELLED = str.maketrans("零〇一二三四五六七八九", "00123456789")
_ONES = "一二三四五六七八九"
_TENS = ("", "十", *(f"{ten}十" for ten in _ONES[1:]))
#: What nearly every numeral in a text is.
_SMALL = {f"{_TENS[n // 10]}{'' if n % 10 == 0 else _ONES[n % 10 - 1]}": n for n in range(1, 100)}
_SMALL |= {str(n): n for n in range(100)}


def read_numeral(written: str) -> int | None:
    """The number that ASCII digits or Chinese numerals below 10,000 tell; None for anything else.

    廿 and 卅 are read. 十几 and 两三 tell no one number.
    """
    small = _SMALL.get(written)
    if small is not None:
        return small
    if written.isdecimal():
        return int(written) if written.isascii() and len(written) < 10 else None
    spelled = written.translate(_SPELLED)
    if spelled.isascii():
        return int(spelled) if spelled.isdecimal() and len(spelled) < 10 else None
    total, digit, least = 0, None, 10_000
    for char in written.replace("廿", "二十").replace("卅", "三十"):
        unit = _UNITS.get(char)
        if unit is not None and unit < least and digit != 0:
            total, digit, least = total + (digit or 1) * unit, None, unit
        elif char in _DIGITS and digit in {None, 0}:
            digit = _DIGITS[char]
        else:
            return None
    return total + (digit or 0)
