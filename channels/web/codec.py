"""The citizens' request: a JSON document or a form becomes a `Submission`, or one named error.

Both ways in obey the same rules (contract section 4). The limits beside the contract's own are
ours; `docs/reference/channel-web.md` publishes them. What a citizen writes into ``text`` is taken
literally, control characters included: it is never a reason to send them away. Unknown keys are
passed over, so that a client may send more than we know; the raw body keeps them.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from channels.base import Receipt, Request
from normalizer.errors import FieldError, Malformed, Oversized
from normalizer.schema import Inbound, Place, Requester, RequestType, Service, Value

#: Characters of ``text``, counted in code points (contract section 4).
TEXT_LIMIT = 20_000
#: Octets of a JSON document: 20,000 characters, each as two ``\uXXXX``, are 240 kB.
JSON_LIMIT = 1 << 20
#: Characters of the short fields. An address of e-mail: RFC 5321 §4.5.3.1.3 less the brackets.
LIMITS: Mapping[str, int] = {
    "title": 200,
    "name": 100,
    "phone": 40,
    "email": 254,
    "address": 500,
    "language": 35,  # RFC 5646 §4.4.1
}
FLAGS = ("anonymous", "confidential", "public")
KEY_LIMIT = 255
#: Years that ``occurred_at`` may lie in: beyond them a change of zone leaves Python's calendar.
YEARS = range(1900, 2101)

_ON = frozenset({"on", "true", "1", "yes"})
_OFF = frozenset({"", "off", "false", "0", "no"})
#: Nothing to see: white space, control characters and the invisible ones that phones insert.
_BLANK = re.compile(r"[\s\x00-\x1f\x7f\u00ad\u115f\u2800\u200b-\u200f\u2060\u3164\ufeff]*\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\Z")
#: The shape of a language tag; whether it is registered does not matter here (RFC 5646 §2.1).
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*\Z")
_DECIMAL = re.compile(r"[+-]?[0-9]{1,3}(?:\.[0-9]{0,20})?\Z")
#: RFC 3339 §5.6, and what ``<input type=datetime-local>`` sends: no seconds, no offset.
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?P<offset>[Zz]|[+-]\d\d:\d\d)?\Z",
    re.ASCII,
)
_KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_LIMIT}}}\Z")
_PATH = re.compile(r" - at `\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")
_MEMBER = re.compile(
    rb'"(?:text|title|type|name|phone|email|address|latitude|longitude|occurred_at|anonymous'
    rb'|confidential|public|language)"[ \t\r\n]*:'
)


class Submission(Value, frozen=True, kw_only=True):
    """A citizen's request as checked; an empty field is None."""

    text: str
    title: str | None = None
    type: RequestType | None = None
    name: str | None = None
    phone: str | None = None  #: as typed
    email: str | None = None
    address: str | None = None
    latitude: float | None = None  #: WGS-84 degrees
    longitude: float | None = None  #: WGS-84 degrees
    occurred_at: datetime | None = None  #: aware
    anonymous: bool = False
    confidential: bool = False
    public: bool = False
    language: str | None = None  #: BCP 47


class _Document(msgspec.Struct, frozen=True, kw_only=True):
    text: str
    title: str | None = None
    type: RequestType | None = None
    name: str | None = None
    phone: str | None = None
    email: str | None = None
    address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    occurred_at: datetime | None = None
    anonymous: bool | None = None
    confidential: bool | None = None
    public: bool | None = None
    language: str | None = None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The body of 201 and 200 (contract section 4)."""

    number: str
    query_code: str
    status: str
    urgency: str
    services: tuple[Service, ...]
    type: str
    received_at: datetime
    message: str


_DOCUMENT = msgspec.json.Decoder(_Document)
_ENCODER = msgspec.json.Encoder()


def decode_json(body: bytes) -> Submission:
    """Return the request that a JSON document makes.

    Args:
        body: The document, UTF-8 without a byte order mark.

    Raises:
        Malformed: Naming the field, or ``body`` for what is no JSON object of ours.
        Oversized: Naming the field that is too long.
    """
    if len(body) > JSON_LIMIT:
        raise Oversized("body", f"it has more than {JSON_LIMIT} bytes")
    try:
        document = _DOCUMENT.decode(body.decode())
    except UnicodeDecodeError:
        raise Malformed("body", "it is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise _unfit(str(error)) from None
    except msgspec.DecodeError:
        raise Malformed("body", "it is not a JSON document") from None
    except RecursionError:
        raise Malformed("body", "it is nested too deeply") from None
    _refuse_twins(body)
    return _checked(document)


def _unfit(message: str) -> Malformed:
    """Return our error for msgspec's, which ends with the path of the value."""
    if found := _MISSING.search(message):
        return Malformed(found[1], "it is missing")
    found = _PATH.search(message)
    if found is None:
        return Malformed("body", "it is not a JSON object")
    field = found[1]
    return Malformed(field, _EXPECTED.get(field, "it must be a string"))


