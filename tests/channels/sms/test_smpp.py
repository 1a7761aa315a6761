"""SMPP 3.4 on the wire, against vectors, itself and noise."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.dialect import Answered, Asked, Came, Event, Result, Told
from channels.sms.pieces import Part, split_header
from channels.sms.receipts import report_of, same_ids
from channels.sms.smpp import (
    LONGEST,
    Command,
    Frame,
    Frames,
    Login,
    ShortMessage,
    Tag,
    data_message_of,
    frame,
    login_body,
    login_of,
    short_message_body,
    short_message_of,
)
from channels.sms.smpp_dialect import SmppDialect
from normalizer.errors import Malformed

#: SMPP 3.4 section 3.2.3, the example of a bind_transmitter PDU, octet for octet.
BIND = bytes.fromhex(
    "0000002F 00000002 00000000 00000001 534D5050 33544553 54007365 63726574 30380053"
    "55424D49 54310000 010100"
)

_octet = st.integers(0, 255)
_word = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
messages = st.builds(
    ShortMessage,
    source=_word,
    destination=_word,
    service_type=_word,
    source_ton=_octet,
    source_npi=_octet,
    destination_ton=_octet,
    destination_npi=_octet,
    esm_class=_octet,
    protocol_id=_octet,
    priority=_octet,
    schedule=_word,
    validity=_word,
    registered=_octet,
    replace=_octet,
    coding=_octet,
    default_message=_octet,
    octets=st.binary(max_size=254),
    parameters=st.lists(st.tuples(st.integers(0, 65535), st.binary(max_size=300)), max_size=4).map(
        tuple
    ),
)
frames = st.builds(
    Frame,
    command=st.integers(0, 2**32 - 1),
    status=st.integers(0, 2**32 - 1),
    sequence=st.integers(0, 2**32 - 1),
    body=st.binary(max_size=400),
)


def dialect() -> SmppDialect:
    return SmppDialect(Login(system_id="hotline", password="secret"), "106912345")


def test_the_specifications_example_is_read_and_written() -> None:
    """The example PDU of the specification comes out as it explains, and is written the same."""
    (found,) = Frames().feed(BIND)
    assert (found.command, found.status, found.sequence) == (Command.BIND_TRANSMITTER, 0, 1)
    login = login_of(found.body)
    assert login == Login(
        system_id="SMPP3TEST",
        password="secret08",
        system_type="SUBMIT1",
        version=0,
        ton=1,
        npi=1,
    )
    assert frame(Command.BIND_TRANSMITTER, 1, login_body(login)).octets == BIND


@given(messages)
def test_a_message_survives_the_wire(message: ShortMessage) -> None:
    """Every field of a short message is read as it was written."""
    assert short_message_of(short_message_body(message)) == message


@given(st.lists(frames, max_size=5), st.integers(1, 7), st.binary(max_size=3))
def test_frames_do_not_depend_on_how_they_come(sent: list[Frame], size: int, rest: bytes) -> None:
    """Whole, in small pieces or with the beginning of the next one behind: the same PDUs."""
    octets = b"".join(f.octets for f in sent) + rest
    whole, bitten = Frames(), Frames()
    assert list(whole.feed(octets)) == sent
    cut = [octets[at : at + size] for at in range(0, len(octets), size)]
    assert [f for each in cut for f in bitten.feed(each)] == sent


@given(st.binary(max_size=300))
def test_noise_raises_declared_errors_only(octets: bytes) -> None:
    """Random octets, as a stream and as bodies, raise nothing but `Malformed`."""
    for read in (
        lambda: list(dialect().feed(octets)),
        lambda: short_message_of(octets),
        lambda: data_message_of(octets),
        lambda: login_of(octets),
    ):
        with contextlib.suppress(Malformed):
            read()


@given(st.sampled_from(sorted(Command)), st.booleans(), st.binary(max_size=200))
def test_bodies_of_noise_end_no_session(command: int, answer: bool, body: bytes) -> None:
    """Whatever is in a PDU of a known kind, the stream goes on behind it."""
    noise = frame(command | 0x80000000 if answer else command, 5, body).octets
    alive = frame(Command.ENQUIRE_LINK, 6).octets
    *_, last = dialect().feed(noise + alive)
    assert isinstance(last, Asked)
    assert last.reply == frame(0x80000015, 6).octets


@pytest.mark.parametrize("length", [0, 15, LONGEST + 1, 2**31])
def test_a_length_that_cannot_be_ends_the_session(length: int) -> None:
    """Behind such a length no PDU can be found any more."""
    with pytest.raises(Malformed, match="command_length"):
        list(Frames().feed(struct.pack(">IIII", length, 5, 0, 1)))


def events_of(message: ShortMessage, command: int = Command.DELIVER_SM) -> Event:
    (event,) = dialect().feed(frame(command, 9, short_message_body(message)).octets)
    return event


def test_both_answers_to_a_message_are_the_documented_ones() -> None:
    """A deliver_sm_resp has an empty message id; a temporary error asks to repeat."""
    event = events_of(ShortMessage(source="1", destination="2", octets=b"x"))
    assert isinstance(event, Came)
    assert event.taken == bytes.fromhex("00000011 80000005 00000000 00000009 00")
    assert event.later == bytes.fromhex("00000011 80000005 00000064 00000009 00")


def test_a_message_that_cannot_be_read_is_kept_whole() -> None:
    """A deliver_sm whose fields end early comes as octets for a human, and can be answered."""
    whole = frame(Command.DELIVER_SM, 3, b"\0\1\1" + "路灯".encode()).octets
    (event,) = dialect().feed(whole)
    assert isinstance(event, Came)
    assert not event.piece.readable
    assert event.piece.raw == whole


def test_unknown_requests_are_refused_and_silent_ones_not_answered() -> None:
    """A request that we do not know gets a generic_nack; an alert_notification has no answer."""
    known = dialect()
    (event,) = known.feed(frame(0x00000111, 8, b"x").octets)
    assert isinstance(event, Asked)
    assert event.reply == bytes.fromhex("00000010 80000000 00000003 00000008")
    assert list(known.feed(frame(Command.ALERT_NOTIFICATION, 9, b"").octets)) == []


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (0, Result.OK),
        (0x58, Result.THROTTLED),
        (0x14, Result.THROTTLED),
        (0x0B, Result.NEVER),
        (0x08, Result.LATER),
        (0x45, Result.LATER),
    ],
)
def test_answers_to_what_we_send(status: int, result: Result) -> None:
    """Too fast, never and later are told apart."""
    (event,) = dialect().feed(frame(0x80000004, 4, b"17\0", status).octets)
    assert isinstance(event, Answered)
    assert event.outcome.result is result


def test_sar_parameters_make_parts() -> None:
    """The three SAR parameters say what a header would."""
    parameters = ((0x020C, b"\x01\x02"), (0x020E, b"\3"), (0x020F, b"\2"))
    event = events_of(ShortMessage(source="1", destination="2", parameters=parameters))
    assert isinstance(event, Came)
    assert event.piece.part == Part(reference=0x0102, total=3, place=2, width=0)


def test_a_payload_is_the_message() -> None:
    """A message_payload counts where short_message is empty, in data_sm always."""
    payload = ((int(Tag.MESSAGE_PAYLOAD), b"abc" * 100),)
    event = events_of(ShortMessage(source="1", destination="2", parameters=payload))
    assert isinstance(event, Came)
    assert event.piece.octets == b"abc" * 100
    body = b"\0\1\1" + b"123\0\0\0" + b"456\0\0\0\x08\x04\x24\0\2\x8d\xef"
    (event,) = dialect().feed(frame(Command.DATA_SM, 2, body).octets)
    assert isinstance(event, Came)
    assert (event.piece.source, event.piece.octets) == ("+123", b"\x8d\xef")


@pytest.mark.parametrize(
    ("octets", "part", "rest"),
    [
        ("050003070302 41", Part(reference=7, total=3, place=2, width=8), b"A"),
        ("06080401020302 41", Part(reference=258, total=3, place=2, width=16), b"A"),
        # a port first, then the concatenation
        ("0b0504158a000000030703 02 41", Part(reference=7, total=3, place=2, width=8), b"A"),
        ("050003070001 41", None, b"A"),  # of no parts
        ("050003070304 41", None, b"A"),  # the fourth of three
        ("050003070100 41", None, b"A"),  # the only one
        ("0500 0307", None, b"\x05\x00\x03\x07"),  # longer than the message: no header
        ("00 41", None, b"A"),
        ("", None, b""),
    ],
)
def test_user_data_headers(octets: str, part: Part | None, rest: bytes) -> None:
    """Concatenation is found wherever it stands; what is none leaves a message of its own."""
    assert split_header(bytes.fromhex(octets)) == (part, rest)


@given(st.binary(max_size=200))
def test_headers_of_noise_lose_no_octet_silently(octets: bytes) -> None:
    """Whatever header octets claim, what is behind it is what was behind it."""
    _, rest = split_header(octets)
    assert octets.endswith(rest)


_RECEIPT = (
    b"id:0F4240 sub:001 dlvrd:001 submit date:2611230959 done date:2611231000 stat:%s err:000 text:"
)


@pytest.mark.parametrize(
    ("octets", "parameters", "message_id", "state", "arrived"),
    [
        (_RECEIPT % b"DELIVRD", (), "0F4240", "DELIVRD", True),
        (b"ID:7 STAT:undeliv ERR:045", (), "7", "UNDELIV", False),
        # a date of 14 digits, which one library falls over
        (
            b"id:9 submit date:20261123095900 done date:x stat:EXPIRED err:1",
            (),
            "9",
            "EXPIRED",
            False,
        ),
        (b"", ((0x001E, b"abc\0"), (0x0427, b"\2")), "abc", "DELIVRD", True),
        (b"id:5 stat:DELIVERED err:0", (), "5", "DELIVRD", True),
        (b"id:5 stat:ACCEPTED err:0", (), "5", "ACCEPTD", False),
        (b"id:1 stat:DELIVRD", ((0x001E, b"2\0"), (0x0427, b"\x05")), "2", "UNDELIV", False),
    ],
)
def test_delivery_receipts(
    octets: bytes,
    parameters: tuple[tuple[int, bytes], ...],
    message_id: str,
    state: str,
    arrived: bool,
) -> None:
    """By text in its many forms, or by parameters alone, a receipt names message and state."""
    message = ShortMessage(
        source="1", destination="2", esm_class=4, octets=octets, parameters=parameters
    )
    report = report_of(message)
    assert report is not None
    assert (report.message_id, report.state, report.arrived) == (message_id, state, arrived)
    assert report.final == (state != "ACCEPTD")
    event = events_of(message)
    assert isinstance(event, Told)
    assert event.reply[4:8] == bytes.fromhex("80000005")


def test_a_receipt_without_a_message_is_a_message() -> None:
    """What claims to be a receipt and names nothing may be a citizen's words."""
    event = events_of(ShortMessage(source="1", destination="2", esm_class=4, octets=b"help"))
    assert isinstance(event, Came)


def test_ids_in_hex_and_decimal_are_the_same() -> None:
    """A centre may answer 0F4240 and report 1000000, or the other way round."""
    assert set(same_ids("0F4240")) & set(same_ids("1000000"))
    assert set(same_ids("1000000")) & set(same_ids("f4240"))
    assert not set(same_ids("1000001")) & set(same_ids("f4240"))
