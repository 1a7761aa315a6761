"""Rendering of the citizens' pages: templates, texts in two languages, headers, assets."""

import hashlib
import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import partial
from importlib.resources import files
from typing import Any, Final

import jinja2
from aiohttp import web

from gateway.pageheaders import page_headers
from normalizer.schema import Value

LANGUAGES: Final = ("zh", "en")
#: Seconds that a browser remembers the language and the size of print: a year.
REMEMBER_S: Final = 365 * 24 * 3600
ASSETS: Final = {
    "citizen.css": "text/css",
    "citizen.js": "text/javascript",
    "citizen.svg": "image/svg+xml",
}
_TEMPLATES: Final = (
    "base.html",
    "fields.html",
    "form.html",
    "received.html",
    "progress.html",
    "code.html",
    "ticket.html",
    "error.html",
)
#: Nothing inline.
_HEADERS: Final = page_headers(
    "style-src 'self'; script-src 'self'; img-src 'self';",
    {
        "Permissions-Policy": "geolocation=(self), camera=(), microphone=(), payment=()",
        "Vary": "Cookie, Accept-Language",
    },
)
_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([0-9.]{1,5}))?\s*")

Texts = Mapping[str, Any]


class Look(Value, frozen=True, kw_only=True):
    """How this citizen wants pages to look."""

    language: str = "zh"  #: zh or en
    large: bool = False
    chosen: Mapping[str, str] = {}  #: cookies to set: what this request asked for


def load_texts(language: str) -> Texts:
    """Return the texts of the pages in ``zh`` or ``en``."""
    return tomllib.loads((files("gateway") / "strings" / f"{language}.toml").read_text("utf-8"))


def look_of(request: web.Request) -> Look:
    """Return the look: as the address asks, else as remembered, else as the browser prefers."""
    chosen: dict[str, str] = {}
    language, size = request.query.get("lang"), request.query.get("print")
    if language in LANGUAGES:
        chosen["lang"] = language
    if size in ("large", "normal"):
        chosen["print"] = size
    remembered = {**request.cookies, **chosen}
    language = remembered.get("lang", "")
    if language not in LANGUAGES:
        language = preferred_language(request.headers.get("Accept-Language", ""))
    return Look(language=language, large=remembered.get("print") == "large", chosen=chosen)


def preferred_language(accept: str) -> str:
    """Return ``zh`` or ``en`` from an ``Accept-Language``; Chinese where it names neither.

    Source: RFC 9110 §12.5.4.
    """
    best, weight = "zh", 0.0
    for item in accept[:256].split(","):
        found = _RANGE.fullmatch(item)
        language = found[1].lower() if found else ""
        if found is None or language not in LANGUAGES:
            continue
        try:
            quality = float(found[2] or 1)
        except ValueError:
            continue
        if quality > weight:
            best, weight = language, quality
    return best


class Views:
    """Templates, texts and assets, read once."""

    def __init__(self, site_name: str, zone: tzinfo, *, secure: bool) -> None:
        self._zone = zone
        self._secure = secure
        self.texts = {language: load_texts(language) for language in LANGUAGES}
        folder = files("gateway") / "pages"
        self._assets = {
            name: ((folder / "static" / name).read_bytes(), kind) for name, kind in ASSETS.items()
        }
        digest = hashlib.sha256(b"".join(body for body, _ in self._assets.values()))
        self._environment = jinja2.Environment(
            loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals.update(site_name=site_name, version=digest.hexdigest()[:12])
        for name in _TEMPLATES:  # compiled now: a first visitor would hold up everybody's requests
            self._environment.get_template(name)

    def page(
        self,
        template: str,
        request: web.Request,
        *,
        status: int = 200,
        personal: bool = False,
        **context: object,
    ) -> web.Response:
        """Return a rendered page.

        Args:
            template: Name of the template.
            request: What is answered; tells the look.
            status: HTTP status.
            personal: True if nobody but this citizen may see the page: no cache keeps it.
            **context: What the template shows.
        """
        look = look_of(request)
        texts = self.texts[look.language]
        body = self._environment.get_template(template).render(
            {"tab": None, "here": request.path, **context},
            t=texts,
            large=look.large,
            when=partial(self._when, texts),
        )
        response = web.Response(
            text=body, status=status, content_type="text/html", headers=_HEADERS
        )
        response.headers["Cache-Control"] = "no-store" if personal else "private, no-cache"
        for name, value in look.chosen.items():
            response.set_cookie(
                name,
                value,
                max_age=REMEMBER_S,
                path="/",
                samesite="Lax",
                httponly=True,
                secure=self._secure,
            )
        return response

    def _when(self, texts: Texts, instant: datetime) -> str:
        """Return an instant as people write it, in the instance's zone."""
        local = instant.astimezone(self._zone)
        time: Mapping[str, Any] = texts["time"]
        written: str = time["format"].format(
            y=local.year,
            m=local.month,
            month=time["months"][local.month - 1],
            d=local.day,
            h=local.hour,
            n=local.minute,
        )
        return written

    def asset(self, name: str) -> Callable[[web.Request], web.Response]:
        """Return what answers with an asset; its address holds its version, so it keeps."""
        body, kind = self._assets[name]

        def answer(_request: web.Request) -> web.Response:
            return web.Response(
                body=body,
                content_type=kind,
                charset="utf-8",
                headers={
                    "Cache-Control": "public, max-age=31536000, immutable",
                    "X-Content-Type-Options": "nosniff",
                },
            )

        return answer
