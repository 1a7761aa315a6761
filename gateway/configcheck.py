"""What is wrong with a configuration as a whole, once each section is right in itself.

Every problem names the line to change. `config.load` found what is wrong within a section; here
the sections meet each other, the region's rule pack and the plug-ins that are installed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from channels.phone.dialogue import SEATS
from config.document import Problem, ValuePath
from config.explain import did_you_mean, problems_of
from config.load import Loaded, load
from config.plugin import Plugin
from config.settings import Desk, Route, as_list
from gateway.desks.roster import DUTY
from gateway.laddercheck import alarms, ladder
from gateway.outbox.destination import OWN
from gateway.route import hours_of, pattern_of
from gateway.shadow import shadows
from normalizer.errors import ConfigError
from normalizer.schema import Domain, RequestType, Service, Urgency

Plugins = Mapping[str, Plugin[Any, Any]]

#: Values that a condition can ever meet, besides those that the configuration itself names.
ENUMERATED: Mapping[str, tuple[str, ...]] = {
    "type": tuple(RequestType),
    "domain": tuple(Domain),
    "urgency": tuple(Urgency),
    "requester": ("person", "enterprise"),
}

#: Kinds of channel that the contract names, and the kind of requests over Open311: routes may
#: name them before the channel is installed.
KINDS = ("phone", "wechat", "web", "email", "sms", "webhook", "open311")

#: The signing secret of the shipped ``config/gateway.yaml``.
SHIPPED_SECRET = "whsec_c2hpcHBlZC1kZWZhdWx0LXJlcGxhY2UtbWUtbm93"  # noqa: S105 - public
#: Hosts that nobody beyond this machine reaches.
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def problems(loaded: Loaded, channels: Plugins, adapters: Plugins) -> list[Problem]:
    """Return all that is wrong, by line; empty for a configuration that can be served.

    Args:
        loaded: The configuration.
        channels: Installed channels by kind.
        adapters: Installed adapters by kind.
    """
    return sorted(
        {
            *_sections(loaded, "channels", channels),
            *_sections(loaded, "adapters", adapters),
            *_shipped_secrets(loaded),
            *_liaison(loaded),
            *alarms(loaded),
            *_routes(loaded, channels, adapters),
        }
    )


def checked(path: Path | None, channels: Plugins, adapters: Plugins) -> Loaded:
    """Return a configuration that can be served. Raises `ConfigError` with all that is wrong."""
    loaded = load(path)
    if wrong := problems(loaded, channels, adapters):
        raise ConfigError("\n".join(map(str, wrong)))
    return loaded


def _names(sections: Sequence[Mapping[str, Any]], plugins: Plugins) -> list[str]:
    """Return the sections' names; one without has its kind's default, else its kind itself."""
    names = []
    for section in sections:
        kind = section.get("kind")
        plugin = plugins.get(kind) if isinstance(kind, str) else None
        known = plugin.settings.model_fields.get("name") if plugin is not None else None
        default = known.default if known is not None and isinstance(known.default, str) else kind
        names.append(str(section.get("name", default)))
    return names


def _sections(loaded: Loaded, key: str, plugins: Plugins) -> Iterator[Problem]:
    """Yield what is wrong with the channels' or adapters' sections."""
    sections: tuple[dict[str, Any], ...] = getattr(loaded.settings, key)
    names = _names(sections, plugins)
    for at, section in enumerate(sections):
        path = (key, at)
        kind = section.get("kind")
        if kind is None:
            yield loaded.problem(path, "kind is required" + did_you_mean("", plugins))
        elif not isinstance(kind, str) or kind not in plugins:
            hint = did_you_mean(str(kind), plugins)
            yield loaded.problem((*path, "kind"), f"no {key[:-1]} of this kind is installed{hint}")
        else:
            yield from _checked(loaded, path, plugins[kind], section)
        if (why := _unfit(key, names[at])) is not None:
            yield loaded.problem((*path, "name"), why)
        if names[at] in names[:at]:
            first = loaded.document.line((key, names.index(names[at]), "name"))
            yield loaded.problem((*path, "name"), f"another one has this name, on line {first}")


def _unfit(key: str, name: str) -> str | None:
    """Return why a section cannot have this name; None: it can."""
    if re.search(r"[\s:/?#]", name):
        return "no spaces, and none of : / ? #: it is part of addresses and destinations"
    if key == "adapters" and name in OWN:
        # Its tickets would go to desks or citizens, and no back office would see them.
        return f"the gateway's own destinations are called {', '.join(sorted(OWN))}; take another"
    return None


def _checked(
    loaded: Loaded, path: ValuePath, plugin: Plugin[Any, Any], section: Mapping[str, object]
) -> list[Problem]:
    try:
        plugin.check(section)
    except ValidationError as error:
        return problems_of(error, loaded.document, plugin.settings, path)
    return []


def _shipped_secrets(loaded: Loaded) -> Iterator[Problem]:
    """Yield secrets of the shipped file on a gateway that is not for this machine alone."""
    http = loaded.settings.http
    if all(host in LOOPBACK for host in (http.host, urlsplit(http.public_url).hostname)):
        return
    for key in ("channels", "adapters"):
        sections: tuple[dict[str, Any], ...] = getattr(loaded.settings, key)
        for at, section in enumerate(sections):
            if SHIPPED_SECRET in as_list(section.get("secret")):  # type: ignore[operator]  # a list
                message = "everybody knows the shipped secret: it opens all tickets; make a new one"
                yield loaded.problem((key, at, "secret"), message)


def _liaison(loaded: Loaded) -> Iterator[Problem]:
    """Yield what is wrong with the desks."""
    known = (*Service, DUTY, SEATS)
    for service, desk in loaded.settings.liaison.items():
        if service not in known:
            hint = did_you_mean(service, known)
            yield loaded.problem(("liaison", service), f"no such service{hint}")
        yield from _ladder(loaded, service, desk)


def _ladder(loaded: Loaded, service: str, desk: Desk) -> Iterator[Problem]:
    path: ValuePath = ("liaison", service, "ladder")
    yield from ladder(loaded, path, desk.ladder)
    for at, rung in enumerate(desk.ladder):
        if rung.to == DUTY and DUTY not in loaded.settings.liaison:
            yield loaded.problem((*path, at, "to"), "there is no desk liaison.duty")


def _routes(loaded: Loaded, channels: Plugins, adapters: Plugins) -> Iterator[Problem]:
    """Yield what is wrong with the routing table."""
    settings = loaded.settings
    accounts = _names(settings.channels, channels)
    known = {**ENUMERATED, "channel": (*KINDS, *channels), "account": tuple(accounts)}
    destinations = _names(settings.adapters, adapters)
    names = [route.name for route in settings.routes]
    for at, route in enumerate(settings.routes):
        if route.name in names[:at]:
            first = loaded.document.line(("routes", names.index(route.name), "name"))
            message = f"another route has this name, on line {first}"
            yield loaded.problem(("routes", at, "name"), message)
        yield from _send(loaded, at, route, destinations)
        yield from _conditions(loaded, at, route, known)
    kinds = [str(section.get("kind")) for section in settings.channels]
    yield from shadows(loaded, ENUMERATED, dict(zip(accounts, kinds, strict=True)))
    if all(route.when is not None and route.when.named() for route in settings.routes):
        message = "no default route: the last must have no when, so that no ticket is left over"
        yield loaded.problem(("routes", len(names) - 1), message)


def _send(loaded: Loaded, at: int, route: Route, destinations: Sequence[str]) -> Iterator[Problem]:
    path = ("routes", at, "send")
    if route.send.to not in destinations:
        hint = did_you_mean(route.send.to, destinations)
        yield loaded.problem((*path, "to"), f"there is no adapter of this name{hint}")
    known = loaded.pack.unit_names
    if route.send.unit is not None and route.send.unit not in known:
        yield loaded.problem((*path, "unit"), _unknown_unit(loaded, route.send.unit))
    for index, unit in enumerate(route.send.assist):
        if unit not in known:
            yield loaded.problem((*path, "assist", index), _unknown_unit(loaded, unit))


def _unknown_unit(loaded: Loaded, unit: str) -> str:
    close = did_you_mean(unit, loaded.pack.unit_names)
    hint = close if "did you mean" in close else ""
    return f"the rule pack {loaded.pack.name} knows no unit of this name{hint}"


def _conditions(
    loaded: Loaded, at: int, route: Route, known: Mapping[str, Sequence[str]]
) -> Iterator[Problem]:
    named = route.when.named() if route.when is not None else {}
    for name, values in named.items():
        for index, value in enumerate(values):
            message = _wrong_value(name, value, known)
            if message is not None:
                path = ("routes", at, "when", name)
                listed = (*path, index) in loaded.document.lines
                yield loaded.problem((*path, index) if listed else path, message)


def _wrong_value(name: str, value: str, known: Mapping[str, Sequence[str]]) -> str | None:
    """Return what is wrong with a value of a condition; None if it can hold."""
    if name in known:
        return None if value in known[name] else f"never holds{did_you_mean(value, known[name])}"
    if name == "hours":
        wanted = "08:00-18:00, workdays, holidays, or two joined by a space"
        return None if hours_of(value) is not None else f"must be {wanted}"
    if name == "called":
        return None if re.fullmatch(r"\+?[0-9][0-9 -]*", value) else "must be a telephone number"
    if name == "text":
        try:
            pattern_of(value)
        except re.error as error:
            return f"is not a regular expression: {error.msg}"
    return None
