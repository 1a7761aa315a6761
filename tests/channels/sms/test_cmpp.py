"""CMPP 2.0 and 3.0: octets against vectors, and a session with a gateway of the layout's own."""

import contextlib
import hashlib
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.base import Message
from channels.sms import cmpp
from channels.sms.channel import Texting
from channels.sms.cmpp import (
    Command,
    Connect,
    Connected,
    Deliver,
    Frame,
    Frames,
    Report,
    Submit,
    Submitted,
    Version,
)
from channels.sms.cmpp_dialect import CmppDialect
from channels.sms.dialect import Asked, Came, Told
from normalizer.errors import Malformed, TryLater, Unreachable
from tests.channels.sms.ismg import Ismg, deliver, header
from tests.channels.sms.world import QUICK, Gateway, running, texting, until

_octet = st.integers(0, 255)
_long = st.integers(0, 2**64 - 1)
both = pytest.mark.parametrize("version", list(Version))


def _word(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=size)


delivers = st.builds(
    Deliver,
    message_id=_long,
    destination=_word(21),
    source=_word(21),
    service=_word(10),
    pid=_octet,
    udhi=_octet,
    coding=_octet,
    registered=_octet,
    content=st.binary(max_size=255),
)
submits = st.builds(
    Submit,
    source=_word(6),
    number=_word(21),
    destinations=st.lists(_word(21), min_size=1, max_size=5).map(tuple),
    total=_octet,
    place=_octet,
    registered=_octet,
    level=_octet,
    service=_word(10),
    fee_user_type=_octet,
    fee_number=_word(21),
    pid=_octet,
    udhi=_octet,
    coding=_octet,
    fee_type=_word(2),
    fee_code=_word(6),
    validity=_word(17),
    at=_word(17),
    content=st.binary(max_size=255),
)
frames = st.builds(
    Frame,
    command=st.integers(0, 2**32 - 1),
    sequence=st.integers(0, 2**32 - 1),
    body=st.binary(max_size=300),
)


def dialect(version: Version = Version.V3) -> CmppDialect:
    return CmppDialect(version, "900001", "888888", "106912345", service="HELP")


def test_the_authenticator_is_the_known_one() -> None:
    """The vector that a Go implementation and tshark agree on."""
    known = "29020cdcbf40b7c5fe072b7f90dc7290"
    assert cmpp.authenticator("900001", "888888", 1122011104).hex() == known


def test_a_connect_octet_for_octet() -> None:
    """CONNECT of 39 octets, with China's time wherever the gateway stands."""
    at = datetime(2026, 11, 21, 17, 11, 4, tzinfo=UTC)  # 01:11:04 of the 22nd in China
    assert dialect().login(1, at).hex() == (
        "00000027" "00000001" "00000001" "393030303031"
        "29020cdcbf40b7c5fe072b7f90dc7290" "30" f"{1122011104:08x}"
    )  # fmt: skip


#: What two other implementations wrote at 11:11:04 of the 22nd of November with the password
#: 888888: cmppy 0.3 speaks 3.0, pycmpp 2.0.2 speaks 2.0 and calls it 2.1.
OTHERS = {
    Version.V3: (
        "000000270000000100000002393030303031a59e7a0c475d61ca3ff034121a24dddf3042e20e80",
        "000000eb000000040000000300000000000000000101010048454c500000000000000200000000000000"
        "000000000000000000000000000000000000000000000000000000000839303030303130313030303030"
        "300000000000000000000000000000000000000000000000000000000000000000000031303639313233"
        "343500000000000000000000000002313338303031333830303000000000000000000000000000000000"
        "0000000000313339303031333930303000000000000000000000000000000000000000000000088def70"
        "6f4e0d4eae0000000000000000000000000000000000000000",
    ),
    Version.V2: (
        "000000270000000100000001393030303031a59e7a0c475d61ca3ff034121a24dddf2142e20e80",
        "000000ab000000040000000200000000000000000202010048454c500000000000000200000000000000"
        "000000000000000000000000000000010839303030303130313030303030300000000000000000000000"
        "000000000000000000000000000000000000000000000031303639313233343500000000000000000000"
        "0000013133383030313338303030000000000000000000000c0500030702027b2c4e8c6bb50000000000"
        "000000",
    ),
}


