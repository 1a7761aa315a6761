"""Calls to a real worker: what callers do, and what becomes of it."""

import asyncio
import re
import secrets
import struct
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio

from channels.phone.g711 import ALAW_SILENCE
from tests.channels.phone.caller import SDP, calling, header, status
from tests.channels.phone.lines import Line, brisk, line, mute, noise, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """A line whose dialogue listens at once, for all tests of this module."""
    folder = tmp_path_factory.mktemp("line")
    async with line(settings(folder / "line", dialogue=mute(folder))) as up:
        yield up


async def test_an_answered_call_is_one_ticket_with_its_recording(shared: Line) -> None:
    """What the caller sent is on the ticket sample by sample, with both numbers."""
    sound = noise(2)
    async with calling(shared.at) as caller:
        assert status(await caller.call()) == 200
        await caller.speak(sound)
        assert status(await caller.bye()) == 200
        ticket = await shared.ticket(caller)
    assert shared.office.sound(ticket) == sound
    assert ticket.requester.phone == ticket.thread == "+8613800138000"
    assert (ticket.called, ticket.draft, ticket.undecodable) == ("12345", False, True)
    assert ticket.key == f"{caller.call_id};{caller.tag}"
    assert ticket.message_id == caller.call_id


async def test_a_call_broken_off_at_once_is_a_draft(shared: Line) -> None:
    """Nothing was said: the ticket is a draft with the number to call back."""
    async with calling(shared.at) as caller:
        await caller.call()
        await caller.bye()
        ticket = await shared.ticket(caller)
    assert (ticket.draft, ticket.undecodable, ticket.attachments) == (True, False, ())
    assert ticket.requester.phone == "+8613800138000"


async def test_loss_disorder_and_repeats_keep_the_clock(shared: Line) -> None:
    """A lost packet is silence, a late one goes to its place, a repeated one is nothing."""
    sound = noise(1, seed=2)
    async with calling(shared.at) as caller:
        await caller.call()
        frames = range(0, len(sound), 160)
        packets = [caller.packet(sound[at : at + 160], stamp=1000 + at) for at in frames]
        packets[10], packets[11] = packets[11], packets[10]
        packets.insert(20, packets[19])
        del packets[31]  # the thirtieth frame
        for packet in packets:
            caller.sound.send(packet, caller.media)
            await asyncio.sleep(0.005)
        await caller.bye()
        ticket = await shared.ticket(caller)
    recorded = shared.office.sound(ticket)
    lost = slice(30 * 160, 31 * 160)
    expected = bytearray(sound)
    expected[lost] = bytes([ALAW_SILENCE]) * 160
    assert recorded == bytes(expected)


@pytest.mark.parametrize("form", ["events", "no marker", "tripled", "info"])
async def test_keys_are_heard_once_in_every_form(shared: Line, form: str) -> None:
    """Eight keys arrive as eight keys, however they are sent; a flash is none."""
    keys = "12345*0#"
    async with calling(shared.at) as caller:
        await caller.call()
        for key in keys:
            if form == "info":
                caller.sequence += 1
                body = f"Signal={key}\r\nDuration=160\r\n"
                request = caller.request(
                    "INFO",
                    body,
                    branch="z9hG4bK" + secrets.token_hex(8),
                    kind="application/dtmf-relay",
                )
                caller.send(request)
                caller.send(request)  # sent again
                assert status(await caller.final(method="INFO")) == 200
            else:
                caller.press(key, marker=form != "no marker", times=3 if form == "tripled" else 1)
            await asyncio.sleep(0.01)
        caller.sound.send(caller.packet(bytes([16, 0x8A, 0, 160]), 101), caller.media)
        request = await caller.asked("BYE")  # the # ended the matter
        caller.reply(request, 200)
        ticket = await shared.ticket(caller)
    assert ticket.extra["keys"] == keys


async def test_the_worker_repeats_its_answer_until_the_ack(shared: Line) -> None:
    """A repeated INVITE makes no second call, and the 200 comes again until it is acknowledged."""
    async with calling(shared.at) as caller:
        invite = caller.request("INVITE", SDP.format(port=caller.sound.port))
        caller.send(invite)
        first = await caller.final()
        caller.send(invite)
        again = await caller.final()
        unasked = await caller.final()
        assert first == again == unasked
        caller.acknowledge(first)
        await caller.bye()
        ticket = await shared.ticket(caller)
    assert [c.key for c in shared.office.calls].count(ticket.key) == 1


