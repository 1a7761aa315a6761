"""Putting the gateway together: the only place that constructs things, in order, and stops them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from aiohttp import web

from adapters.base import Adapter
from adapters.notify.notifier import Notifier
from channels.base import Listener, Messenger, Webhook
from channels.webhook.codec import key_of
from config.load import Loaded
from config.plugin import Plugin
from config.settings import Settings, as_list
from gateway import backoffice, citizen_api, citizen_pages, deskpage, emergency, http
from gateway.accept import Intake
from gateway.backoffice import BackOffice
from gateway.blobs import Blobs
from gateway.citizen import Citizen
from gateway.clock import Clock, SystemClock
from gateway.compose import Rules
from gateway.deskstream import Site
from gateway.destination import Outlet
from gateway.dispatch import Dispatcher
from gateway.emergency import Emergency
from gateway.health import Health, Part, State
from gateway.ids import new_id
from gateway.metrics import Metrics
from gateway.page_views import Views
from gateway.portal import Portal
from gateway.roster import Roster
from gateway.rules import compile_rules, work_rules
from gateway.store.base import Store
from gateway.store.sqlite import from_url
from gateway.view import Public
from normalizer.errors import ConfigError
from normalizer.place import same_place

log = logging.getLogger(__name__)

Plugins = Mapping[str, Plugin[Any, Any]]
#: Seconds for which connections are still answered, each for the last time, while draining.
_DRAIN_S = 1.0
_GRACE_S = 10.0
_RESTART_S = 1.0
#: What only a restart can change.
_FIXED = ("instance", "http", "store", "queue", "channels", "adapters")


@dataclass(slots=True)
class Force:
    """What is in force: replaced by a reload, read at each use."""

    settings: Settings
    rules: Rules
    roster: Roster


@dataclass(frozen=True, slots=True)
class Base:
    """What everything else stands on."""

    loaded: Loaded
    force: Force
    clock: Clock
    store: Store
    metrics: Metrics
    public: Public
    blobs: Blobs


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that was constructed."""

    base: Base
    dispatcher: Dispatcher
    emergency: Emergency
    intake: Intake
    citizen: Citizen
    front: http.Front
    web: web.Application
    adapters: Sequence[Adapter]
    listeners: Mapping[str, Listener]


class App:
    """A gateway, running between `start` and `stop`."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.url = ""
        self._loaded = parts.base.loaded
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Return the address once every listener is bound."""
        parts = self.parts
        await parts.base.blobs.open()
        for adapter in parts.adapters:
            await adapter.open()
        await parts.emergency.start()
        parts.dispatcher.start()
        await self._listen()
        for name, listener in parts.listeners.items():
            self._tasks.append(asyncio.create_task(self._keep(name, listener), name=name))
        log.info("gateway.started", extra={"region": self._loaded.pack.name})
        return self.url

    async def _listen(self) -> None:
        at = self._loaded.settings.http
        self._runner = web.AppRunner(self.parts.web, access_log=None, shutdown_timeout=_GRACE_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, at.host, at.port, backlog=1024).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _keep(self, name: str, listener: Listener) -> None:
        """Run a listener for ever: one that fails is started again, and counted."""
        while True:
            try:
                await listener.run(self.parts.intake.accept)
            except Exception:
                log.exception("listener.failed", extra={"channel": name})
                self.parts.base.metrics.count("listener_failed", name)
            await asyncio.sleep(_RESTART_S)

    async def reload(self, loaded: Loaded) -> None:
        """Put routes, lexicons, region rules and desks of a configuration in force, all at once.

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
        self.parts.dispatcher.enable()
        self.parts.emergency.ladder.wake()
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
        await parts.emergency.stop()
        await parts.dispatcher.stop(_GRACE_S)
        for adapter in parts.adapters:
            await adapter.close()
        await parts.base.store.close()
        log.info("gateway.stopped")


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
        messengers: Ways out by kind, beside those of the configured channels.
        store: The store, not open yet; None is the one that the configuration names.

    Raises:
        ConfigError: A lexicon, a section or the store's address is wrong.
        StoreError: The store cannot be used; another gateway may have it.
    """
    rules = await asyncio.to_thread(compile_rules, loaded)
    settings = loaded.settings
    store = store or from_url(settings.store.url)
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
            blobs=Blobs(attachments_folder(settings)),
        )
        return App(_assemble(base, channels, adapters, messengers or {}))
    except BaseException:
        await store.close()
        raise


def attachments_folder(settings: Settings) -> Path:
    """Return the folder of attachments: beside the embedded store, else under ``var``."""
    path = settings.store.url.removeprefix("sqlite:///").partition("?")[0]
    if path != settings.store.url.partition("?")[0]:
        return Path(path).parent / "attachments"
    return Path("var/attachments")


def name_of(section: Mapping[str, Any], plugin: Plugin[Any, Any]) -> str:
    """Return a section's name, its plug-in's default where it gives none."""
    name: str = plugin.check(section).name
    return name


