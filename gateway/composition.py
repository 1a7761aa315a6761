"""Putting the gateway together: the only place that constructs its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from aiohttp import web

from adapters.base import Adapter
from adapters.notify.notifier import Notifier
from channels.base import Listener, Messenger, Webhook
from channels.phone.ports import Lent, Reporting
from config.load import Loaded
from config.settings import Settings
from gateway import backoffice, http
from gateway.accept import Intake
from gateway.additions import Additions
from gateway.alarms.ledger import Ledger
from gateway.alarms.notice import Words
from gateway.alarms.watch import Watch
from gateway.alarms.ways import Ways
from gateway.backoffice import BackOffice
from gateway.blobs import Blobs
from gateway.callback import CallBacks
from gateway.cards.watch import Terms
from gateway.carriers import CarrierReports, Recollection
from gateway.clock import Clock
from gateway.compose import Rules
from gateway.console import mount as console_pages
from gateway.console.again import Again
from gateway.console.guard import Console
from gateway.console.routing import Routing
from gateway.console.sessions import Sessions
from gateway.console.views import Views as ConsoleViews
from gateway.core import Core
from gateway.desks import emergency
from gateway.desks import page as deskpage
from gateway.desks.emergency import Emergency
from gateway.desks.roster import Roster
from gateway.desks.stream import Site
from gateway.fetching import KEPT_FOR, errands
from gateway.health import Health, Part, State
from gateway.ids import new_id
from gateway.late import InTime, Latecomers, Taking
from gateway.lending import Means, lend
from gateway.letters import sounds_urgent
from gateway.mail import MailRegistry
from gateway.metrics import Metrics
from gateway.outbox.destination import Outlet
from gateway.outbox.dispatch import Dispatcher
from gateway.portal import api as citizen_api
from gateway.portal import open311
from gateway.portal import pages as citizen_pages
from gateway.portal.citizen import Citizen
from gateway.portal.openid import Authorizer, OpenIds
from gateway.portal.page_views import Views
from gateway.portal.routes import Portal, failure
from gateway.reading import reader_of
from gateway.sections import Plugins, office_keys, opened, outlets_of, speakers_of, ways_of
from gateway.shared import FileShared, shared_of
from gateway.store.base import Store
from gateway.talk.answering import Answering
from gateway.talk.conversation import Conversation
from gateway.telephone import SpokenRatings, lent
from gateway.view import Public
from normalizer.place import same_place

#: An emergency that could not be handed over for days is still one.
_FOR_EVER = timedelta(days=36_500)


@dataclass(slots=True)
class Force:
    """What is in force: replaced by a reload, read at each use."""

    settings: Settings
    rules: Rules
    roster: Roster

    def cards(self) -> Terms:
        """Return when units are shown cards."""
        supervision = self.rules.pack.supervision
        shown = supervision is None or supervision.cards is not False
        return Terms(near=self.settings.cards.near, shown=shown)


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
    routing: Routing  #: by which the console changes routes

    def sounds_urgent(self, text: str) -> bool:
        """Return whether a text sounds like an emergency at a quick look, by the rules in force."""
        return sounds_urgent(text, self.force.rules.rulebook)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that was constructed."""

    base: Base
    dispatcher: Dispatcher
    emergency: Emergency
    intake: Intake
    citizen: Citizen
    front: http.Front
    late: Latecomers
    alarms: Watch
    web: web.Application
    adapters: Sequence[Adapter]
    listeners: Mapping[str, Listener]