@both
def test_others_write_a_connect_as_we_do(version: Version) -> None:
    """CONNECT octet for octet, but for the sequence number and the version that is claimed."""
    theirs = bytes.fromhex(OTHERS[version][0])
    ours = dialect(version).login(
        theirs[11], datetime(2026, 11, 22, 11, 11, 4, tzinfo=ZoneInfo("Asia/Shanghai"))
    )
    at = 12 + 6 + 16  # of the version
    assert (ours[:at], ours[at + 1 :]) == (theirs[:at], theirs[at + 1 :])


@both
def test_others_write_a_submit_as_we_do(version: Version) -> None:
    """SUBMIT octet for octet: to two numbers in 3.0, a second part with its header in 2.0."""
    (theirs,) = Frames().feed(bytes.fromhex(OTHERS[version][1]))
    meant = Submit(
        source="900001",
        number="106912345",
        destinations=("13800138000", "13900139000")[: 2 if version.wide else 1],
        registered=1,
        service="HELP",
        fee_code="000000",
        content="路灯不亮".encode("utf-16-be"),
    )
    if not version.wide:
        parted = bytes([5, 0, 3, 7, 2, 2]) + "第二段".encode("utf-16-be")
        meant = msgspec.structs.replace(meant, total=2, place=2, udhi=1, content=parted)
    assert cmpp.submit_of(theirs.body, version) == meant
    assert cmpp.submit_body(meant, version) == theirs.body


def test_a_time_stamp_keeps_its_zeros() -> None:
    """In January the ten digits begin with a zero, which the proof holds too."""
    assert cmpp.stamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == 102030405
    zero = cmpp.authenticator("900001", "888888", 102030405)
    said = b"900001" + bytes(9) + b"888888" + b"0102030405"
    assert zero == hashlib.md5(said, usedforsecurity=False).digest()


@both
@given(message=delivers)
def test_a_deliver_survives_the_wire(version: Version, message: Deliver) -> None:
    """Every field is read as it was written, in the widths of the version."""
    body = cmpp.deliver_body(message, version)
    assert len(body) == (97 if version.wide else 73) + len(message.content)
    assert cmpp.deliver_of(body, version) == message


@both
@given(message=submits)
def test_a_submit_survives_the_wire(version: Version, message: Submit) -> None:
    """Likewise of what we send."""
    assert cmpp.submit_of(cmpp.submit_body(message, version), version) == message


@both
@given(id_=_long, result=_octet)
def test_results_survive_the_wire(version: Version, id_: int, result: int) -> None:
    """A result has one octet in 2.0 and four in 3.0; both are read whatever was agreed."""
    said = Submitted(message_id=id_, result=result)
    body = cmpp.result_body(said, version)
    assert len(body) == (12 if version.wide else 9)
    assert cmpp.result_of(body) == said


@both
def test_logins_survive_the_wire(version: Version) -> None:
    """CONNECT and its response are read as they were written."""
    connect = Connect(source="900001", authenticator=bytes(range(16)), version=48, timestamp=7)
    assert cmpp.connect_of(cmpp.connect_body(connect)) == connect
    connected = Connected(status=3, authenticator=bytes(range(16)), version=48)
    body = cmpp.connected_body(connected, version)
    assert len(body) == (21 if version.wide else 18)
    assert cmpp.connected_of(body) == connected


