"""The desks' side of HTTP: the liaison API, live changes, and the page."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from config.settings import Desk
from gateway.desks.answers import ACTIONS, Answer, concerns
from gateway.desks.auth import check
from gateway.desks.incidents import OPEN
from gateway.desks.stream import PAGE_MOST, Site, Wire, page_of, send
from gateway.desks.view import desk_views
from gateway.problems import problem, problem_of
from gateway.store.base import StoredIncident
from normalizer.errors import GatewayError, Malformed, Oversized, StoreError, Unauthorized

log = logging.getLogger(__name__)

STATES = ("raised", "acknowledged", "escalated", "returned", "closed")
BODY_BYTES = 16 * 1024
BY_MOST = 100
NOTE_MOST = 1000
_PAGE = 100
#: Connections of one desk's pages.
_LISTENERS = 200

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Body(msgspec.Struct):
    by: str
    note: str | None = None


class Refused(Exception):
    """Carries an answer to the client."""

    def __init__(self, response: web.Response) -> None:
        super().__init__()
        self.response = response


def desk_of(site: Site, request: web.Request) -> tuple[str, Desk]:
    """Return the desk that a request names and may act for.

    Raises:
        Refused: 404, there is no such desk.
        Unauthorized: The request may not act for it.
    """
    name = request.match_info["service"]
    desk = site.roster().get(name)
    if desk is None:
        raise Refused(problem(404, "there is no liaison desk of this name"))
    now = site.clock.now()
    check(request, name, desk, site.store.secret, now, site.public.url, site.proxies)
    return name, desk


class Api:
    """The handlers of ``/api/v1/liaison/{service}``."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def routes(self) -> list[web.RouteDef]:
        """Return the routes to mount."""
        base = "/api/v1/liaison/{service}"
        return [
            web.get(f"{base}/incidents", answering(self.listing)),
            web.get(f"{base}/incidents/{{id}}", answering(self.show)),
            web.post(f"{base}/incidents/{{id}}/{{action}}", answering(self.act)),
            web.get(f"{base}/stream", answering(self.stream)),
        ]

    async def listing(self, request: web.Request) -> web.StreamResponse:
        """List incidents, oldest first, a page at a time."""
        name, _ = desk_of(self._site, request)
        states, limit, after = _query(request)
        found, following = await page_of(self._site.store, name, states, limit, after)
        return _json({"incidents": await self._views(found), "next": following})

    async def show(self, request: web.Request) -> web.StreamResponse:
        """Show one incident."""
        name, _ = desk_of(self._site, request)
        stored = await self._site.store.incident(request.match_info["id"])
        if stored is None or not concerns(stored, name):
            return _unknown()
        return _json((await self._views([stored]))[0])

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Take a desk's answer."""
        name, _ = desk_of(self._site, request)
        action = request.match_info["action"]
        if action not in ACTIONS:
            return problem(
                404, "an incident is acknowledged, returned or closed: " + "|".join(ACTIONS)
            )
        body = _decode(await limited(request))
        stored = await answer(
            self._site, name, request.match_info["id"], action, body.by, body.note
        )
        if stored is None:
            return _unknown()
        return _json((await self._views([stored]))[0])

    async def _views(self, found: Sequence[StoredIncident]) -> list[dict[str, Any]]:
        site = self._site
        return await desk_views(site.store, found, site.public.zone, site.roster())

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send the open incidents, then every change, as server-sent events."""
        name, _ = desk_of(self._site, request)
        feed = self._site.feed
        if feed.listening_at(name) >= _LISTENERS:
            return problem(
                503, "too many pages of this desk are open", headers={"Retry-After": "5"}
            )
        last = request.headers.get("Last-Event-ID", "")
        since = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else 0
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream; charset=utf-8",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",
            }
        )
        listener = feed.listen(name)
        try:
            await response.prepare(request)
            await send(self._site, Wire(request, response), listener, since)
        except (ConnectionError, TimeoutError, StoreError) as error:
            log.info("desk.stream_ended", extra={"desk": name, "error": type(error).__name__})
            if request.transport is not None:
                request.transport.abort()  # a page that does not read would hold the connection
        finally:
            feed.leave(listener)
        return response


def answering(handler: Handler) -> Handler:
    """Return the handler with its errors turned into problem documents."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as refused:
            return refused.response
        except Unauthorized as error:
            log.warning("desk.refused", extra={"desk": request.match_info["service"][:32]})
            return problem(401, str(error), headers={"WWW-Authenticate": 'Bearer realm="liaison"'})
        except GatewayError as error:
            return problem_of(error)

    return answered


async def answer(
    site: Site, desk: str, incident: str, action: str, by: str, note: str | None
) -> StoredIncident | None:
    """Return the incident after a desk's answer; None if the desk has no such incident.

    Raises:
        FieldError: ``by`` or ``note`` is empty or too long.
        NotAllowed: The incident's state forbids it.
        StoreError: Nothing was written.
    """
    by, note = by.strip(), (note or "").strip() or None
    if not by:
        raise Malformed("by", "say who answers")
    if len(by) > BY_MOST:
        raise Oversized("by", f"at most {BY_MOST} characters")
    if note is not None and len(note) > NOTE_MOST:
        raise Oversized("note", f"at most {NOTE_MOST} characters")
    stored = await site.store.incident(incident)
    if stored is None or not concerns(stored, desk):
        return None
    return await site.liaison.answer(
        Answer(incident=incident, action=action, by=by, note=note, desk=desk)
    )


async def limited(request: web.Request) -> bytes:
    """Return the body of a request. Raises `Oversized` beyond `BODY_BYTES`."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES:
            raise Oversized("body", f"at most {BODY_BYTES} octets")
    return bytes(body)


def _decode(body: bytes) -> _Body:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("body", 'it must be JSON: {"by": …, "note": …}') from None
    if not isinstance(document, dict):
        raise Malformed("body", 'it must be an object: {"by": …, "note": …}')
    if not isinstance(document.get("by"), str):
        raise Malformed("by", "say who answers, as a string")
    if not isinstance(document.get("note"), (str, type(None))):
        raise Malformed("note", "it must be a string")
    return _Body(by=document["by"], note=document.get("note"))


def _query(request: web.Request) -> tuple[tuple[str, ...], int, str]:
    query = request.query
    states = tuple(s for value in query.getall("state", []) for s in value.split(",") if s)
    for state in states:
        if state not in STATES:
            raise Malformed("state", "known are " + ", ".join(STATES))
    limit = query.get("limit", str(_PAGE))
    if not limit.isascii() or not limit.isdigit() or not 0 < int(limit[:6]) <= PAGE_MOST:
        raise Malformed("limit", f"a number from 1 to {PAGE_MOST}")
    return states or OPEN, int(limit), query.get("after", "")[:64]


def _json(document: object) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(document),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _unknown() -> web.Response:
    return problem(404, "this desk has no incident of this id")
