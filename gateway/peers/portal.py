"""Citizens and partners at the HTTP side: an app, the form, an app of Open311, a signed push."""

import json
from collections.abc import Mapping
from datetime import datetime

import aiohttp

from channels.webhook.codec import key_of, signed_headers
from gateway.peers.answers import code_in
from gateway.peers.photo import PHOTO
from normalizer.schema import Value


class Told(Value, frozen=True, kw_only=True):
    """What the HTTP side answered."""

    status: int
    number: str = ""  #: of the ticket; empty: none was told
    code: str = ""  #: the query code; likewise
    words: str = ""  #: for the citizen


async def by_json(
    session: aiohttp.ClientSession, base: str, fields: Mapping[str, object], key: str
) -> Told:
    """Send a request as an app does, under a key by which a repeat is known."""
    url, headers = f"{base}/api/v1/requests", {"Idempotency-Key": key}
    async with session.post(url, json=dict(fields), headers=headers) as answer:
        return await _told(answer)


async def by_form(
    session: aiohttp.ClientSession,
    base: str,
    fields: Mapping[str, str],
    key: str | None = None,
    photo: str = "",
) -> Told:
    """Send a request as a browser does; ``photo`` is the name of the photograph that goes with it."""
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value)
    if photo:
        form.add_field("files", PHOTO, filename=photo, content_type="image/jpeg")
    headers = {"Idempotency-Key": key} if key else {}
    async with session.post(f"{base}/api/v1/requests", data=form, headers=headers) as answer:
        return await _told(answer)


async def by_open311(
    session: aiohttp.ClientSession, base: str, fields: Mapping[str, str], key: str
) -> Told:
    """Send a request as a client of Open311 does."""
    url, headers = f"{base}/open311/v2/requests.json", {"Idempotency-Key": key}
    async with session.post(url, data=dict(fields), headers=headers) as answer:
        if answer.status not in (200, 201):
            return Told(status=answer.status)
        (row,) = await answer.json(content_type=None)
        words = row["service_notice"]
        number = row["service_request_id"]
        return Told(status=answer.status, number=number, code=code_in(words), words=words)


async def by_push(
    session: aiohttp.ClientSession,
    url: str,
    secret: str,
    message: Mapping[str, str],
    now: datetime,
) -> Told:
    """Push a message as a partner platform does, signed per Standard Webhooks under its id."""
    body = json.dumps(dict(message)).encode()
    headers = signed_headers((key_of(secret),), message["id"], now, body)
    headers["Content-Type"] = "application/json"
    async with session.post(url, data=body, headers=headers) as answer:
        return await _told(answer)


async def _told(answer: aiohttp.ClientResponse) -> Told:
    if answer.status not in (200, 201, 202):
        return Told(status=answer.status)
    document = await answer.json(content_type=None)
    return Told(
        status=answer.status,
        number=document["number"],
        code=document["query_code"],
        words=document["message"],
    )