@both
def test_reports_have_sixty_or_seventy_one_octets(version: Version) -> None:
    """A status report is read in both lengths; another length is none."""
    report = Report(
        message_id=2**63 + 5,
        state="DELIVRD",
        submitted="2611230959",
        done="2611231000",
        destination="13800138000",
        smsc_sequence=77,
    )
    content = cmpp.report_content(report, version)
    assert len(content) == (71 if version.wide else 60)
    assert cmpp.report_of(content) == report
    with pytest.raises(Malformed, match="60 or 71"):
        cmpp.report_of(content + b"\0")


@given(st.lists(frames, max_size=5), st.integers(1, 7), st.binary(max_size=3))
def test_frames_do_not_depend_on_how_they_come(sent: list[Frame], size: int, rest: bytes) -> None:
    """Whole, in small pieces or with the beginning of the next one behind: the same messages."""
    octets = b"".join(f.octets for f in sent) + rest
    bitten = Frames()
    assert list(Frames().feed(octets)) == sent
    cut = [octets[at : at + size] for at in range(0, len(octets), size)]
    assert [f for each in cut for f in bitten.feed(each)] == sent


@both
@given(octets=st.binary(max_size=300))
def test_noise_raises_declared_errors_only(version: Version, octets: bytes) -> None:
    """Random octets, as a stream and as bodies, raise nothing but `Malformed`."""
    for read in (
        lambda: list(dialect(version).feed(octets)),
        lambda: cmpp.deliver_of(octets, version),
        lambda: cmpp.submit_of(octets, version),
        lambda: cmpp.connect_of(octets),
        lambda: cmpp.connected_of(octets),
        lambda: cmpp.report_of(octets),
        lambda: cmpp.result_of(octets),
    ):
        with contextlib.suppress(Malformed):
            read()


@given(st.sampled_from(sorted(Command)), st.booleans(), st.binary(max_size=200))
def test_bodies_of_noise_end_no_session(command: int, answer: bool, body: bytes) -> None:
    """Whatever is in a message of a known kind, the stream goes on behind it."""
    noise = header(command | 0x80000000 if answer else command, 5, body)
    *_, last = dialect().feed(noise + header(8, 6))
    assert isinstance(last, Asked)
    assert last.reply == header(0x80000008, 6, b"\0")


@pytest.mark.parametrize("length", [0, 11, 4097, 2**31])
def test_a_length_that_cannot_be_ends_the_session(length: int) -> None:
    """Behind such a length no message can be found any more."""
    with pytest.raises(Malformed, match="Total_Length"):
        list(Frames().feed(struct.pack(">III", length, 5, 1)))


@both
def test_a_deliver_of_the_layout_is_read(version: Version) -> None:
    """Octets that somebody else laid out come as the citizen's piece, with both answers."""
    body = deliver(
        0x0102030405060708, "13800138000", "路灯".encode("gb18030"), wide=version.wide, coding=15
    )
    (event,) = dialect(version).feed(header(5, 9, body))
    assert isinstance(event, Came)
    piece = event.piece
    assert (piece.source, piece.destination, piece.coding) == ("13800138000", "106912345", 15)
    assert (piece.octets, piece.carrier_id) == ("路灯".encode("gb18030"), "0102030405060708")
    ok = b"\0\0\0\0" if version.wide else b"\0"
    busy = b"\0\0\0\x08" if version.wide else b"\x08"
    assert event.taken == header(0x80000005, 9, bytes(range(1, 9)) + ok)
    assert event.later == header(0x80000005, 9, bytes(range(1, 9)) + busy)


@pytest.mark.parametrize(
    ("state", "final", "arrived"),
    [
        ("DELIVRD", True, True),
        ("UNDELIV", True, False),
        ("MA:0005", True, False),
        ("CB:0053", True, False),
        ("ACCEPTD", False, False),
        ("UNKNOWN", False, False),
        ("", False, False),
    ],
)
def test_a_report_is_told(state: str, final: bool, arrived: bool) -> None:
    """A report names the message by SUBMIT_RESP's number; a network's code is the end of it, too."""
    dates = b"26112309592611231000"
    content = struct.pack(">Q7s20s32sI", 99, state.encode(), dates, b"13", 7)
    (event,) = dialect().feed(header(5, 9, deliver(1, "13800138000", content, wide=True, report=1)))
    assert isinstance(event, Told)
    report = event.report
    assert (report.message_id, report.state) == ("99", state)
    assert (report.final, report.arrived) == (final, arrived)


