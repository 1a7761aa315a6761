"""Working days: holidays, days worked to make up for them, and years not announced yet."""

from datetime import date, timedelta

import pytest
from pydantic import ValidationError

from config.calendar import Calendar
from config.load import load_pack

CN = load_pack("suzhou").calendar


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2024-02-09", True),  # New Year's Eve was no holiday in 2024
        ("2024-02-10", False),
        ("2024-02-18", True),  # a Sunday worked
        ("2024-10-12", True),
        ("2025-01-26", True),
        ("2025-01-28", False),
        ("2025-10-08", False),  # holiday and Mid-Autumn joined: eight days
        ("2025-10-09", True),
        ("2026-01-02", False),
        ("2026-01-04", True),
        ("2026-02-14", True),
        ("2026-02-23", False),
        ("2026-02-24", True),
        ("2026-02-28", True),
        ("2026-06-19", False),
        ("2026-09-20", True),
        ("2026-10-10", True),
        ("2026-10-11", False),
        ("2026-11-21", False),  # an ordinary Saturday
        ("2026-11-23", True),
        ("2027-10-01", False),
        ("2027-02-08", False),
    ],
)
def test_days_are_as_the_state_council_set_them(day: str, works: bool) -> None:
    """Days around the holidays of the shipped years."""
    assert CN.works(date.fromisoformat(day)) is works


@pytest.mark.parametrize(("year", "days"), [(2024, 251), (2025, 248), (2026, 248)])
def test_the_years_have_their_number_of_working_days(year: int, days: int) -> None:
    """Counted from the announcements: weekdays, less holidays, plus days made up."""
    first = date(year, 1, 1)
    all_days = [first + timedelta(days=n) for n in range(366)]
    assert sum(CN.works(day) for day in all_days if day.year == year) == days


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        ("2026-11-20", 1, "2026-11-23"),  # Friday to Monday
        ("2026-11-21", 1, "2026-11-23"),  # Saturday to Monday
        ("2026-09-30", 1, "2026-10-08"),  # over National Day
        ("2026-09-30", 3, "2026-10-10"),  # a Saturday that is worked
        ("2026-02-13", 1, "2026-02-14"),
        ("2026-02-14", 1, "2026-02-24"),
        ("2026-12-31", 1, "2027-01-04"),
        ("2026-11-22", 15, "2026-12-11"),
    ],
)
def test_working_days_are_counted_from_the_day_after(day: str, count: int, expected: str) -> None:
    """The day itself never counts."""
    assert CN.after(date.fromisoformat(day), count) == date.fromisoformat(expected)


def test_counting_agrees_with_going_day_by_day() -> None:
    """Inside, across and beyond the years that are listed."""
    for start in (date(2023, 12, 1), date(2026, 9, 1), date(2028, 12, 20), date(2035, 5, 5)):
        day, seen = start, []
        while len(seen) < 40:
            day += timedelta(days=1)
            if CN.works(day):
                seen.append(day)
        assert [CN.after(start, n) for n in range(1, 41)] == seen


def test_years_without_an_announcement_are_estimates() -> None:
    """2027 lists only what the regulation fixes; 2030 is not listed at all."""
    assert CN.estimated(date(2026, 12, 1), date(2026, 12, 31)) == ()
    assert CN.estimated(date(2026, 12, 31), date(2027, 1, 4)) == (2027,)
    assert CN.estimated(date(2030, 1, 1), date(2031, 1, 1)) == (2030, 2031)


@pytest.mark.parametrize("count", [0, -1, 1001])
def test_a_count_out_of_range_is_an_error(count: int) -> None:
    """Zero working days is no limit."""
    with pytest.raises(ValueError, match="between 1 and 1000"):
        CN.after(date(2026, 1, 1), count)


@pytest.mark.parametrize(
    ("year", "words"),
    [
        ({"announced": None, "off": ["2026-13-01"]}, "a day is 2026-10-01"),
        ({"announced": None, "off": ["2026-10-07/2026-10-01"]}, "begins before it ends"),
        ({"announced": None, "off": ["2026-01-01/2026-12-31"]}, "at most a month"),
        ({"announced": None, "off": ["2026-10-01", "2026-10-01"]}, "listed twice"),
        ({"announced": None, "off": ["2025-10-01"]}, "another year"),
        ({"announced": None, "off": ["2026-10-01"], "work": ["2026-10-01"]}, "both"),
    ],
)
def test_a_calendar_that_cannot_be_is_an_error(year: dict[str, object], words: str) -> None:
    """An operator edits it by hand."""
    with pytest.raises(ValidationError, match=words):
        Calendar.model_validate({"name": "x", "years": {"2026": year}})