async def test_hold_stops_our_sound_and_resume_brings_it_back(shared: Line) -> None:
    """On hold nothing is sent, and the answer says so; afterwards the packets come again."""
    async with calling(shared.at) as caller:
        await caller.call()
        for direction, expected in (("sendonly", "a=recvonly"), ("sendrecv", "a=sendrecv")):
            caller.sequence += 1
            body = SDP.format(port=caller.sound.port).replace("sendrecv", direction)
            caller.send(caller.request("INVITE", body, branch="z9hG4bK" + secrets.token_hex(8)))
            answer = await caller.final(method="INVITE")
            assert status(answer) == 200
            assert expected.encode() in answer
            caller.acknowledge(answer)
            await asyncio.sleep(0.1)
            while not caller.sound.got.empty():
                caller.sound.got.get_nowait()
            await asyncio.sleep(0.3)
            assert (caller.sound.got.qsize() > 10) == (direction == "sendrecv")
        await caller.bye()
        await shared.ticket(caller)


def _offers(port: int) -> dict[str, tuple[str, str, int]]:
    """Return descriptions with their type and the final answer that they get."""
    plain = SDP.format(port=port)
    multipart = (
        "--x1\r\nContent-Type: application/sdp\r\n\r\n" + plain + "--x1\r\n"
        "Content-Type: application/isup;version=itu-t92+\r\n\r\n\x01\x10\r\n--x1--\r\n"
    )
    g729 = plain.replace(f"{port} RTP/AVP 8 0 101", f"{port} RTP/AVP 18")
    two = plain.replace("m=audio", "m=video 4000 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=audio")
    form = "application/sdp"
    return {
        "plain": (plain, form, 200),
        "opus first": (plain.replace("AVP 8 0", "AVP 111 8 0"), form, 200),
        "video first": (two, form, 200),
        "AVPF": (plain.replace("RTP/AVP", "RTP/AVPF"), form, 200),
        "mu-law only": (plain.replace("8 0 101", "0"), form, 200),
        "no events": (plain.replace("8 0 101", "8"), form, 200),
        "LF only": (plain.replace("\r\n", "\n"), form, 200),
        "charset": (plain, "application/sdp;charset=utf-8", 200),
        "bandwidth": (plain.replace("t=0 0", "b=AS:64\r\nt=0 0"), form, 200),
        "c= in the media": (plain + "c=IN IP4 127.0.0.1\r\n", form, 200),
        "multipart": (multipart, "multipart/mixed;boundary=x1", 200),
        "held from the start": (plain.replace("sendrecv", "inactive"), form, 200),
        "G.729 only": (g729, form, 488),
        "SAVP": (plain.replace("RTP/AVP", "RTP/SAVP"), form, 488),
        "SAVPF": (plain.replace("RTP/AVP", "UDP/TLS/RTP/SAVPF"), form, 488),
        "port 0": (plain.replace(f"audio {port}", "audio 0"), form, 488),
        "IPv6": (plain.replace("IP4 127.0.0.1", "IP6 ::1"), form, 488),
        "nonsense": ("\x00\x01\x02", form, 488),
        "isup alone": ("\x01\x10", "application/isup", 415),
    }


@pytest.mark.parametrize("name", _offers(4000))
async def test_odd_offers_get_a_final_answer(shared: Line, name: str) -> None:
    """Every description is answered within a second, by a call or by what is wrong with it."""
    async with calling(shared.at) as caller:
        body, kind, expected = _offers(caller.sound.port)[name]
        caller.send(caller.request("INVITE", body, kind=kind))
        answer = await caller.final(1.0)
        assert status(answer) == expected
        caller.acknowledge(answer)
        if expected == 200:
            assert answer.count(b"m=") == body.count("m=")
            await caller.bye()
            await shared.ticket(caller)


def _tel(text: str) -> str:
    return text.replace("From: <sip:13800138000@127.0.0.1>", "From: <tel:+86-138-0013-8000>")


def _compact(text: str) -> str:
    names = {
        "Via": "v",
        "From": "f",
        "To": "t",
        "Call-ID": "i",
        "Contact": "m",
        "Content-Type": "c",
    }
    for name, short in names.items():
        text = text.replace(f"\r\n{name}: ", f"\r\n{short}:")
    return text


_FORMS: dict[str, Callable[[str], str]] = {
    "tel": _tel,
    "compact": _compact,
    "LF": lambda text: (
        text.partition("\r\n\r\n")[0].replace("\r\n", "\n") + "\n\n" + text.partition("\r\n\r\n")[2]
    ),
    "no contact": lambda text: re.sub(r"Contact: .*\r\n", "", text),
    "folded": lambda text: text.replace(";tag=", "\r\n ;tag=", 1),
    "no length": lambda text: re.sub(r"Content-Length: .*\r\n", "", text),
}


@pytest.mark.parametrize("name", _FORMS)
async def test_odd_requests_are_calls(shared: Line, name: str) -> None:
    """What other networks write in headers is understood: the call is answered and a ticket."""
    async with calling(shared.at) as caller:
        invite = caller.request("INVITE", SDP.format(port=caller.sound.port)).decode()
        caller.send(_FORMS[name](invite).encode())
        answer = await caller.final(1.0)
        assert status(answer) == 200
        caller.acknowledge(answer)
        await caller.bye()
        assert (await shared.ticket(caller)).requester.phone == "+8613800138000"