def test_a_report_that_cannot_be_read_is_answered() -> None:
    """It tells nothing and is taken, so that the gateway does not bring it for ever."""
    (event,) = dialect().feed(header(5, 9, deliver(1, "13800138000", b"?", wide=True, report=1)))
    assert isinstance(event, Told)
    assert not event.report.final
    assert event.reply == header(0x80000005, 9, (1).to_bytes(8, "big") + bytes(4))


# Sessions -------------------------------------------------------------------------------------


def channel_to(ismg: Ismg, folder: Path, **more: Any) -> Texting:
    values: dict[str, Any] = {
        "protocol": "cmpp",
        "user": "900001",
        "version": "3.0" if ismg.wide else "2.0",
    }
    return texting(ismg.port, folder, QUICK, **{**values, **more})


wides = pytest.mark.parametrize("wide", [False, True], ids=["2.0", "3.0"])


@wides
@pytest.mark.parametrize("crumbs", [False, True], ids=["whole", "octet by octet"])
async def test_messages_become_tickets(wide: bool, crumbs: bool, tmp_path: Path) -> None:
    """Short and long messages of both versions are tickets, however the octets come."""
    gateway, long = Gateway(), "汴河路停水了，" * 20
    units = long.encode("utf-16-be")
    async with Ismg(wide=wide) as ismg, running(channel_to(ismg, tmp_path), gateway):
        await until(lambda: bool(ismg.connects))
        ismg.crumbs = crumbs
        ismg.deliver(1, "13800138000", "路灯不亮😱".encode("utf-16-be"))
        for place in (3, 1, 2):
            head = bytes([5, 0, 3, 200, 3, place])
            content = head + units[(place - 1) * 134 : place * 134]
            ismg.deliver(10 + place, "8613800138001", content, udhi=1)
        await gateway.until(2)
        await until(lambda: len(ismg.results) == 4)
    assert ismg.connects == [("900001", 0x30 if wide else 0x20, 0)]
    assert {result for _, result in ismg.results} == {0}
    first, second = sorted(gateway.tickets, key=lambda i: len(i.text))
    assert (first.text, first.message_id) == ("路灯不亮😱", f"{1:016x}")
    assert (first.thread, first.called) == ("+8613800138000", "106912345")
    assert (second.text, second.thread) == (long, "+8613800138001")


async def test_a_message_that_comes_again_is_the_same_ticket(tmp_path: Path) -> None:
    """The carrier's id tells a repeat days later, across restarts; the same words anew are another."""
    gateway = Gateway()
    words = "路灯不亮".encode("gb18030")
    async with Ismg() as ismg:
        for _ in range(2):
            async with running(channel_to(ismg, tmp_path), gateway):
                results = len(ismg.results)
                ismg.deliver(5, "13800138000", words, coding=15)
                await until(lambda r=results: len(ismg.results) > r)  # type: ignore[misc]
        async with running(channel_to(ismg, tmp_path), gateway):
            ismg.deliver(6, "13800138000", words, coding=15)
            await gateway.until(2)
    assert [i.message_id for i in gateway.tickets] == [f"{5:016x}", f"{6:016x}"]


async def test_a_store_that_is_down_makes_the_carrier_repeat(tmp_path: Path) -> None:
    """Result 8 while nothing can be stored, 0 once it is."""
    gateway = Gateway()
    gateway.down = True
    async with Ismg() as ismg, running(channel_to(ismg, tmp_path), gateway):
        ismg.deliver(5, "13800138000", "路灯不亮".encode("utf-16-be"))
        await until(lambda: (5, 8) in ismg.results)
        assert (5, 0) not in ismg.results
        gateway.down = False
        await until(lambda: (5, 0) in ismg.results)
    assert gateway.texts == ["路灯不亮"]


