"""A gateway's life: build it, start it in order, reload it, stop it in reverse."""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from channels.base import Messenger
from config.load import Loaded
from config.settings import Settings
from gateway.blobs import Blobs
from gateway.cards.watch import CardWatch
from gateway.clock import Clock, SystemClock
from gateway.clusters.watch import ClusterWatch
from gateway.composition import Base, Force, Parts, assemble
from gateway.configcheck import LOOPBACK, checked
from gateway.console.routing import Routing
from gateway.desks.roster import Roster
from gateway.metrics import Metrics
from gateway.neighbours import Neighbours, meeting_of
from gateway.rules import compile_rules
from gateway.sections import Plugins
from gateway.store.base import Store
from gateway.store.engines import from_url
from gateway.view import Public
from normalizer.errors import ConfigError

log = logging.getLogger(__name__)

#: Seconds for which connections are still answered, each for the last time, while draining.
_DRAIN_S = 1.0
_GRACE_S = 10.0
_RESTART_S = 1.0
#: What only a restart can change.
_FIXED = ("instance", "http", "store", "queue", "reading", "channels", "adapters")


class App:
    """A gateway, running between `start` and `stop`."""

    def __init__(self, parts: Parts, channels: Plugins, adapters: Plugins) -> None:
        self.parts = parts
        self._kinds = (channels, adapters)
        self._reloading = asyncio.Lock()
        self.url = ""
        self._loaded = parts.base.loaded
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        parts.base.routing.run_by(self)

    async def start(self) -> str:
        """Return the address once every listener is bound."""
        parts = self.parts
        await parts.base.blobs.open()
        parts.intake.reader.open()
        for adapter in parts.adapters:
            await adapter.open()
        await parts.emergency.start()
        parts.dispatcher.start()
        await parts.late.start(parts.front.webhooks, parts.front.pushes.keep)
        await self._listen()
        for name, run in self._chores().items():
            self._tasks.append(asyncio.create_task(self._keep(name, run), name=name))
        log.info("gateway.started", extra={"region": self._loaded.pack.name})
        _warn_of_open_desks(self._loaded.settings)
        return self.url

    async def _listen(self) -> None:
        at = self._loaded.settings.http
        self._runner = web.AppRunner(
            self.parts.web,
            access_log=None,
            shutdown_timeout=_GRACE_S,
            # A few kilobytes would inflate to gigabytes on the loop, even of a refused body.
            auto_decompress=False,
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, at.host, at.port, backlog=1024).start()
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else "no such address"
            raise ConfigError(f"http: cannot listen on {at.host}:{at.port}: {why}") from None
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def _chores(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Return what runs beside the HTTP side as long as the gateway does."""
        parts, base = self.parts, self.parts.base
        clusters = ClusterWatch(base.store, base.clock, parts.dispatcher)
        cards = CardWatch(base.store, base.clock, parts.dispatcher, base.force.cards, base.metrics)
        accept_for = parts.front.taking.accept_for
        chores: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "attachments": partial(base.blobs.keep_tidy, base.store.attached, base.clock),
            "clusters": clusters.run,
            "cards": cards.run,
            "health": parts.front.health.watch,
            "alarms": parts.alarms.run,
        }
        if (meeting := meeting_of(base.store)) is not None:
            chores["neighbours"] = Neighbours(meeting, base.store, parts.emergency, base.clock).run
        for name, listener in parts.listeners.items():
            chores[name] = partial(listener.run, accept_for(listener))
        return chores

    async def _keep(self, name: str, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a chore for ever: one that fails is started again, and counted."""
        while True:
            try:
                await run()
            except Exception:
                log.exception("part.failed", extra={"part": name})
                self.parts.base.metrics.count("part_failed", name)
            await asyncio.sleep(_RESTART_S)

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""
        return self._loaded

    async def reload_from(self, path: Path | None) -> None:
        """Read a configuration's file and put it in force; one time after another.

        Raises:
            ConfigError: As with `reload`, or with all that is wrong in the file.
        """
        async with self._reloading:
            await self.reload(await asyncio.to_thread(checked, path, *self._kinds))

    async def reload(self, loaded: Loaded) -> None:
        """Put routes, lexicons, region rules, desks and alarms of a configuration in force, at once.

        Raises:
            ConfigError: It is wrong, or changes what only a restart can; nothing has changed.
        """
        base, old = self.parts.base, self._loaded.settings
        if moved := [n for n in _FIXED if getattr(loaded.settings, n) != getattr(old, n)]:
            raise ConfigError(f"{', '.join(moved)}: changed; restart the gateway to apply it")
        rules = await asyncio.to_thread(compile_rules, loaded)
        force = base.force
        force.settings, force.rules = loaded.settings, rules
        force.roster = Roster(loaded.settings.liaison)
        self._loaded = loaded
        self.parts.intake.reader.renew(loaded)
        self.parts.dispatcher.enable()
        self.parts.emergency.ladder.wake()
        # Pages connect again at once, and only with a token that is still in force.
        self.parts.emergency.feed.close()
        base.metrics.count("reloaded")
        log.info("gateway.reloaded", extra={"rulebook": rules.rulebook.version})

    async def stop(self) -> None:
        """Answer what was asked, finish what is under way, and let go of everything."""
        parts = self.parts
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
            # Closing connections under clients that are about to use them would break requests;
            # answering each one for the last time lets them go in peace.
            parts.front.draining = True
            parts.emergency.feed.close()
            await asyncio.sleep(_DRAIN_S)
            await self._runner.cleanup()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await parts.alarms.close()
        await parts.late.stop(_GRACE_S)
        await parts.emergency.stop()
        await parts.dispatcher.stop(_GRACE_S)
        for adapter in parts.adapters:
            await adapter.close()
        await parts.intake.reader.close()
        await parts.base.store.close()
        log.info("gateway.stopped")


def _warn_of_open_desks(settings: Settings) -> None:
    """Warn of desks without a token on a gateway that is known beyond this machine.

    A proxy here that adds no header makes everybody look like somebody at this machine.
    """
    if urlsplit(settings.http.public_url).hostname in LOOPBACK:
        return
    for name, desk in settings.liaison.items():
        if desk.token is None:
            log.warning("desk.without_token", extra={"desk": name})


async def build(
    loaded: Loaded,
    channels: Plugins,
    adapters: Plugins,
    clock: Clock | None = None,
    messengers: Mapping[str, Messenger] | None = None,
    store: Store | None = None,
) -> App:
    """Return a gateway that is ready to start; its store is open.

    Args:
        loaded: The configuration.
        channels: Installed channels by kind.
        adapters: Installed adapters by kind.
        clock: The time; None is the machine's.
        messengers: Ways out by destination, beside those of the configured channels.
        store: The store, not open yet; None is the one that the configuration names.

    Raises:
        ConfigError: A lexicon, a section or the store's address is wrong.
        StoreError: The store cannot be used; another gateway may have it.
    """
    rules = await asyncio.to_thread(compile_rules, loaded)
    settings = loaded.settings
    store = store or from_url(settings.store.url, folder=settings.store.beside)
    await store.open()
    try:
        base = Base(
            loaded=loaded,
            force=Force(settings=settings, rules=rules, roster=Roster(settings.liaison)),
            clock=clock or SystemClock(),
            store=store,
            metrics=Metrics(),
            public=Public(
                url=settings.http.public_url.rstrip("/"),
                zone=settings.instance.zone,
                secret=store.secret,
            ),
            blobs=Blobs(settings.store.files, alone=meeting_of(store) is None),
            routing=Routing(store.routes_kept),
        )
        return App(assemble(base, channels, adapters, messengers or {}), channels, adapters)
    except BaseException:
        await store.close()
        raise
