"""The console's users: who they are, another role, letting somebody in no more."""

from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of, to
from gateway.console.roles import ROLES, Right
from gateway.console.views import ROOT
from normalizer.errors import Malformed


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "users", users, (Right.USERS,)),
        ("POST", "users", change, (Right.EDIT_USERS,)),
    ]
    return routes_of(console, pages)


async def users(visit: Visit) -> web.StreamResponse:
    """List everybody who may log in."""
    return await _shown(visit)


async def _shown(visit: Visit, text: str = "", status: int = 200) -> web.Response:
    return visit.page(
        "users",
        status=status,
        users=await visit.console.store.accounts.users(),
        roles=list(ROLES),
        said=visit.console.views.texts["users"][text] if text else "",
    )


async def change(visit: Visit) -> web.StreamResponse:
    """Give somebody another role, or take them out; their sessions end."""
    form, accounts = visit.form, visit.console.store.accounts
    name, role = form.get("name", ""), form.get("role", "")
    if name == visit.user.name:
        return await _shown(visit, "not_yourself", 409)  # an admin must be left
    if form.get("action") == "remove":
        if form.get("confirm") != "on":
            return await _shown(visit, "confirm_needed", 400)
        done = await accounts.remove(name, visit.entry("user.removed", name))
    elif role in ROLES:
        done = await accounts.change(name, visit.entry("user.changed", name, role=role), role=role)
    else:
        raise Malformed("role", "there is no such role")
    return to(f"{ROOT}users") if done else await _shown(visit, "unknown", 404)
