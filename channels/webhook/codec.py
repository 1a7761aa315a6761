"""The partner webhook on the wire: Standard Webhooks signatures and the JSON body.

Sans-io: octets in, values out. Signing serves the other direction too, what the gateway pushes
to back offices and answers to partners.

Source: Standard Webhooks specification 1.0.0 (github.com/standard-webhooks/standard-webhooks,
spec/standard-webhooks.md), sections "Signature scheme", "Webhook headers" and "Delivery success
and failure"; body of `POST /channels/webhook/{name}` from contract section 5.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated

import msgspec

from channels.surrogates import mended
from normalizer.errors import Gone, Malformed, Oversized, TryLater, Unauthorized
from normalizer.schema import Value

PREFIX = "whsec_"
#: How far the sender's clock may be from ours, either way.
TOLERANCE = timedelta(minutes=5)
#: Signatures looked at in one header: two keys in rotation need two, each try costs a comparison.
SIGNATURES = 16
#: Half a million octets of Chinese; what a citizen types is far shorter, and nothing is cut.
TEXT_CHARS = 160_000
FILES = 10
FILE_BYTES = 10 * 1024 * 1024

_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_SECONDS = re.compile(r"[0-9]{1,9}")
#: Where msgspec says that a value is wrong, and which member it misses.
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_MISSING = re.compile(r"missing required field `([^`]*)`")
_SANE_YEARS = range(1970, 3000)  # outside, a change of zone may leave what datetime can hold

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
_Address = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^https?://[^\s/]")]
_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class File(Value, frozen=True, kw_only=True):
    """An attachment as sent: its content, or a link to it that the gateway does not follow."""

    name: _Name = "attachment"
    media_type: _Name = "application/octet-stream"
    content: bytes | None = None  #: base64 on the wire
    url: _Address | None = None


class Push(Value, frozen=True, kw_only=True, rename={"sender": "from"}):
    """One message of a citizen, passed on by a partner."""

    id: _Name  #: the partner's own, the same on every try
    sender: _Name  #: who writes: the platform's user id, or a telephone number
    text: str
    sent_at: _Instant | None = None
    to: _Name | None = None  #: the account or number that was written to
    attachments: list[File] | None = None


class Answer(Value, frozen=True, kw_only=True):
    """What a push is answered with, 202."""

    number: str
    query_code: str
    message: str


class Told(Value, frozen=True, kw_only=True, omit_defaults=True):
    """What is posted to a partner's ``reply_url`` for a citizen to read."""

    id: str  #: the same on every try
    to: str  #: the ``from`` of the citizen's message
    text: str
    title: str | None = None


_PUSH = msgspec.json.Decoder(Push)


def key_of(secret: str) -> bytes:
    """Return the key that a ``whsec_<base64>`` secret stands for.

    Raises:
        ValueError: It is not of that form; the text does not repeat the secret.
    """
    encoded = secret.removeprefix(PREFIX)
    if encoded == secret or not encoded:
        raise ValueError("a secret is whsec_ and the key in base64, e.g. of 32 random octets")
    try:
        # The reference libraries take keys without their padding.
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        raise ValueError("what follows whsec_ is not base64") from None


def signature(key: bytes, message_id: str, timestamp: str, body: bytes) -> bytes:
    """Return the HMAC-SHA256 over ``id.timestamp.body``, 32 octets."""
    # Header octets that are not UTF-8 arrive as lone surrogates and must come back as they were.
    head = f"{message_id}.{timestamp}.".encode("utf-8", "surrogateescape")
    return hmac.digest(key, head + body, hashlib.sha256)


