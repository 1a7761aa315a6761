"""Open311 GeoReport v2: the fields of a request become a `Submission`, answers become XML or JSON.

Bytes and values only. Source: GeoReport v2 (wiki.open311.org/GeoReport_v2), "POST Service Request",
"Format Support" and "Errors"; the JSON follows the XML by the Spark convention: lists lose the names
of their members, and the root is left out.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from xml.sax.saxutils import escape

import msgspec

from channels.base import Request
from channels.web.codec import inbound
from channels.web.submission import Submission, check_form
from normalizer.errors import FieldError, Malformed, Oversized
from normalizer.schema import Domain, Inbound, RequestType

#: Our fields that a client gives as ``attribute[…]``, in the order of the service definition.
ATTRIBUTES: Final = (
    "type",
    "title",
    "occurred_at",
    "public",
    "anonymous",
    "confidential",
    "language",
)
MEDIA_TYPES: Final = {"xml": "text/xml", "json": "application/json"}
#: Characters of a ``media_url``.
URL_LIMIT = 2_000
#: The members of lists, by the name of the list.
_MEMBER: Final = {
    "services": "service",
    "attributes": "attribute",
    "values": "value",
    "service_requests": "request",
    "endpoints": "endpoint",
    "formats": "format",
    "errors": "error",
}
_URL = re.compile(r"https?://[^\s<>\"\x00-\x1f\x7f]+\Z", re.IGNORECASE)
_HAN = re.compile(r"[\u3400-\u9fff]")
_TYPES: Final = tuple(RequestType)
_DOMAINS: Final = tuple(Domain)
#: What XML 1.0 (§2.2) cannot hold, however it is written.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: The specification's own names of what `Submission` calls otherwise.
_THEIRS: Final = {
    "text": "description",
    "latitude": "lat",
    "longitude": "long",
    "address": "address_string",
    "name": "first_name",
    **{name: f"attribute[{name}]" for name in ATTRIBUTES},
}


class UnknownService(FieldError):
    """A ``service_code`` that is none of ours."""

    code = "unknown_service"

    def __init__(self, field: str = "service_code") -> None:
        super().__init__(field, "there is no such service; see the list of services")


def service_of(code: str) -> Domain:
    """Return the domain that a service code names. Raises `UnknownService`."""
    try:
        return Domain(code)
    except ValueError:
        raise UnknownService from None


def read(
    fields: Mapping[str, str], *, urgent: Callable[[str], bool]
) -> tuple[Submission, Domain | None] | tuple[FieldError, ...]:
    """Return the request and its service, or everything that is wrong with it.

    Args:
        fields: As the client sent them; those that nobody knows are passed over.
        urgent: Whether a text sounds like an emergency: no service and no place is waited for then.
    """
    hurried = urgent(fields.get("description", ""))
    errors: list[FieldError] = []
    domain: Domain | None = None
    try:
        domain = _service(fields.get("service_code", "").strip())
    except FieldError as error:
        errors += [] if hurried else [error]
    errors += [] if hurried else _location(fields)
    errors += _media(fields.get("media_url", "").strip())
    found = check_form(_ours(fields))
    if not isinstance(found, Submission):
        errors += [_in_their_words(error) for error in found]
    if errors or not isinstance(found, Submission):
        return tuple(errors)
    return found, domain


def _service(code: str) -> Domain | None:
    """Return the domain that the citizen chose; None for ``other``, which leaves it to the judge."""
    if not code:
        raise Malformed("service_code", "it is missing; see the list of services")
    domain = service_of(code)
    return None if domain is Domain.OTHER else domain


def _location(fields: Mapping[str, str]) -> list[FieldError]:
    if any(fields.get(name, "").strip() for name in ("lat", "long", "address_string")):
        return []
    if fields.get("address_id", "").strip():
        why = "this gateway keeps no addresses by id: send address_string, or lat and long"
        return [Malformed("address_id", why)]
    return [Malformed("address_string", "no place: send lat and long, or address_string")]


def _media(url: str) -> list[FieldError]:
    if len(url) > URL_LIMIT:
        return [Oversized("media_url", f"it has more than {URL_LIMIT} characters")]
    if url and not _URL.match(url):
        return [
            Malformed("media_url", "it must be an address that begins with http:// or https://")
        ]
    return []


def _ours(fields: Mapping[str, str]) -> dict[str, str]:
    """Return the fields by our names. An address of a picture is the text's last line."""
    mapped = {name: fields[theirs] for name, theirs in _THEIRS.items() if theirs in fields}
    mapped |= {name: fields[name] for name in ("phone", "email") if name in fields}
    mapped["name"] = _name(fields.get("first_name", ""), fields.get("last_name", ""))
    url = fields.get("media_url", "").strip()
    if url and len(url) <= URL_LIMIT and mapped.get("text", "").strip():
        mapped["text"] += f"\n{url}"
    return mapped


def _name(first: str, last: str) -> str:
    """Return a full name: in Chinese the family name comes first, and no space stands between."""
    first, last = first.strip(), last.strip()
    if _HAN.search(first + last):
        return last + first
    return f"{first} {last}".strip()


def _in_their_words(error: FieldError) -> FieldError:
    """Return an error that names the field as the client does."""
    return type(error)(_THEIRS.get(error.field, error.field), error.detail)


def seen(
    submission: Submission, domain: Domain | None, push: Request, now: datetime, account: str
) -> Inbound:
    """Return what the web channel saw, with the service as the citizen's choice.

    The client's key to the interface is left out of what is kept.

    Raises:
        Malformed: The ``Idempotency-Key`` is not one.
    """
    fields = {name: value for name, value in (push.fields or {}).items() if name != "api_key"}
    push = msgspec.structs.replace(push, fields=fields)
    found = inbound(submission, push, now, account)
    chosen = f"{found.digest} {domain}".encode()
    return msgspec.structs.replace(
        found,
        domain=domain,
        digest=hashlib.sha256(chosen).hexdigest(),
        raw_type="application/x-www-form-urlencoded",
    )


def chosen(raw: bytes) -> tuple[RequestType | None, Domain | None]:
    """Return the type and the domain that the citizen chose in what the web channel kept of them.

    Args:
        raw: A JSON document, or a form's fields as one, of either interface.
    """
    try:
        fields = msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None
    kind = fields.get("attribute[type]") or fields.get("type")
    # A client of the other interface may send members that it does not know.
    domain = None if "text" in fields else fields.get("service_code")
    return (
        RequestType(kind) if kind in _TYPES else None,
        Domain(domain) if domain in _DOMAINS and domain != Domain.OTHER else None,
    )


def encode(root: str, value: Mapping[str, Any] | Sequence[Any], form: str) -> bytes:
    """Return a document.

    Args:
        root: The name of its root, which JSON leaves out.
        value: Mappings, sequences, strings, numbers, instants, flags and None.
        form: ``xml`` or ``json``.
    """
    if form == "json":
        return msgspec.json.encode(value)
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{head}{_element(root, value)}\n".encode(errors="replace")


def _element(name: str, value: Any) -> str:
    content = _content(name, value)
    return f"<{name}>{content}</{name}>" if content else f"<{name}/>"


def _content(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "".join(_element(key, each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return "".join(_element(_MEMBER[name], each) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat()
    # A lone carriage return would come out of a parser as a line feed (XML 1.0 §2.11).
    return escape(_NOT_XML.sub("\ufffd", str(value)), {"\r": "&#13;"})