_EXPECTED: Mapping[str, str] = {
    "type": "it must be one of " + ", ".join(RequestType),
    "latitude": "it must be a number of degrees from -90 to 90",
    "longitude": "it must be a number of degrees from -180 to 180",
    "occurred_at": "it must be an instant like 2026-11-22T10:00:00+08:00",
    **dict.fromkeys(FLAGS, "it must be true or false"),
}


def _refuse_twins(body: bytes) -> None:
    """Refuse a member that is given twice: which of the two the sender meant, nobody knows."""
    members = _MEMBER.findall(body)
    # The fields of ours are ASCII, so an escape within their names is \u00XX.
    if len(members) == len({m.split(b'"')[1] for m in members}) and b"\\u00" not in body:
        return
    # Perhaps only a citizen quoting JSON: the standard library shows the real pairs.
    try:
        json.loads(
            body,
            object_pairs_hook=_unique,
            parse_int=str,
            parse_float=str,
        )
    except RecursionError:
        raise Malformed("body", "it is nested too deeply") from None
    except ValueError:
        raise Malformed("body", "it is not a JSON document") from None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Malformed("body", "a member is given twice")


def decode_form(fields: Mapping[str, str], zone: tzinfo | None = None) -> Submission:
    """Return the request that a form's fields make.

    Args:
        fields: Names and decoded values; line ends are CR LF as browsers send them, or LF.
        zone: What a time without an offset is meant in; None: such a time is an error.

    Raises:
        Malformed: Naming the first field that is wrong.
        Oversized: Naming the first field that is too long.
    """
    found = check_form(fields, zone)
    if isinstance(found, Submission):
        return found
    raise found[0]


def check_form(
    fields: Mapping[str, str], zone: tzinfo | None = None
) -> Submission | tuple[FieldError, ...]:
    """Return the request, or everything that is wrong with it in the order of the fields."""
    try:
        _ENCODER.encode(fields)
    except UnicodeEncodeError:
        return (Malformed("body", "it holds half of a surrogate pair"),)
    values: dict[str, Any] = {}
    errors: list[FieldError] = []
    for name, read in _FIELDS.items():
        try:
            values[name] = read(name, fields.get(name, ""), zone)
        except FieldError as error:
            errors.append(error)
    if not errors:
        try:
            return _checked(_Document(**values))
        except FieldError as error:
            errors.append(error)
    return tuple(errors)


def _read_text(name: str, value: str, _zone: tzinfo | None) -> str:
    # A browser sends every line end as CR LF (HTML, "constructing the entry list"): not two
    # characters that the citizen typed.
    return _full_text(name, value.replace("\r\n", "\n"))


def _read_short(name: str, value: str, _zone: tzinfo | None) -> str | None:
    return _short(name, value)


def _read_type(name: str, value: str, _zone: tzinfo | None) -> RequestType | None:
    value = value.strip()
    try:
        return RequestType(value) if value else None
    except ValueError:
        raise Malformed(name, _EXPECTED[name]) from None


def _read_degrees(name: str, value: str, _zone: tzinfo | None) -> float | None:
    value = value.strip()
    if not value:
        return None
    if not _DECIMAL.match(value):
        raise Malformed(name, _EXPECTED[name])
    return float(value)


def _read_flag(name: str, value: str, _zone: tzinfo | None) -> bool:
    value = value.strip().lower()
    if value not in _ON and value not in _OFF:
        raise Malformed(name, _EXPECTED[name])
    return value in _ON


def _read_instant(name: str, value: str, zone: tzinfo | None) -> datetime | None:
    value = value.strip()
    if not value:
        return None
    found = _INSTANT.match(value)
    if found is None or (found["offset"] is None and zone is None):
        raise Malformed(name, _EXPECTED[name])
    try:
        instant = datetime.fromisoformat(value.upper())
    except ValueError:
        raise Malformed(name, _EXPECTED[name]) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


_FIELDS: Mapping[str, Callable[[str, str, tzinfo | None], object]] = {
    "text": _read_text,
    "title": _read_short,
    "type": _read_type,
    "address": _read_short,
    "latitude": _read_degrees,
    "longitude": _read_degrees,
    "occurred_at": _read_instant,
    "name": _read_short,
    "phone": _read_short,
    "email": _read_short,
    "language": _read_short,
    **dict.fromkeys(FLAGS, _read_flag),
}


