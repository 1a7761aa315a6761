"""The channel against the checks of every pushed channel and against libraries not written here."""

import base64
import random
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import xmltodict

from channels.base import Request
from channels.testing import CHECKS, Check, Ledger, receipt
from channels.wechat.channel import plugin
from channels.wechat.crypto import Envelope, is_signature, key_of, signature
from channels.wechat.simulator.pusher import Account, Pusher
from normalizer.errors import ChannelError, Ignored, Malformed, Unauthorized
from tests.channels.wechat.cases import (
    NOW,
    SUITE,
    TEXTS,
    VECTORS,
    changed,
    compatible,
    in_envelope,
    members,
    of_vector,
    plain,
    sealed,
    signed,
)
from tests.channels.wechat.world import APP, KEY, OLD_KEY, TOKEN
from tests.peers.wechat import NodeWeChat

LIBRARIES = ("wechat-crypto", "wecom")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> NodeWeChat:
    return NodeWeChat(tmp_path_factory.mktemp("peers"))


def _read(channel: Any, request: Request) -> list[str] | None:
    """Return the texts of what a push says; None where it is of a kind not known here."""
    channel.authenticate(request, NOW)
    try:
        return [inbound.text for inbound in channel.parse(request, NOW)]
    except Ignored:
        return None


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Check) -> None:
    """The channel passes every check that all channels pass."""
    await check(SUITE)


@pytest.mark.parametrize("mode", ["plain", "compatible", "encrypted"])
def test_every_kind_in_every_mode(mode: str) -> None:
    """What others have sealed is read alike in XML and JSON, whichever of the two keys opens it."""
    channels = {
        "plain": [plain],
        "compatible": [compatible, sealed, changed],
        "encrypted": [sealed, compatible, changed],
    }[mode]
    vectors = [v for v in VECTORS if v["mode"] == mode]
    assert len(vectors) == 50
    for vector in vectors:
        label = vector["label"]
        wanted = None if label == "unknown" else [TEXTS[label]] if label in TEXTS else []
        for channel in channels:
            assert _read(channel, of_vector(vector)) == wanted, label


def test_the_documentations_own_vectors() -> None:
    """The plain signature and WeCom's echo come out as the documentation prints them."""
    assert (
        signature("AAAAA", "1714037059", "486452656") == "899cf89e464efb63f54ddac96b0a0a235f53aa78"
    )
    corp: Any = plugin.open(
        {
            "kind": "wechat",
            "name": "corp",
            "platform": "wecom",
            "app_id": "wx5823bf96d3bd56c7",
            "app_secret": "s",
            "token": "QDG6eK",
            "encoding_aes_key": "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
        }
    )
    echo = (
        "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
    )
    query = {
        "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "echostr": echo,
    }
    asked = Request(method="GET", headers={}, body=b"", query=query)
    then = datetime.fromtimestamp(1409659590, UTC)
    assert corp.handshake(asked, then).body == b"1616140317555161061"
    with pytest.raises(Unauthorized, match="5 minutes"):
        corp.handshake(asked, NOW)


def test_others_open_our_replies(node: NodeWeChat) -> None:
    """Both libraries open a sealed reply and agree with its signature, whatever the text holds."""
    texts = [
        "您的诉求已受理",
        "a]]></Content><Evil>1</Evil>",
        "😱" * 200,
        "中" * 680,
        "前\x00后\x0b",
    ]
    vector = next(v for v in VECTORS if v["label"] == "text" and v["mode"] == "encrypted")
    questions, envelopes = [], []
    for text in texts:
        told = msgspec.structs.replace(receipt(), message=text)
        reply = sealed.reply(of_vector(vector), [told])
        envelope = xmltodict.parse(reply.body)["xml"]
        for lib in LIBRARIES:
            envelopes.append((envelope, text))
            questions.append(
                {
                    "do": "open",
                    "lib": lib,
                    "token": TOKEN,
                    "key": KEY,
                    "id": APP,
                    "encrypt": envelope["Encrypt"],
                    "timestamp": envelope["TimeStamp"],
                    "nonce": envelope["Nonce"],
                }
            )
    for answer, (envelope, text) in zip(node.ask(questions), envelopes, strict=True):
        assert (answer["id"], answer["signature"]) == (APP, envelope["MsgSignature"])
        message = xmltodict.parse(answer["message"], strip_whitespace=False)["xml"]
        assert message["Content"] == text.replace("\x00", "").replace("\x0b", "")
        assert (message["ToUserName"], message["FromUserName"]) == ("fromUser", "toUser")
        assert "Evil" not in message


