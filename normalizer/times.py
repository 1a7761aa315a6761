"""When something happened, as far as a text tells, relative to the receipt.

Nothing is made up: what is vague (去年冬天, 前几天), customary (每天晚上十点), to come (明天上午) or no day
of the calendar (2月30日) tells no time. Where words tell a span, the span's beginning is given with
its precision: 昨天下午 is yesterday 13:00, ``part_of_day``; 上周三 is midnight, ``day``.
"""

import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from normalizer.numeral import read_numeral
from normalizer.schema import Value
from normalizer.timewords import (
    ABOUT_BEFORE,
    CUSTOMARY,
    DAYS,
    DAYS_IN_PARTS,
    HABITS,
    HAPPENED,
    JUST_NOW,
    NO_TIME,
    NUMBERED_THINGS,
    OF_A_RECORD,
    OTHER_DAYS,
    PARTS,
    TO_COME,
    WEEKDAYS,
    WEEKS,
    Part,
)

MINUTE, HOUR, PART_OF_DAY, DAY = "minute", "hour", "part_of_day", "day"


class FoundTime(Value, frozen=True, kw_only=True):
    """When something happened and the words that say so."""

    at: datetime  #: aware, in the zone of the receipt, never after it
    text: str  #: as folded
    start: int  #: code points of the folded text
    end: int
    precision: str  #: minute, hour, part_of_day or day: how long the span is that begins ``at``
    approximate: bool = False  #: the words say 左右, 大概, 多, or leave the day to the reader


class _Told(NamedTuple):
    """The day, or the moment, that an expression tells before any time of day."""

    start: int
    end: int
    day: date | None = None
    closed: bool = False  #: a day that is not to be used: to come, customary or impossible
    moment: datetime | None = None  #: of 刚才 and 十分钟前
    precision: str = DAY
    about: bool = False
    needs_clock: bool = False  #: 20号 is a day only where a time of day follows


class _Clock(NamedTuple):
    """The time of day that an expression tells."""

    end: int
    part: Part | None = None
    hour: int | None = None
    minute: int | None = None
    written: bool = False  #: on the 24-hour clock: 08:30, 20时
    about: bool = False


class _Moment(NamedTuple):
    """An instant without its zone, and the words it was read from."""

    at: datetime
    precision: str
    about: bool


_TOKENS = (
    *((word, "day") for word in DAYS),
    *((word, "fused") for word in DAYS_IN_PARTS),
    *((word, "just") for word in JUST_NOW),
    *((word, "weekday") for word in WEEKDAYS),
    *((word, "closed") for word in (*OTHER_DAYS, *HABITS)),
    *((word, "part") for word in PARTS if len(word) > 1),
    *((word, "skip") for word in dict.fromkeys(NO_TIME) if word not in {*HABITS, *OTHER_DAYS}),
    *((word, "month") for word in ("月", "月份")),
    *((word, "monthday") for word in ("日", "号")),
    *((word, "ago") for word in ("之前", "以前")),
    *((word, "clock") for word in ("点", ":", "时")),
    *((word, "iso") for word in ("19", "20")),
)
_AUTOMATON = AhoCorasick(
    [word for word, _ in _TOKENS], matchkind=MatchKind.LeftmostLongest, store_patterns=False
)

