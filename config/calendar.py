"""Which days are worked: weekends, public holidays and the days worked to make up for them.

China's State Council announces each year's arrangement in the autumn before. For a year that is
not announced yet the calendar counts Monday to Friday less the statutory holidays it knows, and
says so: what was computed with it is an estimate until an operator enters the announcement.
"""

from bisect import bisect_right
from datetime import date, timedelta
from functools import cached_property
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from config.settings import Section

#: No limit is longer.
MAX_WORKING_DAYS = 1000
_SATURDAY = 5


def _expand(value: object) -> object:
    """Turn ISO 8601 days and intervals (``2026-10-01/2026-10-07``) into days."""
    if not isinstance(value, (list, tuple)):
        return value
    days: list[date] = []
    for each in value:
        first, _, last = str(each).partition("/")
        try:
            begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
        except ValueError:
            raise ValueError("a day is 2026-10-01, several are 2026-10-01/2026-10-07") from None
        if not begin <= end <= begin + timedelta(days=31):
            raise ValueError("an interval begins before it ends and is at most a month long")
        days.extend(begin + timedelta(days=n) for n in range((end - begin).days + 1))
    if len(set(days)) != len(days):
        raise ValueError("a day is listed twice")
    return days


Days = Annotated[tuple[date, ...], BeforeValidator(_expand)]


class Year(Section):
    """One year's arrangement."""

    #: The announcement; None while there is none, and what is listed is only an estimate.
    announced: str | None
    off: Days = ()  #: holidays, weekends within them included
    work: Days = ()  #: Saturdays and Sundays that are worked


class Calendar(Section):
    """A country's working days."""

    name: str
    years: dict[int, Year]

    @model_validator(mode="after")
    def _in_their_year(self) -> Self:
        for at, year in self.years.items():
            if any(day.year != at for day in (*year.off, *year.work)):
                raise ValueError(f"{at} lists a day of another year")
            if set(year.off) & set(year.work):
                raise ValueError(f"{at} lists a day both as off and as work")
        return self

    @cached_property
    def _off(self) -> frozenset[date]:
        return frozenset(day for year in self.years.values() for day in year.off)

    @cached_property
    def _work(self) -> frozenset[date]:
        return frozenset(day for year in self.years.values() for day in year.work)

    @cached_property
    def _announced(self) -> frozenset[int]:
        return frozenset(at for at, year in self.years.items() if year.announced is not None)

    def works(self, day: date) -> bool:
        """Return whether a day is worked."""
        if day in self._off:
            return False
        return day.weekday() < _SATURDAY or day in self._work

    @cached_property
    def _ordinals(self) -> tuple[int, ...]:
        """The working days of the years listed and the next, in order: what searches look in."""
        if not self.years:
            return ()
        first, last = date(min(self.years), 1, 1), date(max(self.years) + 1, 12, 31)
        days = map(date.fromordinal, range(first.toordinal(), last.toordinal() + 1))
        return tuple(day.toordinal() for day in days if self.works(day))

    def after(self, day: date, count: int) -> date:
        """Return the ``count``-th working day after a day, which is not counted itself.

        Raises:
            ValueError: ``count`` is not within 1 and `MAX_WORKING_DAYS`.
        """
        if not 1 <= count <= MAX_WORKING_DAYS:
            raise ValueError("a number of working days between 1 and 1000")
        start, ordinals = day.toordinal(), self._ordinals
        at = bisect_right(ordinals, start) + count - 1
        if ordinals and ordinals[0] <= start and at < len(ordinals):
            return date.fromordinal(ordinals[at])
        return self._search(day, count)

    def _search(self, day: date, count: int) -> date:
        """Return the same as `after`, day by day, for days outside the years listed."""
        while count:
            day += timedelta(days=1)
            count -= self.works(day)
        return day

    def estimated(self, first: date, last: date) -> tuple[int, ...]:
        """Return the years between two days whose arrangement is not announced or not entered."""
        years = range(first.year, last.year + 1)
        return tuple(year for year in years if year not in self._announced)
