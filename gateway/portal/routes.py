"""What the citizens' pages share: what they work with, the forms' keys, and words for errors."""

import re
import secrets
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from math import ceil
from typing import Protocol

from aiohttp import web

from channels.base import Accept
from gateway.clock import Clock
from gateway.forms import Sink
from gateway.portal.citizen import Done, Progress
from gateway.portal.page_views import Texts, Views, look_of
from normalizer.errors import FieldError
from normalizer.schema import Inbound

#: What the hidden key of a form looks like; any other is not ours and is not used.
_KEY = re.compile(r"form-[A-Za-z0-9_-]{22}\Z")
#: Dashes that people type or paste between the parts of a number.
_DASHES = re.compile(r"\s*[-‐-―−﹣ー]\s*")


class Tickets(Protocol):
    """What number and query code open; `gateway.portal.citizen.Citizen` is one."""

    async def progress(self, number: str, code: str, remote: str) -> Progress:
        """Return where the ticket stands. Raises `NotFound` or `TooMany`."""
        ...

    async def own_code(self, number: str, code: str, remote: str) -> str:
        """Return the ticket's own query code. Raises as `progress` does."""
        ...

    async def add(
        self, number: str, code: str, remote: str, text: str, *, key: str | None = None
    ) -> Done:
        """Put further words on the ticket."""
        ...

    async def rate(
        self, number: str, code: str, remote: str, rating: str, comment: str | None = None
    ) -> Done:
        """Rate the answer. Raises `NotAllowed` or `Malformed`."""
        ...

    async def withdraw(self, number: str, code: str, remote: str) -> Done:
        """Take the ticket back. Raises `NotAllowed`."""
        ...


class Codes(Protocol):
    """What sends temporary query codes; `gateway.portal.codes.TemporaryCodes` is one."""

    def phone_of(self, typed: str) -> str | None:
        """Return a telephone number in E.164, None where it is none."""
        ...

    def ask(self, number: str, phone: str, remote: str, language: str) -> None:
        """Begin to send a code to who has this number and this telephone. Raises `TooMany`."""
        ...


@dataclass(frozen=True, slots=True)
class Portal:
    """What the pages work with."""

    account: str  #: name of the web channel in the configuration
    accept: Accept
    tickets: Tickets
    blobs: Sink
    clock: Clock
    zone: tzinfo
    views: Views
    remote: Callable[[web.Request], str]  #: the client's address, behind trusted proxies
    #: Puts on a request who filled in the form, where that is known.
    bound: Callable[[web.Request, Inbound], Inbound] = lambda _, seen: seen
    codes: Codes | None = None  #: None: no channel can send texts

    def texts(self, request: web.Request) -> Texts:
        """Return the texts in the language that this citizen reads."""
        return self.views.texts[look_of(request).language]


def failure(views: Views, request: web.Request, status: int) -> web.Response:
    """Return the page that tells of a failure: 400, 404, 413, 500 or 503."""
    texts = views.texts[look_of(request).language]["failure"]
    return views.page(
        "error.html",
        request,
        status=status,
        heading=texts[f"title_{status}"],
        text=texts[f"text_{status}"],
    )


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a form is shown again."""

    status: int = 200
    errors: tuple[FieldError, ...] = ()
    lead: str = ""  #: name of the words that tell it, among those of the page
    after_s: float = 0.0  #: when it may be sent again


def ask_page(
    portal: Portal,
    request: web.Request,
    name: str,
    values: Mapping[str, str],
    trouble: Trouble,
    **more: object,
) -> web.Response:
    """Return a form that asks for what opens a ticket.

    Args:
        portal: What it works with.
        request: What is answered.
        name: Of the page and its texts.
        values: What was typed.
        trouble: Why it is shown again.
        **more: What the template shows beside.
    """
    texts = portal.texts(request)
    lead = trouble.lead and texts[name][trouble.lead].format(minutes=ceil(trouble.after_s / 60))
    response = portal.views.page(
        f"{name}.html",
        request,
        status=trouble.status,
        personal=any(values.values()),
        tab="progress",
        values=values,
        errors=told(texts, trouble.errors, name),
        lead=lead,
        **more,
    )
    if trouble.after_s:
        response.headers["Retry-After"] = str(ceil(trouble.after_s))
    return response


def new_key() -> str:
    """Return a fresh key for one form: pressed twice or reloaded, it makes one ticket."""
    return "form-" + secrets.token_urlsafe(16)


def form_key(values: Mapping[str, str]) -> str | None:
    """Return the key that our page gave the form; None for anything else."""
    key = values.get("key", "")
    return key if _KEY.match(key) else None


def tidy_number(value: str) -> str:
    """Return a ticket's number as written by hand or pasted: any width, dash and spacing."""
    return _DASHES.sub("-", unicodedata.normalize("NFKC", value[:64])).strip()


def tidy_code(value: str) -> str:
    """Return a query code as written by hand or pasted: any width, case and spacing."""
    return "".join(unicodedata.normalize("NFKC", value[:64]).split()).upper()


def told(
    texts: Mapping[str, Mapping[str, str]], errors: tuple[FieldError, ...], page: str
) -> dict[str, str]:
    """Return what each wrong field's message is in the language of ``texts``."""
    messages: dict[str, str] = {}
    for error in errors:
        field = "files" if error.field == "body" and page == "form" else error.field
        known = texts["errors"].get(f"{field}_{error.code}")
        label = texts["form"].get(field, field)
        messages[field] = known or texts["errors"]["other"].format(field=label)
    return messages
