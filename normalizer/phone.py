"""Phone numbers: what a citizen typed or said, to E.164.

Mainland numbers are told by their shape alone, which is a hundred times faster than a library and
enough: a mobile number has 11 digits from 13 to 19; a fixed one has a trunk 0, an area code (10,
two digits from 20, three digits from 310) and 7 or 8 digits of which the first is 2 to 8.
Source: 电信网编号计划 (2017), MIIT. All other countries' numbers are left to ``phonenumbers``.

Emergency and service numbers (110, 12345, 95588, 400 and 800 numbers) are nobody's own and have
no E.164 form that can be called back, so they are not phones here.
"""

import re

import phonenumbers

from normalizer.schema import Value
from normalizer.text import normalize_text

_LONGEST = 64  #: characters; what is longer is no phone number
_MOBILE = re.compile(r"(?:(?:\+|00)?86[- ]?)?(1[3-9][0-9]{9})")
_EXTENSION = re.compile(r"(?:转|轉|分机|分機|;?ext\.?=?|[x#,])[ :]*[0-9]{1,6}$", re.IGNORECASE)
#: A fixed number with a dashed extension; the dash alone would not tell it from a group of digits.
_DASHED = re.compile(r"(\(?0[0-9]{2,3}\)?[- ]?[2-8][0-9]{2,3}[- ]?[0-9]{4})-[0-9]{1,6}")
_GROUPING = re.compile(r"[\s\-().·/_]+")
_DIGITS = re.compile(r"\+?[0-9]{7,18}")
_NATIONAL_MOBILE = re.compile(r"0?(1[3-9][0-9]{9})")
#: Without the trunk 0. 400 and 800 would be area codes by shape.
_FIXED = re.compile(r"(?:10|2[0-9])[2-8][0-9]{7}|(?!400|800)[3-9][0-9]{2}[2-8][0-9]{6,7}")
_LOCAL = re.compile(r"(?!400|800)[2-8][0-9]{6,7}")
#: Neighbours whose numbers people write without a plus: Hong Kong, Macao, Taiwan.
_NEIGHBOUR = re.compile(r"85[23][0-9]{8}|8860?[2-9][0-9]{7,8}")
_SPOKEN_DIGITS = str.maketrans("零〇一幺二三四五六七八九", "001123456789")


class Found(Value, frozen=True, kw_only=True):
    """Something personal that a text holds, in code points of that text."""

    kind: str  #: phone, plate, id_card or passport
    text: str  #: as written
    start: int
    end: int
    value: str  #: in canonical form


def to_e164(raw: str, area_code: str | None) -> str | None:
    """Return the number in E.164, None where ``raw`` is no number that can be called back.

    An extension is dropped: E.164 has none.

    Args:
        raw: As typed or as a carrier gave it: any grouping, full-width digits, ``tel:``.
        area_code: Of the instance's city, with or without its 0, for numbers of 7 or 8 digits.
    """
    plain = _MOBILE.fullmatch(raw)
    if plain:
        return "+86" + plain[1]
    if len(raw) > _LONGEST:
        return None
    return _parse(_bare(raw), area_code)


def _bare(raw: str) -> str:
    text = normalize_text(raw).removeprefix("tel:").translate(_SPOKEN_DIGITS)
    dashed = _DASHED.fullmatch(text)
    text = dashed[1] if dashed else _EXTENSION.sub("", text)
    return _GROUPING.sub("", text)


def _parse(digits: str, area_code: str | None) -> str | None:
    """Return E.164 of ``digits`` with perhaps a plus, free of grouping."""
    if not _DIGITS.fullmatch(digits):
        return None
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    if digits.startswith("+"):
        return _mainland(digits[3:]) if digits.startswith("+86") else _abroad(digits)
    if _LOCAL.fullmatch(digits):
        return _mainland(f"0{area_code.removeprefix('0')}{digits}") if area_code else None
    if _NEIGHBOUR.fullmatch(digits):
        return _abroad("+" + digits)
    # Without 0 or 86 in front, an area code cannot be told from other digits.
    told = digits.startswith(("0", "86")) or _NATIONAL_MOBILE.fullmatch(digits)
    return _mainland(digits.removeprefix("86")) if told else None


def _mainland(national: str) -> str | None:
    mobile = _NATIONAL_MOBILE.fullmatch(national)
    if mobile:
        return "+86" + mobile[1]
    fixed = national.removeprefix("0")
    return "+86" + fixed if _FIXED.fullmatch(fixed) else None


def _abroad(digits: str) -> str | None:
    try:
        number = phonenumbers.parse(digits)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


# In running text ------------------------------------------------------------------------------