_CN = "零〇一二两三四五六七八九十"
_N = f"(?:[0-9]{{1,2}}|[{_CN}廿卅]{{1,3}})"
_PART = "|".join(sorted((word for word in PARTS if len(word) > 1), key=len, reverse=True))
_CLOCK = re.compile(
    rf"""
    [ ,的]?(?:\((?:周|星期)[一二三四五六日天]\))?\ ?
    (?P<part>{_PART}|(?<=[昨今前])[早晚夜晨]|[早晚](?!一点)(?={_N}[点:]))?
    [ ,的]?(?:大概|大约|约|差不多)?\ ?
    (?:(?P<hour>[0-9]{{1,2}}|[{_CN}]{{1,3}})
      (?::(?P<colon>[0-5][0-9])(?::[0-5][0-9])?(?![0-9:])
        |(?P<word>点钟?|时(?![候间段期代刻常速]))
          (?:(?P<half>半)|(?P<quarter>[一三])刻|过?(?P<minutes>{_N})分(?!钟)
            |(?P<bare>[0-5][0-9](?![0-9.点个人名辆岁米元块户栋多])|零[一二三四五六七八九]
              |[二三四五]?十[一二三四五六七八九]?(?![{_CN}个人名辆岁米元块户栋多几余分])))?))?
    """,
    re.VERBOSE,
)
_ABOUT_AFTER = re.compile("左右|多|许|前后|上下|来钟|的样子|之?前|以前|以后|之?后")
_HOUR_BEFORE = re.compile(f"(?:[0-9]{{1,2}}|[{_CN}]{{1,3}})$")
#: 一点 is one o'clock, but 一点声音都没有 is no sound at all.
_A_BIT = frozenset("都也儿声动没不点办水电问意用事反作影希")
_AGO = re.compile(
    f"(?P<n>[0-9]{{1,4}}|[{_CN}]{{1,4}}|十几|几|半)(?P<many>多)?个?(?P<half>半)?(?P<more>多)?"
    "(?P<unit>分钟|小时|钟头|天|周|星期|礼拜|月|年)多?(?:左右)?$"
)
_DATE = re.compile(
    rf"(?:(?P<year>[0-9]{{2,4}}|[零〇一二三四五六七八九]{{4}}|[今去前本])年)?"
    rf"(?:(?P<month>{_N})月(?:份)?|(?P<that>上上个?|上个?|本|这个?|当)月)(?P<day>{_N})[日号](?!楼)"
)
_ISO = re.compile(r"((?:19|20)[0-9]{2})([-/.])([0-9]{1,2})\2([0-9]{1,2})(?![0-9])t?")


def find_time(folded: str, received_at: datetime) -> FoundTime | None:
    """The first time in the text at which something happened; None where it tells none.

    Args:
        folded: `normalizer.text.fold` of the normalized text.
        received_at: Aware, in the zone in which the citizen lives.

    Pure; a text without any word of time costs about 2 microseconds.
    """
    floor = 0
    now = received_at.replace(tzinfo=None, second=0, microsecond=0)
    for index, at, end in _AUTOMATON.find_matches_as_indexes(folded):
        word, kind = _TOKENS[index]
        if at < floor or kind == "skip":
            continue
        told = _READERS[kind](folded, word, at, now)
        if told is None:
            continue
        clock = _clock(folded, told.end)
        floor = max(floor, clock.end, end)
        found = _moment(folded, told, clock, now)
        if found is not None and found.at <= now:
            return FoundTime(
                at=found.at.replace(tzinfo=received_at.tzinfo),
                text=folded[told.start : clock.end],
                start=told.start,
                end=clock.end,
                precision=found.precision,
                approximate=found.about or folded.endswith(ABOUT_BEFORE, 0, told.start),
            )
    return None


def _moment(folded: str, told: _Told, clock: _Clock, now: datetime) -> _Moment | None:
    timed = clock.part is not None or clock.hour is not None
    if told.closed or folded.startswith(OF_A_RECORD, clock.end):
        return None
    if told.moment is not None and not timed:
        return _Moment(told.moment, told.precision, told.about)
    if told.day is None:
        return _on_no_day(folded, told.start, clock, now) if timed else None
    if not timed:
        midnight = datetime.combine(told.day, time())
        return None if told.needs_clock else _Moment(midnight, DAY, told.about)
    found = _on_day(told.day, clock, now)
    return found._replace(about=found.about or told.about) if found else None


