"""The desk's page: what is open, who said what, and three buttons; without script too."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from importlib import resources
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import msgspec
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from config.settings import Desk
from gateway.desks.answers import ACTIONS
from gateway.desks.api import BY_MOST, Api, Refused, answer, desk_of, limited
from gateway.desks.auth import SESSION, check_origin, is_token, session_name, session_of
from gateway.desks.incidents import OPEN, UNANSWERED
from gateway.desks.stream import PAGE_MOST, Site, page_of
from gateway.desks.texts import LANGUAGES, TEXTS
from gateway.desks.view import desk_views
from gateway.pageheaders import page_headers
from gateway.problems import problem
from gateway.store.base import StoredIncident
from gateway.stylesheets import with_palette
from normalizer.errors import FieldError, GatewayError, Malformed, NotAllowed, Unauthorized

log = logging.getLogger(__name__)

_STATIC = {"desk.css": "text/css", "desk.js": "text/javascript"}
_HEADERS = page_headers(
    "script-src 'self'; style-src 'self'; img-src data:; connect-src 'self';",
    {"Cache-Control": "no-store"},
)
_BY_COOKIE = "gateway_desk_by"
_LANG_COOKIE = "gateway_desk_lang"
_YEAR_S = 365 * 86400


def routes(site: Site) -> list[web.RouteDef]:
    """Return all routes of the desks: the liaison API and the pages."""
    return [*Api(site).routes(), *Page(site).routes()]


class Page:
    """The handlers of ``/desk/{service}``."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._templates = Environment(
            loader=PackageLoader("gateway", "pages"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        script = resources.files("gateway") / "pages" / "static" / "desk.js"
        self._files = {"desk.css": with_palette("desk.css"), "desk.js": script.read_bytes()}
        self._version = sha256(b"".join(self._files.values())).hexdigest()[:12]

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to mount."""
        return [
            web.get("/desk/static/{name}", self.static),
            web.get("/desk/{service}", self.show),
            web.post("/desk/{service}/login", self.login),
            web.post("/desk/{service}/logout", self.logout),
            web.post("/desk/{service}/incidents/{id}/{action}", self.act),
        ]

    async def static(self, request: web.Request) -> web.StreamResponse:
        """Send the page's style or script."""
        name = request.match_info["name"]
        if name not in _STATIC:
            return problem(404, "there is nothing at this address")
        return web.Response(
            body=self._files[name],
            content_type=_STATIC[name],
            charset="utf-8",
            headers={"Cache-Control": "max-age=31536000", "X-Content-Type-Options": "nosniff"},
        )

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show the desk, or its login."""
        try:
            name, desk = desk_of(self._site, request)
            return await self._desk(request, name, desk)
        except (Refused, GatewayError) as error:
            return self._failure(request, error)

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Take the desk's token and give a session for it."""
        site, name = self._site, request.match_info["service"]
        desk = site.roster().get(name)
        if desk is None or desk.token is None:
            return self._plain(request, 404, "unknown")
        try:
            check_origin(request, site.public.url)
            form = await _form(request)
        except (Unauthorized, FieldError):
            return self._login(request, wrong=True)
        if not is_token(desk, form.get("token", "")):
            log.warning("desk.login_refused", extra={"desk": name})
            return self._login(request, wrong=True)
        response = _to(name)
        until = site.clock.now() + SESSION
        session = session_of(name, desk.token.get_secret_value(), site.store.secret, until)
        self._cookie(response, session_name(name), session, int(SESSION.total_seconds()))
        return self._remember_by(response, form.get("by", ""))

    async def logout(self, request: web.Request) -> web.StreamResponse:
        """Forget the session."""
        name = request.match_info["service"]
        response = _to(name)
        try:
            check_origin(request, self._site.public.url)
        except Unauthorized:
            return response  # a desk that is logged out by another site's page sees no alarm
        self._cookie(response, session_name(name), "", 0)
        return response

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Take an answer from a page without script."""
        try:
            name, _ = desk_of(self._site, request)
            check_origin(request, self._site.public.url)
            return await self._act(request, name)
        except (Refused, GatewayError) as error:
            return self._failure(request, error)

    async def _act(self, request: web.Request, name: str) -> web.StreamResponse:
        form = await _form(request)
        by, note, action = form.get("by", ""), form.get("note"), request.match_info["action"]
        if action == "return" and not (note or "").strip():
            return self._plain(request, 400, "note_needed")
        stored = None
        if action in ACTIONS:
            stored = await answer(self._site, name, request.match_info["id"], action, by, note)
        if stored is None:
            return self._plain(request, 404, "failed")
        return self._remember_by(_to(name), by)

    def _failure(self, request: web.Request, error: Refused | GatewayError) -> web.Response:
        if isinstance(error, Unauthorized):
            return self._login(request)
        if isinstance(error, Refused):
            return self._plain(request, 404, "unknown")
        if isinstance(error, FieldError):
            return self._plain(request, 400, "by_needed" if error.field == "by" else "failed")
        if isinstance(error, NotAllowed):
            return self._plain(request, 409, "failed", str(error))
        return self._plain(request, 503, "failed")

    async def _desk(self, request: web.Request, name: str, desk: Desk) -> web.Response:
        site = self._site
        found: list[StoredIncident] = []
        after: str | None = ""
        while after is not None and len(found) < PAGE_MOST:
            some, after = await page_of(site.store, name, OPEN, PAGE_MOST, after)
            found += some
        views = await desk_views(site.store, found, site.public.zone, site.roster())
        shown = [view for view in reversed(views) if name in view["desks"]]
        shown.sort(key=lambda view: bool(view["exercise"]))  # drills never stand before the real
        now = site.clock.now().astimezone(site.public.zone)
        return self._page(
            request,
            "desk.html",
            200,
            waiting=[view for view in shown if view["state"] in UNANSWERED],
            taken=[view for view in shown if view["state"] not in UNANSWERED],
            now=now,
            by=unquote(request.cookies.get(_BY_COOKIE, ""))[:BY_MOST],
            has_token=desk.token is not None,
            elapsed=lambda since: _elapsed(since, now),
            late=lambda view: _late(view, now),
        )

    def _login(self, request: web.Request, *, wrong: bool = False) -> web.Response:
        desk = self._site.roster().desk(request.match_info["service"])
        # A link from another site brings no SameSite=Strict cookie; asking again does.
        foreign = request.headers.get("Sec-Fetch-Site") in ("cross-site", "same-site")
        bounce = request.method == "GET" and foreign and "again" not in request.query
        return self._page(
            request, "desk_login.html", 401, wrong=wrong, local=desk.token is None, bounce=bounce
        )

    def _plain(
        self, request: web.Request, status: int, text: str, detail: str | None = None
    ) -> web.Response:
        return self._page(request, "desk_notice.html", status, text=text, detail=detail)

    def _page(
        self, request: web.Request, template: str, status: int, **values: Any
    ) -> web.Response:
        name = request.match_info["service"]
        language = _language(request)
        texts = TEXTS[language]
        html = self._templates.get_template(template).render(
            t=texts,
            texts=msgspec.json.encode(dict(texts)).decode(),
            language=language,
            desk=name,
            path=f"/desk/{quote(name, safe='')}",
            label=self._site.roster().label(name, language),
            version=self._version,
            **values,
        )
        response = web.Response(
            status=status, text=html, content_type="text/html", charset="utf-8", headers=_HEADERS
        )
        if request.query.get("lang") in LANGUAGES:
            self._cookie(response, _LANG_COOKIE, language, _YEAR_S)
        return response

    def _remember_by(self, response: web.Response, by: str) -> web.Response:
        if by.strip():
            self._cookie(response, _BY_COOKIE, quote(by.strip()[:BY_MOST]), _YEAR_S)
        return response

    def _cookie(self, response: web.Response, name: str, value: str, max_age_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=max_age_s,
            httponly=True,
            samesite="Strict",
            secure=urlsplit(self._site.public.url).scheme == "https",
        )


async def _form(request: web.Request) -> Mapping[str, str]:
    """Return the fields of a plain form. Raises `FieldError`."""
    body = await limited(request)
    try:
        fields = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError:
        raise Malformed("body", "it must be a form in UTF-8") from None
    return {name: values[0] for name, values in fields.items()}


def _to(desk: str) -> web.Response:
    return web.Response(status=303, headers={"Location": f"/desk/{quote(desk, safe='')}"})


def _language(request: web.Request) -> str:
    asked: Sequence[str | None] = (request.query.get("lang"), request.cookies.get(_LANG_COOKIE))
    return next((one for one in asked if one in LANGUAGES), None) or "zh"


def _elapsed(since: str, now: datetime) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(since)).total_seconds()))
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def _late(view: Mapping[str, Any], now: datetime) -> bool:
    return view["state"] in UNANSWERED and datetime.fromisoformat(view["acknowledge_by"]) < now
