"""Routes that no ticket can ever take, because an earlier one takes all of theirs."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from config.document import Problem
from config.load import Loaded
from config.settings import Route
from gateway.route import Hours, adcode_prefix, hours_of, matching_form, pattern_of, short_number

#: A condition's values by its name.
Conditions = Mapping[str, tuple[str, ...]]


def shadows(
    loaded: Loaded, enumerated: Mapping[str, Sequence[str]], kinds: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield a problem for every route that cannot be reached.

    Args:
        loaded: The configuration.
        enumerated: All values of the conditions that can be counted out.
        kinds: The kind of each configured channel by its name.
    """
    routes = loaded.settings.routes
    named = [_named(route, kinds) for route in routes]
    for at, conditions in enumerate(named):
        earlier = next((i for i in range(at) if _covers(named[i], conditions, loaded)), None)
        if earlier is not None:
            line = loaded.document.line(("routes", earlier, "name"))
            other = f"{routes[earlier].name} on line {line}"
            yield loaded.problem(("routes", at), f"can never be reached: {other} takes all of it")
        elif conditions and (name := _counted_out(named[:at], conditions, enumerated)):
            message = f"can never be reached: the routes above it take every {name}"
            yield loaded.problem(("routes", at), message)


def _named(route: Route, kinds: Mapping[str, str]) -> Conditions:
    """Return a route's conditions, with the kind of channel that its accounts imply."""
    named = route.when.named() if route.when is not None else {}
    if "account" in named and "channel" not in named:
        implied = tuple(dict.fromkeys(kinds.get(name, "") for name in named["account"]))
        return {**named, "channel": implied}
    return named


def _covers(wide: Conditions, narrow: Conditions, loaded: Loaded) -> bool:
    """Return whether every ticket that meets ``narrow`` meets ``wide``."""
    return all(
        name in narrow
        and all(
            any(_implies(name, value, other, loaded) for other in values) for value in narrow[name]
        )
        for name, values in wide.items()
    )


def _implies(name: str, value: str, other: str, loaded: Loaded) -> bool:
    """Return whether a ticket for which ``value`` holds is one for which ``other`` holds."""
    if name == "called":
        area_code = loaded.pack.area_code
        return short_number(value, area_code) == short_number(other, area_code)
    compare = _COMPARISONS.get(name)
    return value == other or (compare is not None and compare(value, other))


def _place(value: str, other: str) -> bool:
    code, wider = adcode_prefix(value), adcode_prefix(other)
    if code is None or wider is None:
        return code is wider and matching_form(other) in matching_form(value)
    return code.startswith(wider)


def _text(value: str, other: str) -> bool:
    try:
        plain = pattern_of(value) is None and pattern_of(other) is None
    except re.error:
        return False
    return plain and matching_form(other) in matching_form(value)


def _hours(value: str, other: str) -> bool:
    narrow, wide = hours_of(value), hours_of(other)
    if narrow is None or wide is None:
        return False
    return wide.days in {None, narrow.days} and _minutes(narrow) <= _minutes(wide)


def _minutes(hours: Hours) -> frozenset[int]:
    day = 24 * 60
    if hours.first is None or hours.end is None:
        return frozenset(range(day))
    if hours.first < hours.end:
        return frozenset(range(hours.first, hours.end))
    return frozenset(range(hours.first, day)) | frozenset(range(hours.end))


_COMPARISONS: Mapping[str, Callable[[str, str], bool]] = {
    "place": _place,
    "text": _text,
    "hours": _hours,
}


def _counted_out(
    earlier: Sequence[Conditions],
    conditions: Conditions,
    enumerated: Mapping[str, Sequence[str]],
) -> str | None:
    """Return a condition all of whose values the earlier routes take between them."""
    for name, every in enumerated.items():
        taken = {value for each in earlier if set(each) == {name} for value in each[name]}
        if taken and taken.issuperset(conditions.get(name, every)):
            return name
    return None
