"""Pushes of a partner and what they become."""

import base64
import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import msgspec

from channels.base import Reply, Request
from channels.testing import InboundCase, Origin, Suite
from channels.webhook.channel import plugin
from channels.webhook.codec import key_of, signed_headers
from normalizer.errors import Malformed, Oversized, Unauthorized
from normalizer.schema import Attachment, Inbound, Requester

SECRET = "whsec_" + base64.b64encode(b"the key that is in force now....").decode()
OLD_SECRET = "whsec_" + base64.b64encode(b"the key before, still believed..").decode()
OTHER_SECRET = "whsec_" + base64.b64encode(b"a key that nobody has agreed on.").decode()
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
CONTRACT = "contract section 5, partner platforms"

channel = plugin.open({"kind": "webhook", "name": "weibo", "secret": [SECRET, OLD_SECRET]})


def signed(body: bytes, *, secret: str = SECRET, at: datetime = NOW) -> Request:
    """Return the push of a body with its signature."""
    headers = signed_headers([key_of(secret)], "msg_1", at, body)
    return Request(
        method="POST", headers={"content-type": "application/json", **headers}, body=body
    )


def push(**members: object) -> Request:
    """Return a genuine push of these members."""
    return signed(msgspec.json.encode(members))


def text(words: str) -> Request:
    """Return a genuine push of a text."""
    return push(id="m-1", **{"from": "u-77"}, text=words)


def _without(member: str) -> Callable[[], Request]:
    whole = {"id": "m-1", "from": "u-77", "text": "路灯不亮"}
    return lambda: push(**{k: v for k, v in whole.items() if k != member})


def _unsigned(request: Request) -> Request:
    headers = {k: v for k, v in request.headers.items() if k != "webhook-signature"}
    return msgspec.structs.replace(request, headers=headers)


def _with(request: Request, name: str, value: str) -> Request:
    return msgspec.structs.replace(request, headers={**request.headers, name: value})


def _body_flipped(request: Request) -> Request:
    body = bytearray(request.body)
    body[-3] ^= 1
    return msgspec.structs.replace(request, body=bytes(body))


def _signature_flipped(request: Request) -> Request:
    given = request.headers["webhook-signature"].removeprefix("v1,")
    octets = bytearray(base64.b64decode(given))
    octets[31] ^= 1
    return _with(request, "webhook-signature", f"v1,{base64.b64encode(octets).decode()}")


