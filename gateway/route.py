"""Which back office and unit a ticket goes to: the first route whose conditions all hold.

The routing table is compiled once. A value of ``called`` holds with or without country and area
code; of ``place`` it is an adcode, its first digits, or a name within the place; of ``text`` it
is words in the text or ``/a regular expression/``, both met by the matching form; of ``hours`` it
is ``08:00-18:00`` (the end excluded, over midnight if it is earlier), ``workdays`` or
``holidays`` of the region's calendar, or both joined by a space.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from config.region import RegionPack
from config.settings import Route
from normalizer.errors import ConfigError
from normalizer.schema import ChannelRef, Judged, Place, Requester, RouteTaken, Value
from normalizer.text import fold, normalize_text

_WINDOW = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAYS = ("workdays", "holidays")
_FULL_DAY = 24 * 60


class Facts(Value, frozen=True, kw_only=True):
    """What conditions can ask of a ticket."""

    channel: ChannelRef
    requester: Requester
    place: Place
    judged: Judged
    folded: str
    received_at: datetime  #: in the instance's time zone


#: Returns the value that holds, as written in the configuration; None if none does.
Condition = Callable[[Facts], str | None]


class Hours(Value, frozen=True, kw_only=True):
    """One value of ``hours``."""

    days: str | None = None  #: workdays or holidays
    first: int | None = None  #: minute of the day
    end: int | None = None  #: minute of the day, excluded


class _Row(Value, frozen=True, kw_only=True):
    route: Route
    conditions: tuple[tuple[str, Condition], ...]


class Router:
    """A compiled routing table.

    Raises:
        ConfigError: A value of a condition cannot be understood; names the route.
    """

    def __init__(self, routes: Sequence[Route], pack: RegionPack) -> None:
        self._pack = pack
        self._rows = tuple(_compile(route, pack) for route in routes)

    def plan(
        self,
        *,
        channel: ChannelRef,
        requester: Requester,
        place: Place,
        judged: Judged,
        folded: str,
        received_at: datetime,
    ) -> RouteTaken:
        """Return the route that a ticket takes; ``why`` names the conditions that held.

        Args:
            channel: By which channel it came.
            requester: Who speaks.
            place: Where the matter is.
            judged: What the judge found.
            folded: The text's matching form.
            received_at: When it came, in the instance's time zone.

        Raises:
            ConfigError: No route holds, for want of a default that `gateway check` asks for.
        """
        facts = Facts(
            channel=channel,
            requester=requester,
            place=place,
            judged=judged,
            folded=folded,
            received_at=received_at,
        )
        for row in self._rows:
            if (why := _holds(row, facts)) is not None:
                return self._taken(row.route, why, facts)
        raise ConfigError("routes: none holds; the last must have no when")

    def _taken(self, route: Route, why: str, facts: Facts) -> RouteTaken:
        send = route.send
        return RouteTaken(
            name=route.name,
            to=send.to,
            unit=send.unit or unit_of(facts, self._pack),
            assist=send.assist,
            why=why or "default",
        )


def _holds(row: _Row, facts: Facts) -> str | None:
    """Return ``name=value`` of every condition if all hold (empty: there are none), else None."""
    whys = []
    for name, condition in row.conditions:
        value = condition(facts)
        if value is None:
            return None
        whys.append(f"{name}={value}")
    return ", ".join(whys)


def unit_of(facts: Facts, pack: RegionPack) -> str:
    """Return the unit that the region's rules name for a ticket whose route names none.

    The number that was dialled decides before the field, and the field before the district,
    unless the region's rules put the territory first.
    """
    if facts.channel.called is not None and pack.hotlines:
        dialled = short_number(facts.channel.called, pack.area_code)
        if (unit := pack.unit_of_number.get(dialled)) is not None:
            return unit
    adcode, districts = facts.place.adcode or "", pack.units.districts
    # The districts of a province's pack are its cities.
    district = districts.get(adcode) or districts.get(adcode[:4] + "00")
    local = None if district is None else district.unit
    field = pack.units.domains.get(facts.judged.domain)
    first, second = (local, field) if pack.units.territory_first else (field, local)
    return first or second or pack.units.default


def short_number(number: str, area_code: str | None) -> str:
    """Return a number as it is dialled within the region: no country code, no own area code."""
    digits = "".join(c for c in number if c.isdigit())
    if number.lstrip().startswith(("+86", "0086")):
        digits = digits.removeprefix("00").removeprefix("86")
        trunk = (area_code or "").removeprefix("0")
        return digits.removeprefix(trunk) if len(digits) > len(trunk) + 2 else digits
    if area_code and digits.startswith(area_code) and len(digits) > len(area_code) + 2:
        return digits.removeprefix(area_code)
    return digits


def hours_of(value: str) -> Hours | None:
    """Return what a value of ``hours`` says; None if it cannot be understood."""
    days: str | None = None
    first: int | None = None
    end: int | None = None
    for part in value.split():
        window = _WINDOW.fullmatch(part)
        if part in _DAYS and days is None:
            days = part
        elif window is not None and first is None:
            numbers = [int(each) for each in window.groups()]
            first, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
            if first == end or max(first, end) > _FULL_DAY:
                return None
        else:
            return None
    return Hours(days=days, first=first, end=end) if value.strip() else None


def pattern_of(value: str) -> re.Pattern[str] | None:
    """Return the regular expression of a ``text`` value in slashes; None for plain words.

    Raises:
        re.error: It is none.
    """
    if len(value) > 2 and value.startswith("/") and value.endswith("/"):
        return re.compile(value[1:-1], re.IGNORECASE)
    return None


def matching_form(value: str) -> str:
    """Return words of the configuration in the form that the text is matched in."""
    return fold(normalize_text(value))


def adcode_prefix(value: str) -> str | None:
    """Return the digits that an adcode within ``value`` begins with; None if it is a name.

    ``341300`` stands for the whole city and ``340000`` for the province, as in GB/T 2260.
    """
    if not (value.isascii() and value.isdigit() and len(value) <= 6):
        return None
    while len(value) > 2 and len(value) % 2 == 0 and value.endswith("00"):
        value = value[:-2]
    return value


def _compile(route: Route, pack: RegionPack) -> _Row:
    named = route.when.named() if route.when is not None else {}
    try:
        conditions = tuple((name, _condition(name, values, pack)) for name, values in named.items())
    except (re.error, ValueError) as error:
        raise ConfigError(f"route {route.name}: {error}") from None
    return _Row(route=route, conditions=conditions)


def _condition(name: str, values: tuple[str, ...], pack: RegionPack) -> Condition:
    match name:
        case "called":
            return _called(values, pack.area_code)
        case "place":
            return _place(values)
        case "text":
            return _text(values)
        case "hours":
            return _hours(values, pack)
        case _:
            return _one_of(name, values)


def _one_of(name: str, values: tuple[str, ...]) -> Condition:
    known = {value: value for value in values}
    match name:
        case "channel":
            return lambda facts: known.get(facts.channel.kind)
        case "account":
            return lambda facts: known.get(facts.channel.account)
        case "requester":
            return lambda facts: known.get(facts.requester.kind)
        case "type":
            return lambda facts: known.get(facts.judged.type)
        case "domain":
            return lambda facts: known.get(facts.judged.domain)
        case "urgency":
            return lambda facts: known.get(facts.judged.urgency)
        case _:
            raise ValueError(f"no condition is called {name}")


def _called(values: tuple[str, ...], area_code: str | None) -> Condition:
    known = {short_number(value, area_code): value for value in values}

    def condition(facts: Facts) -> str | None:
        called = facts.channel.called
        return None if called is None else known.get(short_number(called, area_code))

    return condition


def _place(values: tuple[str, ...]) -> Condition:
    codes = tuple((code, value) for value in values if (code := adcode_prefix(value)) is not None)
    names = tuple((matching_form(value), value) for value in values if adcode_prefix(value) is None)

    def condition(facts: Facts) -> str | None:
        place = facts.place
        if codes and place.adcode is not None:
            for code, value in codes:
                if place.adcode.startswith(code):
                    return value
        if not names:
            return None
        parts = (place.province, place.city, place.district, place.street, place.text)
        written = fold("\n".join(part for part in parts if part))
        return next((value for name, value in names if name in written), None)

    return condition


def _text(values: tuple[str, ...]) -> Condition:
    words = tuple((matching_form(each), each) for each in values if pattern_of(each) is None)
    patterns = tuple((found, each) for each in values if (found := pattern_of(each)) is not None)

    def condition(facts: Facts) -> str | None:
        for word, value in words:
            if word in facts.folded:
                return value
        return next((value for found, value in patterns if found.search(facts.folded)), None)

    return condition


def _hours(values: tuple[str, ...], pack: RegionPack) -> Condition:
    spans: list[tuple[Hours, str]] = []
    for value in values:
        hours = hours_of(value)
        if hours is None:
            raise ValueError("hours are 08:00-18:00, workdays, holidays, or two joined by a space")
        spans.append((hours, value))

    def condition(facts: Facts) -> str | None:
        at = facts.received_at
        minute = at.hour * 60 + at.minute
        works = pack.calendar.works(at.date())
        return next((value for hours, value in spans if _within(hours, minute, works=works)), None)

    return condition


def _within(hours: Hours, minute: int, *, works: bool) -> bool:
    if hours.days is not None and works is not (hours.days == "workdays"):
        return False
    if hours.first is None or hours.end is None:
        return True
    if hours.first < hours.end:
        return hours.first <= minute < hours.end
    return minute >= hours.first or minute < hours.end