def assemble(
    base: Base, channels: Plugins, adapters: Plugins, messengers: Mapping[str, Messenger]
) -> Parts:
    """Return every part of a gateway, wired and not started.

    Raises:
        ConfigError: A section cannot be built.
    """
    settings = base.loaded.settings
    built = opened(settings, channels)
    outlets = outlets_of(settings, adapters)
    speakers = {**speakers_of(settings, channels, [c for _, _, c in built]), **messengers}
    notifier = Notifier(speakers)
    outlets |= dict.fromkeys(("notify", "answer"), Outlet(notifier))
    dispatcher = Dispatcher(base.store, outlets, base.public, base.clock, base.metrics)
    call_backs = CallBacks(base.store, dispatcher, base.clock)
    notifier.telephone_by(call_backs.ask)
    alarm = _emergency(base, dispatcher)
    outlets["liaison"] = Outlet(alarm.queue, _FOR_EVER)
    core = _core(base, dispatcher, alarm, Answering(ways_of(settings, channels, speakers)))
    additions = Additions(core)
    citizen = Citizen(core, base.public, additions, speakers.get("notify:sms"))
    reader = reader_of(core.rules, base.loaded)
    intake = Intake(core, Conversation(core, additions, citizen), reader)
    dispatcher.pace.behind = intake.behind
    office = BackOffice(core, base.public, office_keys(settings, adapters))
    outlets["media"] = Outlet(errands(speakers, base.store, base.blobs, additions), KEPT_FOR)
    line = lent(base.blobs.write, alarm.feed.pop, core.rules, SpokenRatings(core, citizen))
    lend(_means(base, dispatcher, call_backs, line), _by_kind(built, speakers))
    in_time = _in_time(base, core, intake, speakers)
    front = _front(base, built, intake, dispatcher, alarm, in_time)
    return Parts(
        base=base,
        dispatcher=dispatcher,
        emergency=alarm,
        intake=intake,
        citizen=citizen,
        front=front,
        late=in_time.late,
        alarms=_alarms(base, front.health, speakers),
        web=_application(base, front, citizen, alarm, office),
        adapters=list({id(o.adapter): o.adapter for o in outlets.values()}.values()),
        listeners={f"{k}:{n}": c for k, n, c in built if hasattr(c, "run")},
    )


def _core(base: Base, dispatcher: Dispatcher, alarm: Emergency, answering: Answering) -> Core:
    force = base.force
    return Core(
        store=base.store,
        rules=lambda: force.rules,
        clock=base.clock,
        reporter=alarm.index,
        outbox=dispatcher,
        metrics=base.metrics,
        answering=answering,
    )


def _by_kind(
    built: Sequence[tuple[str, str, object]], speakers: Mapping[str, Messenger]
) -> list[tuple[str, object]]:
    """Return channels and messengers with their kinds."""
    ways_out = [(way.split(":")[1], each) for way, each in speakers.items() if ":" in way]
    return [*((kind, channel) for kind, _, channel in built), *ways_out]


def _means(base: Base, dispatcher: Dispatcher, call_backs: CallBacks, line: Lent) -> Means:
    """Return what channels and messengers may ask for."""
    beside = base.loaded.settings.store.beside
    return Means(
        shared=shared_of(base.store, beside / "shared"),
        folder=beside,
        urgent=base.sounds_urgent,
        line=line,
        memory=Recollection(base.store),
        reports=CarrierReports(base.store, base.clock),
        registry=MailRegistry(base.store, base.blobs, base.clock, dispatcher, call_backs),
    )


def _in_time(base: Base, core: Core, intake: Intake, speakers: Mapping[str, Messenger]) -> InTime:
    """Return what takes pushes, in their carrier's time or later."""
    taking = Taking(intake, core, base.blobs)
    folder = base.loaded.settings.store.beside / "late"
    return InTime(taking, Latecomers(folder, core, taking, speakers), base.clock)


def _state(channel: object) -> Part:
    """Return how well a channel works, as far as it knows."""
    if not hasattr(channel, "trouble"):
        return Part(state=State.OK)
    reporting = cast("Reporting", channel)
    if (why := reporting.trouble()) is not None:
        return Part(state=State.DOWN, why=why)
    weak = reporting.weakness() if hasattr(channel, "weakness") else None
    return Part(state=State.OK if weak is None else State.DEGRADED, why=weak)


def _emergency(base: Base, dispatcher: Dispatcher) -> Emergency:
    force = base.force
    return emergency.build(
        base.loaded.settings,
        emergency.Needs(
            store=base.store,
            clock=base.clock,
            outbox=dispatcher,
            fresh=dispatcher.fresh,
            public=base.public,
            new_id=new_id,
            same_place=same_place,
            roster=lambda: force.roster,
            kind_label=lambda kind: _kind_label(force.rules, kind),
        ),
    )


