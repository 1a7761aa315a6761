"""Decoding of JSON requests: what is taken, and what every wrong body is told."""

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Request
from channels.web.codec import decode_json, decode_request, inbound
from channels.web.submission import Submission, decode_form
from normalizer.errors import ChannelError, Malformed, Oversized
from normalizer.schema import Attachment, RequestType

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
TEXT = "人民路与城东路口的路灯坏了三天，晚上很黑，请尽快维修。"


def body(**members: object) -> bytes:
    return json.dumps({"text": TEXT, **members}, ensure_ascii=False).encode()


def test_every_field_of_the_contract_arrives() -> None:
    """A document with all the contract's members becomes a submission with all of them."""
    got = decode_json(
        body(
            title="路灯不亮",
            type="complaint",
            name="市民",
            phone="138 0013 8000",
            email="someone@example.org",
            address="人民路 1 号",
            latitude=33.64,
            longitude=116.96,
            occurred_at="2026-11-20T20:00:00+08:00",
            anonymous=True,
            confidential=True,
            public=True,
            language="zh-Hans",
        )
    )
    assert got == Submission(
        text=TEXT,
        title="路灯不亮",
        type=RequestType.COMPLAINT,
        name="市民",
        phone="138 0013 8000",
        email="someone@example.org",
        address="人民路 1 号",
        latitude=33.64,
        longitude=116.96,
        occurred_at=datetime(2026, 11, 20, 20, 0, tzinfo=timezone(timedelta(hours=8))),
        anonymous=True,
        confidential=True,
        public=True,
        language="zh-Hans",
    )


def test_null_and_empty_fields_are_unknown() -> None:
    """Null and blank optional members are the same as missing ones."""
    nothing = dict.fromkeys(
        ("title", "type", "name", "phone", "latitude", "longitude", "occurred_at", "anonymous")
    )
    assert decode_json(body(**nothing, email="  ", address="")) == Submission(text=TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "x" * 20_000,
        "😀" * 20_000,
        "a\x00b",
        "第一行\r\n第二行\t",
        "\u202e倒着",
        "ＡＢＣ１２３",
    ],
)
def test_text_is_taken_literally(text: str) -> None:
    """Any text of 1 to 20,000 code points arrives as it was sent, control characters included."""
    assert decode_json(body(text=text)).text == text


