"""What a citizen may send on the web: the fields, their limits, and a form's way to them.

The JSON document and the form obey the same rules (contract section 4). The limits beside the
contract's own are ours; `docs/reference/channel-web.md` publishes them. What a citizen writes
into ``text`` is taken literally, control characters included: it is never a reason to send them
away.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any

import msgspec

from normalizer.errors import FieldError, Malformed, Oversized
from normalizer.schema import RequestType, Value

#: Characters of ``text``, counted in code points (contract section 4).
TEXT_LIMIT = 20_000
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


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """The fields as sent: of the right types, not yet checked."""

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


#: What each field must be, for the error that names it.
EXPECTED: Mapping[str, str] = {
    "type": "it must be one of " + ", ".join(RequestType),
    "latitude": "it must be a number of degrees from -90 to 90",
    "longitude": "it must be a number of degrees from -180 to 180",
    "occurred_at": "it must be an instant like 2026-11-22T10:00:00+08:00",
    **dict.fromkeys(FLAGS, "it must be true or false"),
}


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
        msgspec.json.encode(fields)
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
            return checked(Document(**values))
        except FieldError as error:
            errors.append(error)
    return tuple(errors)


def _read_text(name: str, value: str, _zone: tzinfo | None) -> str:
    # A browser sends every line end as CR LF (HTML, "constructing the entry list"): not two
    # characters that the citizen typed.
    return full_text(name, value.replace("\r\n", "\n"))


def _read_type(name: str, value: str, _zone: tzinfo | None) -> RequestType | None:
    value = value.strip()
    try:
        return RequestType(value) if value else None
    except ValueError:
        raise Malformed(name, EXPECTED[name]) from None


def _read_degrees(name: str, value: str, _zone: tzinfo | None) -> float | None:
    value = value.strip()
    if not value:
        return None
    if not _DECIMAL.match(value):
        raise Malformed(name, EXPECTED[name])
    return float(value)


def _read_flag(name: str, value: str, _zone: tzinfo | None) -> bool:
    value = value.strip().lower()
    if value not in _ON and value not in _OFF:
        raise Malformed(name, EXPECTED[name])
    return value in _ON


def _read_instant(name: str, value: str, zone: tzinfo | None) -> datetime | None:
    value = value.strip()
    if not value:
        return None
    found = _INSTANT.match(value)
    if found is None or (found["offset"] is None and zone is None):
        raise Malformed(name, EXPECTED[name])
    try:
        instant = datetime.fromisoformat(value.upper())
    except ValueError:
        raise Malformed(name, EXPECTED[name]) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=zone)


_FIELDS: Mapping[str, Callable[[str, str, tzinfo | None], object]] = {
    "text": _read_text,
    "title": lambda name, value, _zone: _short(name, value),
    "type": _read_type,
    "address": lambda name, value, _zone: _short(name, value),
    "latitude": _read_degrees,
    "longitude": _read_degrees,
    "occurred_at": _read_instant,
    "name": lambda name, value, _zone: _short(name, value),
    "phone": lambda name, value, _zone: _short(name, value),
    "email": lambda name, value, _zone: _email(name, value),
    "language": lambda name, value, _zone: _language(name, value),
    **dict.fromkeys(FLAGS, _read_flag),
}


def checked(document: Document) -> Submission:
    """Apply the rules that a type cannot tell."""
    _check_place(document.latitude, document.longitude)
    at = document.occurred_at
    if at is not None and (at.tzinfo is None or at.year not in YEARS):
        raise Malformed("occurred_at", EXPECTED["occurred_at"])
    return Submission(
        text=full_text("text", document.text),
        title=_short("title", document.title),
        type=document.type,
        name=_short("name", document.name),
        phone=_short("phone", document.phone),
        email=_email("email", document.email),
        address=_short("address", document.address),
        latitude=document.latitude,
        longitude=document.longitude,
        occurred_at=at,
        anonymous=bool(document.anonymous),
        confidential=bool(document.confidential),
        public=bool(document.public),
        language=_language("language", document.language),
    )


def full_text(name: str, value: str) -> str:
    """Return a citizen's text. Raises `Malformed` if there is none, `Oversized` above the limit."""
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


def _email(name: str, value: str | None) -> str | None:
    value = _short(name, value)
    if value is not None and not _EMAIL.match(value):
        raise Malformed(name, "it is not an address of the form name@example.org")
    return value


def _language(name: str, value: str | None) -> str | None:
    value = _short(name, value)
    if value is not None and not _LANGUAGE.match(value):
        raise Malformed(name, "it is not a language tag like zh-Hans or en")
    return value


def _check_place(latitude: float | None, longitude: float | None) -> None:
    if latitude is None and longitude is None:
        return
    for name, value, most in (("latitude", latitude, 90), ("longitude", longitude, 180)):
        if value is None:
            raise Malformed(name, "it is missing: give latitude and longitude both, or neither")
        if not -most <= value <= most:
            raise Malformed(name, EXPECTED[name])