def test_others_open_what_the_simulator_sends(node: NodeWeChat) -> None:
    """The platform's simulator seals and signs as the libraries expect of the platform."""
    questions, bodies = [], []
    for form in ("xml", "json"):
        account = Account(
            app_id=APP, token=TOKEN, encoding_aes_key=KEY, mode="encrypted", form=form
        )
        body, query = Pusher(account, "http://127.0.0.1:9/").request(members())
        found = msgspec.json.decode(body) if form == "json" else xmltodict.parse(body)["xml"]
        bodies.append((query, form))
        questions += [
            {
                "do": "open",
                "lib": lib,
                "token": TOKEN,
                "key": KEY,
                "id": APP,
                "encrypt": found["Encrypt"],
                "timestamp": query["timestamp"],
                "nonce": query["nonce"],
            }
            for lib in LIBRARIES
        ]
    answers = node.ask(questions)
    assert [a["id"] for a in answers] == [APP] * 4
    assert all("路灯不亮" in a["message"] for a in answers)
    signatures = [q["msg_signature"] for q, _ in bodies for _ in LIBRARIES]
    assert [a["signature"] for a in answers] == signatures


def test_what_others_seal_now_is_opened(node: NodeWeChat) -> None:
    """Fresh envelopes of both libraries, for the key in force and the one before, are opened."""
    message = "<xml><Content>井盖没了😱</Content></xml>"
    common = {"do": "seal", "token": TOKEN, "id": APP, "message": message}
    questions = [
        {**common, "lib": lib, "key": key, "timestamp": "1", "nonce": "2"}
        for lib in LIBRARIES
        for key in (KEY, OLD_KEY)
    ]
    envelope = Envelope([key_of(KEY), key_of(OLD_KEY)], APP)
    for answer, question in zip(node.ask(questions), questions, strict=True):
        assert is_signature(answer["signature"], TOKEN, "1", "2", answer["encrypt"])
        opened, index = envelope.open(answer["encrypt"])
        assert (opened.decode(), index) == (message, 0 if question["key"] == KEY else 1)


# What must not be believed


def _sealed_vector() -> dict[str, Any]:
    return next(v for v in VECTORS if v["label"] == "text" and v["mode"] == "encrypted")


@pytest.mark.parametrize("name", ["signature", "msg_signature", "timestamp", "nonce"])
def test_an_encrypted_push_needs_every_part_of_its_signature(name: str) -> None:
    """Without one of the four, or with one changed, the push is refused."""
    good = of_vector(_sealed_vector())
    sealed.authenticate(good, NOW)
    without = {k: v for k, v in good.query.items() if k != name}
    with pytest.raises(Unauthorized):
        sealed.authenticate(msgspec.structs.replace(good, query=without), NOW)
    other = good.query[name][:-1] + ("0" if good.query[name][-1] != "0" else "1")
    with pytest.raises(Unauthorized):
        sealed.authenticate(msgspec.structs.replace(good, query={**good.query, name: other}), NOW)


