"""Rendering of the console's pages: templates, Chinese texts, headers, the style sheet."""

import asyncio
import hashlib
import tomllib
from collections.abc import Mapping
from datetime import datetime, tzinfo
from importlib.resources import files
from typing import Any, Final

import jinja2
from aiohttp import web

from gateway.console.roles import Right, may
from gateway.pageheaders import page_headers
from gateway.store.accounts import User
from gateway.stylesheets import with_palette
from normalizer.schema import LABELS

#: Every address of the console begins with it; its cookies go nowhere else.
ROOT: Final = "/console/"
#: No script at all, nothing inline.
_HEADERS: Final = page_headers(
    "style-src 'self'; img-src data:;",
    {
        "Permissions-Policy": "geolocation=(), camera=(), microphone=(), payment=()",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    },
)
#: Pages of the navigation: path below the root, name of its text, and the right that it takes.
_NAVIGATION: Final = (
    ("", "live", Right.EMERGENCIES),
    ("tickets", "tickets", Right.EMERGENCIES),
    ("routes", "routes", Right.ROUTES),
    ("health", "health", Right.HEALTH),
    ("deadletters", "deadletters", Right.DEADLETTERS),
    ("audit", "audit", Right.AUDIT),
    ("users", "users", Right.USERS),
)

Texts = Mapping[str, Any]


def load_texts() -> Texts:
    """Return the texts of the pages."""
    return tomllib.loads((files("gateway") / "strings" / "console.toml").read_text("utf-8"))


class Views:
    """Templates, texts and the style sheet, read once."""

    def __init__(self, site_name: str, zone: tzinfo) -> None:
        self._zone = zone
        self.texts = load_texts()
        folder = files("gateway") / "pages"
        self._css = with_palette("console.css")
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(when=self._when, label=_label)
        self._environment.globals.update(
            t=self.texts,
            root=ROOT,
            site_name=site_name,
            version=hashlib.sha256(self._css).hexdigest()[:12],
        )
        self._names = [e.name for e in folder.iterdir() if e.name.startswith("console_")]
        self._compiled = False

    async def ready(self) -> None:
        """Return once all templates are compiled: neither a start nor citizens wait for that."""
        if not self._compiled:
            await asyncio.to_thread(lambda: [*map(self._environment.get_template, self._names)])
            self._compiled = True

    def page(
        self, name: str, *, user: User | None, form_token: str, status: int = 200, **context: object
    ) -> web.Response:
        """Return a rendered page.

        Args:
            name: Of the page; its template is ``console_NAME.html``.
            user: Who sees it; None: somebody who is not logged in.
            form_token: Which its forms must bring.
            status: HTTP status.
            **context: What the template shows.
        """
        role = user.role if user is not None else ""
        html = self._environment.get_template(f"console_{name}.html").render(
            {"refresh": None, "here": name, **context},
            user=user,
            form_token=form_token,
            tabs=[(path, text) for path, text, right in _NAVIGATION if may(role, right)],
            may=lambda right: may(role, Right(right)),
        )
        return web.Response(text=html, status=status, content_type="text/html", headers=_HEADERS)

    def style(self) -> web.Response:
        """Return the style sheet; its address holds its version, so it keeps."""
        return web.Response(
            body=self._css,
            content_type="text/css",
            charset="utf-8",
            headers={
                "Cache-Control": "public, max-age=31536000, immutable",
                "X-Content-Type-Options": "nosniff",
            },
        )

    def _when(self, instant: datetime | str | None, style: str = "full") -> str:
        """Return an instant as operators read it, in the instance's zone."""
        if instant is None or instant == "":
            return "—"
        at = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
        try:
            local = at.astimezone(self._zone)
        except OverflowError:  # the first or last day of the calendar
            local = at
        return local.strftime("%m-%d %H:%M:%S" if style == "short" else "%Y-%m-%d %H:%M:%S")


def _label(value: object) -> str:
    """Return the Chinese label of an enumeration's value; of others themselves."""
    labels: Mapping[Any, str] = LABELS
    return labels.get(value, str(value))