def _alarms(base: Base, health: Health, speakers: Mapping[str, Messenger]) -> Watch:
    force, beside = base.force, base.loaded.settings.store.beside
    return Watch(
        health.parts,
        lambda: force.settings.alarms,
        base.clock,
        Ways(speakers, Words(force.settings.instance.name, base.public)),
        # Not what all nodes share: each tells of its own parts, and of the store.
        Ledger(FileShared(beside / "shared")),
        base.metrics,
        new_id,
    )


def _kind_label(rules: Rules, kind: str) -> str | None:
    known = rules.rulebook.kinds.get(kind)
    return known.label if known else None


def _front(
    base: Base,
    built: Sequence[tuple[str, str, Any]],
    intake: Intake,
    dispatcher: Dispatcher,
    alarm: Emergency,
    in_time: InTime,
) -> http.Front:
    webhooks: dict[tuple[str, str], Webhook] = {
        (kind, name): channel for kind, name, channel in built if hasattr(channel, "parse")
    }
    portal = next(((n, c) for k, n, c in built if k == "web"), None)
    return http.Front(
        taking=in_time.taking,
        in_time=in_time,
        intake=intake,
        store=base.store,
        blobs=base.blobs,
        clock=base.clock,
        metrics=base.metrics,
        health=Health(
            base.store,
            base.clock,
            {
                "channels": lambda: {f"{k}:{n}": _state(c) for k, n, c in built},
                "adapters": dispatcher.health,
                "queue": alarm.state.parts,
            },
            base.public.zone,
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
    citizen: Citizen,
    alarm: Emergency,
    office: BackOffice,
) -> web.Application:
    force = base.force
    app = web.Application(
        client_max_size=http.JSON_BYTES, middlewares=[open311.errors, http.middleware(front)]
    )
    app.add_routes(http.routes(front))
    app.add_routes(citizen_api.routes(citizen, front.remote))
    app.add_routes(backoffice.routes(office))
    site = Site(
        store=base.store,
        roster=lambda: force.roster,
        liaison=alarm.liaison,
        feed=alarm.feed,
        clock=base.clock,
        public=base.public,
        proxies=base.loaded.settings.http.trusted_proxies,
    )
    app.add_routes(deskpage.routes(site))
    app.add_routes(console_pages.routes(_console(base, front)))
    if front.portal is not None:
        accounts = {
            name: cast("Authorizer", channel)
            for (_, name), channel in front.webhooks.items()
            if hasattr(channel, "open_id")
        }
        known = OpenIds(accounts, base.public.url, base.public.secret, base.clock)
        app.add_routes(known.routes())
        portal = _portal(base, front, citizen, known)
        app.add_routes(citizen_pages.routes(portal))
        app.add_routes(open311.routes(_open311(base, portal)))
        front.page_missing = lambda request: failure(portal.views, request, 404)
    return app


def _console(base: Base, front: http.Front) -> Console:
    force, settings = base.force, base.loaded.settings
    return Console(
        store=base.store,
        clock=base.clock,
        public=base.public,
        sessions=Sessions(base.store.accounts, base.clock, base.store.secret),
        views=ConsoleViews(settings.instance.name, settings.instance.zone),
        health=front.health,
        metrics=base.metrics,
        remote=front.remote,
        roster=lambda: force.roster,
        again=Again(front.webhooks, front.taking, front.in_time.late.answers),
        routing=base.routing,
    )


def _open311(base: Base, portal: Portal) -> open311.Open311:
    return open311.Open311(
        portal=portal,
        store=base.store,
        name=base.loaded.settings.instance.name,
        url=base.public.url,
        urgent=base.sounds_urgent,
    )


def _portal(base: Base, front: http.Front, citizen: Citizen, known: OpenIds) -> Portal:
    settings = base.loaded.settings
    return Portal(
        account=front.portal_name,
        accept=front.intake.accept,
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
        bound=known.bound,
        codes=citizen.codes,
    )
