"""SIP messages and session descriptions: read whatever comes, raise only what is declared."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.phone import numbers, sdp, sip
from tests.channels.phone.caller import SDP

HEAD = (
    "INVITE sip:12345@ims.example SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2\r\n"
    'From: "张三, 市民" <sip:13800138000@ims.example>;tag=abc\r\n'
    "To: <sip:12345@ims.example>\r\nCall-ID: one\r\nCSeq: 7 INVITE\r\n"
)
PLAIN = SDP.format(port=4000)


def invite(more: str = "", body: str = "", head: str = HEAD) -> sip.SipMessage:
    """Return an INVITE with further headers."""
    return sip.parse(f"{head}{more}\r\n{body}".encode())


@given(st.binary(max_size=600))
def test_random_octets_raise_only_what_is_declared(data: bytes) -> None:
    """No datagram does worse than being no SIP."""
    for given_ in (data, HEAD.encode() + data, HEAD.encode()[: len(data)] + data):
        try:
            message = sip.parse(given_)
        except sip.NotSip:
            continue
        assert message.call_id
        assert sip.response(message, 200, tag="t", received=("10.0.0.9", 9)).startswith(b"SIP/2.0")
        numbers.read(message)


@given(st.binary(max_size=400), st.sampled_from(["application/sdp", "multipart/mixed;boundary=x"]))
def test_random_descriptions_raise_only_what_is_declared(data: bytes, kind: str) -> None:
    """No body does worse than being unacceptable."""
    for body in (data, PLAIN.encode()[: len(data)] + data, PLAIN.encode() + data):
        try:
            offer = sdp.read(body, kind)
        except sdp.NotAcceptable:
            continue
        assert 0 < offer.port < 65536
        assert sdp.describe("127.0.0.1", 4002, 1, offer).count(b"m=") == len(offer.media)


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace("Call-ID: one\r\n", ""),
        HEAD.replace("7 INVITE", "7 BYE"),
        HEAD.replace("7 INVITE", "99999999999 INVITE"),
        HEAD.replace("SIP/2.0\r\n", "SIP/3.0\r\n", 1),
        HEAD + "Content-Length: 10\r\n",
        HEAD + "Content-Length: -1\r\n",
        HEAD + "no colon\r\n",
        HEAD + "X: \0\r\n",
        HEAD + "X: y\r\n" * 200,
        HEAD + f"X: {'y' * 9000}\r\n",
        HEAD + f"X: {'y' * 17000}\r\n",
    ],
)
def test_what_no_message_may_be_is_none(head: str) -> None:
    """It is refused before anything looks at it."""
    with pytest.raises(sip.NotSip):
        sip.parse(f"{head}\r\n".encode())


def test_lists_are_taken_apart_and_kept_in_order() -> None:
    """Two Vias in a line are two; a comma in quotes parts nothing."""
    message = invite()
    assert [v.partition(";")[0] for v in message.all("via")] == [
        "SIP/2.0/UDP 10.0.0.1:5060",
        "SIP/2.0/UDP 10.0.0.2",
    ]
    assert (message.branch, message.from_tag, message.sequence) == ("z9hG4bK1", "abc", 7)
    assert sip.split_list('"a, b" <sip:x;y=1,2>;z, <sip:c>') == [
        '"a, b" <sip:x;y=1,2>;z',
        "<sip:c>",
    ]


def test_a_response_goes_back_as_the_request_came() -> None:
    """Vias in order with the address it came from, our tag on To, no Record-Route elsewhere."""
    message = invite("Record-Route: <sip:p;lr>\r\n")
    answer = sip.response(message, 200, tag="ours", received=("192.0.2.1", 9999)).decode()
    assert "branch=z9hG4bK1;rport=9999;received=192.0.2.1\r\nVia: SIP/2.0/UDP 10.0.0.2" in answer
    assert "To: <sip:12345@ims.example>;tag=ours\r\n" in answer
    assert "Record-Route: <sip:p;lr>\r\n" in answer
    assert "tag=ours" not in sip.response(message, 100, tag="ours").decode()


@pytest.mark.parametrize(
    ("more", "uri", "to", "called", "told_by"),
    [
        ("", "sip:12345@h", "<sip:12345@h>", "12345", "to"),
        ("", "sip:line7@h", "<tel:0557-12345>", "055712345", "to"),
        ("", "tel:+86-557-12345;phone-context=x", "<sip:gw@h>", "+8655712345", "request-uri"),
        (
            "Diversion: <sip:12329@h>;reason=x\r\n",
            "sip:12345@h",
            "<sip:12345@h>",
            "12329",
            "diversion",
        ),
        (
            "Diversion: <sip:12345@h>, <sip:12333@h>\r\n",
            "sip:12345@h",
            "<sip:12345@h>",
            "12333",
            "diversion",
        ),
        (
            "History-Info: <sip:12345@h>;index=1.1\r\nHistory-Info: <sip:12315@h>;index=1\r\n",
            "sip:12345@h",
            "<sip:12345@h>",
            "12315",
            "history-info",
        ),
    ],
)
def test_what_was_dialled_is_found(more: str, uri: str, to: str, called: str, told_by: str) -> None:
    """The oldest diversion, the lowest index, To, and the Request-URI last."""
    head = HEAD.replace("sip:12345@ims.example SIP", f"{uri} SIP")
    head = head.replace("To: <sip:12345@ims.example>", f"To: {to}")
    found = numbers.read(invite(more, head=head))
    assert (found.called, found.diverted_by) == (called, told_by)


@pytest.mark.parametrize(
    ("sender", "more", "caller", "withheld"),
    [
        ("<sip:13800138000@h>", "", "13800138000", False),
        ("<tel:+86-138-0013-8000>", "", "+8613800138000", False),
        ("<sip:+8613800138000;phone-context=x@h>", "", "+8613800138000", False),
        ("Anonymous <sip:anonymous@anonymous.invalid>", "", None, True),
        (
            "<sip:anonymous@anonymous.invalid>",
            "P-Asserted-Identity: <sip:13900139000@h>, <tel:+8613900139000>\r\nPrivacy: id\r\n",
            "13900139000",
            True,
        ),
        ("<sip:alice@h>", "", None, True),
    ],
)
def test_who_calls_is_found(sender: str, more: str, caller: str | None, *, withheld: bool) -> None:
    """What the network vouches for goes before what the caller says; a name is no number."""
    head = HEAD.replace('"张三, 市民" <sip:13800138000@ims.example>', sender)
    found = numbers.read(invite(more, head=head))
    assert (found.caller, found.withheld) == (caller, withheld)


def test_an_answer_has_every_media_line_of_the_offer() -> None:
    """Refused ones with port 0 in their place; the chosen one with A-law and the caller's events."""
    body = PLAIN.replace("m=audio", "m=video 5000 RTP/AVP 96\r\nm=audio").replace("101", "97")
    offer = sdp.read(body.encode())
    answer = sdp.describe("10.0.0.5", 4002, 3, offer).decode()
    assert (offer.port, offer.codec, offer.events, offer.chosen) == (4000, 8, 97, 1)
    assert "m=video 0 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 8 97\r\n" in answer
    assert "a=fmtp:97 0-15" in answer


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("sendrecv", "sendrecv"),
        ("sendonly", "recvonly"),
        ("recvonly", "sendonly"),
        ("inactive",) * 2,
    ],
)
def test_directions_are_mirrored(theirs: str, ours: str) -> None:
    """Who is held does not send."""
    assert sdp.read(PLAIN.replace("sendrecv", theirs).encode()).direction == ours
    session = PLAIN.replace("a=sendrecv\r\n", "").replace("t=0 0", f"t=0 0\r\na={theirs}")
    assert sdp.read(session.encode()).direction == ours
