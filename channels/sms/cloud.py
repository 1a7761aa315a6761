"""Call-backs of cloud providers: what citizens answered, pushed over HTTP.

`POST /channels/sms/{name}/{secret}`. No provider documents a signature, so the address holds a
secret and may be open to the provider's own addresses only.

Source: Alibaba Cloud, "SmsUp", help.aliyun.com/zh/sms/developer-reference/smsup-http and
help.aliyun.com/document_detail/414223.htm (sequence_id as a number); Tencent Cloud, "SMS Reply",
tencentcloud.com/document/api/382/43548, of 2024-12-19.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import Annotated, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from channels.base import Receipt, Reply, Request
from channels.sms.settings import SmsSettings
from channels.surrogates import mended
from normalizer.errors import Ignored, Malformed, Oversized, Unauthorized
from normalizer.phone import to_e164
from normalizer.schema import Inbound, Requester, Value

#: Both providers tell times of China.
_CHINA = ZoneInfo("Asia/Shanghai")
#: Items of one push at most; Alibaba Cloud sends no more than 500.
_ITEMS = 1000
#: Members that only a status report has.
_REPORTED = frozenset({"report_time", "report_status", "err_code"})

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class AliyunItem(Value, frozen=True, kw_only=True):
    """One message of Alibaba Cloud's SmsUp; every member but these may be missing in some form."""

    phone_number: _Name
    content: str
    sequence_id: _Name | int  #: text on the present page, a number on older ones
    send_time: str | None = None  #: ``2017-09-01 00:00:00``
    dest_code: str | None = None
    sign_name: str | None = None


class TencentReply(Value, frozen=True, kw_only=True):
    """Tencent Cloud's SMS Reply."""

    mobile: _Name
    text: str
    time: int  #: seconds since 1970
    nationcode: str = "86"
    sign: str | None = None
    extend: str | None = None


class Said(Value, frozen=True, kw_only=True):
    """One message, whichever provider brought it."""

    phone: str
    text: str
    key: str
    message_id: str | None = None
    sent_at: datetime | None = None
    extra: Mapping[str, str] = {}


T = TypeVar("T")
#: Where msgspec says that a value is wrong, and which member it misses.
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_LAST_SECOND = 32_503_680_000  # the year 3000

_ALIYUN = msgspec.json.Decoder(AliyunItem)
_TENCENT = msgspec.json.Decoder(TencentReply)
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
#: Octet for octet what the pages show.
_REPLIES: Mapping[str, bytes] = MappingProxyType(
    {
        "aliyun": '{"code":0,"msg":"接收成功"}'.encode(),
        "tencent": b'{"result":0,"errmsg":"OK"}',
    }
)