def _on_day(day: date, clock: _Clock, now: datetime) -> _Moment | None:
    """The moment on a day that is told."""
    midnight = datetime.combine(day, time())
    if clock.hour is None:
        begins = clock.part.begins if clock.part else 0
        return _Moment(midnight + timedelta(hours=begins), PART_OF_DAY, clock.about)
    precision = HOUR if clock.minute is None else MINUTE
    can_be = [
        midnight + timedelta(hours=hour, minutes=clock.minute or 0) for hour in _hours(clock)
    ]
    if clock.part and clock.part.begins == 22 and can_be and can_be[0] > now:
        can_be = [can_be[0] - timedelta(days=1)]  # 今天半夜两点 is the night before
    past = [at for at in can_be if at <= now]
    if len(past) == 1:
        return _Moment(past[0], precision, clock.about)
    # 昨天8点 may be either; the day is certain
    return _Moment(midnight, DAY, True) if past else None


def _on_no_day(folded: str, start: int, clock: _Clock, now: datetime) -> _Moment | None:
    """The latest such time of day, where the words do not tell a custom or a limit."""
    before, after = _clause(folded, start, clock.end)
    clause = before + folded[start : clock.end] + after
    if any(word in clause for word in HABITS) or before.endswith(("到", "至", "~", "-", "—", "–")):
        return None
    today = now.date()
    if clock.hour is None:
        happened = any(word in after for word in HAPPENED) and not after.startswith(CUSTOMARY)
        if clock.part is None or clock.part.night or not happened:
            return None
        return _on_day(today, clock._replace(about=True), now)
    hours = _hours(clock)
    if len(hours) != 1 or after.startswith(CUSTOMARY) or _limits(folded, clock):
        return None
    at = datetime.combine(today, time()) + timedelta(hours=hours[0], minutes=clock.minute or 0)
    at -= timedelta(days=max(0, -((now - at) // timedelta(days=1))))
    return _Moment(at, HOUR if clock.minute is None else MINUTE, True)


def _limits(folded: str, clock: _Clock) -> bool:
    return folded.endswith(("前", "后", "之前", "之后", "以后", "以前"), 0, clock.end)


def _hours(clock: _Clock) -> list[int]:
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


def _clause(folded: str, start: int, end: int) -> tuple[str, str]:
    """What stands in the same clause before and after a span."""
    begins = max(folded.rfind(mark, 0, start) for mark in ",。;!?\n")
    ends = [at for mark in ",。;!?\n" if (at := folded.find(mark, end)) >= 0]
    return folded[begins + 1 : start], folded[end : min(ends, default=len(folded))]


def _clock(folded: str, at: int) -> _Clock:
    """The time of day that begins at ``at``; one without part and hour where none does."""
    found = _CLOCK.match(folded, at)
    if found is None or not (found["part"] or found["hour"]):
        return _Clock(at)
    part = PARTS[found["part"]] if found["part"] else None
    if not found["hour"] or _is_a_bit(folded, found):
        return _Clock(found.end("part"), part) if part else _Clock(at)
    hour, minute, about = _hour(found["hour"]), _minute(found), False
    after = _ABOUT_AFTER.match(folded, found.end())
    if after is not None or hour is None:
        about = True
    colon = found["colon"] is not None
    return _Clock(
        end=after.end() if after else found.end(),
        part=part,
        hour=25 if hour is None else hour,
        minute=minute,
        written=(colon and len(found["hour"]) == 2) or found["word"] == "时",
        about=about or len(found["hour"]) > 1 and found["hour"] != str(hour) and _is_range(found["hour"]),
    )


def _is_a_bit(folded: str, found: re.Match[str]) -> bool:
    return (
        found["hour"] == "一"
        and folded[found.end() - 1] == "点"
        and folded[found.end() : found.end() + 1] in _A_BIT
    )


def _is_range(written: str) -> bool:
    """七八 in 七八点 is seven or eight, not 78."""
    return len(written) == 2 and written.isalpha() and "十" not in written


def _hour(written: str) -> int | None:
    return read_numeral(written[0] if _is_range(written) else written)


def _minute(found: re.Match[str]) -> int | None:
    if found["half"]:
        return 30
    if found["quarter"]:
        return 15 if found["quarter"] == "一" else 45
    told = found["colon"] or found["minutes"] or found["bare"]
    minute = read_numeral(told) if told else None
    return minute if minute is None or minute < 60 else None
