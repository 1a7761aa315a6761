"""The citizens' pages: the request form, its receipt, and the progress of a ticket.

They keep no session. A ticket is opened by the number and the query code that every form carries
in its body, never in an address, so no other site can act for a citizen and no history or log
holds the code.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from channels.base import Receipt, Request
from channels.web.codec import inbound
from channels.web.submission import Submission, check_form
from gateway.forms import drain, read_form
from gateway.notices import numbers_to_dial
from gateway.portal.code_pages import CodePages
from gateway.portal.page_views import ASSETS, Views
from gateway.portal.progress_pages import ProgressPages
from gateway.portal.routes import Portal, failure, form_key, new_key, told
from normalizer.errors import (
    Conflict,
    FieldError,
    GatewayError,
    Malformed,
    Oversized,
    StoreError,
)
from normalizer.schema import Attachment, Status, Urgency

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def routes(portal: Portal) -> list[web.RouteDef]:
    """Return the routes of the citizens' pages."""
    form, progress = _FormPages(portal), ProgressPages(portal)
    pages: list[tuple[str, Handler, Handler]] = [
        ("/", form.show, form.take),
        ("/progress", progress.ask, progress.show),
        # Asked for, and not posted to, by who reloads the page or takes it from the history.
        ("/progress/messages", progress.ask, progress.add),
        ("/progress/rating", progress.ask, progress.rate),
        ("/progress/withdraw", progress.ask, progress.withdraw),
    ]
    if portal.codes is not None:
        lost = CodePages(portal, portal.codes, progress)
        pages.append(("/progress/code", lost.ask, lost.send))
    found = []
    for path, shown, taken in pages:
        found.append(web.get(path, _guarded(portal.views, shown)))
        found.append(web.post(path, _guarded(portal.views, taken)))
    return found + [web.get(f"/static/{name}", _asset(portal.views, name)) for name in ASSETS]


def _asset(views: Views, name: str) -> Handler:
    answer = views.asset(name)

    async def asset(request: web.Request) -> web.StreamResponse:
        return answer(request)

    return asset


def _guarded(views: Views, page: Handler) -> Handler:
    """Return a handler that answers errors with a page instead of a problem document."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return await page(request)
        except Oversized:
            await drain(request)
            return failure(views, request, 413)
        except FieldError:
            return failure(views, request, 400)
        except StoreError:
            return failure(views, request, 503)
        except GatewayError as error:
            log.warning("page.failed", extra={"code": error.code})
            return failure(views, request, 500)

    return handler


class _FormPages:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def show(self, request: web.Request) -> web.Response:
        """Show the empty form."""
        return self._form(request, {})

    async def take(self, request: web.Request) -> web.Response:
        """Take a filled form and show the receipt, or the form again with what is wrong."""
        portal = self._portal
        values: dict[str, str] = {}
        try:
            _, attachments = await read_form(request, portal.blobs, values)
        except (Malformed, Oversized) as error:
            if not values:
                raise
            await drain(request)
            return self._wrong(request, values, (error,))
        found = check_form(values, portal.zone)
        if not isinstance(found, Submission):
            return self._wrong(request, values, found)
        try:
            receipt = await self._accept(request, found, values, attachments)
        except Conflict:
            return self._form(request, values, lead="used", status=422)
        except StoreError:
            return self._form(request, values, lead="unavailable", status=503, keep_key=True)
        return self._received(request, receipt)

    async def _accept(
        self,
        request: web.Request,
        submission: Submission,
        values: Mapping[str, str],
        attachments: tuple[Attachment, ...],
    ) -> Receipt:
        portal = self._portal
        key = form_key(values)
        push = Request(
            method="POST",
            headers={"idempotency-key": key} if key else {},
            body=b"",
            fields={name: value for name, value in values.items() if name != "key"},
            attachments=attachments,
            remote=portal.remote(request),
        )
        seen = inbound(submission, push, portal.clock.now(), portal.account)
        return await portal.accept(portal.bound(request, seen))

    def _wrong(
        self, request: web.Request, values: Mapping[str, str], errors: tuple[FieldError, ...]
    ) -> web.Response:
        status = 413 if any(isinstance(error, Oversized) for error in errors) else 400
        return self._form(request, values, errors=errors, status=status, keep_key=True)

    def _form(
        self,
        request: web.Request,
        values: Mapping[str, str],
        *,
        errors: tuple[FieldError, ...] = (),
        lead: str = "",
        status: int = 200,
        keep_key: bool = False,
    ) -> web.Response:
        texts = self._portal.texts(request)
        return self._portal.views.page(
            "form.html",
            request,
            status=status,
            personal=bool(values),
            tab="form",
            here="/",
            values=values,
            errors=told(texts, errors, "form"),
            lead=texts["summary"][lead] if lead else "",
            detail=texts["summary"][f"{lead}_detail"] if lead else "",
            key=(form_key(values) if keep_key else None) or new_key(),
        )

    def _received(self, request: web.Request, receipt: Receipt) -> web.Response:
        texts = self._portal.texts(request)
        dial = numbers_to_dial(receipt.services)
        heading = texts["received"]["title"]
        if receipt.urgency is Urgency.EMERGENCY:
            comma = ", " if texts["site"]["lang"] == "en" else "、"
            heading = texts["emergency"]["now"].format(numbers=comma.join(dial))
        elif receipt.status is Status.REFUSED:
            heading = texts["received"]["title_refused"]
        return self._portal.views.page(
            "received.html",
            request,
            status=200 if receipt.duplicate else 201,
            personal=True,
            tab="form",
            receipt=receipt,
            heading=heading,
            dial=dial,
        )
