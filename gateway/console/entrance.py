"""Logging in, logging out, and one's own password."""

import asyncio
import logging
import secrets
from datetime import timedelta
from math import ceil

from aiohttp import web

from gateway.console import passwords
from gateway.console.guard import (
    DEVICE,
    FORM,
    SESSION,
    Console,
    Page,
    Visit,
    form_of,
    next_of,
    notice,
    routes_of,
    to,
)
from gateway.console.roles import Right
from gateway.console.sessions import Granted, Login
from gateway.console.views import ROOT
from gateway.desks.auth import check_origin
from normalizer.errors import ConfigError, FieldError, StoreError, Unauthorized

log = logging.getLogger(__name__)

#: For how long a browser that has logged in is known.
_KNOWN = timedelta(days=180)


def routes(console: Console) -> list[web.RouteDef]:
    """Return the routes of this module."""
    entrance = _Entrance(console)
    pages: list[tuple[str, str, Page, tuple[Right, ...]]] = [
        ("POST", "logout", entrance.logout, ()),
        ("GET", "password", entrance.ask_password, ()),
        ("POST", "password", entrance.password, ()),
    ]
    return [
        web.get(ROOT.rstrip("/"), entrance.root),
        web.get(f"{ROOT}console.css", entrance.style),
        web.get(f"{ROOT}login", entrance.ask),
        web.post(f"{ROOT}login", entrance.login),
        *routes_of(console, pages),
    ]


class _Entrance:
    def __init__(self, console: Console) -> None:
        self._console = console

    async def root(self, _request: web.Request) -> web.StreamResponse:
        """Lead to the address that cookies go to."""
        return to(ROOT)

    async def style(self, _request: web.Request) -> web.StreamResponse:
        """Send the style sheet."""
        return self._console.views.style()

    async def ask(self, request: web.Request) -> web.StreamResponse:
        """Show the login."""
        await self._console.views.ready()
        return self._form(request, next_of(request.query.get("next", "")))

    async def login(self, request: web.Request) -> web.StreamResponse:
        """Take name and password and begin a session."""
        await self._console.views.ready()
        try:
            return await self._login(request)
        except FieldError:
            return notice(self._console, 400, "malformed", None, "")
        except StoreError as error:
            self._console.health.store_failed(str(error))
            return notice(self._console, 503, "store", None, "")

    async def _login(self, request: web.Request) -> web.StreamResponse:
        console = self._console
        form = await form_of(request)
        ahead = next_of(form.get("next", ""))
        try:
            check_origin(request, console.public.url)
        except Unauthorized:
            return self._form(request, ahead, status=403, text="login_again")
        own = request.cookies.get(FORM, "")
        if not console.sessions.is_form_token(own, form.get("form_token", "")):
            return self._form(request, ahead, status=403, text="login_again")
        login = Login(
            name=form.get("name", ""),
            password=form.get("password", ""),
            remote=console.remote(request),
            device=request.cookies.get(DEVICE, ""),
        )
        found = await console.sessions.login(login)
        if isinstance(found, Granted):
            return self._begun(found, ahead)
        console.metrics.rejected("console", "unauthorized")
        if found.after_s:
            response = self._form(request, ahead, 429, "login_later", ceil(found.after_s / 60))
            response.headers["Retry-After"] = str(ceil(found.after_s))
            return response
        return self._form(request, ahead, status=403, text="login_wrong")

    def _begun(self, granted: Granted, ahead: str) -> web.Response:
        response = to(ahead)
        self._console.cookie(response, SESSION, granted.token)
        self._console.cookie(response, DEVICE, granted.device, int(_KNOWN.total_seconds()))
        self._console.cookie(response, FORM, "")
        return response

    def _form(
        self, request: web.Request, ahead: str, status: int = 200, text: str = "", minutes: int = 0
    ) -> web.Response:
        console = self._console
        own = request.cookies.get(FORM, "") or secrets.token_urlsafe(16)
        said = console.views.texts["notice"][text].format(minutes=minutes) if text else ""
        response = console.views.page(
            "login",
            user=None,
            form_token=console.sessions.form_token(own),
            status=status,
            said=said,
            ahead=ahead,
        )
        console.cookie(response, FORM, own)
        return response

    async def logout(self, visit: Visit) -> web.StreamResponse:
        """End the session."""
        console = self._console
        remote = console.remote(visit.request)
        await console.sessions.logout(visit.token, visit.session, remote)
        response = to(f"{ROOT}login")
        console.cookie(response, SESSION, "")
        return response

    async def ask_password(self, visit: Visit) -> web.StreamResponse:
        """Show the form for a new password."""
        return visit.page("password", said="", shortest=passwords.SHORTEST)

    async def password(self, visit: Visit) -> web.StreamResponse:
        """Take a new password, which ends every session of this user."""
        console, form = self._console, visit.form
        login = Login(
            name=visit.user.name,
            password=form.get("old", ""),
            remote=console.remote(visit.request),
            device=visit.request.cookies.get(DEVICE, ""),
        )
        if (wait := await console.sessions.wrong(login)) is not None:
            text = "login_later" if wait else "password_wrong"
            return self._again(visit, 429 if wait else 403, text, ceil(wait / 60))
        try:
            new = passwords.checked(form.get("new", ""))
        except ConfigError:
            return self._again(visit, 400, "password_weak")
        if form.get("new") != form.get("again"):
            return self._again(visit, 400, "password_differs")
        kept = await asyncio.to_thread(passwords.hashed, new)
        entry = visit.entry("user.changed", visit.user.name, password="new")  # noqa: S106 - tells that
        await console.store.accounts.change(visit.user.name, entry, password=kept)
        response = to(f"{ROOT}login")
        console.cookie(response, SESSION, "")
        return response

    def _again(self, visit: Visit, status: int, text: str, minutes: int = 0) -> web.Response:
        words = self._console.views.texts["notice"][text]
        said = words.format(minutes=minutes, shortest=passwords.SHORTEST)
        return visit.page("password", status=status, said=said, shortest=passwords.SHORTEST)
