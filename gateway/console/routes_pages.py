"""The console's routes: those in force, changing and trying them out, versions, and rolling back."""

import difflib
from collections.abc import Sequence

from aiohttp import web

from gateway.console.guard import Console, Page, Visit, routes_of, to
from gateway.console.replacing import Unwritable
from gateway.console.roles import Right
from gateway.console.routing import Current, Looked, NotNoted
from gateway.console.trial import TrialFailed
from gateway.console.views import ROOT
from gateway.store.accounts import Version
from normalizer.errors import ConfigError, Malformed

#: Versions on the page, and tickets that are listed of a replay.
_VERSIONS, _MOVED = 50, 200
#: How many stored tickets can be replayed.
LASTS = (200, 1000, 5000)
_WHY_MOST = 500
#: Lines of both texts beyond which no difference is shown: looking for it holds all others up.
_COMPARED = 2000


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    see, change = (Right.ROUTES,), (Right.EDIT_ROUTES,)
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("GET", "routes", overview, see),
        ("GET", "routes/edit", edit, change),
        ("POST", "routes/edit", act, change),
        (r"GET", r"routes/versions/{number:\d{1,9}}", version, see),
    ]
    return routes_of(console, pages)


async def overview(visit: Visit) -> web.StreamResponse:
    """Show the routes in force and their versions."""
    routing = visit.console.routing
    current = await routing.current()
    versions = await visit.console.store.routes_kept.versions(None, _VERSIONS)
    return visit.page(
        "routes",
        current=current,
        routes=routing.running.loaded.settings.routes,
        versions=versions,
        in_force=_in_force(versions, current),
    )


def _in_force(versions: Sequence[Version], current: Current) -> int | None:
    """Return the number of the version that is in force, if it is one of these."""
    if current.trouble is not None:
        return None
    return next((one.number for one in versions if one.text == current.text), None)


async def edit(visit: Visit) -> web.StreamResponse:
    """Show the routes in force, or those of a version, to be changed."""
    current = await visit.console.routing.current()
    text, wanted = current.text, visit.request.query.get("from", "")
    if wanted:
        found = await _version(visit, wanted)
        if found is None:
            return visit.notice(404, "missing")
        text = found.text
    return _form(visit, Looked(current, current.trouble), text, current.digest)


async def _version(visit: Visit, number: str) -> Version | None:
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        return None
    return await visit.console.store.routes_kept.version(int(number))


def _form(
    visit: Visit, looked: Looked, text: str, base: str, said: str = "", status: int = 200
) -> web.Response:
    current, texts = looked.current, visit.console.views.texts["routes"]
    report = looked.told.report
    return visit.page(
        "routes_edit",
        status=status,
        current=current,
        trouble=looked.trouble,
        told=looked.told,
        moved=report.elsewhere[:_MOVED] if report is not None else (),
        text=text,
        base=base,
        why=visit.form.get("why", "")[:_WHY_MOST],
        said=texts.get(said, said),
        changes=changes_of(current.text, text),
        lasts=LASTS,
        last=_last(visit.form),
        why_most=_WHY_MOST,
    )


def changes_of(old: str, new: str) -> list[tuple[str, str]] | None:
    """Return the lines that differ, each with ``+`` or ``-``, and some around; None: too many."""
    before, after = old.splitlines(), new.replace("\r\n", "\n").splitlines()
    if before == after:
        return []
    if len(before) + len(after) > _COMPARED:
        return None
    found = difflib.unified_diff(before, after, lineterm="", n=2)
    return [(line[:1], line[1:]) for line in found if not line.startswith(("---", "+++"))]


def _last(form: object) -> int:
    given = form.get("last", "") if isinstance(form, dict) else ""
    return int(given) if given in map(str, LASTS) else LASTS[1]


async def act(visit: Visit) -> web.StreamResponse:
    """Check, try out or put in force what was typed."""
    form = visit.form
    action, text, base = form.get("action", ""), form.get("text", ""), form.get("base", "")
    if action not in ("check", "try", "put"):
        raise Malformed("action", "check, try or put")
    try:
        if action == "put":
            return await _put(visit, text, base)
        last = _last(dict(form)) if action == "try" else 0
        looked = await visit.console.routing.look(text, base, last)
    except TrialFailed as error:
        current = await visit.console.routing.current()
        return _form(visit, Looked(current), text, base, str(error), 503)
    said = "good" if looked.good and action == "check" else ""
    return _form(visit, looked, text, base, said, _status_of(looked))


def _status_of(looked: Looked) -> int:
    if looked.trouble is not None:
        return 409
    return 422 if looked.told.wrong else 503 if looked.told.failed is not None else 200


async def _put(visit: Visit, text: str, base: str) -> web.StreamResponse:
    routing, form = visit.console.routing, visit.form
    why = form.get("why", "").strip()[:_WHY_MOST]
    if not why or form.get("confirm") != "on":
        current = await routing.current()
        return _form(visit, Looked(current), text, base, "why_needed", 400)
    try:
        looked = await routing.put(text, base, why, visit.entry)
    except NotNoted:
        return visit.notice(503, "not_noted")
    except (Unwritable, ConfigError) as error:
        current = await routing.current()
        name = "unwritable" if isinstance(error, Unwritable) else "refused"
        words: str = visit.console.views.texts["routes"][name]
        said = words.format(path=current.path, why=error)
        return _form(visit, Looked(current), text, base, said, 503)
    if not looked.good:
        return _form(visit, looked, text, base, "", _status_of(looked))
    return to(f"{ROOT}routes")


async def version(visit: Visit) -> web.StreamResponse:
    """Show one version, and how it differs from what is in force."""
    found = await _version(visit, visit.request.match_info["number"])
    if found is None:
        return visit.notice(404, "missing")
    current = await visit.console.routing.current()
    return visit.page(
        "routes_version",
        version=found,
        current=current,
        changes=changes_of(current.text, found.text),
    )
