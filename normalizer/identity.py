"""Licence plates, identity cards and passports in a text, and the form of a text fit for logs."""

import re
from collections.abc import Callable
from datetime import date

from normalizer.number import is_number
from normalizer.phone import Found
from normalizer.text import normalize_text

_PROVINCES = (
    "京津沪滬渝冀豫云雲辽遼黑湘皖鲁魯新苏蘇浙赣贛鄂桂甘晋晉蒙陕陝吉闽閩贵貴粤粵青藏川宁寧琼瓊"
)
_KINDS = "挂掛学學警领領港澳试試超"
_SIMPLE = str.maketrans("滬雲遼魯蘇贛晉陝閩貴粵寧瓊掛學領試", "沪云辽鲁苏赣晋陕闽贵粤宁琼挂学领试")
_DOT = "[ ·.•・-]"
#: New-energy plates have six characters behind the city's letter, of which the first (cars) or the
#: last (lorries) names the drive. Source: GA 36-2018, 5.8 and Annex A.
_PLATE = re.compile(
    f"[{_PROVINCES}] ?[A-HJ-Z]{_DOT}?"
    f"(?:[A-HJK][A-HJ-NP-Z0-9][0-9]{{4}}|[0-9]{{5}}[A-HJK]|[A-HJ-NP-Z0-9]{{4}}[{_KINDS}]|[A-HJ-NP-Z0-9]{{5}})"
    f"(?![A-Z0-9])"
    f"|WJ ?[{_PROVINCES}]?{_DOT}?[0-9]{{4}}[0-9A-Z](?![A-Z0-9])"
    "|使(?:[0-9]{6}|[0-9]{3}·[0-9]{3})(?![0-9])",
    re.IGNORECASE,
)
_ID_CARD = re.compile(
    r"(?<![0-9A-Za-z])[1-9][0-9]{5}[ -]?(?:[0-9]{4}[ -]?[0-9]{4}[ -]?[0-9]{3}[0-9Xx]|[0-9]{9})(?![0-9A-Za-z])"
)
_PASSPORT = re.compile(
    r"(?<![0-9A-Za-z])(?:[EGDSP][0-9]{8}|E[A-HJ-NP-Z][0-9]{7})(?![0-9A-Za-z])", re.IGNORECASE
)
_GROUPING = re.compile("[ ·.•・-]")
#: Provinces by the first two digits of a card: GB/T 2260, and 91 for foreign residents.
_REGION = re.compile("1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91")
#: Source: GB 11643-1999 (ISO 7064 MOD 11-2).
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"


def find_plates(text: str) -> tuple[Found, ...]:
    """Return the licence plates of a normalized text; ``value`` is upper case without a dot."""
    return tuple(
        _found("plate", match, _GROUPING.sub("", match[0]).upper().translate(_SIMPLE))
        for match in _PLATE.finditer(text)
        if sum(letter.isdigit() for letter in match[0]) >= 2
    )


def find_id_cards(text: str) -> tuple[Found, ...]:
    """Return the identity card numbers of a normalized text, of 18 digits or the old 15.

    Only what has a province, a date that the calendar knows and, of 18 digits, the right check
    digit counts.
    """
    cards = ((match, _GROUPING.sub("", match[0]).upper()) for match in _ID_CARD.finditer(text))
    return tuple(_found("id_card", match, value) for match, value in cards if is_id_card(value))


def find_identities(text: str) -> tuple[Found, ...]:
    """Return plates, identity cards and passports of a normalized text in order of place."""
    passports = [_found("passport", match, match[0].upper()) for match in _PASSPORT.finditer(text)]
    found = [*find_plates(text), *find_id_cards(text), *passports]
    return tuple(sorted(found, key=lambda item: item.start))


def is_id_card(number: str) -> bool:
    """Return whether ``number`` (ASCII, upper case) can be an identity card's."""
    if not _REGION.match(number):
        return False
    if len(number) == 15:
        return _is_date("19" + number[6:12])
    return len(number) == 18 and _is_date(number[6:14]) and check_digit(number[:17]) == number[17]


def check_digit(body: str) -> str:
    """Return the check digit that belongs behind the first 17 digits of an identity card."""
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, body, strict=True))
    return _CHECKS[total % 11]


def _is_date(digits: str) -> bool:
    if digits[:2] not in {"19", "20"}:
        return False
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _found(kind: str, match: re.Match[str], value: str) -> Found:
    return Found(kind=kind, text=match[0], start=match.start(), end=match.end(), value=value)


# For logs -------------------------------------------------------------------------------------

