"""What stands before every page of the console: who asks, whether they may, and errors as pages."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import web

from gateway.clock import Clock
from gateway.console.again import Again
from gateway.console.roles import Right, may
from gateway.console.routing import Routing
from gateway.console.sessions import Sessions
from gateway.console.views import ROOT, Views
from gateway.desks.auth import check_origin
from gateway.desks.roster import Roster
from gateway.forms import NoFiles, read_form
from gateway.health import Health
from gateway.metrics import Metrics
from gateway.store.accounts import NewEntry, Session, User
from gateway.store.base import Store
from gateway.view import Public
from normalizer.errors import FieldError, Malformed, StoreError, Unauthorized

log = logging.getLogger(__name__)

#: Cookies: of the session, of the form that logs in, of a browser that has logged in before.
SESSION, FORM, DEVICE = "gateway_console", "gateway_console_form", "gateway_console_device"
#: What a login may lead to: pages of the console, as our own links name them.
_NEXT = re.compile(r"/console/(?:[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*)?")
#: Characters of what something was done to, which may stand in an address that somebody made up.
_SUBJECT_MOST = 200
#: Seconds for a whole form: none of ours is long, and who asks may be somebody else's by its end.
FORM_S = 60.0
#: Navigation from another site's link: it brings no SameSite=Strict cookie, asking again does.
_FOREIGN = ("cross-site", "same-site")


@dataclass(frozen=True, slots=True)
class Console:
    """What the handlers work with."""

    store: Store
    clock: Clock
    public: Public
    sessions: Sessions
    views: Views
    health: Health
    metrics: Metrics
    remote: Callable[[web.Request], str]  #: the client's address, behind trusted proxies
    roster: Callable[[], Roster]
    again: Again
    routing: Routing

    def cookie(
        self, response: web.Response, name: str, value: str, lasts_s: int | None = None
    ) -> None:
        """Set a cookie of the console; an empty value takes it back."""
        response.set_cookie(
            name,
            value,
            max_age=lasts_s if value else 0,
            path=ROOT,
            httponly=True,
            samesite="Strict",
            secure=urlsplit(self.public.url).scheme == "https",
        )


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody who is logged in, and may do what it asks."""

    console: Console
    request: web.Request
    session: Session
    token: str
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def user(self) -> User:
        """Who asks."""
        return self.session.user

    def may(self, right: Right) -> bool:
        """Return whether they have a right."""
        return may(self.user.role, right)

    def page(self, name: str, *, status: int = 200, **context: object) -> web.Response:
        """Return a rendered page."""
        console = self.console
        form_token = console.sessions.form_token(self.token)
        return console.views.page(
            name, user=self.user, form_token=form_token, status=status, **context
        )

    def notice(self, status: int, text: str, **filled: object) -> web.Response:
        """Return a page that tells why something is not to be had or not done."""
        return notice(self.console, status, text, self.user, self.token, **filled)

    def entry(self, action: str, subject: str = "", **detail: str) -> NewEntry:
        """Return an entry for the audit."""
        return NewEntry(
            at=self.console.clock.now(),
            by=self.user.name,
            remote=self.console.remote(self.request),
            action=action,
            subject=subject[:_SUBJECT_MOST],
            detail=detail,
        )

    async def note(self, action: str, subject: str = "", **detail: str) -> None:
        """Write into the audit. Raises `StoreError`: what was to be done must not be done then."""
        await self.console.store.accounts.note(self.entry(action, subject, **detail))

    async def refused(self, why: str) -> web.Response:
        """Return the page that tells that this may not be done; the audit has it."""
        await self.note("refused", self.request.path, why=why, method=self.request.method)
        log.warning("console.refused", extra={"why": why})
        return self.notice(403, why)


Page = Callable[[Visit], Awaitable[web.StreamResponse]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def notice(
    console: Console, status: int, text: str, user: User | None, token: str, **filled: object
) -> web.Response:
    """Return a page that tells something in a sentence."""
    said: str = console.views.texts["notice"][text]
    form_token = console.sessions.form_token(token)
    return console.views.page(
        "notice", user=user, form_token=form_token, status=status, said=said.format(**filled)
    )


def to(path: str) -> web.Response:
    """Return what leads a browser to a page after a form."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})


def next_of(path: str) -> str:
    """Return where a login leads to: a page of ours, else the first one."""
    return path if _NEXT.fullmatch(path) else ROOT


def guarded(console: Console, page: Page, *rights: Right) -> Handler:
    """Return the handler of a page for who is logged in and has one of these rights (none: all)."""

    async def handler(request: web.Request) -> web.StreamResponse:
        token = request.cookies.get(SESSION, "")
        user: User | None = None
        await console.views.ready()
        try:
            active = not (request.method == "GET" and "auto" in request.query)
            session = await console.sessions.find(token, active=active)
            if session is None:
                return _stranger(console, request)
            user = session.user
            visit = Visit(console, request, session, token)
            if not _allowed(visit, rights):
                return await visit.refused("no_right")
            if request.method == "POST":
                return await _posted(visit, page, rights)
            return await page(visit)
        except FieldError:
            return notice(console, 400, "malformed", user, token)
        except StoreError as error:
            console.health.store_failed(str(error))
            return notice(console, 503, "store", user, token)

    return handler


def _allowed(visit: Visit, rights: Sequence[Right]) -> bool:
    return not rights or any(visit.may(right) for right in rights)


async def form_of(request: web.Request) -> dict[str, str]:
    """Return the fields of a form that arrives within its time. Raises `FieldError`."""
    try:
        async with asyncio.timeout(FORM_S):
            form, _ = await read_form(request, NoFiles())
    except TimeoutError:
        raise Malformed("body", f"it did not arrive within {FORM_S:.0f} seconds") from None
    return form


async def _posted(earlier: Visit, page: Page, rights: Sequence[Right]) -> web.StreamResponse:
    """Read the form, then find out again who asks: a form may take longer than a session."""
    request, console, token = earlier.request, earlier.console, earlier.token
    form = await form_of(request)
    session = await console.sessions.find(token, active=True)
    if session is None:
        return _stranger(console, request)
    visit = Visit(console, request, session, token, form)
    if not _allowed(visit, rights):
        return await visit.refused("no_right")
    try:
        check_origin(request, console.public.url)
    except Unauthorized:
        return await visit.refused("foreign")
    if not console.sessions.is_form_token(token, form.get("form_token", "")):
        return await visit.refused("foreign")
    return await page(visit)


def _stranger(console: Console, request: web.Request) -> web.Response:
    """Return the way to the login for who is not logged in."""
    if request.method != "GET":
        return notice(console, 403, "session_over", None, "")
    if request.headers.get("Sec-Fetch-Site") in _FOREIGN and "again" not in request.query:
        again = f"{next_of(request.path)}?again=1"
        return console.views.page("again", user=None, form_token="", again=again)
    here = next_of(request.path)
    return to(f"{ROOT}login" + (f"?next={here}" if here != ROOT else ""))


def routes_of(
    console: Console, pages: Sequence[tuple[str, str, Page, tuple[Right, ...]]]
) -> list[web.RouteDef]:
    """Return the routes of guarded pages: method, path below the root, handler, rights."""
    return [
        web.route(method, ROOT + path, guarded(console, page, *rights))
        for method, path, page, rights in pages
    ]
