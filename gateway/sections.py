"""From the sections of a configuration to what their plug-ins make of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from channels.base import Messenger
from channels.webhook.codec import key_of
from config.plugin import Plugin
from config.settings import Settings, as_list
from gateway.outbox.destination import Outlet
from gateway.talk.answering import QuietHours, answer_destination, quiet_hours

Plugins = Mapping[str, Plugin[Any, Any]]


def name_of(section: Mapping[str, Any], plugin: Plugin[Any, Any]) -> str:
    """Return a section's name, its plug-in's default where it gives none."""
    name: str = plugin.check(section).name
    return name


def opened(settings: Settings, channels: Plugins) -> list[tuple[str, str, Any]]:
    """Return the configured channels with kind and name.

    Raises:
        ConfigError: A section cannot be built.
    """
    return [
        (s["kind"], name_of(s, channels[s["kind"]]), channels[s["kind"]].open(s))
        for s in settings.channels
    ]


def speakers_of(
    settings: Settings, channels: Plugins, built: Sequence[object]
) -> dict[str, Messenger]:
    """Return the channels' ways out by destination; the first of a kind serves alarms."""
    speakers: dict[str, Messenger] = {}
    for section, channel in zip(settings.channels, built, strict=True):
        plugin = channels[section["kind"]]
        # A channel that has a session with its carrier sends by it, too.
        messenger = getattr(channel, "messenger", None)
        if messenger is None and plugin.speak is not None:
            messenger = plugin.speak(plugin.check(section))
        if messenger is not None:
            speakers[answer_destination(plugin.name, name_of(section, plugin))] = messenger
            speakers.setdefault(f"notify:{plugin.name}", messenger)
    return speakers


def ways_of(
    settings: Settings, channels: Plugins, speakers: Iterable[str]
) -> dict[str, QuietHours | None]:
    """Return the destinations by which citizens can be answered, with their quiet hours."""
    ways: dict[str, QuietHours | None] = dict.fromkeys(speakers)
    for section in settings.channels:
        plugin = channels[section["kind"]]
        way = answer_destination(plugin.name, name_of(section, plugin))
        quiet = getattr(plugin.check(section), "quiet_hours", None)
        if way in ways and quiet is not None:
            ways[way] = quiet_hours(quiet, settings.instance.zone)
    return ways


def outlets_of(settings: Settings, adapters: Plugins) -> dict[str, Outlet]:
    """Return the configured adapters by name."""
    outlets = {}
    for section in settings.adapters:
        plugin = adapters[section["kind"]]
        checked = plugin.check(section)
        outlets[checked.name] = Outlet(plugin.build(checked), checked.retry_for)
    return outlets


def office_keys(settings: Settings, adapters: Plugins) -> dict[str, tuple[bytes, ...]]:
    """Return what back offices sign with, by name."""
    return {
        name_of(s, adapters[s["kind"]]): _keys(s)
        for s in settings.adapters
        if s["kind"] == "backoffice"
    }


def _keys(section: Mapping[str, Any]) -> tuple[bytes, ...]:
    secrets = as_list(section["secret"])
    return tuple(key_of(str(secret)) for secret in secrets)  # type: ignore[attr-defined]  # a list