_SAID = "零〇一幺二两兩三四五六七八九"
_BETWEEN = r"[\s·.,、_/()+\-]"
#: Ids of ours, without which a log would be of no use: UUID, digest, a ticket's number.
_OURS = re.compile(
    r"(?<![0-9A-Za-z])([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{64}"
    r"|20[0-9]{6}-[0-9]{6,10}-[0-9])(?![0-9A-Za-z-])"
)
_MAIL = re.compile(r"(?<![\w.%+\-])([\w.%+\-])[\w.%+\-]*@(?=[\w\-])")
_OPEN_ID = re.compile(r"(?<![\w\-])o[A-Za-z0-9_\-]{27}(?![\w\-])")
#: Wider than what the finders take: in a log, one too many hidden costs nothing.
_LIKE_PLATE = re.compile(
    rf"([{_PROVINCES}] ?[A-Z])[\s·.•・\-]{{0,2}}[A-Z0-9{_SAID}]{{4,7}}[{_KINDS}]?"
    rf"|(使|WJ ?[{_PROVINCES}]?|(?<![A-Z])[A-Z]{{2}})[\s·.•・\-]?[0-9]{{4,6}}(?![0-9])[A-Z]?"
    r"|(车牌(?:号码?)?[是为: ]{0,3})[A-Z0-9]{4,8}",
    re.IGNORECASE,
)
_LIKE_NUMBER = re.compile(
    rf"(QQ[号是: ]{{0,3}})\d{{5,6}}(?!\d)|[\d{_SAID}](?:{_BETWEEN}{{0,3}}[\d{_SAID}]){{6,}}[Xx]?",
    re.IGNORECASE,
)
_NOT_SAID = re.compile(rf"[^\d{_SAID}Xx]")


def mask(text: str) -> str:
    """Return ``text`` normalized, with what names a person hidden as far as operators allow.

    A mobile number keeps three and four digits (``138****8000``), a card of 15 or 18 digits its
    region, a longer number its last four, a plate its city, an address of e-mail its first
    letter and domain. Every other run of seven digits or more, spoken ones too, keeps three: it
    hides numbers that are no phone as well. The gateway's own ids and ticket numbers stay.
    """
    # Every second piece is one that the pattern's group captured.
    pieces = _OURS.split(normalize_text(text))
    pieces[::2] = [_hide(piece) for piece in pieces[::2]]
    pieces[1::2] = [piece if _is_ours(piece) else _hide(piece) for piece in pieces[1::2]]
    return "".join(pieces)


def _is_ours(piece: str) -> bool:
    return is_number(piece) or (len(piece) >= 36 and not piece.isdigit())


def _hide(text: str) -> str:
    text = _MAIL.sub(r"\1***@", text)
    text = _OPEN_ID.sub("o***", text)
    text = _LIKE_PLATE.sub(_hide_plate, text)
    return _LIKE_NUMBER.sub(_hide_number, text)


def _hide_plate(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None) + "*****"


def _hide_number(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1] + "*****"
    digits = _NOT_SAID.sub("", match[0])
    return next(form(digits) for fits, form in _FORMS if fits(digits))


_FORMS: tuple[tuple[Callable[[str], object], Callable[[str], str]], ...] = (
    (
        re.compile(r"(?:(?:00)?86)?0?1[3-9]\d{9}").fullmatch,
        lambda digits: f"{digits[-11:-8]}****{digits[-4:]}",
    ),
    (re.compile(r"\d{15}|\d{17}[\dXx]").fullmatch, lambda digits: digits[:6] + "************"),
    (re.compile(r"\d{13,}").fullmatch, lambda digits: "****" + digits[-4:]),
    (lambda _: True, lambda digits: digits[:3] + "****"),
)

# For the public --------------------------------------------------------------------------------

_HAN = "\u3400-\u4dbf\u4e00-\u9fff"
#: How citizens tell their names. What is hidden beside a name, a verb for example, is a small loss.
_NAMED = re.compile(
    rf"(我(?:的名字)?叫|我的?姓名|(?<![{_HAN}])姓名|联系人|本人姓名?)([是为:： ]{{0,3}})[{_HAN}·]{{2,4}}"
)
_NUMERAL = "[0-9A-Za-z一二三四五六七八九十百]"
#: What tells one home from others of a building.
_HOME = re.compile(
    rf"{_NUMERAL}{{1,5}}(?:单元|室|户(?!口|籍)|房间|号房)"
    r"|(?<=[栋幢座楼])\d{1,2}(?:-\d{1,4}){1,2}(?!\d)"
)


def for_the_public(text: str, name: str | None = None) -> str:
    """Return ``text`` as `mask` does, without the homes and the names that it tells.

    Args:
        text: A citizen's words, or an address.
        name: Of the citizen; hidden wherever it stands, where it has two characters or more.
    """
    shown = _HOME.sub("*", mask(text))
    shown = _NAMED.sub(r"\1\2**", shown)
    return shown.replace(name, "**") if name is not None and len(name) > 1 else shown