async def test_a_call_without_an_offer_is_answered_with_ours(shared: Line) -> None:
    """A late offer: ours goes out in the 200, the answer comes in the ACK, and sound flows."""
    sound = noise(0.5, seed=7)
    async with calling(shared.at) as caller:
        caller.send(caller.request("INVITE"))
        answer = await caller.final()
        assert b"a=rtpmap:8 PCMA/8000" in answer
        caller.acknowledge(answer, SDP.format(port=caller.sound.port))
        async with asyncio.timeout(1):
            await caller.sound.got.get()
        await caller.speak(sound, 0.005)
        await caller.bye()
        assert shared.office.sound(await shared.ticket(caller)) == sound


async def test_an_extension_that_we_lack_is_named(shared: Line) -> None:
    """A caller who insists on reliable provisional answers is told that we have none."""
    async with calling(shared.at) as caller:
        answer = await caller.call(extra="Require: 100rel\r\n")
        assert (status(answer), header(answer, "Unsupported")) == (420, "100rel")


@pytest.mark.parametrize(
    ("method", "expected"),
    [("MESSAGE", 501), ("SUBSCRIBE", 501), ("REFER", 501), ("UPDATE", 200), ("NOTIFY", 200)],
)
async def test_requests_within_a_call_are_answered(
    shared: Line, method: str, expected: int
) -> None:
    """Nobody in the network waits in vain, and the call goes on."""
    async with calling(shared.at) as caller:
        await caller.call()
        caller.sequence += 1
        caller.send(caller.request(method, branch="z9hG4bK" + secrets.token_hex(8)))
        assert status(await caller.final(1.0, method)) == expected
        assert status(await caller.bye()) == 200
        await shared.ticket(caller)


async def test_the_dialled_number_of_a_diverted_call_is_the_called_one(shared: Line) -> None:
    """A merged hotline: what was dialled stands in Diversion, who calls in P-Asserted-Identity."""
    extra = (
        "Diversion: <sip:12345@ims.example>;reason=unconditional\r\n"
        "Diversion: <tel:12315>;reason=unconditional\r\n"
        "P-Asserted-Identity: <tel:+8613912345678>\r\n"
    )
    async with calling(shared.at, "anonymous") as caller:
        await caller.call(extra=extra)
        await caller.bye()
        ticket = await shared.ticket(caller)
    assert (ticket.called, ticket.requester.phone) == ("12315", "+8613912345678")
    assert ticket.extra["diverted_by"] == "diversion"


async def test_record_routes_are_kept(shared: Line) -> None:
    """The answer repeats them, and our requests follow them in the same order."""
    extra = "Record-Route: <sip:127.0.0.1:1;lr>\r\nRecord-Route: <sip:127.0.0.1:2;lr>\r\n"
    async with calling(shared.at) as caller:
        answer = await caller.call(extra=extra)
        routes = re.findall(rb"^Record-Route: (.*)\r$", answer, re.MULTILINE)
        assert routes == [b"<sip:127.0.0.1:1;lr>", b"<sip:127.0.0.1:2;lr>"]
        caller.press("#")
        bye = await caller.asked("BYE")
        caller.reply(bye, 200)
        assert re.findall(rb"^Route: (.*)\r$", bye, re.MULTILINE) == routes
        assert bye.startswith(f"BYE sip:13800138000@127.0.0.1:{caller.sip.port} ".encode())
        await shared.ticket(caller)


async def test_prompts_reach_the_caller_in_time_and_whole(tmp_path: Path) -> None:
    """Packets of 20 ms with time stamps and numbers in a row; the prompt is what was rendered."""
    async with line(settings(tmp_path / "line", dialogue=brisk(tmp_path))) as up:
        spoken = (up.settings.home / "prompts" / "greeting.alaw").read_bytes()
        async with calling(up.at) as caller:
            await caller.call()
            packets: list[bytes] = []
            async with asyncio.timeout(5):
                while len(packets) < 100:
                    packets.append(await caller.sound.got.get())
            await caller.bye()
            await up.ticket(caller)
    heads = [struct.unpack_from(">BBHII", p) for p in packets]
    assert {(h[1], h[4], len(p)) for h, p in zip(heads, packets, strict=True)} == {
        (8, heads[0][4], 172)
    }
    assert {(b[2] - a[2]) & 0xFFFF for a, b in pairwise(heads)} == {1}
    assert {(b[3] - a[3]) & 0xFFFFFFFF for a, b in pairwise(heads)} == {160}
    heard = b"".join(p[12:] for p in packets)
    assert spoken in heard
    assert len(spoken) == 160
