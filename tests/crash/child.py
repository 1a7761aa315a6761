"""A gateway that kills itself with SIGKILL at one point of its work.

Run as ``python -m tests.crash.child CONFIG POINT NTH``. The points are the edges of the ports that
every message and delivery passes: before and after the store's and the adapter's calls.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from adapters.base import Item
from config.load import load
from config.plugin import Plugin
from gateway import plugins
from gateway.app import build
from gateway.store.engines import from_url

#: Every point, in the order in which an emergency passes them.
POINTS = (
    "add:before",
    "add:after",
    "liaison:before",
    "liaison:after",
    "deliver:before",
    "deliver:after",
    "settle:before",
    "settle:after",
    "step:before",
    "step:after",
)


class Trap:
    """Kills the process when its point is passed for the nth time."""

    def __init__(self, point: str, nth: int) -> None:
        self._point = point
        self._left = nth

    def at(self, point: str) -> None:
        """Pass a point."""
        if point == self._point:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Trapped:
    """A store or an adapter whose calls pass points."""

    def __init__(self, inner: Any, trap: Trap, points: Mapping[str, str]) -> None:
        self._inner = inner
        self._trap = trap
        self._points = points

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        point = self._points.get(name)
        if point is None:
            return found

        async def passing(*arguments: Any, **named: Any) -> Any:
            self._trap.at(f"{point}:before")
            result = await found(*arguments, **named)
            self._trap.at(f"{point}:after")
            return result

        return passing


def trapped_plugin(plugin: Plugin[Any, Any], trap: Trap) -> Plugin[Any, Any]:
    """Return a plug-in whose adapters pass the ``deliver`` points."""
    return Plugin(
        plugin.name,
        plugin.settings,
        lambda settings: Trapped(plugin.build(settings), trap, {"deliver": "deliver"}),
    )


async def main(config: Path, trap: Trap) -> None:
    """Serve until the trap closes."""
    loaded = load(config)
    store = Trapped(
        from_url(loaded.settings.store.url),
        trap,
        {"add": "add", "settle": "settle", "step": "step"},
    )
    adapters = {
        name: trapped_plugin(plugin, trap)
        for name, plugin in plugins.load("gateway.adapters").items()
    }
    app = await build(loaded, plugins.load("gateway.channels"), adapters, store=store)
    embedded = app.parts.emergency.embedded
    deliver = embedded.deliver

    async def passing(item: Item) -> None:
        trap.at("liaison:before")
        await deliver(item)
        trap.at("liaison:after")

    embedded.deliver = passing  # type: ignore[method-assign]  # the test's own edge
    url = await app.start()
    sys.stdout.write(f"ready {url}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Trap(sys.argv[2], int(sys.argv[3]))))
