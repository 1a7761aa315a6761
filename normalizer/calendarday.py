"""The day, or the moment, in an expression of time: 昨天, 上周三, 11月20日, 十分钟前.

Each reader is given the folded text, a word of time, where it stands and the wall clock of the
receipt. It tells None where the word, as it stands there, is none of time.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import NamedTuple

from normalizer.numeral import read_numeral
from normalizer.timeofday import CHINESE, NUMBER
from normalizer.timewords import (
    DAYS,
    DAYS_IN_PARTS,
    NUMBERED_THINGS,
    PARTS,
    TO_COME,
    WEEKDAYS,
    WEEKS,
)

MINUTE, HOUR, PART_OF_DAY, DAY = "minute", "hour", "part_of_day", "day"

_NUMBER_BEFORE = re.compile(f"{NUMBER}$")
_PART_AFTER = re.compile("|".join(sorted(PARTS, key=len, reverse=True)))
_AGO = re.compile(
    f"(?P<n>[0-9]{{1,4}}|[{CHINESE}]{{1,4}}|十几|几|半)(?P<more>多)?个?(?P<half>半)?多?"
    "(?P<unit>分钟|小时|钟头|天|周|星期|礼拜|月|年)多?(?:左右)?$"
)
_DATE = re.compile(
    rf"(?:(?P<year>[0-9]{{4}}|[0-9]{{2}}|[零〇一二三四五六七八九]{{4}}|[今去前本])年)?(?:(?P<month>{NUMBER})月份?"
    rf"|(?P<that>上上个?|上个?|本|这个?|当)月)(?P<day>{NUMBER})"
    "(?:[日号](?!楼)|(?=[ ,]?(?:[0-9]{1,2}[:点时]|[凌清早上中下傍晚夜深半])))"
)
_ISO = re.compile(r"((?:19|20)[0-9]{2})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?![0-9])t?")
_SHORT_DATE = re.compile("(?<![0-9./-])([0-9]{1,2})[./]([0-9]{1,2})[日号]? ?$")
_ALPHANUMERIC = "0123456789abcdefghijklmnopqrstuvwxyz"
_CLAUSE_END = re.compile("[,。;!?\n]")
#: A date without a year that lies further ahead is of the year before.
_HALF_A_YEAR = timedelta(days=183)
_MONTHS = {"上上": -2, "上": -1, "本": 0, "这": 0, "当": 0}
_YEARS = {"今": 0, "本": 0, "去": -1, "前": -2}


class Told(NamedTuple):
    """The day, or the moment, that an expression tells before any time of day."""

    start: int
    end: int
    day: date | None = None
    closed: bool = False  #: a day that is not to be used: to come, customary or impossible
    moment: datetime | None = None  #: of 刚才 and 十分钟前
    precision: str = DAY
    about: bool = False
    needs_clock: bool = False  #: 20号 is a day only where a time of day follows


def _read_day(folded: str, word: str, at: int, now: datetime) -> Told:
    return Told(at, at + len(word), now.date() + timedelta(days=DAYS[word]))


def _read_fused(folded: str, word: str, at: int, now: datetime) -> Told | None:
    """昨 and 今 in 昨晚 and 今早; 前 in 前晚 and in 十分钟前."""
    if word == "前":
        ago = _read_ago(folded, word, at, now)
        if ago is not None:
            return ago
        if folded[at - 1 : at] in {"之", "以", "从", "提", "目", "面", "先", "天", "月", "年"}:
            return None
    if _PART_AFTER.match(folded, at + 1) is None:
        return None
    return Told(at, at + 1, now.date() + timedelta(days=DAYS_IN_PARTS[word]))


def _read_just(folded: str, word: str, at: int, now: datetime) -> Told:
    return Told(at, at + len(word), now.date(), moment=now, precision=MINUTE, about=True)


def _read_closed(folded: str, word: str, at: int, now: datetime) -> Told:
    return Told(at, at + len(word), closed=True)


def _read_part(folded: str, word: str, at: int, now: datetime) -> Told:
    return _on_short_date(folded, at, now) or Told(at, at)


def _read_clock_alone(folded: str, word: str, at: int, now: datetime) -> Told | None:
    number = _NUMBER_BEFORE.search(folded, max(0, at - 3), at)
    if number is None or folded[number.start() - 1 : number.start()] in {":", ".", "-", "第"}:
        return None
    return _on_short_date(folded, number.start(), now) or Told(number.start(), number.start())


def _on_short_date(folded: str, at: int, now: datetime) -> Told | None:
    """11.20晚上, 11/20 21:05: month and day by digits, before a time of day alone."""
    found = _SHORT_DATE.search(folded, max(0, at - 8), at)
    if found is None:
        return None
    day = _of_year(None, int(found[1]), int(found[2]), now.date())
    return Told(found.start(), found.end(), day, closed=day is None)


def _read_weekday(folded: str, word: str, at: int, now: datetime) -> Told | None:
    end = at + len(word)
    if folded[end : end + 1] == "次":
        return None  # 一周一次
    start, weeks = at, None
    for before, distance in WEEKS:
        if folded.endswith(before, 0, at):
            start, weeks = at - len(before), distance
            break
    if folded[start - 1 : start] in set("至到~-—和、及每下两一") or folded[end : end + 1] in set(
        "至到~-—"
    ):
        return Told(start, end, closed=True)
    rest = _CLAUSE_END.split(folded[end : end + 30], maxsplit=1)[0]
    if weeks is None and any(word in rest for word in TO_COME):
        return Told(start, end, closed=True)
    today = now.date()
    if weeks is None:
        day = today - timedelta(days=(today.weekday() - WEEKDAYS[word]) % 7)
    else:
        day = today + timedelta(days=7 * weeks + WEEKDAYS[word] - today.weekday())
    return Told(start, end, day)


def _read_month(folded: str, word: str, at: int, now: datetime) -> Told | None:
    """11月20号, 去年3月5日, 上个月15号."""
    found = _DATE.search(folded, max(0, at - 9), at + 10)
    if found is None or found.start() > at or found.end() <= at:
        return None
    today, number = now.date(), read_numeral(found["day"]) or 0
    if found["that"]:
        months = today.year * 12 + today.month - 1 + _MONTHS[found["that"].removesuffix("个")]
        day = _date(months // 12, months % 12 + 1, number)
    else:
        day = _of_year(found["year"], read_numeral(found["month"]) or 0, number, today)
    return Told(found.start(), found.end(), day, closed=day is None)


def _of_year(year: str | None, month: int, number: int, today: date) -> date | None:
    if year is None:
        day = _date(today.year, month, number)
        if day is not None and day - today > _HALF_A_YEAR:
            return _date(today.year - 1, month, number)
        return day
    if year in _YEARS:
        return _date(today.year + _YEARS[year], month, number)
    told = read_numeral(year) or 0
    return _date(told + 2000 if len(year) == 2 else told, month, number)


def _read_monthday(folded: str, word: str, at: int, now: datetime) -> Told | None:
    """20号 before a time of day: the latest 20th."""
    number = _NUMBER_BEFORE.search(folded, max(0, at - 3), at)
    if number is None:
        return None
    dated = _on_short_date(folded, at + 1, now)
    if dated is not None:
        return dated
    before = folded[number.start() - 1 : number.start()]
    if before and (before in NUMBERED_THINGS or before in "-./" or before in _ALPHANUMERIC):
        return None
    today, told = now.date(), read_numeral(number[0]) or 0
    day = _date(today.year, today.month, told)
    if day is None or day > today:
        month = today.replace(day=1) - timedelta(days=1)
        day = _date(month.year, month.month, told)
    return Told(number.start(), at + 1, day, closed=day is None, needs_clock=True)


def _read_iso(folded: str, word: str, at: int, now: datetime) -> Told | None:
    """2026-11-20, 2026/11/20 or 2026.11.20."""
    found = _ISO.match(folded, at)
    if found is None or folded[at - 1 : at].isdecimal():
        return None
    day = _date(int(found[1]), int(found[3]), int(found[4]))
    return Told(at, found.end(), day, closed=day is None)


def _read_ago(folded: str, word: str, at: int, now: datetime) -> Told | None:
    """十分钟前, 两个半小时之前, 三天前."""
    found = _AGO.search(folded, max(0, at - 10), at)
    if found is None:
        return None
    start, end, unit = found.start(), at + len(word), found["unit"]
    about = "多" in found[0] or "左右" in found[0] or "几" in found["n"] or _is_range(found["n"])
    if found["n"] == "几" and unit == "分钟":
        return Told(start, end, moment=now, precision=MINUTE, about=True)
    count = _count(found)
    if count is None or unit in {"月", "年"} or count > 10_000:
        return Told(start, end, closed=True)
    if unit in {"分钟", "小时", "钟头"}:
        minutes = count if unit == "分钟" else count * 60
        precision = MINUTE if unit == "分钟" or count % 1 else HOUR
        moment = now - timedelta(minutes=minutes)
        return Told(start, end, moment=moment, precision=precision, about=about)
    days = int(count) if unit == "天" else int(count * 7)
    return Told(start, end, now.date() - timedelta(days=days), about=about or unit != "天")


def _count(found: re.Match[str]) -> float | None:
    told = found["n"]
    if told == "半":
        return 0.5
    if told == "十几":
        return 10.0
    number = read_numeral(told[0] if _is_range(told) else told)
    return None if number is None else number + (0.5 if found["half"] else 0.0)


def _is_range(told: str) -> bool:
    """两三 is two or three."""
    return len(told) == 2 and told.isalpha() and "十" not in told


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


#: By kind of word.
READERS: Mapping[str, Callable[[str, str, int, datetime], Told | None]] = MappingProxyType(
    {
        "day": _read_day,
        "fused": _read_fused,
        "just": _read_just,
        "closed": _read_closed,
        "part": _read_part,
        "clock": _read_clock_alone,
        "weekday": _read_weekday,
        "month": _read_month,
        "monthday": _read_monthday,
        "iso": _read_iso,
        "ago": _read_ago,
    }
)
