"""The partner webhook against the conformance suite and the reference libraries."""

import base64
import contextlib
import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import standardwebhooks
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from channels.testing import CHECKS, Check
from channels.webhook.channel import PartnerWebhook, plugin
from channels.webhook.codec import decode, key_of, outcome, seconds_of, signed_headers, verify
from normalizer.errors import ChannelError, Gone, Malformed, TryLater, Unauthorized
from tests.channels.webhook.cases import (
    NOW,
    OLD_SECRET,
    OTHER_SECRET,
    SECRET,
    SUITE,
    VECTOR,
    VECTOR_SECRET,
    channel,
    push,
    signed,
    text,
)
from tests.peers.node import NodeWebhooks

BODY = json.dumps({"data": "路灯不亮 😱"}, ensure_ascii=False)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> NodeWebhooks:
    return NodeWebhooks(tmp_path_factory.mktemp("peers"))


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Check) -> None:
    """The channel passes every check that all channels pass."""
    await check(SUITE)


def test_the_specifications_vector_verifies() -> None:
    """A signature that others computed is believed at its own time."""
    then = datetime.fromtimestamp(1614265330, UTC)
    verify([key_of(VECTOR_SECRET)], VECTOR.headers, VECTOR.body, then + timedelta(minutes=5))
    with pytest.raises(Unauthorized, match="5 minutes"):
        verify([key_of(VECTOR_SECRET)], VECTOR.headers, VECTOR.body, then + timedelta(seconds=301))


def test_the_python_library_believes_us() -> None:
    """The reference library for Python verifies what we sign."""
    headers = signed_headers([key_of(SECRET)], "evt-1", datetime.now(UTC), BODY.encode())
    assert standardwebhooks.Webhook(SECRET).verify(BODY, headers) == {"data": "路灯不亮 😱"}


def test_we_believe_the_python_library() -> None:
    """What the reference library for Python signs, we verify."""
    at = datetime.now(UTC).replace(tzinfo=None, microsecond=0)  # the library wants naive UTC
    signature = standardwebhooks.Webhook(SECRET).sign("evt-1", at.replace(tzinfo=UTC), BODY)
    headers = {
        "webhook-id": "evt-1",
        "webhook-timestamp": str(int(at.replace(tzinfo=UTC).timestamp())),
        "webhook-signature": signature,
    }
    verify([key_of(SECRET)], headers, BODY.encode(), datetime.now(UTC))


def test_the_node_library_and_we_believe_each_other(node: NodeWebhooks) -> None:
    """Ours verifies under Node.js, whichever key of a rotation it holds, and the other way round."""
    now = datetime.now(UTC)
    headers = signed_headers([key_of(SECRET), key_of(OLD_SECRET)], "evt-1", now, BODY.encode())
    ours = {"do": "verify", "headers": headers, "body": BODY}
    believed, old, other, changed, theirs = node.ask(
        [
            {**ours, "secret": SECRET},
            {**ours, "secret": OLD_SECRET},
            {**ours, "secret": OTHER_SECRET},
            {**ours, "secret": SECRET, "body": BODY + " "},
            {
                "do": "sign",
                "secret": SECRET,
                "id": "evt-2",
                "seconds": int(now.timestamp()),
                "body": BODY,
            },
        ]
    )
    assert (believed["ok"], old["ok"], other["ok"], changed["ok"]) == (True, True, False, False)
    verify(
        [key_of(SECRET)],
        {
            "webhook-id": "evt-2",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": theirs["signature"],
        },
        BODY.encode(),
        now,
    )


def test_one_good_signature_among_others_is_enough() -> None:
    """Signatures by other keys and of other versions beside ours do no harm."""
    request = text("路灯不亮")
    good = request.headers["webhook-signature"]
    forged = base64.b64encode(bytes(32)).decode()
    headers = {**request.headers, "webhook-signature": f"v1a,xyz v1,{forged} {good} v2,"}
    channel.authenticate(msgspec.structs.replace(request, headers=headers), NOW)


def test_a_key_without_padding_is_the_same_key() -> None:
    """The reference libraries take a secret without its '='; so do we."""
    padded = "whsec_" + base64.b64encode(b"twenty-five octets long..").decode()
    assert padded.endswith("=")
    assert key_of(padded.rstrip("=")) == key_of(padded) == b"twenty-five octets long.."