def test_escaped_and_plain_characters_are_the_same() -> None:
    """A client that escapes everything sends the same request as one that escapes nothing."""
    assert decode_json(json.dumps({"text": TEXT + "😀"}).encode()).text == TEXT + "😀"


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b"", "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b'"text"', "body"),
        (b"{", "body"),
        (b'{"text":"a"} x', "body"),
        (b'\xef\xbb\xbf{"text":"a"}', "body"),
        ('{"text":"灯"}'.encode("gbk"), "body"),
        (b'{"text":"a","other":"\xff"}', "body"),
        (b'{"text":"\\ud800 and more"}', "body"),
        (b'{"text":"\\udc00 and more"}', "body"),
        (b'{"text":"a","latitude":NaN,"longitude":1}', "body"),
        (b'{"text":"a","latitude":-Infinity,"longitude":1}', "body"),
        (b'{"text":"a","other":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "body"),
        (b'{"text":"a","other":' + b'{"a":' * 100_000, "body"),
        (b"[" * 100_000, "body"),
        (b'{"text":"a","text":"b"}', "body"),
        (b'{"text":"a" , "name":"b", "name" :"c"}', "body"),
        (b'{"text":"a","\\u0074ext":"b"}', "body"),
        (b'{"text":"a","other":1,"other":2}', "body"),
        (b'{"text":"a:b","name":"c","name":"d"}', "body"),
        (b'{"text":"a","other":{"b":1,"b":2}}', "body"),
        (b"{}", "text"),
        (b'{"name":"a"}', "text"),
        (b'{"text":null}', "text"),
        (b'{"text":1}', "text"),
        (b'{"text":["a"]}', "text"),
        (b'{"text":""}', "text"),
        (b'{"text":" \\n\\u3000\\u200b"}', "text"),
        (b'{"text":"\\u0000"}', "text"),
        (b'{"text":"a","title":1}', "title"),
        (b'{"text":"a","title":"b\\nc"}', "title"),
        (b'{"text":"a","type":"nonsense"}', "type"),
        (b'{"text":"a","type":""}', "type"),
        (b'{"text":"a","type":3}', "type"),
        (b'{"text":"a","name":"b\\u0000"}', "name"),
        (b'{"text":"a","phone":13800138000}', "phone"),
        (b'{"text":"a","email":"nobody"}', "email"),
        (b'{"text":"a","email":"a@b\\r\\nBcc: c@d"}', "email"),
        (b'{"text":"a","email":"a@b,c@d"}', "email"),
        (b'{"text":"a","address":{}}', "address"),
        (b'{"text":"a","latitude":"33"}', "latitude"),
        (b'{"text":"a","latitude":true,"longitude":1}', "latitude"),
        (b'{"text":"a","latitude":90.1,"longitude":1}', "latitude"),
        (b'{"text":"a","latitude":1e999,"longitude":1}', "latitude"),
        (b'{"text":"a","latitude":' + b"9" * 5000 + b',"longitude":1}', "latitude"),
        (b'{"text":"a","latitude":1}', "longitude"),
        (b'{"text":"a","longitude":1}', "latitude"),
        (b'{"text":"a","latitude":1,"longitude":-180.5}', "longitude"),
        (b'{"text":"a","occurred_at":"yesterday"}', "occurred_at"),
        (b'{"text":"a","occurred_at":"2026-11-22T10:00:00"}', "occurred_at"),
        (b'{"text":"a","occurred_at":1763776800}', "occurred_at"),
        (b'{"text":"a","occurred_at":"0001-01-01T00:00:00+08:00"}', "occurred_at"),
        (b'{"text":"a","occurred_at":"9999-12-31T23:59:59-12:00"}', "occurred_at"),
        (b'{"text":"a","anonymous":1}', "anonymous"),
        (b'{"text":"a","confidential":"true"}', "confidential"),
        (b'{"text":"a","public":[]}', "public"),
        (b'{"text":"a","language":"\xe4\xb8\xad\xe6\x96\x87"}', "language"),
    ],
)
def test_a_wrong_body_names_the_field(raw: bytes, field: str) -> None:
    """Whatever is wrong is a `Malformed` that names the field and repeats nothing of the body."""
    with pytest.raises(Malformed) as caught:
        decode_json(raw)
    assert caught.value.field == field
    assert "nonsense" not in caught.value.detail


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"text": "x" * 20_001}, "text"),
        ({"text": "😀" * 20_001}, "text"),
        ({"title": "x" * 201}, "title"),
        ({"name": "x" * 101}, "name"),
        ({"phone": "1" * 41}, "phone"),
        ({"email": "a@" + "b" * 253}, "email"),
        ({"address": "x" * 501}, "address"),
        ({"language": "a" * 36}, "language"),
        ({"other": "x" * (1 << 20)}, "body"),
    ],
)
def test_what_is_too_long_names_the_field(members: dict[str, str], field: str) -> None:
    """A field beyond its published length is `Oversized` and named."""
    with pytest.raises(Oversized) as caught:
        decode_json(body(**members))
    assert caught.value.field == field


@pytest.mark.parametrize(
    "raw",
    [
        b'{"text":"a","other":{"deep":[1,2,{"x":"y:z"}]},"x":[]}',
        b'{"text":"\\"text\\": \\"text\\": at 10:30","name":"b"}',
        b'{"text":"3\\u00b0: 10:30","name":"b"}',
        b'{"text":"a","other":' + b"9" * 5000 + b',"at":"10:30"}',
    ],
)
def test_unknown_members_and_colons_do_no_harm(raw: bytes) -> None:
    """What we do not know is passed over, and colons in a text are no second member."""
    assert decode_json(raw).text == msgspec.json.decode(raw.replace(b"9" * 5000, b"9"))["text"]


@given(st.binary(max_size=300))
def test_random_bytes_raise_declared_errors_only(raw: bytes) -> None:
    """No bytes make the decoder raise anything but our errors."""
    with contextlib.suppress(ChannelError):
        decode_json(raw)


