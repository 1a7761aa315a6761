"""The console's audit: who did what, when and from where."""

from datetime import datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of
from gateway.console.listing import day_of
from gateway.console.roles import Right
from gateway.store.accounts import Wanted

_SHOWN = 100
_FILTERS = ("by", "action", "since", "until")


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "audit", audit, (Right.AUDIT,))
    ]
    return routes_of(console, pages)


async def audit(visit: Visit) -> web.StreamResponse:
    """Show entries, newest first, a page at a time."""
    query, zone = visit.request.query, visit.console.public.zone
    until = _begin_of(day_of("until", query), zone)
    wanted = Wanted(
        by=query.get("by", "").strip(),
        action=query.get("action", ""),
        since=_begin_of(day_of("since", query), zone),
        until=until + timedelta(days=1) if until is not None else None,
    )
    found = await visit.console.store.accounts.audit(
        wanted, _before(query.get("before", "")), _SHOWN
    )
    values = {name: query.get(name, "") for name in _FILTERS}
    kept = {name: value for name, value in values.items() if value}
    more = urlencode({**kept, "before": found[-1].seq}) if len(found) == _SHOWN else ""
    return visit.page(
        "audit",
        entries=found,
        values=values,
        more=more,
        first=f"?{urlencode(kept)}" if "before" in query else "",
    )


def _begin_of(day: str | None, zone: ZoneInfo) -> datetime | None:
    return datetime.strptime(day, "%Y%m%d").replace(tzinfo=zone) if day is not None else None


def _before(given: str) -> int | None:
    return int(given) if given.isascii() and given.isdigit() and len(given) < 18 else None
