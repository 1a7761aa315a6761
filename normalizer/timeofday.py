"""The time of day in an expression: 晚上8点半左右, 20:30, 下午."""

import re
from typing import NamedTuple

from normalizer.numeral import read_numeral
from normalizer.timewords import PARTS, Part

CHINESE = "零〇一二两三四五六七八九十"
#: A number of at most two digits.
NUMBER = f"(?:[0-9]{{1,2}}|[{CHINESE}廿卅]{{1,3}})"

_PART = "|".join(sorted((word for word in PARTS if len(word) > 1), key=len, reverse=True))
_CLOCK = re.compile(
    rf"""
    [ ,的]?(?:\((?:周|星期)[一二三四五六日天]\))?\ ?
    (?P<part>{_PART}|(?<=[昨今前])[早晚夜晨]|[早晚](?!一点)(?={NUMBER}[点:]))?
    [ ,的]?(?:大概|大约|约|差不多)?\ ?
    (?:(?P<hour>[0-9]{{1,2}}|[{CHINESE}]{{1,3}})
      (?::(?P<colon>[0-5][0-9])(?::[0-5][0-9])?(?![0-9:])分?
        |(?P<word>点钟?|时(?![候间段期代刻常速工]))
          (?:(?P<half>半)|(?P<quarter>[一三])刻|过?(?P<minutes>{NUMBER})分(?!钟)
            |(?P<bare>[0-5][0-9](?![0-9.点个人名辆岁米元块户栋多])|零[一二三四五六七八九]
              |[二三四五]?十[一二三四五六七八九]?(?![{CHINESE}个人名辆岁米元块户栋多几余分])))?))?
    """,
    re.VERBOSE,
)
_ABOUT = re.compile("左右|多|许|前后|上下|来钟|的样子|之?前|以前|以后|之?后")
#: 一点 is one o'clock, but 一点声音都没有 is no sound at all.
_A_BIT = frozenset("都也儿声动没不点办水电问意用事反作影希")
_ONE_OF_TWO = re.compile("[一二两三四五六七八九]{2}")
#: An hour that no day has, for a number that no hour is.
_NO_HOUR = 99


class Clock(NamedTuple):
    """The time of day that an expression tells."""

    end: int  #: where it ends
    part: Part | None = None
    hour: int | None = None  #: as told
    minute: int | None = None
    written: bool = False  #: on the 24-hour clock: 08:30, 20时
    about: bool = False


def read_clock(folded: str, at: int) -> Clock:
    """The time of day that begins at ``at``; one without part and hour where none does."""
    found = _CLOCK.match(folded, at)
    if found is None:
        return Clock(at)
    word, told, colon = found.group("part", "hour", "colon")
    part = PARTS[word] if word else None
    if not told or (told == "一" and _is_a_bit(folded, found.end())):
        return Clock(found.end("part"), part) if part else Clock(at)
    either = len(told) == 2 and _ONE_OF_TWO.match(told) is not None  # 七八点: seven or eight
    hour = read_numeral(told[0] if either else told)
    after = _ABOUT.match(folded, found.end())
    return Clock(
        found.end() if after is None else after.end(),
        part,
        _NO_HOUR if hour is None else hour,
        _minute(found),
        (colon is not None and len(told) == 2) or found["word"] == "时",
        either or after is not None,
    )


def hours(clock: Clock) -> list[int]:
    """The hours of the day that the told hour can be; from 24 on in the night that follows."""
    hour, part = clock.hour, clock.part
    if hour is None or hour > 24 or (hour == 24 and clock.minute):
        return []
    if part is not None:
        if hour in part.hours:
            return [part.hours[hour]]
        return [hour] if part.first <= hour <= part.last else []
    if clock.written or hour == 0 or hour >= 12:
        return [hour]
    return [hour, hour + 12]


def _is_a_bit(folded: str, end: int) -> bool:
    return folded[end - 1] == "点" and folded[end : end + 1] in _A_BIT


def _minute(found: re.Match[str]) -> int | None:
    half, quarter, *told = found.group("half", "quarter", "colon", "minutes", "bare")
    if half:
        return 30
    if quarter:
        return 15 if quarter == "一" else 45
    number = next(filter(None, told), None)
    minute = read_numeral(number) if number else None
    return minute if minute is None or minute < 60 else None
