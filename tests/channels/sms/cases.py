"""Pushes of cloud providers and what they become."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from channels.base import Reply, Request
from channels.sms.channel import plugin
from channels.sms.cloud import CloudPushes
from channels.testing import InboundCase, Origin, Suite
from normalizer.errors import Ignored, Malformed
from normalizer.schema import Inbound, Requester

SECRET = "kQ3vX9-a-path-that-nobody-guesses"
SOURCE = "203.0.113.7"
CHINA = ZoneInfo("Asia/Shanghai")
ALIYUN_PAGE = "help.aliyun.com/zh/sms/developer-reference/smsup-http"
ALIYUN_OLD = "help.aliyun.com/knowledge_detail/60127.html"
ALIYUN_REPORT = "help.aliyun.com/zh/sms/developer-reference/smsreport-2"
TENCENT_PAGE = "tencentcloud.com/document/api/382/43548"
#: Near the dates of the pages' samples.
ALIYUN_NOW = datetime(2017, 9, 1, 1, 0, tzinfo=UTC)
TENCENT_NOW = datetime(2016, 3, 7, 8, 0, tzinfo=UTC)


def channel(provider: str, **more: Any) -> CloudPushes:
    """Return an account at a provider."""
    section = {
        "kind": "sms",
        "name": "cloud",
        "protocol": "http",
        "number": "106912345",
        "provider": provider,
        "secret": SECRET,
        "sources": ["203.0.113.0/24", "2001:db8::/32"],
        **more,
    }
    built = plugin.build(plugin.check(section))
    assert isinstance(built, CloudPushes)
    return built


def pushed(body: bytes) -> Request:
    """Return a genuine push of a body."""
    return Request(
        method="POST",
        headers={"content-type": "application/json"},
        body=body,
        path_secret=SECRET,
        remote=SOURCE,
    )


def aliyun(*items: Mapping[str, object]) -> Request:
    """Return a push of Alibaba Cloud."""
    return pushed(msgspec.json.encode(items))


def tencent(**members: object) -> Request:
    """Return a push of Tencent Cloud."""
    return pushed(msgspec.json.encode(members))


ITEM = {
    "phone_number": "13811110000",
    "content": "路灯不亮",
    "send_time": "2017-09-01 00:00:00",
    "dest_code": "1234",
    "sequence_id": "1234567890",
}
REPLIED = {
    "mobile": "13811110000",
    "nationcode": "86",
    "sign": "短信签名",
    "text": "路灯不亮",
    "time": 1457336869,
    "extend": "",
}


def _short(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def _inbound(phone: str, text: str, body: bytes, now: datetime, **more: Any) -> Inbound:
    values: dict[str, Any] = {
        "channel": "sms",
        "account": "cloud",
        "digest": hashlib.sha256(msgspec.json.encode([phone, text])).hexdigest(),
        "text": text,
        "received_at": now,
        "raw": body,
        "raw_type": "application/json",
        "called": "106912345",
    }
    return Inbound(**(values | more))


ALIYUN_REPLY = Reply(status=200, body='{"code":0,"msg":"接收成功"}'.encode())
TENCENT_REPLY = Reply(status=200, body=b'{"result":0,"errmsg":"OK"}')

#: Exactly as the pages show it, the number hidden by them included.
_NOW_PAGE = (
    '[\n  {\n    "phone_number" : "1381111****",\n    "content" : "内容",\n'
    '    "send_time" : "2017-09-01 00:00:00",\n    "dest_code" : "1234",\n'
    '    "sequence_id" : "1234567890"\n  }\n]'
).encode()
_OLD_PAGE = (
    '[ { "phone_number" : "1381111****", "send_time" : "2017-09-01 00:00:00", "content" : "内容", '
    '"sign_name" : "签名", "dest_code" : "1234", "sequence_id" : 1234567890 } ]'
).encode()
_REPORT_PAGE = (
    b'[ { "phone_number" : "1381111****", "send_time" : "2017-01-01 00:00:00", "report_time" : '
    b'"2017-01-01 00:00:00", "success" : true, "err_code" : "DELIVERED", "sms_size" : "1", '
    b'"biz_id" : "12345", "out_id" : "67890" } ]'
)
_SEQUENCE = f"1234567890:{_short('1381111****', '内容')}"


def _aliyun_case(label: str, body: bytes, source: str, **extra: str) -> InboundCase:
    return InboundCase(
        label=label,
        request=pushed(body),
        source=source,
        origin=Origin.VENDOR_DOC,
        expect=(
            _inbound(
                "1381111****",
                "内容",
                body,
                ALIYUN_NOW,
                message_id="1234567890",
                key=_SEQUENCE,
                sent_at=datetime(2017, 9, 1, tzinfo=CHINA),
                thread="1381111****",
                extra=extra,
            ),
        ),
        reply=ALIYUN_REPLY,
    )


def _wrong(label: str, request: Request, field: str | None, error: type = Malformed) -> InboundCase:
    return InboundCase(
        label=label,
        request=request,
        source="invented",
        origin=Origin.INVENTED,
        error=error,
        field=field,
    )


ALIYUN_CASES = (
    _aliyun_case("the present page", _NOW_PAGE, ALIYUN_PAGE, dest_code="1234"),
    _aliyun_case(
        "the older page: a number, and the signature",
        _OLD_PAGE,
        ALIYUN_OLD,
        dest_code="1234",
        sign_name="签名",
    ),
    InboundCase(
        label="a status report",
        request=pushed(_REPORT_PAGE),
        source=ALIYUN_REPORT,
        origin=Origin.VENDOR_DOC,
        error=Ignored,
        reply=ALIYUN_REPLY,
    ),
    _wrong("no list", pushed(b"{}"), "body"),
    _wrong("an empty list", pushed(b"[]"), "body"),
    _wrong("not JSON", pushed(b"a=b"), "body"),
    _wrong("not UTF-8", pushed("[路]".encode("gbk")), "body"),
    _wrong("a text that is none", aliyun({**ITEM, "content": 5}), "content"),
    _wrong("nested", pushed(b"[" * 100_000), "body"),
)

_TENCENT_PAGE = (
    b'{\n"extend": "Extended code",\n"mobile": "13xxxxxxxxx",\n"nationcode": "86",\n'
    b'"sign": "SMS signature",\n"text": "User reply",\n"time": 1457336869\n}'
)
_PLAIN = msgspec.json.encode(REPLIED)
TENCENT_CASES = (
    InboundCase(
        label="the page's sample",
        request=pushed(_TENCENT_PAGE),
        source=TENCENT_PAGE,
        origin=Origin.VENDOR_DOC,
        expect=(
            _inbound(
                "+8613xxxxxxxxx",
                "User reply",
                _TENCENT_PAGE,
                TENCENT_NOW,
                message_id=f"sha256:{hashlib.sha256(_TENCENT_PAGE).hexdigest()}",
                key=f"1457336869:{_short('+8613xxxxxxxxx', 'User reply')}",
                sent_at=datetime(2016, 3, 7, 7, 47, 49, tzinfo=UTC),
                thread="+8613xxxxxxxxx",
                extra={"sign": "SMS signature", "extend": "Extended code"},
            ),
        ),
        reply=TENCENT_REPLY,
    ),
    InboundCase(
        label="a citizen's number",
        request=pushed(_PLAIN),
        source=TENCENT_PAGE,
        origin=Origin.INVENTED,
        expect=(
            _inbound(
                "+8613811110000",
                "路灯不亮",
                _PLAIN,
                TENCENT_NOW,
                message_id=f"sha256:{hashlib.sha256(_PLAIN).hexdigest()}",
                key=f"1457336869:{_short('+8613811110000', '路灯不亮')}",
                sent_at=datetime(2016, 3, 7, 7, 47, 49, tzinfo=UTC),
                requester=Requester(phone="+8613811110000"),
                thread="+8613811110000",
                extra={"sign": "短信签名"},
            ),
        ),
        reply=TENCENT_REPLY,
    ),
    _wrong(
        "a status report",
        pushed(b'[{"user_receive_time":"2015-10-17 08:03:04","report_status":"SUCCESS"}]'),
        None,
        Ignored,
    ),
    _wrong("a list", pushed(b"[]"), "body"),
    _wrong("a time in words", tencent(**{**REPLIED, "time": "now"}), "time"),
)


def _without(make: Callable[[Mapping[str, object]], Request], whole: Mapping[str, object]) -> Any:
    def push(member: str) -> Callable[[], Request]:
        return lambda: make({k: v for k, v in whole.items() if k != member})

    return push


def _other_secret(request: Request) -> Request:
    return msgspec.structs.replace(request, path_secret=SECRET[:-1] + "t")


def _no_secret(request: Request) -> Request:
    return msgspec.structs.replace(request, path_secret=None)


def _elsewhere(request: Request) -> Request:
    return msgspec.structs.replace(request, remote="198.51.100.1")


def _spaced(request: Request) -> Request:
    return pushed(msgspec.json.format(request.body, indent=2))


def _same(request: Request) -> Request:
    return request


def _suite(provider: str, **more: Any) -> Suite:
    return Suite(
        channel=channel(provider),
        sign=_same,
        forgeries={"missing": _no_secret, "flipped": _other_secret, "elsewhere": _elsewhere},
        timeless="no provider documents a time stamp; the address holds a secret",
        secrets=(SECRET,),
        **more,
    )


_of_aliyun = _without(aliyun, ITEM)
ALIYUN = _suite(
    "aliyun",
    now=ALIYUN_NOW,
    cases=ALIYUN_CASES,
    push=lambda text: aliyun({**ITEM, "content": text}),
    without={name: _of_aliyun(name) for name in ("phone_number", "content", "sequence_id")},
    repeats=(
        _spaced,
        lambda request: pushed(request.body.replace(b'"1234567890"', b"1234567890")),
    ),
)
_of_tencent = _without(lambda members: tencent(**members), REPLIED)
TENCENT = _suite(
    "tencent",
    now=TENCENT_NOW,
    cases=TENCENT_CASES,
    push=lambda text: tencent(**{**REPLIED, "text": text}),
    without={name: _of_tencent(name) for name in ("mobile", "text", "time")},
    repeats=(_spaced,),
)