def _assemble(
    base: Base, channels: Plugins, adapters: Plugins, messengers: Mapping[str, Messenger]
) -> Parts:
    settings, force = base.loaded.settings, base.force
    built = [
        (s["kind"], name_of(s, channels[s["kind"]]), channels[s["kind"]].open(s))
        for s in settings.channels
    ]
    outlets = _outlets(settings, adapters)
    ways_out = {kind: channel for kind, _, channel in built if hasattr(channel, "send")}
    outlets["notify"] = Outlet(Notifier({**ways_out, **messengers}))
    dispatcher = Dispatcher(base.store, outlets, base.public, base.clock, base.metrics)
    alarm = emergency.build(
        settings,
        emergency.Needs(
            store=base.store,
            clock=base.clock,
            outbox=dispatcher,
            public=base.public,
            new_id=new_id,
            same_place=same_place,
            roster=lambda: force.roster,
            kind_label=lambda kind: _kind_label(force.rules, kind),
        ),
    )
    # An emergency that could not be handed over for days is still one.
    outlets["liaison"] = Outlet(alarm.queue, retry_for=timedelta(days=36_500))
    intake = Intake(
        base.store, lambda: force.rules, base.clock, alarm.index, dispatcher, base.metrics
    )
    citizen = Citizen(
        base.store, lambda: force.rules, base.clock, base.public, alarm.index, dispatcher
    )
    front = _front(base, built, intake, dispatcher, alarm)
    return Parts(
        base=base,
        dispatcher=dispatcher,
        emergency=alarm,
        intake=intake,
        citizen=citizen,
        front=front,
        web=_application(base, front, intake, citizen, alarm, adapters),
        adapters=[outlet.adapter for outlet in outlets.values()],
        listeners={f"{k}:{n}": c for k, n, c in built if hasattr(c, "run")},
    )


def _kind_label(rules: Rules, kind: str) -> str | None:
    known = rules.rulebook.kinds.get(kind)
    return known.label if known else None


def _outlets(settings: Settings, adapters: Plugins) -> dict[str, Outlet]:
    outlets = {}
    for section in settings.adapters:
        plugin = adapters[section["kind"]]
        checked = plugin.check(section)
        outlets[checked.name] = Outlet(plugin.build(checked), checked.retry_for)
    return outlets


def _front(
    base: Base,
    built: Sequence[tuple[str, str, Any]],
    intake: Intake,
    dispatcher: Dispatcher,
    alarm: Emergency,
) -> http.Front:
    webhooks: dict[tuple[str, str], Webhook] = {
        (kind, name): channel for kind, name, channel in built if hasattr(channel, "parse")
    }
    portal = next(((n, c) for k, n, c in built if k == "web"), None)
    running = {f"{kind}:{name}": Part(state=State.OK) for kind, name, _ in built}
    return http.Front(
        intake=intake,
        store=base.store,
        blobs=base.blobs,
        clock=base.clock,
        metrics=base.metrics,
        health=Health(
            base.store,
            base.clock,
            {
                "channels": lambda: running,
                "adapters": dispatcher.health,
                "queue": alarm.state.parts,
            },
        ),
        secret=base.store.secret,
        webhooks=webhooks,
        portal=portal[1] if portal else None,
        portal_name=portal[0] if portal else "",
        remote=http.remote_reader(base.loaded.settings.http.trusted_proxies),
    )


def _application(
    base: Base,
    front: http.Front,
    intake: Intake,
    citizen: Citizen,
    alarm: Emergency,
    adapters: Plugins,
) -> web.Application:
    settings, force = base.loaded.settings, base.force
    app = web.Application(client_max_size=http.JSON_BYTES, middlewares=[http.middleware(front)])
    app.add_routes(http.routes(front))
    app.add_routes(citizen_api.routes(citizen, front.remote))
    keys = {
        name_of(s, adapters[s["kind"]]): _keys(s)
        for s in settings.adapters
        if s["kind"] == "backoffice"
    }
    office = BackOffice(base.store, base.clock, base.public, keys, lambda: work_rules(force.rules))
    app.add_routes(backoffice.routes(office))
    site = Site(
        store=base.store,
        roster=lambda: force.roster,
        liaison=alarm.liaison,
        feed=alarm.feed,
        clock=base.clock,
        public=base.public,
    )
    app.add_routes(deskpage.routes(site))
    if front.portal is not None:
        app.add_routes(citizen_pages.routes(_portal(base, front, intake, citizen)))
    return app


def _keys(section: Mapping[str, Any]) -> tuple[bytes, ...]:
    secrets = as_list(section["secret"])
    return tuple(key_of(str(secret)) for secret in secrets)  # type: ignore[attr-defined]  # a list


def _portal(base: Base, front: http.Front, intake: Intake, citizen: Citizen) -> Portal:
    settings = base.loaded.settings
    return Portal(
        account=front.portal_name,
        accept=intake.accept,
        tickets=citizen,
        blobs=base.blobs,
        clock=base.clock,
        zone=settings.instance.zone,
        views=Views(
            settings.instance.name,
            settings.instance.zone,
            secure=settings.http.public_url.startswith("https:"),
        ),
        remote=front.remote,
    )
