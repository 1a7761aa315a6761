"""Finding channels and adapters: entry points of the installed distributions."""

from collections.abc import Mapping
from importlib.metadata import entry_points, packages_distributions
from importlib.util import find_spec
from typing import Any

from config.plugin import Plugin
from normalizer.errors import ConfigError

Plugins = Mapping[str, Plugin[Any, Any]]

#: Our top-level packages have common names: another distribution may overwrite them unnoticed.
PACKAGES = ("gateway", "channels", "normalizer", "adapters", "config")
DISTRIBUTION = "intake-gateway"


def load(group: str) -> Plugins:
    """Return the plug-ins of ``gateway.channels`` or ``gateway.adapters`` by name.

    Raises:
        ConfigError: Two distributions bring a plug-in of one name.
    """
    found: dict[str, Plugin[Any, Any]] = {}
    for point in entry_points(group=group):
        plugin: Plugin[Any, Any] = point.load()
        if plugin.name in found and found[plugin.name] is not plugin:
            raise ConfigError(f"{group}: two plug-ins are called {plugin.name!r}; uninstall one")
        found[plugin.name] = plugin
    return found


def foreign_packages() -> list[str]:
    """Return a sentence for each of our packages that another distribution has overwritten."""
    owners = packages_distributions()
    problems = []
    for name in PACKAGES:
        others = set(owners.get(name, ())) - {DISTRIBUTION}
        spec = find_spec(name)
        if others:
            problems.append(
                f"package {name!r} also belongs to {', '.join(sorted(others))}: "
                "install the gateway in an environment of its own"
            )
        elif spec is None or spec.origin is None:
            problems.append(
                f"package {name!r} is incomplete: reinstall {DISTRIBUTION} in a clean environment"
            )
    return problems
