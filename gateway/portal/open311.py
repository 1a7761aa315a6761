"""Open311 GeoReport v2 below ``/open311/v2`` (contract section 4).

A request that is posted takes the way of every other one of the web channel. What is listed is what
citizens agreed to have published, and nothing that tells who they are.
Source: wiki.open311.org/GeoReport_v2 and /Service_Discovery.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from channels.base import Request
from channels.web.codec import key_of
from channels.web.georeport import ATTRIBUTES, MEDIA_TYPES, encode, read, seen, service_of
from channels.web.submission import FLAGS, Submission
from gateway.accept import day_of
from gateway.forms import read_form
from gateway.portal.disclosed import disclosed, is_disclosed, service_name
from gateway.portal.open311_query import Asked, asked_of, ids_of
from gateway.portal.page_views import LANGUAGES, Texts
from gateway.portal.routes import Portal
from gateway.problems import problem, problem_of_fields
from gateway.store.base import Store, StoredTicket
from normalizer.errors import Malformed
from normalizer.schema import Domain, RequestType

BASE: Final = "/open311/v2"
SPECIFICATION: Final = "http://wiki.open311.org/GeoReport_v2"
#: When services, their definitions or the discovery last changed: clients read them anew then.
CHANGESET: Final = "2026-11-28 00:00"
#: Tickets read at once: what waits to be read meanwhile goes between.
_PAGE: Final = 200
#: Of attributes that are neither a yes nor a no, nor one of a list.
_DATATYPES: Final = {"title": "string", "occurred_at": "datetime"}
#: Statuses that the specification has other numbers for: 400 is all that is the client's own fault.
_AS_400: Final = frozenset({413, 415, 422})


@dataclass(frozen=True, slots=True)
class Open311:
    """The handlers.

    Args:
        portal: What the citizens' pages work with, too.
        store: Where tickets are.
        name: The instance's.
        url: ``http.public_url``.
        urgent: Whether a text sounds like an emergency.
    """

    portal: Portal
    store: Store
    name: str
    url: str
    urgent: Callable[[str], bool]
    #: One list at a time: a client that asks for many keeps others of its kind waiting, nobody else.
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def discovery(self, request: web.Request) -> web.Response:
        """Tell where the interface is and what it speaks."""
        texts = self.portal.texts(request)["open311"]
        endpoint = {
            "specification": SPECIFICATION,
            "url": f"{self.url}{BASE}",
            "changeset": CHANGESET,
            "type": "production",
            "formats": list(MEDIA_TYPES.values()),
        }
        document = {
            "changeset": CHANGESET,
            "contact": texts["contact"].format(name=self.name, url=self.url),
            "key_service": texts["key_service"],
            "endpoints": [endpoint],
        }
        return _answer(request, "discovery", document)

    async def services(self, request: web.Request) -> web.Response:
        """List the services, which are the domains of matters."""
        texts = self.portal.texts(request)
        return _answer(request, "services", [_service(domain, texts) for domain in Domain])

    async def definition(self, request: web.Request) -> web.Response:
        """Tell what else a request to a service may say: the same for all."""
        service = service_of(request.match_info["code"])
        texts = self.portal.texts(request)
        attributes = [_attribute(name, n, texts) for n, name in enumerate(ATTRIBUTES, 1)]
        document = {"service_code": service, "attributes": attributes}
        return _answer(request, "service_definition", document)

    async def take(self, request: web.Request) -> web.Response:
        """Take a request, and answer once it is durable."""
        portal = self.portal
        fields, attachments = await read_form(request, portal.blobs)
        found = read(fields, urgent=self.urgent)
        if not isinstance(found[0], Submission):
            return problem_of_fields(found)
        submission, domain = found
        push = Request(
            method="POST",
            headers={k.lower(): v for k, v in request.headers.items()},
            body=b"",
            fields=fields,
            attachments=attachments,
            remote=portal.remote(request),
        )
        what = seen(submission, domain, push, portal.clock.now(), portal.account)
        receipt = await portal.accept(what)
        row = {
            "service_request_id": receipt.number,
            "service_notice": receipt.message,
            "account_id": None,
        }
        status = 200 if receipt.duplicate else 201
        return _answer(request, "service_requests", [row], status=status)

    async def requests(self, request: web.Request) -> web.Response:
        """List what citizens agreed to have published, the newest first."""
        if ids := ids_of(request.query):
            named = [await self.store.ticket(number) for number in ids]
            found = [stored for stored in named if stored is not None and is_disclosed(stored)]
        else:
            asked = asked_of(request.query, self.portal.clock.now())
            async with self._turn:
                found = await self._found(asked)
        return await self._shown(request, found)

    async def request(self, request: web.Request) -> web.Response:
        """Show one request; one that may not be read is answered like one that is not there."""
        stored = await self.store.ticket(request.match_info["id"])
        if stored is None or not is_disclosed(stored):
            return problem(404, "no published request has this id", field="service_request_id")
        return await self._shown(request, [stored])

    async def token(self, request: web.Request) -> web.Response:
        """Tell the id of the request that was sent with this ``Idempotency-Key``."""
        token = request.match_info["token"]
        try:
            key = key_of(token)
        except Malformed:
            key = None  # nothing was ever sent with what is no key
        account = self.portal.account
        number = None if key is None else await self.store.known("web", account, key)
        if number is None:
            return problem(404, "no request was sent with this Idempotency-Key", field="token")
        row = {"service_request_id": number, "token": token}
        return _answer(request, "service_requests", [row])

    async def _found(self, asked: Asked) -> list[StoredTicket]:
        zone = self.portal.zone
        first, day = day_of(asked.start.astimezone(zone)), day_of(asked.end.astimezone(zone))
        found: list[StoredTicket] = []
        before: str | None = None
        skipped = 0
        while True:
            page = await self.store.newest(day, before, _PAGE, public=True)
            for stored in page:
                if stored.number < first or len(found) == asked.most:
                    return found
                if not asked.wants(stored):
                    continue
                if skipped < asked.skipped:
                    skipped += 1
                else:
                    found.append(stored)
            if len(page) < _PAGE:
                return found
            before = page[-1].number

    async def _shown(self, request: web.Request, found: Sequence[StoredTicket]) -> web.Response:
        texts, zone = self.portal.texts(request), self.portal.zone

        def answer() -> web.Response:
            rows = [disclosed(stored, texts, zone) for stored in found]
            return _answer(request, "service_requests", rows)

        return await asyncio.to_thread(answer)  # the words of a thousand tickets take a while


def _service(domain: Domain, texts: Texts) -> dict[str, Any]:
    words = texts["open311"]["services"][domain]
    return {
        "service_code": domain,
        "service_name": service_name(domain, texts),
        "description": words["description"],
        "metadata": True,
        "type": "realtime",
        "keywords": words["keywords"],
        "group": None,
    }


def _attribute(name: str, order: int, texts: Texts) -> dict[str, Any]:
    words = texts["open311"]
    attribute = {
        "variable": True,
        "code": name,
        "datatype": _DATATYPES.get(name, "singlevaluelist"),
        "required": False,
        "datatype_description": words["hints"].get(name),
        "order": order,
        "description": words["attributes"][name],
    }
    if name not in _DATATYPES:
        attribute["values"] = [{"key": k, "name": v} for k, v in _values(name, texts)]
    return attribute


def _values(name: str, texts: Texts) -> list[tuple[str, str]]:
    words = texts["open311"]
    if name in FLAGS:
        return [("true", words["yes"]), ("false", words["no"])]
    if name == "language":
        return [(language, words["languages"][language]) for language in LANGUAGES]
    return [(each.value, texts["types"][each]) for each in RequestType]


def _answer(
    request: web.Request,
    root: str,
    value: Mapping[str, Any] | Sequence[Any],
    *,
    status: int = 200,
) -> web.Response:
    form = request.match_info["form"]
    headers = {"Content-Type": _content_type(form), "Vary": "Accept-Language, Cookie"}
    if root == "service_requests":
        headers["Cache-Control"] = "no-store"
    return web.Response(status=status, body=encode(root, value, form), headers=headers)


def _content_type(form: str) -> str:
    return f"{MEDIA_TYPES[form]}; charset=utf-8"


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give every problem document below `BASE` the specification's own shape.

    Its ``code`` is the status that the rest of the interface has; the status itself is 400 wherever
    the request is at fault, as GeoReport v2 ("Errors") wants it.
    """
    response = await handler(request)
    told = response.content_type == "application/problem+json"
    if (
        not told
        or not request.path.startswith(f"{BASE}/")
        or not isinstance(response, web.Response)
    ):
        return response
    document = msgspec.json.decode(cast("bytes", response.body))
    status = document["status"]
    lines = [f"{e['field']}: {e['detail']}" for e in document.get("errors", ())]
    rows = [{"code": status, "description": line} for line in lines or [document["detail"]]]
    form = "json" if request.path.endswith(".json") else "xml"
    response.body = encode("errors", rows, form)
    response.headers["Content-Type"] = _content_type(form)
    response.set_status(400 if status in _AS_400 else status)
    return response


def routes(open311: Open311) -> list[web.RouteDef]:
    """Return the routes of this module."""
    form = "{form:json|xml}"
    return [
        web.get(f"{BASE}/discovery.{form}", open311.discovery),
        web.get(f"{BASE}/services.{form}", open311.services),
        web.get(f"{BASE}/services/{{code}}.{form}", open311.definition),
        web.post(f"{BASE}/requests.{form}", open311.take),
        web.get(f"{BASE}/requests.{form}", open311.requests),
        web.get(f"{BASE}/requests/{{id}}.{form}", open311.request),
        web.get(f"{BASE}/tokens/{{token}}.{form}", open311.token),
    ]
