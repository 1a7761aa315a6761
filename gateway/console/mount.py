"""All routes of the console, in the order in which they are looked at."""

from aiohttp import web

from gateway.console import auditing, deadletters, entrance, routes_pages, state, tickets, users
from gateway.console.guard import Console, Visit, guarded
from gateway.console.views import ROOT


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes to mount."""
    found = [
        *entrance.routes(console),
        *tickets.routes(console),
        *routes_pages.routes(console),
        *state.routes(console),
        *deadletters.routes(console),
        *auditing.routes(console),
        *users.routes(console),
    ]
    # Whatever else is asked for: only who is logged in learns that it is not there.
    return [*found, web.route("*", ROOT + "{rest:.*}", guarded(console, _missing))]


async def _missing(visit: Visit) -> web.StreamResponse:
    return visit.notice(404, "missing")
