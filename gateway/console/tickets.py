"""The console's live intake, its search for tickets, and one ticket with all that is known of it."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of, to
from gateway.console.listing import Found, Wanted, is_emergency, search, wanted_of
from gateway.console.roles import Right
from gateway.console.views import ROOT
from gateway.desks.incidents import UNANSWERED
from gateway.desks.view import desk_views
from gateway.links import attachment_url
from gateway.portal.routes import tidy_number
from gateway.store.base import Event, Store, StoredIncident
from gateway.view import publish
from normalizer.number import parse
from normalizer.schema import Attachment, Evidence, Status, Urgency, Value

#: Seconds between two looks of the live page.
REFRESH_S = 10
#: Open incidents on the live page.
_INCIDENTS = 50
#: Steps of an incident whose deliveries are shown: one that hundreds report has hundreds.
_STEPS = 50
_SEE = (Right.TICKETS, Right.EMERGENCIES)
_FILTERS = ("channel", "urgency", "state", "since", "until")


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "", live, _SEE),
        ("GET", "tickets", tickets, _SEE),
        ("GET", "tickets/{number}", ticket, _SEE),
    ]
    return routes_of(console, pages)


async def live(visit: Visit) -> web.StreamResponse:
    """Show what has come in last, and the incidents that are open; again every few seconds."""
    store, public = visit.console.store, visit.console.public
    found = await search(store, Wanted(emergencies=not visit.may(Right.TICKETS)))
    opened, counts = await open_incidents(store), await store.counts()
    incidents = await desk_views(store, opened, public.zone, visit.console.roster())
    still = "still" in visit.request.query
    return visit.page(
        "live",
        refresh=None if still else f"{REFRESH_S};url={ROOT}?auto=1",
        still=still,
        rows=found.rows,
        incidents=incidents,
        counts=counts,
        more=counts.get("incidents_open", 0) > len(incidents),
        now=visit.console.clock.now(),
        seconds=REFRESH_S,
    )


async def open_incidents(store: Store) -> list[StoredIncident]:
    """Return the newest open incidents; those that nobody has answered yet come first."""
    found = await store.newest_incidents(UNANSWERED, _INCIDENTS)
    if rest := _INCIDENTS - len(found):
        found += await store.newest_incidents(("acknowledged",), rest)
    return found


async def tickets(visit: Visit) -> web.StreamResponse:
    """Show the search, and what it found."""
    query, console = visit.request.query, visit.console
    if number := query.get("number", "").strip():
        return await _by_number(visit, tidy_number(number))
    wanted = wanted_of(query)
    if not visit.may(Right.TICKETS):
        wanted = msgspec.structs.replace(wanted, emergencies=True)
    before = query.get("before", "")
    found = await search(console.store, wanted, before if parse(before) else None)
    return _listed(visit, found)


def _listed(visit: Visit, found: Found, unknown: str = "", status: int = 200) -> web.Response:
    query = visit.request.query
    values = {name: query.get(name, "") for name in _FILTERS}
    kept = {name: value for name, value in values.items() if value}
    more = urlencode({**kept, "before": found.before}) if found.before else ""
    return visit.page(
        "tickets",
        status=status,
        rows=found.rows,
        values=values,
        unknown=unknown,
        more=more,
        first=f"?{urlencode(kept)}" if "before" in query else "",
        urgencies=list(Urgency),
        states=list(Status),
    )


async def _by_number(visit: Visit, number: str) -> web.Response:
    stored = await visit.console.store.ticket(number) if parse(number) is not None else None
    # Who may see emergencies alone does not learn which other numbers there are.
    if stored is not None and (visit.may(Right.TICKETS) or is_emergency(stored)):
        return to(f"{ROOT}tickets/{number}")
    return _listed(visit, Found(rows=(), before=None), unknown=number, status=404)


async def ticket(visit: Visit) -> web.StreamResponse:
    """Show one ticket; the audit has who saw it."""
    console = visit.console
    stored = await console.store.ticket(visit.request.match_info["number"])
    if stored is None:
        return visit.notice(404, "missing")
    if not visit.may(Right.TICKETS) and not is_emergency(stored):
        return await visit.refused("no_right")
    await visit.note("ticket.seen", stored.number)
    opened = [await console.store.incident(id_) for id_ in stored.incidents]
    incidents = [one for one in opened if one is not None]
    events = [*stored.events, *(e for one in incidents for e in one.events[-_STEPS:])]
    shown = publish(stored, console.public)
    return visit.page(
        "ticket",
        ticket=shown,
        pieces=pieces(stored.ticket.content.text, shown.evidence),
        incidents=await desk_views(console.store, incidents, console.public.zone, console.roster()),
        deliveries=await console.store.deliveries_of([event.seq for event in events]),
        steps=[_step(event, console.public.secret) for event in stored.events],
        links=[(a, (a.url or "").removeprefix(console.public.url)) for a in shown.attachments],
    )


class Step(Value, frozen=True, kw_only=True):
    """What a ticket's page shows of one of its events."""

    event: Event
    text: str | None  #: what was said: with an addition in its details, else by itself
    rating: str | None
    files: tuple[tuple[Attachment, str], ...]  #: with their addresses


def _step(event: Event, secret: bytes) -> Step:
    message = event.data.get("message") or {}
    files = msgspec.convert(message.get("attachments", ()), tuple[Attachment, ...])
    return Step(
        event=event,
        text=event.text or message.get("text"),
        rating=event.data.get("rating"),
        files=tuple((one, attachment_url("", secret, one.id, one.sha256)) for one in files),
    )


def pieces(text: str, evidence: Sequence[Evidence]) -> list[tuple[str, str]]:
    """Return a text cut where evidence begins and ends: each piece, and the rules that it met."""
    spans = [e for e in evidence if 0 <= e.start < e.end <= len(text)]
    cuts = sorted({0, len(text), *(e.start for e in spans), *(e.end for e in spans)})
    found: list[tuple[str, str]] = []
    for start, end in pairwise(cuts):
        met: dict[str, Any] = {e.rule: None for e in spans if e.start <= start and end <= e.end}
        found.append((text[start:end], "、".join(met)))
    return found
