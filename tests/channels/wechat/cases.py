"""Pushes of the platform and what they become."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from channels.base import Reply, Request
from channels.testing import InboundCase, Origin, Suite, receipt
from channels.wechat.account import SUCCESS
from channels.wechat.channel import plugin
from channels.wechat.crypto import Envelope, key_of, signature
from normalizer.errors import Ignored, Malformed, Oversized
from normalizer.schema import Inbound, Place, Requester
from tests.channels.wechat.world import APP, KEY, OLD_KEY, SECRET, TOKEN

VECTORS = [
    json.loads(line)
    for line in (Path(__file__).parent / "vectors/pushes.jsonl").read_text("utf-8").splitlines()
]
#: When the vectors' signatures are fresh, and when their messages were written.
NOW = datetime.fromtimestamp(1795312800, UTC)
WRITTEN = datetime.fromtimestamp(1795312799, UTC)
DOC = "developers.weixin.qq.com/doc/offiaccount, 接收普通消息 and 接收事件推送, sealed by npm "

_section: dict[str, Any] = {
    "kind": "wechat",
    "name": "oa",
    "app_id": APP,
    "app_secret": SECRET,
    "token": TOKEN,
}
plain: Any = plugin.open(_section)
sealed: Any = plugin.open({**_section, "encoding_aes_key": KEY})
changed: Any = plugin.open({**_section, "encoding_aes_key": [OLD_KEY, KEY]})
compatible: Any = plugin.open({**_section, "encoding_aes_key": KEY, "mode": "compatible"})

#: What the message of each vector says; events that are no act of a citizen's are not here.
TEXTS: dict[str, str] = {
    "text": "  路灯不亮😱 <b>&amp;</b>\n请修 ]]> 谢谢  ",
    "image": "[图片]",
    "voice": "[语音]",
    "recognized": "小区停水两天了",
    "video": "[视频]",
    "shortvideo": "[视频]",
    "location": "[位置] 位置信息 (GCJ-02 23.134521,113.358803)",
    "link": "[链接]\n公众平台官网链接\n公众平台官网链接\nhttps://example.org/1?a=1&b=2",
    "card": "[小程序] Title",
    "click": "查询",
}


def request(body: bytes, query: dict[str, str]) -> Request:
    """Return a push."""
    kind = "application/json" if body[:1] == b"{" else "text/xml"
    return Request(method="POST", headers={"content-type": kind}, body=body, query=query)


def of_vector(vector: dict[str, Any]) -> Request:
    """Return the push that a vector is."""
    return request(vector["body"].encode(), vector["query"])


def signed(body: bytes, at: datetime = NOW) -> Request:
    """Return the push of a body in plain mode with its signature."""
    timestamp, nonce = str(int(at.timestamp())), "4711"
    fits = signature(TOKEN, timestamp, nonce)
    return request(body, {"signature": fits, "timestamp": timestamp, "nonce": nonce})


def in_envelope(body: bytes, key: str = KEY, app_id: str = APP) -> Request:
    """Return the push of a body in its envelope."""
    encrypted = Envelope([key_of(key)], app_id).seal(body, "n")
    timestamp, nonce = str(int(NOW.timestamp())), "4711"
    outer = f"<xml><ToUserName>gh</ToUserName><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    query = {
        "signature": signature(TOKEN, timestamp, nonce),
        "timestamp": timestamp,
        "nonce": nonce,
        "msg_signature": signature(TOKEN, timestamp, nonce, encrypted),
    }
    return request(outer.encode(), query)


def members(**more: object) -> dict[str, object]:
    """Return the members of a text message."""
    given: dict[str, object] = {
        "ToUserName": "gh_1",
        "FromUserName": "oCitizen",
        "CreateTime": int(WRITTEN.timestamp()),
        "MsgType": "text",
        "Content": "路灯不亮",
        "MsgId": 4711,
    }
    return given | more


def text(words: str) -> Request:
    """Return a genuine push of a text, as JSON: XML cannot hold every character."""
    return signed(msgspec.json.encode(members(Content=words)))


def _without(member: str) -> Callable[[], Request]:
    whole = {k: v for k, v in members().items() if k != member}
    return lambda: signed(msgspec.json.encode(whole))


def _again(push: Request) -> Request:
    """Sign a push anew after its body was changed: in plain mode the signature is not over it."""
    return signed(push.body)


def _query(push: Request, **more: str) -> Request:
    return msgspec.structs.replace(push, query={**push.query, **more})


def _unsigned(push: Request) -> Request:
    query = {k: v for k, v in push.query.items() if k != "signature"}
    return msgspec.structs.replace(push, query=query)


def _flipped(push: Request) -> Request:
    given = push.query["signature"]
    return _query(push, signature=given[:-1] + ("0" if given[-1] != "0" else "1"))


def _stale(push: Request) -> Request:
    return signed(push.body, datetime.fromtimestamp(NOW.timestamp() - 301, UTC))


def _reordered(push: Request) -> Request:
    fields = dict(reversed(msgspec.json.decode(push.body).items()))
    return signed(msgspec.json.format(msgspec.json.encode(fields), indent=2))


def _inbound(vector: dict[str, Any]) -> Inbound:
    (seen,) = plain.parse(of_vector(vector), NOW)  # what is not compared below is taken as it is
    label = vector["label"]
    place = Place()
    if label == "location":
        place = Place(text="位置信息", latitude=23.137058, longitude=113.353323)
    found: Inbound = msgspec.structs.replace(
        seen,
        text=TEXTS[label],
        sent_at=WRITTEN,
        requester=Requester(wechat="fromUser"),
        thread="fromUser",
        called="toUser",
        place=place,
    )
    return found


def _reply(words: str) -> Reply:
    body = (
        "<xml><ToUserName><![CDATA[fromUser]]></ToUserName>"
        "<FromUserName><![CDATA[toUser]]></FromUserName><CreateTime>1795312799</CreateTime>"
        f"<MsgType><![CDATA[text]]></MsgType><Content><![CDATA[{words}]]></Content></xml>"
    )
    return Reply(status=200, body=body.encode(), content_type="text/xml")


def _cases() -> list[InboundCase]:
    found = []
    for vector in VECTORS:
        if vector["mode"] != "plain":
            continue
        label = vector["label"]
        case = InboundCase(
            label=f"{label} {vector['form']}",
            request=of_vector(vector),
            source=DOC + vector["lib"],
            origin=Origin.VENDOR_DOC,
        )
        if label == "unknown":
            found.append(msgspec.structs.replace(case, error=Ignored))
        elif label in TEXTS:
            expect = (_inbound(vector),)
            reply = _reply(receipt().message)
            found.append(msgspec.structs.replace(case, expect=expect, reply=reply))
        else:
            greeted = label in {"subscribe", "subscribe_scan", "scan"}
            reply = _reply(plain._settings.greeting) if greeted else SUCCESS
            found.append(msgspec.structs.replace(case, expect=(), reply=reply))
    return found


def _wrong(label: str, body: bytes, field: str | None, error: Any = Malformed) -> InboundCase:
    return InboundCase(
        label=label,
        request=signed(body),
        source="made up: what the documentation does not allow",
        origin=Origin.INVENTED,
        error=error,
        field=field,
    )


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<xml><Content>&b;</Content></xml>"
)
FILE_ENTITY = (
    b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><Content>&a;</Content></xml>'
)
WRONG = [
    _wrong("entity bomb", BOMB, "body"),
    _wrong("a file as entity", FILE_ENTITY, "body"),
    _wrong("truncated", of_vector(VECTORS[0]).body[:-40], "body"),
    _wrong("not UTF-8", b"<xml><Content>\xc2\xb7\xb5\xc6</Content></xml>", "body"),
    _wrong("no members", b"<xml/>", "body"),
    _wrong("another root", b"<html><a>1</a></html>", "body"),
    _wrong("a list", b"[1]", "body"),
    _wrong("half JSON", b'{"ToUserName":', "body"),
    _wrong("too large", b"<xml>" + b" " * 65536 + b"</xml>", "body", Oversized),
    _wrong("deep", b"<xml>" + b"<a>" * 20000 + b"</xml>", "body"),
    _wrong("milliseconds", msgspec.json.encode(members(CreateTime=1795312799000)), "CreateTime"),
    _wrong("kind given twice", msgspec.json.encode(members(MsgType=["text", "text"])), "MsgType"),
    _wrong(
        "no degrees",
        msgspec.json.encode(members(MsgType="location", Location_X="abc", Location_Y="1")),
        "Location_X",
    ),
    InboundCase(
        label="encrypted only",
        request=signed(b"<xml><Encrypt>AAAA</Encrypt></xml>"),
        source="made up: an encrypted push to an account in plain mode",
        origin=Origin.INVENTED,
        error=Malformed,
        field="FromUserName",
    ),
]

SUITE = Suite(
    channel=plain,
    now=NOW,
    cases=[*_cases(), *WRONG],
    push=text,
    sign=_again,
    without={
        name: _without(name)
        for name in ("FromUserName", "ToUserName", "CreateTime", "MsgType", "MsgId")
    },
    forgeries={"missing": _unsigned, "flipped": _flipped, "stale": _stale},
    longest=20_000,  # 64 KiB as a push, see `BODY_BYTES`
    secrets=(TOKEN, SECRET),
    repeats=(_reordered,),
)
