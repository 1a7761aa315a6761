"""Working days, counted from the State Council's arrangements alone.

Source: 国务院办公厅关于2026年部分节假日安排的通知 (2025-11-04). For other years only bounds are known
here: weekdays, and the longest holiday on top.
"""

from datetime import date, timedelta


def _days(first: tuple[int, int], last: tuple[int, int]) -> set[date]:
    begin, end = date(2026, *first), date(2026, *last)
    return {begin + timedelta(days=each) for each in range((end - begin).days + 1)}


_OFF = (
    _days((1, 1), (1, 3))
    | _days((2, 15), (2, 23))
    | _days((4, 4), (4, 6))
    | _days((5, 1), (5, 5))
    | _days((6, 19), (6, 21))
    | _days((9, 25), (9, 27))
    | _days((10, 1), (10, 7))
)
_WORK = {date(2026, *day) for day in ((1, 4), (2, 14), (2, 28), (5, 9), (9, 20), (10, 10))}


def known(day: date) -> bool:
    """Say whether every day of the four weeks from this one is arranged."""
    return day.year == (day + timedelta(days=28)).year == 2026


def later(day: date, count: int) -> date:
    """Return the working day that is ``count`` working days after a day."""
    while count:
        day += timedelta(days=1)
        if day in _WORK or (day.weekday() < 5 and day not in _OFF):
            count -= 1
    return day


def expected(day: date, count: int) -> tuple[date, date]:
    """Return the first and the last date that ``count`` working days from a day may be."""
    exact = later(day, count)
    if known(day):
        return exact, exact
    longest_holiday = timedelta(days=10)
    return day + timedelta(days=count), exact + longest_holiday