#: Seven digits or more in one go, however grouped.
_RUN = re.compile(r"\+?\(?[0-9](?:[ \-().]{0,2}[0-9]){6,}(?:(?:转|分机)[ :]?[0-9]{1,6}(?![0-9]))?")
_SPOKEN = re.compile(
    "(?<![零〇一幺二三四五六七八九])[一幺][三四五六七八九](?:[ 、,-]?[零〇一幺二三四五六七八九]){9}"
    "(?![零〇一幺二三四五六七八九十百千万])"
)
_TOKEN = re.compile(r"[^ .]+")
_MOST_TOKENS = 6  #: a number in single digits is one run; in groups it has no more than six
_MOST_DIGITS = 40  #: longer runs are tables or noise
_OTHER_NUMBER = re.compile(
    r"(?:订单|单号|编号|工单|流水|运单|快递|账号|帐号|卡号|户号|表号|证号|身份证|代码|税号|案号)[^0-9。;!?\n]{0,4}$"
)
_MEASURED = re.compile(r" ?[元块万亿]|[A-Za-z@]|\.?[0-9]")
_PHONE_WORD = re.compile(
    r"(?:电话|電話|座机|固话|号码|拨打|致电|联系|聯繫|传真|tel|phone)[^0-9\n]{0,6}$", re.IGNORECASE
)
_LETTERS = re.compile(r"[A-Za-z_@]+$")
_PHONE_LETTERS = frozenset({"tel", "phone", "mobile", "mob", "ph", "t", "v", "vx", "wx", "wechat"})
#: Dots group a mobile number in one way only; 1971.12-1972.1 is a span of time.
_DOTTED = re.compile(r"(?:\+?86[ .-]?)?1[0-9]{2}\.[0-9]{4}\.[0-9]{4}")
_DATE = re.compile(r"(?:19|20)[0-9]{2}[-.]?(?:0?[1-9]|1[0-2])[-.]?[0-3]?[0-9]")


def find_phones(text: str, area_code: str | None) -> tuple[Found, ...]:
    """Return the phone numbers of a normalized text in order of place.

    Digits of cards, orders and amounts, service numbers and dates are none. A number without its
    area code counts only behind a word such as 电话. Eleven spoken digits (一三八… or 幺三八…)
    count as a mobile number.
    """
    found = [
        item
        for run in _RUN.finditer(text)
        for item in _of_run(text, run.start(), run.end(), area_code)
    ]
    found += [
        _found(
            text,
            *run.span(),
            "+86" + _GROUPING.sub("", re.sub("[、,]", "", run[0])).translate(_SPOKEN_DIGITS),
        )
        for run in _SPOKEN.finditer(text)
    ]
    return tuple(sorted(found, key=lambda item: item.start))


def _of_run(text: str, start: int, end: int, area_code: str | None) -> list[Found]:
    """Return what one run of digits holds: itself, or else the longest groups that are numbers."""
    if sum(letter.isdigit() for letter in text[start:end]) > _MOST_DIGITS:
        return []
    whole = _number(text, start, end, area_code)
    if whole:
        return [_found(text, start, end, whole)]
    tokens = [token.span() for token in _TOKEN.finditer(text, start, end)]
    if len(tokens) < 2 or text.startswith(("400", "800"), start):
        return []
    return _of_tokens(text, tokens, area_code)


def _of_tokens(text: str, tokens: list[tuple[int, int]], area_code: str | None) -> list[Found]:
    found = []
    first = 0
    while first < len(tokens):
        last = min(len(tokens), first + _MOST_TOKENS)
        for until in range(last, first, -1):
            start, end = tokens[first][0], tokens[until - 1][1]
            value = _number(text, start, end, area_code)
            if value:
                found.append(_found(text, start, end, value))
                break
        else:
            until = first + 1
        first = until
    return found


def _number(text: str, start: int, end: int, area_code: str | None) -> str | None:
    """Return E.164 of the span if it is a phone and its surroundings do not say otherwise."""
    before = text[max(0, start - 12) : start]
    if _OTHER_NUMBER.search(before) or _MEASURED.match(text, end) or _glued(before):
        return None
    written = text[start:end]
    if "." in written and not _DOTTED.fullmatch(written):
        return None
    digits = _bare(written)
    if len(digits) <= 8 and (not _PHONE_WORD.search(before) or _DATE.fullmatch(written)):
        return None
    return _parse(digits, area_code)


def _glued(before: str) -> bool:
    """Return whether letters stand right before that make the digits part of a name."""
    letters = _LETTERS.search(before)
    return letters is not None and letters[0].lower() not in _PHONE_LETTERS


def _found(text: str, start: int, end: int, value: str) -> Found:
    return Found(kind="phone", text=text[start:end], start=start, end=end, value=value)


# The citizen's own ----------------------------------------------------------------------------

#: Words in the first person. Every alternative begins with a plain character: so a text without
#: them is passed over at full speed.
_OWN_WORDS = "|".join(
    [
        *(f"{self}的?(?:联系|手机|电话|号码|座机|微信)" for self in ("我", "俺", "本人")),
        *(f"{verb}我(?:回?电|来?电话|打)" for verb in ("给", "回", "打")),
        "联系我",
    ]
)
_OWN = re.compile(_OWN_WORDS)
_OWN_BEFORE = re.compile(f"(?:{_OWN_WORDS})(?:[是为:, (]|号码?|手机|电话|方式|微信|同号|回复)*$")
_NEAR = 16  #: code points between the words and the number


def own_phone(text: str, area_code: str | None) -> str | None:
    """Return the number that the citizen calls their own (我的电话…, 请联系我…), in E.164.

    Only words in the first person count. A bare ``电话`` may well be that of the party complained
    of, and whoever is taken for the citizen is told of the request. None as well where two
    different numbers are called the citizen's own.
    """
    if not _OWN.search(text):
        return None
    own = {found.value for found in find_phones(text, area_code) if _is_own(text, found.start)}
    return own.pop() if len(own) == 1 else None


def _is_own(text: str, start: int) -> bool:
    return _OWN_BEFORE.search(text, max(0, start - _NEAR), start) is not None