@pytest.mark.parametrize("secret", ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%%"])
def test_a_wrong_secret_is_a_configuration_error_that_does_not_repeat_it(secret: str) -> None:
    """What is not whsec_<base64> is refused at the start, and the value is not printed."""
    with pytest.raises(ValidationError) as caught:
        plugin.check({"kind": "webhook", "name": "weibo", "secret": secret})
    problems = caught.value.errors(include_input=False, include_context=False)
    assert problems[0]["loc"][0] == "secret"
    words = secret.removeprefix("whsec_")
    assert not words or words not in str(problems)


@pytest.mark.parametrize(
    "section",
    [
        {"secret": []},
        {"secret": SECRET, "reply_url": "ftp://partner.example/"},
        {"secret": SECRET, "reply_url": "/answers"},
        {"secret": SECRET, "sender": "nickname"},
        {"secret": SECRET, "colour": "red"},
        {},
    ],
)
def test_wrong_settings_are_refused(section: dict[str, object]) -> None:
    """Each wrong section is refused at the start."""
    with pytest.raises(ValidationError):
        plugin.check({"kind": "webhook", "name": "weibo", **section})


@pytest.mark.parametrize(
    ("sender", "written", "phone"),
    [
        ("auto", "+8613800138000", "+8613800138000"),
        ("auto", "138 0013 8000", "+8613800138000"),
        ("auto", "tel:+85221234567", "+85221234567"),
        ("auto", "1642591402", None),
        ("auto", "021-12345678", None),
        ("auto", "u-13800138000", None),
        ("id", "13800138000", None),
        ("phone", "0557-3022345", "05573022345"),
    ],
)
def test_a_sender_is_a_telephone_number_only_if_it_says_so(
    sender: str, written: str, phone: str | None
) -> None:
    """A user id never becomes a number to call back."""
    made = plugin.open({"kind": "webhook", "name": "w", "secret": SECRET, "sender": sender})
    (inbound,) = made.parse(push(id="1", **{"from": written}, text="路灯不亮"), NOW)
    assert inbound.requester.phone == phone
    assert inbound.thread == written


def test_files_are_the_attachments_contents() -> None:
    """What is to be kept has the SHA-256 that the attachment names; links are not followed."""
    made = plugin.open({"kind": "webhook", "name": "w", "secret": SECRET})
    request = push(
        id="1",
        **{"from": "u"},
        text="见图",
        attachments=[{"content": b"one"}, {"url": "http://169.254.169.254/"}, {"content": b"two"}],
    )
    (inbound,) = made.parse(request, NOW)
    assert isinstance(made, PartnerWebhook)
    assert list(made.files(request)) == [b"one", b"two"]
    assert [a.bytes for a in inbound.attachments] == [3, 3]
    assert len({a.id for a in inbound.attachments}) == 2


def test_the_malformed_error_holds_none_of_the_citizens_words() -> None:
    """An error names the member, never its value."""
    with pytest.raises(Malformed) as caught:
        decode(signed('{"id":"秘密","from":"秘密","text":["秘密"]}'.encode()).body)
    assert "秘密" not in str(caught.value)
    assert caught.value.field == "text"


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_octets_decode_or_are_refused(body: bytes) -> None:
    """No body whatever raises anything but our own errors."""
    with contextlib.suppress(ChannelError):
        decode(body)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["id", "from", "text", "sent_at", "to", "attachments", "else"]),
        st.recursive(
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats(allow_nan=False)
            | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["name", "content", "url"]), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_json_decodes_or_is_refused(members: dict[str, object]) -> None:
    """No JSON object whatever raises anything but our own errors."""
    with contextlib.suppress(ChannelError):
        decode(json.dumps(members).encode())


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_any_retry_after_is_seconds_or_nothing(value: str) -> None:
    """No Retry-After header whatever raises, and none asks for a negative time."""
    seconds = seconds_of(value, NOW)
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Mon, 23 Nov 2026 02:01:30 GMT", 90.0),
        ("Monday, 23-Nov-26 02:01:30 GMT", 90.0),
        ("Mon Nov 23 02:01:30 2026", 90.0),
        ("Mon, 23 Nov 2026 01:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    """Retry-After is seconds or a date in one of the three forms of RFC 9110 §5.6.7."""
    assert seconds_of(value, NOW) == seconds


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_taken(status: int) -> None:
    """2xx is delivered."""
    outcome(status, None, NOW)


@pytest.mark.parametrize(
    "status", [101, 301, 302, 307, 400, 401, 404, 409, 413, 429, 500, 503, 599]
)
def test_anything_else_is_to_be_tried_again(status: int) -> None:
    """Every other status but 410 is tried again, after Retry-After where there is one."""
    with pytest.raises(TryLater, match=str(status)) as caught:
        outcome(status, "7", NOW)
    assert caught.value.after_s == 7


def test_410_is_gone() -> None:
    """410 wants nothing more."""
    with pytest.raises(Gone):
        outcome(410, None, NOW)