_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Submission.__struct_fields__, "x", ":"]), _JSON))
def test_random_documents_raise_declared_errors_only(document: dict[str, object]) -> None:
    """No JSON value in any field makes the decoder raise anything but our errors."""
    try:
        got = decode_json(json.dumps(document).encode(errors="surrogatepass"))
    except ChannelError:
        return
    assert got.text == document["text"]


def request(raw: bytes = b"", **changes: object) -> Request:
    return msgspec.structs.replace(Request(method="POST", headers={}, body=raw), **changes)


def test_inbound_holds_what_was_sent_and_nothing_inferred() -> None:
    """The inbound carries the literal text, the raw body and the sender's own word."""
    push = request(
        body(type="help", phone="0557 123", latitude=33.6, longitude=117.0, public=True),
        headers={"idempotency-key": " key-1 "},
    )
    got = inbound(decode_request(push), push, NOW, "portal")
    assert (got.channel, got.account, got.message_id, got.key) == (
        "web",
        "portal",
        "key-1",
        "key-1",
    )
    assert got.key_name == "Idempotency-Key"
    assert (got.text, got.raw, got.raw_type) == (TEXT, push.body, "application/json")
    assert (got.received_at, got.type, got.requester.phone) == (NOW, RequestType.HELP, "0557 123")
    assert (got.place.latitude, got.place.longitude, got.place.text) == (33.6, 117.0, None)
    assert got.public
    assert len(got.digest) == 64


def test_a_form_keeps_its_fields_as_evidence() -> None:
    """The raw form of a form is its fields as they were decoded, as JSON."""
    fields = {"text": "一\r\n二", "x-unknown": "😀"}
    push = request(fields=fields)
    got = inbound(decode_request(push), push, NOW, "portal")
    assert got.text == "一\n二"
    assert json.loads(got.raw) == fields
    assert got.raw_type == "multipart/form-data"
    assert got.message_id is None
    assert got.key is None


def attachment(sha256: str, name: str = "a.jpg") -> Attachment:
    return Attachment(id=name, name=name, media_type="image/jpeg", bytes=1, sha256=sha256)


def digest(push: Request) -> str:
    return inbound(decode_request(push), push, NOW, "portal").digest


def test_the_digest_follows_the_content() -> None:
    """The same content has one digest however it is written; any other content has another."""
    first = digest(request(body(name="市民")))
    assert first == digest(request(json.dumps({"name": "市民", "text": TEXT}).encode()))
    assert first == digest(request(fields={"text": TEXT, "name": "市民"}))
    assert first != digest(request(body(name="别人")))
    assert first != digest(request(body(name="市民", public=True)))
    form = {"text": TEXT, "name": "市民"}
    with_file = digest(request(fields=form, attachments=(attachment("aa"),)))
    assert with_file != first
    assert with_file == digest(request(fields=form, attachments=(attachment("aa", "b.jpg"),)))
    assert with_file != digest(request(fields=form, attachments=(attachment("ab"),)))


@pytest.mark.parametrize("key", ["", "  ", "x" * 256, "a b", "钥匙", "a\x00"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """An Idempotency-Key is 1 to 255 visible ASCII characters, or the request is malformed."""
    push = request(body(), headers={"idempotency-key": key})
    with pytest.raises(Malformed) as caught:
        inbound(decode_request(push), push, NOW, "portal")
    assert caught.value.field == "Idempotency-Key"


def test_the_longest_key_is_taken() -> None:
    """255 characters are a key."""
    push = request(body(), headers={"idempotency-key": "k" * 255})
    assert inbound(decode_request(push), push, NOW, "portal").key == "k" * 255


def test_form_and_document_obey_the_same_rules() -> None:
    """The same wrong value names the same field in a form as in a document."""
    for name, value in {"email": "x", "title": "x" * 201, "language": "?", "type": "x"}.items():
        with pytest.raises((Malformed, Oversized)) as as_json:
            decode_json(body(**{name: value}))
        with pytest.raises((Malformed, Oversized)) as as_form:
            decode_form({"text": TEXT, name: value})
        assert (as_json.value.field, as_json.value.detail) == (
            as_form.value.field,
            as_form.value.detail,
        )