def signed_headers(
    keys: Sequence[bytes], message_id: str, at: datetime, body: bytes
) -> dict[str, str]:
    """Return the three headers of a push, with one signature a key.

    Args:
        keys: The key in force first; an old one beside it while it is being replaced.
        message_id: The same on every try.
        at: When this try is made.
        body: The octets as they are sent.
    """
    timestamp = str(int(at.timestamp()))
    signatures = (base64.b64encode(signature(k, message_id, timestamp, body)) for k in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{s.decode()}" for s in signatures),
    }


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Return if one of the signatures is by one of the keys and fresh.

    Args:
        keys: Every key that is valid now.
        headers: Names in lower case.
        body: The octets as they came.
        now: Our clock.

    Raises:
        Unauthorized: A header is missing or no signature fits; says which, never what was expected.
    """
    message_id, timestamp = headers.get("webhook-id"), headers.get("webhook-timestamp")
    given = headers.get("webhook-signature")
    if not message_id or not timestamp or not given:
        raise Unauthorized(
            "webhook-id, webhook-timestamp and webhook-signature are needed (Standard Webhooks)"
        )
    if _TIMESTAMP.fullmatch(timestamp) is None:
        raise Unauthorized("webhook-timestamp must be whole seconds since 1970")
    if abs(now.timestamp() - int(timestamp)) > TOLERANCE.total_seconds():
        raise Unauthorized("webhook-timestamp is more than 5 minutes from this clock")
    fits = False
    claimed = [_octets(s) for s in given.split(" ")[:SIGNATURES]]
    for key in keys:
        expected = signature(key, message_id, timestamp, body)
        for one in claimed:
            # No early end: how long this takes must not tell which signature came close.
            fits |= hmac.compare_digest(expected, one)
    if not fits:
        raise Unauthorized("no v1 signature in webhook-signature fits the secret and the body")


def _octets(versioned: str) -> bytes:
    """Return the octets of a ``v1,<base64>`` signature; of anything else, none that can fit."""
    version, _, encoded = versioned.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:  # not base64, or not even ASCII
        return b""


def decode(body: bytes) -> Push:
    """Return what a partner sent.

    Raises:
        Malformed: The body is no JSON object of the form in contract section 5; names the member.
        Oversized: The text or an attachment is beyond the limit; names the member.
    """
    try:
        # The decoder skips members that it does not know without looking at their octets.
        body.decode()
        push = _decoded(body)
    except UnicodeDecodeError as error:
        raise Malformed("body", f"not UTF-8 at octet {error.start}") from None
    except RecursionError:
        raise Malformed("body", "nested too deeply") from None
    except msgspec.ValidationError as error:
        raise _malformed(str(error)) from None
    except msgspec.DecodeError:
        raise Malformed("body", "not valid JSON") from None
    _check(push)
    return push


def _decoded(body: bytes) -> Push:
    try:
        return _PUSH.decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _PUSH.decode(mended(body))


def _malformed(message: str) -> Malformed:
    """Turn msgspec's sentence, which holds no value of the sender's, into ours."""
    at = _AT.search(message)
    path = at[1] if at else ""
    detail = message[: at.start()] if at else message
    if missing := _MISSING.search(detail):
        return Malformed(f"{path}.{missing[1]}" if path else missing[1], "is required")
    return Malformed(path or "body", detail[:1].lower() + detail[1:])


def _check(push: Push) -> None:
    files = push.attachments or ()
    if not push.text.strip() and not files:
        raise Malformed("text", "is empty, and there is no attachment either")
    if len(push.text) > TEXT_CHARS:
        raise Oversized("text", f"longer than {TEXT_CHARS} characters")
    if push.sent_at is not None and push.sent_at.year not in _SANE_YEARS:
        raise Malformed("sent_at", "not a year between 1970 and 2999")
    if len(files) > FILES:
        raise Oversized("attachments", f"more than {FILES}")
    for index, file in enumerate(files):
        if (file.content is None) == (file.url is None):
            raise Malformed(f"attachments[{index}]", "needs either content (base64) or url")
        if file.content is not None and len(file.content) > FILE_BYTES:
            raise Oversized(f"attachments[{index}].content", f"more than {FILE_BYTES} octets")


def outcome(status: int, retry_after: str | None, now: datetime) -> None:
    """Return if an answer means that a push was taken.

    Args:
        status: Of the answer.
        retry_after: Its ``Retry-After`` header.
        now: Our clock, for a ``Retry-After`` that is a date.

    Raises:
        Gone: 410, the receiver wants nothing more.
        TryLater: Every other answer, redirects included: they are not followed.
    """
    if 200 <= status < 300:
        return
    if status == 410:
        raise Gone("answered 410: it wants nothing more")
    raise TryLater(f"answered {status}", after_s=seconds_of(retry_after, now))


def seconds_of(retry_after: str | None, now: datetime) -> float | None:
    """Return how long ``Retry-After`` asks to wait, in seconds; None where it says nothing.

    Source: RFC 9110 §10.2.3: whole seconds or an HTTP date.
    """
    if retry_after is None:
        return None
    if _SECONDS.fullmatch(retry_after):
        return float(retry_after)
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # the latter for a year of twenty digits
        return None
    if until.tzinfo is None:  # RFC 5322 "-0000": an instant in UTC
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())
