"""The web channel's wire: a request becomes a `Submission`, a receipt becomes JSON.

Unknown members of a document are passed over, so that a client may send more than we know; the
raw body keeps them.
"""

import hashlib
import json
import re
from datetime import datetime
from typing import Any

import msgspec

from channels.base import Receipt, Request
from channels.web.submission import EXPECTED, Document, Submission, checked, decode_form
from normalizer.errors import Malformed, Oversized
from normalizer.schema import Inbound, Place, Requester, Service

#: Octets of a JSON document: 20,000 characters, each as two ``\uXXXX``, are 240 kB.
JSON_LIMIT = 1 << 20
KEY_LIMIT = 255

_KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_LIMIT}}}\Z")
_PATH = re.compile(r" - at `\$\.(\w+)")
_MISSING = re.compile(r"missing required field `(\w+)`")


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


_DOCUMENT = msgspec.json.Decoder(Document)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
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
        body.decode()  # msgspec does not look into members that it skips
        document = _DOCUMENT.decode(body)
    except UnicodeDecodeError:
        raise Malformed("body", "it is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise _unfit(str(error)) from None
    except msgspec.DecodeError:
        raise Malformed("body", "it is not a JSON document") from None
    except RecursionError:
        raise Malformed("body", "it is nested too deeply") from None
    _refuse_twins(body, document)
    return checked(document)


def _unfit(message: str) -> Malformed:
    """Return our error for msgspec's, which ends with the path of the value."""
    if found := _MISSING.search(message):
        return Malformed(found[1], "it is missing")
    found = _PATH.search(message)
    if found is None:
        return Malformed("body", "it is not a JSON object")
    field = found[1]
    return Malformed(field, EXPECTED.get(field, "it must be a string"))


def _refuse_twins(body: bytes, document: Document) -> None:
    """Refuse a member that is given twice: which of the two the sender meant, nobody knows.

    Every member has its colon, so as many colons as distinct members prove that none is twice.
    The two cheap counts settle nearly every document; the rest is parsed again to see the pairs.
    """
    colons = body.count(b":")
    values = msgspec.structs.astuple(document)
    if colons == len(values) - values.count(None):
        return
    try:
        if colons == len(_MEMBERS.decode(body)):
            return
        _PAIRS.decode(body.decode())
    except RecursionError:
        raise Malformed("body", "it is nested too deeply") from None
    except ValueError:
        raise Malformed("body", "it is not a JSON document") from None


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Malformed("body", "a member is given twice")


#: Numbers stay strings: a huge one would cost quadratic time or be refused by Python.
_PAIRS = json.JSONDecoder(object_pairs_hook=_unique, parse_int=str, parse_float=str)


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
    return key_of(request.headers.get("idempotency-key"))


def key_of(key: str | None) -> str | None:
    """Return a value of ``Idempotency-Key`` without white space around it.

    Raises:
        Malformed: It is empty, too long or holds other characters than visible ASCII.
    """
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
    content = _ENCODER.encode(submission)
    files = "".join(attachment.sha256 for attachment in request.attachments)
    return hashlib.sha256(content + files.encode()).hexdigest()


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