#: What an independent signer makes of `VECTOR`, from the specification's own test vector.
VECTOR_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
VECTOR = Request(
    method="POST",
    headers={
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    body=b'{"test": 2432232314}',
)

#: The body exactly as contract section 5 lists its members.
_FULL = (
    '{"id": "m-2026-1", "from": "+8613800138000", "text": "路灯不亮", '
    '"sent_at": "2026-11-23T09:59:58+08:00", "to": "12345", "attachments": []}'
).encode()
_PHOTO = b"\xff\xd8\xff\xe0 a photo"


def _inbound(body: bytes, **members: object) -> Inbound:
    defaults: dict[str, object] = {
        "channel": "webhook",
        "account": "weibo",
        "received_at": NOW,
        "raw": body,
        "raw_type": "application/json",
    }
    return Inbound(**{**defaults, **members})  # type: ignore[arg-type]


def _digest(*content: object) -> str:
    return hashlib.sha256(msgspec.json.encode(content)).hexdigest()


FULL = InboundCase(
    label="every member of the contract",
    request=signed(_FULL),
    source=CONTRACT,
    origin=Origin.VENDOR_DOC,
    expect=(
        _inbound(
            _FULL,
            message_id="m-2026-1",
            key="m-2026-1",
            digest=_digest("+8613800138000", "12345", "路灯不亮", [], []),
            text="路灯不亮",
            sent_at=datetime(2026, 11, 23, 9, 59, 58, tzinfo=timezone(timedelta(hours=8))),
            requester=Requester(phone="+8613800138000"),
            called="12345",
            thread="+8613800138000",
            extra={"from": "+8613800138000"},
        ),
    ),
    reply=Reply(
        status=202,
        body=(
            '{"number":"20261123-000001-0","query_code":"ABCD2345","message":"您的诉求已受理。"}'
        ).encode(),
    ),
)

_LEAN_BODY = '{"id":"7","from":"u-77","text":"您好\\u0000 井盖丢了"}'.encode()
LEAN = InboundCase(
    label="only what must be there",
    request=signed(_LEAN_BODY, secret=OLD_SECRET),
    source=CONTRACT,
    origin=Origin.VENDOR_DOC,
    expect=(
        _inbound(
            _LEAN_BODY,
            message_id="7",
            key="7",
            digest=_digest("u-77", None, "您好\x00 井盖丢了", [], []),
            text="您好\x00 井盖丢了",
            thread="u-77",
            extra={"from": "u-77"},
        ),
    ),
)

_PHOTO_BODY = msgspec.json.encode(
    {
        "id": "m-3",
        "from": "13800138000",
        "text": "",
        "attachments": [
            {"name": "井盖.jpg", "media_type": "image/jpeg", "content": _PHOTO},
            {"url": "https://pictures.example/1.jpg"},
        ],
        "later": {"member": "that we do not know"},
    }
)
_PHOTO_SHA = hashlib.sha256(_PHOTO).hexdigest()
PHOTO = InboundCase(
    label="a photo without words, a link, and a member that came later",
    request=signed(_PHOTO_BODY),
    source="docs/reference/channel-webhook.md, attachments",
    origin=Origin.INVENTED,
    expect=(
        _inbound(
            _PHOTO_BODY,
            message_id="m-3",
            key="m-3",
            digest=_digest(
                "13800138000",
                None,
                "",
                [None, "https://pictures.example/1.jpg"],
                [["井盖.jpg", _PHOTO_SHA]],
            ),
            text="",
            requester=Requester(phone="+8613800138000"),
            attachments=(
                Attachment(
                    id=f"1-{_PHOTO_SHA[:16]}",
                    name="井盖.jpg",
                    media_type="image/jpeg",
                    bytes=len(_PHOTO),
                    sha256=_PHOTO_SHA,
                ),
            ),
            thread="13800138000",
            extra={"from": "13800138000"},
        ),
    ),
)


def _wrong(label: str, field: str, body: bytes, error: type = Malformed) -> InboundCase:
    return InboundCase(
        label=label,
        request=signed(body),
        source=CONTRACT,
        origin=Origin.INVENTED,
        error=error,
        field=field,
    )


def _member(**changed: object) -> bytes:
    whole = {"id": "m-1", "from": "u-77", "text": "路灯不亮"}
    return msgspec.json.encode({**whole, **changed})


WRONG = (
    _wrong("no body", "body", b""),
    _wrong("not JSON", "body", b"id=1&text=x"),
    _wrong("cut off", "body", b'{"id":"1","from":"u","text":"x"'),
    _wrong("an array", "body", b"[]"),
    _wrong("not UTF-8", "body", '{"id":"1","from":"u","text":"路灯"}'.encode("gb18030")),
    _wrong("not UTF-8 in a member we do not know", "body", _member(x="路灯").replace(b"\xe8", b"")),
    _wrong("nested 100,000 deep", "body", _member()[:-1] + b',"x":' + b"[" * 100_000),
    _wrong("a numeric id", "id", _member(id=7)),
    _wrong("an empty id", "id", _member(id="")),
    _wrong("an id of 256 characters", "id", _member(id="1" * 256)),
    _wrong("a line feed in the id", "id", _member(id="1\n2")),
    _wrong("from is an object", "from", _member(**{"from": {"id": "u-77"}})),
    _wrong("text is null", "text", _member(text=None)),
    _wrong("blank text, no attachment", "text", _member(text=" \n　")),
    _wrong("text beyond the limit", "text", _member(text="路" * 160_001), Oversized),
    _wrong("a naive instant", "sent_at", _member(sent_at="2026-11-23T10:00:00")),
    _wrong("seconds since 1970", "sent_at", _member(sent_at=1795399200)),
    _wrong("the thirteenth month", "sent_at", _member(sent_at="2026-13-01T00:00:00Z")),
    _wrong("the first year", "sent_at", _member(sent_at="0001-01-01T00:00:00+08:00")),
    _wrong("the last instant", "sent_at", _member(sent_at="9999-12-31T23:59:59-12:00")),
    _wrong("attachments is an object", "attachments", _member(attachments={})),
    _wrong("an attachment is a string", "attachments[0]", _member(attachments=["a.jpg"])),
    _wrong("an attachment of nothing", "attachments[0]", _member(attachments=[{"name": "a"}])),
    _wrong(
        "content and link",
        "attachments[0]",
        _member(attachments=[{"url": "http://a", "content": ""}]),
    ),
    _wrong("not base64", "attachments[0].content", _member(attachments=[{"content": "%"}])),
    _wrong("a file address", "attachments[0].url", _member(attachments=[{"url": "file:///etc"}])),
    _wrong("eleven files", "attachments", _member(attachments=[{"content": ""}] * 11), Oversized),
    _wrong(
        "11 MiB",
        "attachments[0].content",
        _member(attachments=[{"content": bytes(11 * 1024 * 1024)}]),
        Oversized,
    ),
    InboundCase(
        label="the specification's own vector, years later",
        request=VECTOR,
        source="standard-webhooks/standard-webhooks, test vectors of the libraries",
        origin=Origin.VENDOR_DOC,
        error=Unauthorized,
    ),
)

SUITE = Suite(
    channel=channel,
    now=NOW,
    cases=(FULL, LEAN, PHOTO, *WRONG),
    push=text,
    sign=lambda request: signed(request.body),
    without={member: _without(member) for member in ("id", "from", "text")},
    forgeries={
        "missing": _unsigned,
        "flipped": _body_flipped,
        "stale": lambda r: signed(r.body, at=NOW - timedelta(seconds=301)),
        "from the future": lambda r: signed(r.body, at=NOW + timedelta(seconds=301)),
        "signature flipped": _signature_flipped,
        "another key": lambda r: signed(r.body, secret=OTHER_SECRET),
        "another id": lambda r: _with(r, "webhook-id", "msg_2"),
        "time moved": lambda r: _with(r, "webhook-timestamp", str(int(NOW.timestamp()) + 1)),
        "time not a number": lambda r: _with(r, "webhook-timestamp", "nan"),
        "time of Arabic digits": lambda r: _with(r, "webhook-timestamp", "١٧٩٥٣٩٩٢٠٠"),
        "time beyond any": lambda r: _with(r, "webhook-timestamp", "9" * 400),
        "no id": lambda r: _with(r, "webhook-id", ""),
        "another version": lambda r: _with(
            r, "webhook-signature", r.headers["webhook-signature"].replace("v1,", "v1a,")
        ),
        "not base64": lambda r: _with(r, "webhook-signature", "v1,$$$ v1 , v1,"),
        "not ASCII": lambda r: _with(r, "webhook-signature", "v1,签名\udcff"),
    },
    secrets=(SECRET, OLD_SECRET, SECRET[6:], OLD_SECRET[6:]),
    repeats=(
        lambda r: signed(msgspec.json.encode(msgspec.json.decode(r.body), order="sorted")),
        lambda r: signed(b"\n" + msgspec.json.format(r.body, indent=2) + b"\r\n"),
        lambda r: signed(r.body[:-1] + b',"sent_at":"2026-11-23T10:00:01+08:00"}'),
    ),
)