@wides
async def test_long_answers_are_sent(wide: bool, tmp_path: Path) -> None:
    """A long answer is as many SUBMITs, to eleven digits, and flow control is heeded."""
    text = "您的诉求已受理，" * 20
    async with Ismg(wide=wide) as ismg:
        channel = channel_to(ismg, tmp_path, service_id="HELP")
        async with running(channel, Gateway()):
            await until(lambda: channel.link.up)
            ismg.flow = [8]
            given = await channel.messenger.send("+8613800138000", Message(key="k", text=text))
            ismg.flow = [13, 5]
            with pytest.raises(Unreachable):
                await channel.messenger.send("+861", Message(key="l", text="好"))
            with pytest.raises(TryLater):
                await channel.messenger.send("+861", Message(key="l", text="好"))
    assert given == str(0x1122334455660001)
    read = [cmpp.submit_of(body, Version.V3 if wide else Version.V2) for body in ismg.submits]
    assert "".join(s.content[6:].decode("utf-16-be") for s in read) == text
    assert [(s.total, s.place) for s in read] == [(3, 1), (3, 2), (3, 3)]
    assert {s.destinations for s in read} == {("13800138000",)}
    assert {(s.number, s.source, s.service) for s in read} == {("106912345", "900001", "HELP")}


async def test_a_wrong_password_is_named(tmp_path: Path) -> None:
    """A refused CONNECT keeps the link down and says why."""
    async with Ismg(secret="other") as ismg:
        channel = channel_to(ismg, tmp_path)
        async with running(channel, Gateway()):
            await until(lambda: len(ismg.connects) >= 2)
            assert not channel.link.up
            assert "0x3" in channel.link.why


async def test_a_gateway_that_falls_back_is_spoken_to_in_its_version(tmp_path: Path) -> None:
    """We offer 3.0, the gateway answers in 2.0: messages are read and answered in 2.0."""
    gateway = Gateway()
    async with (
        Ismg(wide=False) as ismg,
        running(channel_to(ismg, tmp_path, version=3.0), gateway),
    ):
        ismg.deliver(5, "13800138000", "路灯不亮".encode("utf-16-be"))
        await until(lambda: (5, 0) in ismg.results)
    assert gateway.texts == ["路灯不亮"]


async def test_a_gateway_that_proves_itself_wrongly_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Such gateways are in use: the link works, and an operator can know."""
    async with Ismg() as ismg:
        ismg.forged = True
        channel = channel_to(ismg, tmp_path)
        async with running(channel, Gateway()):
            await until(lambda: channel.link.up)
    assert "sms.carrier_unproven" in caplog.messages


async def test_links_end_and_come_back(tmp_path: Path) -> None:
    """A TERMINATE, a broken connection, silence and a length that cannot be: a new CONNECT each."""
    gateway = Gateway()
    async with Ismg() as ismg:
        channel = channel_to(ismg, tmp_path)
        async with running(channel, gateway):
            await until(lambda: channel.link.sessions == 1)
            ismg.write(header(2, 7))
            await until(lambda: channel.link.sessions == 2)
            assert header(0x80000002, 7) in ismg.answers
            ismg.write(header(8, 8))
            await until(lambda: header(0x80000008, 8, b"\0") in ismg.answers)
            ismg.reset()
            await until(lambda: channel.link.sessions == 3)
            ismg.silent = True
            await until(lambda: "heartbeats" in channel.link.why)
            ismg.silent = False
            await until(lambda: channel.link.sessions >= 4 and channel.link.up)
            await until(lambda: ismg.tests > 0)
            ismg.write(struct.pack(">III", 2**31, 5, 1))
            ismg.deliver(5, "13800138000", "路灯不亮".encode("utf-16-be"))
            await gateway.until(1)
