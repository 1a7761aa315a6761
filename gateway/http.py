"""The HTTP side: carriers' pushes, the citizens' API, health and metrics.

One handler runs authenticate, parse, accept each, reply for every pushed channel; one middleware
turns every error into a problem document. Nothing here knows a carrier.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import cast

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from channels.base import Prompt, Receipt, Reply, Request, Shaking, Webhook
from gateway.accept import Intake
from gateway.blobs import Blobs
from gateway.clock import Clock
from gateway.forms import URLENCODED_BYTES, NoFiles, Sink, fill, read_body, read_form
from gateway.health import Health
from gateway.late import InTime, Taking
from gateway.links import attachment_signature
from gateway.metrics import Metrics
from gateway.problems import problem, problem_of
from gateway.store.base import Quarantined, Store
from normalizer.errors import (
    ChannelError,
    FieldError,
    GatewayError,
    Ignored,
    StoreError,
    Unauthorized,
)
from normalizer.schema import Attachment, Inbound

log = logging.getLogger(__name__)

#: 20,000 characters, each as a pair of \\uXXXX escapes, are 240 kB; the rest is air.
JSON_BYTES = 1 << 20
#: Channels that answer a wrong signature with 401; a carrier's push gets 403 (contract section 5).
SIGNED_JSON = frozenset({"webhook"})
#: Media types of a form, and of everything that POST /api/v1/requests takes.
_FORMS = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})
_TAKEN = _FORMS | {"application/json"}
#: Headers of aiohttp's own errors that stay.
_KEPT_HEADERS = ("Allow", "Retry-After", "Accept-Encoding")


@dataclass(slots=True)
class Front:
    """What the handlers work with."""

    taking: Taking
    in_time: InTime
    intake: Intake
    store: Store
    blobs: Blobs
    clock: Clock
    metrics: Metrics
    health: Health
    secret: bytes
    webhooks: Mapping[tuple[str, str], Webhook]
    portal: Webhook | None  #: the first web channel
    portal_name: str
    remote: Callable[[web.Request], str]
    page_missing: Callable[[web.Request], web.Response] | None = None  #: for people with browsers
    draining: bool = field(default=False)

    @property
    def pushes(self) -> "Pushes":
        """The handlers of everything that makes tickets."""
        return Pushes(self)


def remote_reader(proxies: Sequence[str]) -> Callable[[web.Request], str]:
    """Return what tells a request's client: the nearest address that is no trusted proxy."""
    networks = tuple(ip_network(proxy, strict=False) for proxy in proxies)

    def trusted(address: str) -> bool:
        parsed = _address_of(address)
        return parsed is not None and any(parsed in network for network in networks)

    def remote(request: web.Request) -> str:
        nearest = request.remote or ""
        if not networks or not trusted(nearest):
            return nearest
        # A proxy may add a line of its own below those that the client made up.
        hops = ",".join(request.headers.getall("X-Forwarded-For", ())).split(",")
        for hop in reversed(hops):
            candidate = _address_of(hop.strip())
            if candidate is None:
                return nearest
            if not trusted(str(candidate)):
                return str(candidate)
        return nearest

    return remote


def _address_of(hop: str) -> IPv4Address | IPv6Address | None:
    """Return a hop's address, its port left out: each connection of a client has another."""
    if hop.startswith("["):
        hop = hop[1:].partition("]")[0]
    elif hop.count(":") == 1:
        hop = hop.partition(":")[0]
    try:
        address = ip_address(hop)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def middleware(front: Front) -> Middleware:
    """Return the middleware that answers errors and closes connections while draining."""

    @web.middleware
    async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            _check_uncoded(request)
            response = await handler(request)
        except GatewayError as error:
            response = problem_of(error)
        except web.HTTPException as error:
            response = _plain(error)
            if error.status == 404 and front.page_missing and _by_browser(request):
                response = front.page_missing(request)
        except ConnectionResetError:
            raise
        except Exception:
            log.exception("http.failed", extra={"path": _route(request)})
            front.metrics.count("http_failed", _route(request))
            response = problem(500, "the gateway failed; nothing was lost that was answered before")
        if front.draining:
            response.force_close()
        return response

    return errors


