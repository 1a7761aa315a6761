"""The web channel against the checks that every pushed channel passes."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from channels.base import Reply, Request
from channels.testing import CHECKS, Check, InboundCase, Origin, Suite, receipt
from channels.web.channel import plugin
from normalizer.errors import Malformed, Oversized

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
CONTRACT = "contract section 4, POST /api/v1/requests"
channel = plugin.open({"kind": "web", "name": "portal"})


def _request(body: bytes) -> Request:
    headers = {"content-type": "application/json", "idempotency-key": "k-1"}
    return Request(method="POST", headers=headers, body=body)


def _text(words: str) -> Request:
    return _request(msgspec.json.encode({"text": words}))


def _reordered(request: Request) -> Request:
    fields = msgspec.json.decode(request.body)
    spaced = msgspec.json.format(msgspec.json.encode(fields), indent=2)
    return msgspec.structs.replace(request, body=spaced)


def _example() -> InboundCase:
    body = (
        b'{"text": "\xe8\xb7\xaf\xe7\x81\xaf\xe4\xb8\x8d\xe4\xba\xae", "phone": "+8613800138000", '
        b'"type": "complaint", "latitude": 33.64, "longitude": 116.97}'
    )
    (seen,) = channel.parse(_request(body), NOW)
    assert seen.text == "路灯不亮"
    assert seen.key == "k-1"
    assert seen.requester.phone == "+8613800138000"
    assert (seen.place.latitude, seen.place.longitude) == (33.64, 116.97)
    answer = receipt(1)
    reply = {
        "number": answer.number,
        "query_code": answer.query_code,
        "status": answer.status,
        "urgency": answer.urgency,
        "services": answer.services,
        "type": answer.type,
        "received_at": answer.received_at,
        "message": answer.message,
    }
    return InboundCase(
        label="a complaint with a place",
        request=_request(body),
        source=CONTRACT,
        origin=Origin.VENDOR_DOC,
        expect=(msgspec.structs.replace(seen, raw=body, raw_type="application/json"),),
        reply=Reply(status=201, body=msgspec.json.encode(reply)),
    )


def _refused(
    label: str, body: bytes, field: str, error: type[Malformed | Oversized]
) -> InboundCase:
    return InboundCase(
        label=label,
        request=_request(body),
        source=CONTRACT,
        origin=Origin.INVENTED,
        error=error,
        field=field,
    )


def _without_text() -> Request:
    return _request(b'{"phone": "+8613800138000"}')


WITHOUT: dict[str, Callable[[], Request]] = {"text": _without_text}
SUITE = Suite(
    channel=channel,
    now=NOW,
    cases=(
        _example(),
        _refused("a text that is a number", b'{"text": 5}', "text", Malformed),
        _refused("a text too long", b'{"text": "%s"}' % (b"a" * 20_001), "text", Oversized),
        _refused("an unknown type", b'{"text": "a", "type": "wish"}', "type", Malformed),
        _refused("half a position", b'{"text": "a", "latitude": 1}', "longitude", Malformed),
        _refused("an array", b"[]", "body", Malformed),
    ),
    push=_text,
    sign=lambda request: request,
    without=WITHOUT,
    forgeries={},
    anybody="a citizen needs no account",
    longest=20_000,
    repeated=200,
    repeats=(_reordered,),
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Check) -> None:
    """The channel passes every check that all channels pass."""
    await check(SUITE)


def test_another_key_is_another_act() -> None:
    """The same words under two keys are two acts; their content is the same."""
    one, other = (
        channel.parse(
            msgspec.structs.replace(_text("路灯不亮"), headers={"idempotency-key": key}), NOW
        )[0]
        for key in ("a", "b")
    )
    assert one.key != other.key
    assert one.digest == other.digest
    assert hashlib.sha256(one.raw).digest() == hashlib.sha256(other.raw).digest()
