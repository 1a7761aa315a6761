"""``gateway serve``: run everything until a signal says otherwise."""

import argparse
import asyncio
import contextlib
import gc
import logging
import resource
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from gateway import logs, plugins
from gateway.app import App, build
from gateway.configcheck import checked
from normalizer.errors import ConfigError, GatewayError

log = logging.getLogger(__name__)

#: Python's own 5 ms, many times over in one request, would be seen by who reports an emergency.
SWITCH_S = 0.001


def run_loop(main: Coroutine[Any, Any, int]) -> int:
    """Run on uvloop where it is installed, else on the standard loop."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    return uvloop.run(main)


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT and return 0."""
    logs.configure()
    # Until there is something to reload: the default would end a gateway that is starting.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # How long a letter read beside the loop may keep the interpreter from it.
    sys.setswitchinterval(SWITCH_S)
    _take_all_descriptors()
    if foreign := plugins.foreign_packages():
        raise ConfigError("\n".join(foreign))
    return run_loop(_serve(arguments))


def _take_all_descriptors() -> None:
    """Raise the soft limit of open files to the hard one: each idle connection takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # the system may refuse; the old limit stays
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(arguments: argparse.Namespace) -> int:
    channels, adapters = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    loaded = checked(arguments.config, channels, adapters)
    app = await build(loaded, channels, adapters)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    try:
        url = await app.start()
        # Rules and templates live as long as the process: no collection need look at them again.
        gc.collect()
        gc.freeze()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        reloading = Reloading(app, arguments.config)
        loop.add_signal_handler(signal.SIGHUP, reloading.begin)
        sys.stdout.write(f"ready {url}\n")
        sys.stdout.flush()
        await ended.wait()
    finally:
        await app.stop()
    return 0


class Reloading:
    """Reads the configuration again when asked; one time after another."""

    def __init__(self, app: App, path: Path | None) -> None:
        self._app = app
        self._path = path
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Start a reload behind those that run, if any."""
        task = asyncio.create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reload(self) -> None:
        try:
            await self._app.reload_from(self._path)
        except (GatewayError, OSError) as error:
            # The running configuration stays in force.
            log.warning("gateway.reload_refused", extra={"why": str(error)})
            self._app.parts.base.metrics.count("reload_refused")