def _check_uncoded(request: web.Request) -> None:
    """Return if the body is not compressed. Source: RFC 9110 §12.5.3 for the header."""
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise web.HTTPUnsupportedMediaType(headers={"Accept-Encoding": "identity"})


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"


def _by_browser(request: web.Request) -> bool:
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "")


def _plain(error: web.HTTPException) -> web.StreamResponse:
    if error.status < 400:
        return error
    details = {
        404: "there is nothing at this address",
        405: "this address does not take this method",
        413: "the body is larger than this address takes",
        415: "send the body as it is, without compression",
    }
    headers = {k: v for k, v in error.headers.items() if k in _KEPT_HEADERS}
    return problem(
        error.status,
        details.get(error.status, error.reason),
        field="body" if error.status == 413 else None,
        headers=headers,
    )


def web_response(reply: Reply) -> web.Response:
    """Return a channel's reply as the server's own type."""
    return web.Response(status=reply.status, body=reply.body, content_type=reply.content_type)


class Pushes:
    """The handlers of everything that makes tickets."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def request(self, request: web.Request) -> web.Response:
        """Take ``POST /api/v1/requests``."""
        front = self._front
        if front.portal is None:
            return problem(404, "this gateway has no web channel")
        if "Content-Type" in request.headers and request.content_type not in _TAKEN:
            return problem(415, "send application/json or multipart/form-data")
        pushed = await self._read(request, front.blobs)
        arrived = front.clock.monotonic()
        return await self._push(front.portal, ("web", front.portal_name), pushed, arrived)

    async def channel(self, request: web.Request) -> web.Response:
        """Take a push to ``/channels/{kind}/{name}``."""
        arrived = self._front.clock.monotonic()
        key = (request.match_info["kind"], request.match_info["name"])
        webhook = self._front.webhooks.get(key)
        if webhook is None:
            return problem(404, "no channel of this kind and name")
        # Nothing is written for somebody who has not shown yet who they are.
        return await self._push(webhook, key, await self._read(request, NoFiles()), arrived)

    async def handshake(self, request: web.Request) -> web.Response:
        """Answer a carrier that asks whether an address is ours, before it pushes to it."""
        front = self._front
        key = (request.match_info["kind"], request.match_info["name"])
        webhook = front.webhooks.get(key)
        if webhook is None:
            return problem(404, "no channel of this kind and name")
        if not hasattr(webhook, "handshake"):
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        asked = await self._read(request, NoFiles())
        try:
            return web_response(cast("Shaking", webhook).handshake(asked, front.clock.now()))
        except ChannelError as error:
            front.metrics.rejected(key[0], error.code)
            return problem_of(error)

    async def _read(self, request: web.Request, files: Sink) -> Request:
        fields: Mapping[str, str] | None = None
        attachments: tuple[Attachment, ...] = ()
        body = b""
        if request.content_type == "application/x-www-form-urlencoded":
            body = await read_body(
                request, URLENCODED_BYTES
            )  # kept whole, should it be quarantined
            fields = _fields(body, strict=not isinstance(files, NoFiles))
        elif request.content_type in _FORMS:
            fields, attachments = await read_form(request, files)
        else:
            body = await read_body(request, JSON_BYTES)
        return Request(
            method=request.method,
            headers={k.lower(): v for k, v in request.headers.items()},
            body=body,
            fields=fields,
            attachments=attachments,
            query=dict(request.query),
            path_secret=request.match_info.get("secret"),
            remote=self._front.remote(request),
        )

    async def _push(
        self, webhook: Webhook, key: tuple[str, str], request: Request, arrived: float
    ) -> web.Response:
        front = self._front
        now = front.clock.now()
        try:
            webhook.authenticate(request, now)
            inbounds = webhook.parse(request, now)
            receipts = await self._take(webhook, key, request, inbounds, arrived)
        except Unauthorized as error:
            front.metrics.rejected(key[0], error.code)
            return problem_of(error, unauthorized=401 if key[0] in SIGNED_JSON else 403)
        except Ignored as error:
            await self.keep(key, request, error)
            return web_response(webhook.reply(request, ()))
        except ChannelError as error:
            front.metrics.rejected(key[0], error.code)
            if key[0] != "web":  # a citizen sees the error; a carrier's citizen never does
                await self.keep(key, request, error)
            return problem_of(error)
        except StoreError as error:
            front.health.store_failed(str(error))
            raise
        if receipts is None:
            return web_response(cast("Prompt", webhook).late(request))
        front.health.store_worked()
        return web_response(webhook.reply(request, receipts))

    async def _take(
        self,
        webhook: Webhook,
        key: tuple[str, str],
        request: Request,
        inbounds: Sequence[Inbound],
        arrived: float,
    ) -> Sequence[Receipt] | None:
        """Return the receipts; None where the carrier is answered before they are there."""
        front = self._front
        if not inbounds or not hasattr(webhook, "reply_within_s"):
            return await front.taking.take(webhook, request, inbounds)
        prompt = cast("Prompt", webhook)
        return await front.in_time.take(
            prompt, key, request, inbounds, arrived=arrived, quarantine=self.keep
        )

    async def keep(self, key: tuple[str, str], request: Request, error: ChannelError) -> None:
        """Quarantine what is authentic but not understood, whole."""
        item = Quarantined(
            id=hashlib.sha256(repr(key).encode() + request.body).hexdigest()[:32],  # a repeat: same
            at=self._front.clock.now(),
            channel=key[0],
            account=key[1],
            reason=str(error),
            raw=request.body,
            raw_type=request.headers.get("content-type", "application/octet-stream"),
        )
        await self._front.store.quarantine(item)
        self._front.metrics.count("quarantined", key[0])
        log.warning("channel.quarantined", extra={"channel": key[0], "id": item.id})


def _fields(body: bytes, *, strict: bool) -> Mapping[str, str] | None:
    """Return the fields of a urlencoded form; None where it is none and need not be.

    Some carriers push JSON under this media type: what it is, their channel knows.
    """
    fields: dict[str, str] = {}
    try:
        fill(fields, body)
    except FieldError:
        if strict:
            raise
        return None
    return fields


class Service:
    """The handlers of health, metrics and attachments."""

    def __init__(self, front: Front) -> None:
        self._front = front

    async def alive(self, _request: web.Request) -> web.Response:
        """Answer that the process runs."""
        return web.Response(text="ok\n")

    async def ready(self, _request: web.Request) -> web.Response:
        """Tell the state of everything; 503 when intake is impossible."""
        ready, document = await self._front.health.report()
        return web.Response(
            status=200 if ready else 503,
            body=msgspec.json.encode(document),
            content_type="application/json",
        )

    async def metrics(self, _request: web.Request) -> web.Response:
        """Give the counters in Prometheus text format."""
        await self._front.health.gauges(self._front.metrics)
        return web.Response(
            body=self._front.metrics.text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def attachment(self, request: web.Request) -> web.StreamResponse:
        """Give an attachment's content to whoever holds its signed address."""
        sha256, id_ = request.match_info["sha256"], request.match_info["id"]
        expected = attachment_signature(self._front.secret, id_, sha256)
        given = request.query.get("sig", "")
        if not hmac.compare_digest(expected.encode(), given.encode(errors="replace")):
            return problem(404, "there is nothing at this address")
        path = self._front.blobs.path(sha256)
        if not await asyncio.to_thread(path.is_file):
            return problem(404, "there is nothing at this address")
        return web.FileResponse(
            path,
            headers={
                # A citizen's file is never rendered in the gateway's own origin.
                "Content-Type": "application/octet-stream",
                "Content-Disposition": "attachment",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "Cache-Control": "private, no-store",
            },
        )


def routes(front: Front) -> Sequence[web.RouteDef]:
    """Return the routes of this module."""
    pushes, service = front.pushes, Service(front)
    return [
        web.post("/api/v1/requests", pushes.request),
        web.get("/channels/{kind}/{name}", pushes.handshake, allow_head=False),
        web.post("/channels/{kind}/{name}", pushes.channel),
        web.post("/channels/{kind}/{name}/{secret}", pushes.channel),
        web.get("/api/v1/attachments/{sha256}/{id}", service.attachment),
        web.get("/healthz", service.alive),
        web.get("/readyz", service.ready),
        web.get("/metrics", service.metrics),
    ]