class CloudPushes:
    """Takes one account's pushes."""

    #: Alibaba Cloud hangs up after 700 ms (its questions and answers on status reports). What is not
    #: durable by then is written down, all of it in one file, for which as much time is left again.
    reply_within_s = 0.35

    def __init__(self, settings: SmsSettings) -> None:
        if settings.secret is None or settings.provider is None:
            raise ValueError("protocol: http needs provider and secret")
        self._settings = settings
        self._secret = settings.secret.get_secret_value().encode()
        self._sources = tuple(ip_network(s, strict=False) for s in settings.sources)
        self._provider = settings.provider
        self._read = _aliyun if settings.provider == "aliyun" else _tencent

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return if the address holds the secret and the push comes from where it may.

        Raises:
            Unauthorized: It does not.
        """
        del now
        given = (request.path_secret or "").encode(errors="surrogateescape")
        if not hmac.compare_digest(given, self._secret):
            raise Unauthorized("the address does not hold the channel's secret")
        if self._sources and not self._known(request.remote):
            raise Unauthorized("the push comes from an address that is not among sources")

    def _known(self, remote: str) -> bool:
        try:
            address = ip_address(remote)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._sources)

    def parse(self, request: Request, now: datetime) -> Sequence[Inbound]:
        """Return the messages of the push.

        An item that is wrong among others that are right becomes a message that a human must look
        at: it must not hold the others up.

        Raises:
            Malformed: Nothing of it can be understood; names the member.
            Oversized: It has too many items.
            Ignored: It is a status report.
        """
        items = _items(request.body, many=self._provider == "aliyun")
        said: list[tuple[bytes, Said | None]] = []
        wrong: Malformed | None = None
        for item in items:
            try:
                said.append((item, self._read(item)))
            except Malformed as error:
                wrong = error
                said.append((item, None))
        if wrong is not None and not any(each for _, each in said):
            raise wrong
        whole = len(items) == 1
        return [self._inbound(each, request.body if whole else item, now) for item, each in said]

    def files(self, request: Request) -> Sequence[bytes]:
        """Return nothing: text messages have no files."""
        del request
        return ()

    def reply(self, request: Request, receipts: Sequence[Receipt]) -> Reply:
        """Return the answer after which the provider does not repeat the push."""
        del request, receipts
        return Reply(status=200, body=_REPLIES[self._provider])

    def fits(self, receipts: Sequence[Receipt]) -> bool:
        """Return True: the answer tells nothing but that the push was taken."""
        del receipts
        return True

    def late(self, request: Request) -> Reply:
        """Return the same answer: the push is written down, and its tickets follow."""
        return self.reply(request, ())

    def _inbound(self, said: Said | None, raw: bytes, now: datetime) -> Inbound:
        settings = self._settings
        digest = hashlib.sha256(raw).hexdigest()
        if said is None:
            return Inbound(
                channel="sms",
                account=settings.name,
                message_id=f"sha256:{digest}",
                key=digest,
                digest=digest,
                text=raw.decode(errors="replace"),
                received_at=now,
                raw=raw,
                raw_type="application/json",
                called=settings.number,
                undecodable=True,
            )
        phone = to_e164(said.phone, None)
        content = msgspec.json.encode([said.phone, said.text])
        return Inbound(
            channel="sms",
            account=settings.name,
            message_id=said.message_id or f"sha256:{digest}",
            key=said.key,
            digest=hashlib.sha256(content).hexdigest(),
            text=said.text,
            received_at=now,
            sent_at=said.sent_at,
            raw=raw,
            raw_type="application/json",
            requester=Requester(phone=phone),
            called=settings.number,
            thread=phone or said.phone,
            extra=said.extra,
        )


def _items(body: bytes, *, many: bool) -> list[bytes]:
    """Return the objects of a push, each as its own octets."""
    try:
        body.decode()
        if not many:
            return [body]
        items = [bytes(item) for item in _decoded(_RAW_LIST.decode, body)]
    except UnicodeDecodeError as error:
        raise Malformed("body", f"not UTF-8 at octet {error.start}") from None
    if not items:
        raise Malformed("body", "it holds no message")
    if len(items) > _ITEMS:
        raise Oversized("body", f"it holds more than {_ITEMS} messages")
    return items


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    """Return what a decoder makes of a body, halves of surrogate pairs mended. Raises `Malformed`."""
    try:
        try:
            return decode(body)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            return decode(mended(body))
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from None
    except msgspec.DecodeError:
        raise Malformed("body", "not valid JSON") from None
    except RecursionError:
        raise Malformed("body", "nested too deeply") from None


def _malformed(message: str) -> Malformed:
    """Turn msgspec's sentence, which holds no value of the sender's, into ours."""
    at = _AT.search(message)
    detail = message[: at.start()] if at else message
    if missing := _MISSING.search(detail):
        return Malformed(missing[1], "is required")
    return Malformed(at[1] if at and at[1] else "body", detail[:1].lower() + detail[1:])


def _no_report(item: bytes) -> None:
    """Return if an item is a message. Raises `Ignored` or `Malformed`."""
    if not _REPORTED.isdisjoint(_decoded(_OBJECT.decode, item)):
        raise Ignored("a status report of what others sent")


def _aliyun(item: bytes) -> Said:
    _no_report(item)
    found = _decoded(_ALIYUN.decode, item)
    number = str(found.sequence_id)
    extra = {"dest_code": found.dest_code, "sign_name": found.sign_name}
    return Said(
        phone=found.phone_number,
        text=found.content,
        # The number alone may come round again; other words under it are another message.
        key=f"{number}:{_short(found.phone_number, found.content)}",
        message_id=number,
        sent_at=_china(found.send_time),
        extra={name: value for name, value in extra.items() if value},
    )


def _tencent(item: bytes) -> Said:
    if item.lstrip()[:1] == b"[":  # status reports come as a list, messages never
        for each in _decoded(_RAW_LIST.decode, item):
            _no_report(bytes(each))
    _no_report(item)
    found = _decoded(_TENCENT.decode, item)
    nation = found.nationcode.lstrip("+0")
    phone = found.mobile if found.mobile.startswith("+") else f"+{nation}{found.mobile}"
    extra = {"sign": found.sign, "extend": found.extend}
    return Said(
        phone=phone,
        text=found.text,
        key=f"{found.time}:{_short(phone, found.text)}",
        sent_at=_instant(found.time),
        extra={name: value for name, value in extra.items() if value},
    )


def _short(*parts: str) -> str:
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:32]


def _china(written: str | None) -> datetime | None:
    """Return a time of China; None where it is none: no text is lost for it."""
    try:
        return datetime.strptime(written or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=_CHINA)
    except ValueError:
        return None


def _instant(seconds: int) -> datetime | None:
    if not 0 <= seconds < _LAST_SECOND:
        return None
    return datetime.fromtimestamp(seconds, UTC)
