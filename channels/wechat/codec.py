"""WeChat's pushes and passive replies on the wire: octets in, values out.

Pushes are XML, or JSON where the console says so; the members have the same names. The classes of
message are wechatpy's; its parser is not used as it is, because it cuts the blanks of a text,
knows no JSON and lets eleven kinds of exception out.

Source: developers.weixin.qq.com/doc/offiaccount, "接收普通消息", "接收事件推送", "被动回复用户消息";
mini programs: developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from xml.parsers.expat import ExpatError

import msgspec
import xmltodict
from wechatpy.events import EVENT_TYPES
from wechatpy.messages import MESSAGE_TYPES

from channels.surrogates import mended
from channels.wechat.geo import to_wgs84
from normalizer.errors import Ignored, Malformed, Oversized
from normalizer.schema import Place, Value

#: No documented push comes near it; what is larger is no push.
BODY_BYTES = 64 * 1024
#: Octets of a text that citizens are shown. Source: developers.weixin.qq.com, errcode 45002, and
#: measured by others; WeCom's send_msg documents the same.
TEXT_BYTES = 2048

_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)
_NUMBER = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,20})?", re.ASCII)
#: What a person never sees in a chat and a file system or terminal may act on.
_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")

#: Events that wechatpy 1.8.18 has no class for. Source: "订阅通知" events of the documentation and
#: developer.work.weixin.qq.com/document/path/94670.
_LATER_EVENTS = frozenset(
    {
        "subscribe_msg_popup_event",
        "subscribe_msg_change_event",
        "subscribe_msg_sent_event",
        "kf_msg_or_event",
        "user_enter_tempsession",
    }
)


class Kind(StrEnum):
    """What a push is, as far as the gateway tells one from another."""

    TEXT = "text"
    IMAGE = "image"
    VOICE = "voice"
    VIDEO = "video"
    SHORT_VIDEO = "shortvideo"
    LOCATION = "location"
    LINK = "link"
    CARD = "miniprogrampage"
    EVENT = "event"


#: What stands for a message without words: as WeChat itself shows it in a list of chats.
SHOWN = {
    Kind.IMAGE: "[图片]",
    Kind.VOICE: "[语音]",
    Kind.VIDEO: "[视频]",
    Kind.SHORT_VIDEO: "[视频]",
    Kind.LOCATION: "[位置]",
    Kind.LINK: "[链接]",
    Kind.CARD: "[小程序]",
}


class Push(Value, frozen=True, kw_only=True):
    """A push, read."""

    kind: Kind
    sender: str  #: open id
    to: str  #: the account that was written to
    at: datetime  #: the platform's clock
    message_id: str | None  #: None of an event
    event: str = ""  #: in lower case; of an event
    fields: Mapping[str, Any]  #: everything, as decoded

    def word(self, name: str) -> str:
        """Return a member as text, empty where it is not given."""
        return word(self.fields, name) or ""

    @property
    def key(self) -> str:
        """What repeats of the push are known by.

        Source: "关于重试的消息排重": MsgId, for events FromUserName + CreateTime; the event's name and
        key are added, for two events of one second are two acts.
        """
        if self.message_id is not None:
            return self.message_id
        parts = (self.sender, self.word("CreateTime"), self.event, self.word("EventKey"))
        return ":".join(parts)


def fields_of(body: bytes) -> dict[str, Any]:
    """Return the members of an XML or JSON push.

    Raises:
        Oversized: It is larger than any push.
        Malformed: It is neither, or has entities.
    """
    if len(body) > BODY_BYTES:
        raise Oversized("body", f"a push has {BODY_BYTES} octets at most")
    found = _json(body) if body.lstrip()[:1] == b"{" else _xml(body)
    if not isinstance(found, dict):
        raise Malformed("body", "holds no members")
    return found


def _json(body: bytes) -> object:
    try:
        body.decode()
        try:
            return msgspec.json.decode(body)
        except msgspec.DecodeError:
            return msgspec.json.decode(mended(body))
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError):
        raise Malformed("body", "not valid JSON in UTF-8") from None


def _xml(body: bytes) -> object:
    try:
        document = xmltodict.parse(body, encoding="utf-8", strip_whitespace=False)
        return document["xml"]
    # ValueError: entities, which xmltodict refuses; the rest is what broken octets made it raise.
    except (ExpatError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise Malformed(
            "body", "not XML with the root <xml>, in UTF-8 and without entities"
        ) from None


def word(fields: Mapping[str, Any], name: str) -> str | None:
    """Return a member as text; None where it is not given or empty.

    Raises:
        Malformed: It is given twice or holds members of its own.
    """
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool | int | float | str):
        return str(value) or None
    raise Malformed(name, "must be given once, as text")


def _required(fields: Mapping[str, Any], name: str) -> str:
    value = (word(fields, name) or "").strip()
    if not value:
        raise Malformed(name, "is required")
    return value


def push_of(fields: Mapping[str, Any]) -> Push:
    """Return the push that these members are.

    Raises:
        Malformed: A member is missing or of a wrong form; names it.
        Ignored: It is of a kind that is not known here.
    """
    sender, to = _required(fields, "FromUserName"), _required(fields, "ToUserName")
    created = _required(fields, "CreateTime")
    if _SECONDS.fullmatch(created) is None:
        raise Malformed("CreateTime", "must be whole seconds since 1970")
    name, event = _required(fields, "MsgType").lower(), ""
    message_id = (word(fields, "MsgId") or "").strip() or None
    if name == "event":
        event, message_id = _required(fields, "Event").lower(), None
        if event not in EVENT_TYPES and event not in _LATER_EVENTS:
            raise Ignored(f"event {event[:40]!r} is not known here")
    elif name not in MESSAGE_TYPES:
        raise Ignored(f"message type {name[:40]!r} is not known here")
    elif message_id is None:
        raise Malformed("MsgId", "is required")
    return Push(
        kind=Kind(name),
        sender=sender,
        to=to,
        at=datetime.fromtimestamp(int(created), UTC),
        message_id=message_id,
        event=event,
        fields=fields,
    )


def text_of(push: Push) -> str:
    """Return the words of a message, literal; what stands for it where it has none."""
    if push.kind is Kind.TEXT:
        return push.word("Content")
    if push.kind is Kind.VOICE:
        return push.word("Recognition") or SHOWN[Kind.VOICE]
    if push.kind is Kind.LINK:
        parts = [push.word(name) for name in ("Title", "Description", "Url")]
        return "\n".join([SHOWN[Kind.LINK], *filter(None, parts)])
    if push.kind is Kind.LOCATION:
        # The point as it came: further words on a ticket have no other place for it.
        point = f"(GCJ-02 {push.word('Location_X')},{push.word('Location_Y')})"
        return " ".join(filter(None, (SHOWN[Kind.LOCATION], push.word("Label").strip(), point)))
    if push.kind is Kind.CARD:
        return " ".join(filter(None, (SHOWN[Kind.CARD], push.word("Title"))))
    return SHOWN[push.kind]


def failures_of(push: Push) -> tuple[str, ...]:
    """Return what the platform says of messages of ours that it could not deliver after all.

    Source: "事件推送" of 模板消息 (``Status``) and of 订阅通知 (``SubscribeMsgSentEvent``).
    """
    if push.event == "templatesendjobfinish":
        status = push.word("Status")
        return () if status == "success" else (status,)
    told = push.fields.get("SubscribeMsgSentEvent")
    found = told.get("List") if isinstance(told, Mapping) else None
    each = [item for item in (found if isinstance(found, list) else [found]) if item]
    return tuple(
        f"{word(item, 'ErrorCode')} {word(item, 'ErrorStatus')}"
        for item in each
        if isinstance(item, Mapping) and word(item, "ErrorCode") != "0"
    )


def place_of(push: Push) -> Place:
    """Return where a location message points, in WGS-84; nowhere for other messages.

    Raises:
        Malformed: Its coordinates are none; names the member.
    """
    if push.kind is not Kind.LOCATION:
        return Place()
    latitude = _degrees(push.fields, "Location_X", 90)
    longitude = _degrees(push.fields, "Location_Y", 180)
    north, east = to_wgs84(latitude, longitude)
    label = push.word("Label").strip() or None
    # Six decimals are a decimetre, and a repeat must come out the same on every machine.
    return Place(text=label, latitude=round(north, 6), longitude=round(east, 6))


def _degrees(fields: Mapping[str, Any], name: str, most: int) -> float:
    given = _required(fields, name)
    if _NUMBER.fullmatch(given) is None or abs(float(given)) > most:
        raise Malformed(name, "must be degrees in decimals")
    return float(given)


def text_reply(push: Push, text: str, now: datetime) -> str:
    """Return the passive reply that shows a text to the sender of a push."""
    return (
        f"<xml><ToUserName>{_cdata(push.sender)}</ToUserName>"
        f"<FromUserName>{_cdata(push.to)}</FromUserName>"
        f"<CreateTime>{int(now.timestamp())}</CreateTime>"
        f"<MsgType>{_cdata('text')}</MsgType>"
        f"<Content>{_cdata(text)}</Content></xml>"
    )


def sealed_reply(encrypted: str, signature: str, timestamp: str, nonce: str) -> str:
    """Return a reply in its envelope."""
    return (
        f"<xml><Encrypt>{_cdata(encrypted)}</Encrypt>"
        f"<MsgSignature>{_cdata(signature)}</MsgSignature>"
        f"<TimeStamp>{timestamp}</TimeStamp><Nonce>{_cdata(nonce)}</Nonce></xml>"
    )


def _cdata(text: str) -> str:
    """Return a text as CDATA that ends where we end it, without what XML 1.0 cannot hold."""
    return f"<![CDATA[{_NOT_XML.sub('', text).replace(']]>', ']]]]><![CDATA[>')}]]>"


def split(text: str, limit: int = TEXT_BYTES) -> Sequence[str]:
    """Return a text in parts of at most ``limit`` octets in UTF-8, cut between characters.

    A part ends behind a line or a sentence where one ends in its second half.
    """
    return tuple(_parts(text, limit)) or ("",)


def _parts(text: str, limit: int) -> Iterator[str]:
    while text:
        part = text.encode(errors="replace")[:limit].decode(errors="ignore")
        if len(part) < len(text):
            ends = max(part.rfind(mark) for mark in "\n。！？；")
            part = part[: ends + 1] if ends >= len(part) // 2 else part
        yield part
        text = text[len(part) :]