@pytest.mark.parametrize("seconds", [-301, 301])
def test_an_old_time_stamp_is_refused(seconds: int) -> None:
    """A push is good for five minutes, and not before its time either."""
    good = of_vector(_sealed_vector())
    sealed.authenticate(
        good, datetime.fromtimestamp(NOW.timestamp() + seconds - seconds // 301, UTC)
    )
    with pytest.raises(Unauthorized, match="5 minutes"):
        sealed.authenticate(good, datetime.fromtimestamp(NOW.timestamp() + seconds, UTC))


def test_another_application_is_refused() -> None:
    """A message sealed for another application id is not ours, though our key opens it."""
    body = msgspec.json.encode(members())
    sealed.authenticate(in_envelope(body), NOW)
    with pytest.raises(Unauthorized, match="another application"):
        sealed.authenticate(in_envelope(body, app_id=APP[:-1] + "8"), NOW)


def test_a_key_that_nobody_knows_is_no_message() -> None:
    """A genuine signature over an envelope that no key opens: kept for an operator, not believed."""
    with pytest.raises(Malformed, match="EncodingAESKey"):
        sealed.authenticate(in_envelope(msgspec.json.encode(members()), key=OLD_KEY), NOW)


def test_an_account_that_encrypts_takes_no_plain_words() -> None:
    """Words outside the envelope are not believed: none alone, and none beside it."""
    with pytest.raises(Unauthorized, match="not encrypted"):
        sealed.authenticate(signed(msgspec.json.encode(members())), NOW)
    vector = next(v for v in VECTORS if v["label"] == "text" and v["mode"] == "compatible")
    good = of_vector(vector)
    forged = msgspec.structs.replace(good, body=good.body.replace("请修".encode(), "转账".encode()))
    assert forged.body != good.body
    assert _read(compatible, forged) == [TEXTS["text"]]


def test_every_padding_octet_counts() -> None:
    """An envelope whose padding is wrong anywhere is none, whatever its last octet says."""
    envelope = Envelope([key_of(KEY)], APP)
    cipher = envelope._ciphers[0]
    packed = b"r" * 16 + (2).to_bytes(4, "big") + b"ok" + APP.encode()
    pad = 32 - len(packed) % 32

    def sealed_with(padding: bytes) -> str:
        return base64.b64encode(cipher.encrypt(packed + padding)).decode()

    assert envelope.open(sealed_with(bytes([pad]) * pad)) == (b"ok", 0)
    for at in range(pad - 1):
        wrong = bytearray([pad] * pad)
        wrong[at] ^= 1
        with pytest.raises(Malformed):
            envelope.open(sealed_with(bytes(wrong)))


def test_broken_envelopes_raise_declared_errors() -> None:
    """Four hundred flipped, cut and random envelopes are refused, and nothing else happens."""
    rng = random.Random(20261123)  # noqa: S311 - a repeatable test, no secret
    good = of_vector(_sealed_vector())
    ledger = Ledger()
    for number in range(400):
        at = rng.randrange(len(good.body))
        body = good.body[:at] + bytes([good.body[at] ^ 1 << rng.randrange(8)]) + good.body[at + 1 :]
        if number % 4 == 0:
            body = good.body[:at]
        elif number % 4 == 1:
            body = rng.randbytes(rng.randrange(300))
        forged = msgspec.structs.replace(good, body=body)
        try:
            said = _read(sealed, forged)
        except ChannelError:
            continue
        assert said == [TEXTS["text"]]  # the flipped bit was in the envelope's outer members
    assert not ledger.tickets


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"Event": "TEMPLATESENDJOBFINISH", "Status": "success"}, []),
        ({"Event": "TEMPLATESENDJOBFINISH", "Status": "failed:user block"}, ["failed:user block"]),
        ({"Event": "subscribe_msg_sent_event"}, []),
        ({"Event": "subscribe_msg_sent_event", "SubscribeMsgSentEvent": "?"}, []),
        (
            {
                "Event": "subscribe_msg_sent_event",
                "SubscribeMsgSentEvent": {
                    "List": [
                        {"ErrorCode": "0", "ErrorStatus": "success"},
                        {"ErrorCode": "43101", "ErrorStatus": "user refuse to accept the msg"},
                    ]
                },
            },
            ["43101 user refuse to accept the msg"],
        ),
    ],
)
def test_what_was_not_delivered_is_told(
    more: dict[str, Any], told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A message that the platform took and could not deliver is named in the log, its reason too."""
    caplog.set_level("WARNING")
    assert plain.parse(signed(msgspec.json.encode(members(MsgType="event", **more))), NOW) == []
    records = [r for r in caplog.records if r.getMessage() == "wechat.undelivered"]
    assert [r.__dict__["why"] for r in records] == told


def test_a_repeat_may_have_heard_more_of_a_voice() -> None:
    """Words that the platform recognises by its second try do not make it another message."""
    voice = {"MsgType": "voice", "MediaId": "M", "Content": None}
    heard = [
        plain.parse(signed(msgspec.json.encode(members(**voice, Recognition=words))), NOW)[0]
        for words in (None, "小区停水两天了")
    ]
    assert heard[0].digest == heard[1].digest
    (other,) = plain.parse(signed(msgspec.json.encode(members(**voice | {"MediaId": "N"}))), NOW)
    assert other.digest != heard[0].digest


def test_two_events_of_one_second_are_two_acts() -> None:
    """Events have no id: sender, time, name and key tell them apart; a repeat does not differ."""
    one = members(MsgType="event", Event="CLICK", EventKey="progress")
    (first,) = plain.parse(signed(msgspec.json.encode(one)), NOW)
    (again,) = plain.parse(signed(msgspec.json.encode(one)), NOW)
    (other,) = plain.parse(signed(msgspec.json.encode({**one, "FromUserName": "o2"})), NOW)
    assert first.key == again.key
    assert first.key != other.key
