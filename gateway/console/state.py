"""The console's health page: what ``/readyz`` knows, for people."""

from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of
from gateway.console.roles import Right
from gateway.health import Part

#: Groups of parts in the order in which they are shown.
_GROUPS = ("channels", "adapters", "queue")


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "health", health, (Right.HEALTH,))
    ]
    return routes_of(console, pages)


async def health(visit: Visit) -> web.StreamResponse:
    """Show every part with its state, since when and why."""
    ready, document = await visit.console.health.report()
    parts: list[tuple[str, str, object]] = [("store", "", document["store"])]
    for group in _GROUPS:
        found = document.get(group)
        if isinstance(found, dict):
            parts += [(group, name, part) for name, part in sorted(found.items())]
    shown = [(group, name, part) for group, name, part in parts if isinstance(part, Part)]
    return visit.page(
        "health",
        refresh=f"15;url={visit.request.path}?auto=1",
        ready=ready,
        state=document["state"],
        parts=shown,
        counts=document.get("counts") or {},
        now=visit.console.clock.now(),
    )