def _checked(document: _Document) -> Submission:
    """Apply the rules that a type cannot tell."""
    _check_place(document.latitude, document.longitude)
    at = document.occurred_at
    if at is not None and (at.tzinfo is None or at.year not in YEARS):
        raise Malformed("occurred_at", _EXPECTED["occurred_at"])
    email = _short("email", document.email)
    if email is not None and not _EMAIL.match(email):
        raise Malformed("email", "it is not an address of the form name@example.org")
    language = _short("language", document.language)
    if language is not None and not _LANGUAGE.match(language):
        raise Malformed("language", "it is not a language tag like zh-Hans or en")
    return Submission(
        text=_full_text("text", document.text),
        title=_short("title", document.title),
        type=document.type,
        name=_short("name", document.name),
        phone=_short("phone", document.phone),
        email=email,
        address=_short("address", document.address),
        latitude=document.latitude,
        longitude=document.longitude,
        occurred_at=at,
        anonymous=bool(document.anonymous),
        confidential=bool(document.confidential),
        public=bool(document.public),
        language=language,
    )


def _full_text(name: str, value: str) -> str:
    if len(value) > TEXT_LIMIT:
        raise Oversized(name, f"it has more than {TEXT_LIMIT} characters")
    if _BLANK.match(value):
        raise Malformed(name, "it is empty")
    return value


def _short(name: str, value: str | None) -> str | None:
    """Return a one-line field without outer white space; None if nothing is left."""
    if value is None:
        return None
    value = value.strip()
    if not value:
        return None
    if len(value) > LIMITS[name]:
        raise Oversized(name, f"it has more than {LIMITS[name]} characters")
    if _CONTROL.search(value):
        raise Malformed(name, "it must be one line without control characters")
    return value


def _check_place(latitude: float | None, longitude: float | None) -> None:
    if latitude is None and longitude is None:
        return
    if latitude is None or not -90 <= latitude <= 90:
        raise Malformed("latitude", _EXPECTED["latitude"])
    if longitude is None or not -180 <= longitude <= 180:
        raise Malformed("longitude", _EXPECTED["longitude"])


def decode_request(request: Request) -> Submission:
    """Return the request that a push makes: a form where it was read as one, else JSON.

    Raises:
        Malformed: Naming the field.
        Oversized: Naming the field.
    """
    if request.fields is None:
        return decode_json(request.body)
    return decode_form(request.fields)


def idempotency_key(request: Request) -> str | None:
    """Return the ``Idempotency-Key``: at most 255 visible ASCII characters.

    Raises:
        Malformed: It is empty, too long or holds other characters.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    key = key.strip()
    if not _KEY.match(key):
        raise Malformed(
            "Idempotency-Key", f"it must be 1 to {KEY_LIMIT} visible ASCII characters, no spaces"
        )
    return key


def digest_of(submission: Submission, request: Request) -> str:
    """Return the SHA-256, in hex, of what the citizen sent: the fields and the files.

    A repeat has the same one whether it came as JSON or as a form; unknown members and the names
    of files are not part of it.
    """
    content = hashlib.sha256(_ENCODER.encode(submission))
    for attachment in request.attachments:
        content.update(attachment.sha256.encode())
    return content.hexdigest()


def inbound(submission: Submission, request: Request, now: datetime, account: str) -> Inbound:
    """Return what the channel saw.

    Args:
        submission: What `decode_request` made of the push.
        request: The push; its body, or the form's fields as JSON, is kept as evidence.
        now: Our clock.
        account: The channel's name in the configuration.

    Raises:
        Malformed: The ``Idempotency-Key`` is not one.
    """
    key = idempotency_key(request)
    form = request.fields is not None
    return Inbound(
        channel="web",
        account=account,
        message_id=key,
        key=key,
        key_name="Idempotency-Key",
        digest=digest_of(submission, request),
        text=submission.text,
        received_at=now,
        raw=_ENCODER.encode(request.fields) if form else request.body,
        raw_type="multipart/form-data" if form else "application/json",
        requester=Requester(
            name=submission.name,
            phone=submission.phone,
            email=submission.email,
            anonymous=submission.anonymous,
            confidential=submission.confidential,
            language=submission.language,
        ),
        title=submission.title,
        type=submission.type,
        place=Place(
            text=submission.address,
            latitude=submission.latitude,
            longitude=submission.longitude,
        ),
        attachments=request.attachments,
        occurred_at=submission.occurred_at,
        public=submission.public,
    )


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the JSON that a citizen's client reads."""
    return _ENCODER.encode(
        _Answer(
            number=receipt.number,
            query_code=receipt.query_code,
            status=receipt.status,
            urgency=receipt.urgency,
            services=receipt.services,
            type=receipt.type,
            received_at=receipt.received_at,
            message=receipt.message,
        )
    )
