"""Putting callers through by a bridge of our own: two sides, three sides, nobody there."""

import asyncio
import hashlib
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from channels.phone.g711 import mix
from channels.phone.wav import read_wav
from normalizer.schema import Inbound
from tests.channels.phone.caller import Caller, calling, header, status
from tests.channels.phone.lines import Line, brisk, line, noise, ports, settings, until
from tests.channels.phone.seat import Seat, seated
from tests.channels.phone.sipp import SCENARIOS


@asynccontextmanager
async def bridging(folder: Path, **values: object) -> AsyncIterator[tuple[Line, Seat]]:
    """Give a line whose seats are one telephone."""
    async with seated() as seat:
        given = {"seats": seat.uri, "put_through": "bridge", **values}
        if "dialogue" not in given:
            given["dialogue"] = brisk(folder)
        async with line(settings(folder / "line", **given)) as up:
            up.office.rung = seat.rung
            yield up, seat


async def talking(up: Line, caller: Caller, seat: Seat, extra: str = "") -> None:
    """Have the caller put through to the seat."""
    assert status(await caller.call()) == 200
    caller.press("0")
    await seat.ring()
    await seat.pick_up(extra)
    assert up.office.calls == []


async def heard(listener: Caller, sound: bytes, within_s: float = 8.0) -> None:
    """Return once the listener has heard nine tenths of a sound's packets, in their order."""
    wanted = [sound[at : at + 160] for at in range(0, len(sound), 160)]
    at, found = 0, 0
    async with asyncio.timeout(within_s):
        while found < 0.9 * len(wanted):
            frame = (await listener.sound.got.get())[12:]
            if frame in wanted[at:]:
                at, found = wanted.index(frame, at) + 1, found + 1


def recordings(up: Line, ticket: Inbound) -> list[tuple[str, bytes]]:
    """Return name and sound of each recording of a ticket."""
    return [(a.name, read_wav(up.office.files[a.sha256]).data) for a in ticket.attachments]


async def test_caller_and_seat_hear_each_other_and_both_are_recorded(tmp_path: Path) -> None:
    """Packets go from one to the other as they are; the ticket has a recording of each side."""
    ours, theirs = noise(1, seed=31), noise(1, seed=32)
    async with bridging(tmp_path) as (up, seat), calling(up.at) as caller:
        await talking(up, caller, seat)
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.speak(ours))
            group.create_task(seat.speak(theirs))
            group.create_task(heard(seat, ours))
            group.create_task(heard(caller, theirs))
        await caller.bye()
        seat.reply(await seat.asked_by("BYE"), 200)
        ticket = await up.ticket(caller)
        await up.emptied()
    assert (ticket.text, ticket.draft) == ("（已转接人工坐席）", False)
    (first, caller_said), (second, seat_said) = recordings(up, ticket)
    assert ours in caller_said
    assert theirs == seat_said
    assert re.fullmatch(r"recording-\d{8}T\d{6}Z\.wav", first)
    assert re.fullmatch(r"recording-\d{8}T\d{6}Z-seats\.wav", second)
    assert '"13800138000"' in seat.rung[0]  # the seat sees who calls


@pytest.mark.beside
async def test_a_trunk_that_takes_no_refer_has_the_caller_bridged(tmp_path: Path) -> None:
    """501 to REFER, then SIPp answers as the seat and sends back what it hears."""
    first = ports(4)
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sf", str(SCENARIOS / "seat.xml"), "-i", "127.0.0.1", "-mi", "127.0.0.1",
        "-p", str(first), "-mp", str(first + 2), "-rtp_echo", "-m", "1", "-nostdin",
        "-timeout", "30", "-timeout_error",
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    section = settings(
        tmp_path / "line", dialogue=brisk(tmp_path), seats=f"sip:seats@127.0.0.1:{first}"
    )
    sound = noise(1, seed=33)
    async with line(section) as up, calling(up.at) as caller:
        await caller.call()
        caller.press("0")
        caller.reply(await caller.asked("REFER"), 501)
        spool = up.spool
        await until(lambda: bool(list(spool.glob("*.1.alaw"))))  # the seat has answered
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.speak(sound))
            group.create_task(heard(caller, sound))
        await caller.bye()
        ticket = await up.ticket(caller)
        assert await process.wait() == 0
    assert len(ticket.attachments) == 2


@pytest.mark.beside
async def test_a_seat_that_hangs_up_ends_the_call_with_its_ticket(tmp_path: Path) -> None:
    """The last one who talked with the caller has gone: so do we."""
    async with bridging(tmp_path) as (up, seat), calling(up.at) as caller:
        await talking(up, caller, seat)
        await seat.hang_up()
        caller.reply(await caller.asked("BYE"), 200)
        ticket = await up.ticket(caller)
    assert ticket.extra["how"] == "transferred"


@pytest.mark.parametrize("how", ["refused", "silent", "given up"])
async def test_a_caller_whom_nobody_takes_is_told_and_stays(tmp_path: Path, how: str) -> None:
    """Busy, or ringing for too long: the seat's telephone stops, and the matter is recorded."""
    table = brisk(tmp_path)
    table.write_text(table.read_text("utf-8").replace("wait: 45s", "wait: 1s"), "utf-8")
    async with bridging(tmp_path, dialogue=table) as (up, seat), calling(up.at) as caller:
        await caller.call()
        caller.press("0")
        await seat.ring()
        if how == "refused":
            seat.answer(486)
        elif how == "silent":
            seat.reply(await seat.asked_by("CANCEL"), 200)
            seat.answer(487)
        else:  # the answer and the CANCEL meet on the way
            await seat.asked_by("CANCEL")
            seat.answer(200)
        await seat.asked_by("ACK")
        if how == "given up":
            seat.reply(await seat.asked_by("BYE"), 200)
        await caller.speak(noise(1), 0.01)
        caller.press("#")
        caller.reply(await caller.asked("BYE"), 200)
        ticket = await up.ticket(caller)
    assert (ticket.draft, len(ticket.attachments), ticket.extra["how"]) == (False, 1, "said")


@pytest.mark.beside
async def test_a_caller_who_gives_up_stops_the_ringing(tmp_path: Path) -> None:
    """The seat's telephone rings for nobody."""
    async with bridging(tmp_path) as (up, seat), calling(up.at) as caller:
        await caller.call()
        caller.press("0")
        await seat.ring()
        await caller.bye()
        seat.reply(await seat.asked_by("CANCEL"), 200)
        seat.answer(487)
        await seat.asked_by("ACK")
        ticket = await up.ticket(caller)
    assert ticket.draft


@pytest.mark.parametrize("code", [401, 407])
@pytest.mark.beside
async def test_a_server_that_asks_who_we_are_is_answered(tmp_path: Path, code: int) -> None:
    """The second INVITE carries a digest of the password over the nonce, and rings."""
    names = {401: ("WWW-Authenticate", "Authorization"),
             407: ("Proxy-Authenticate", "Proxy-Authorization")}  # fmt: skip
    asks, answers = names[code]
    async with bridging(tmp_path, password="geheim") as (up, seat), calling(up.at) as caller:
        await caller.call()
        caller.press("0")
        await seat.ring()
        seat.answer(code, f'{asks}: Digest realm="city", nonce="abc", qop="auth"\r\n')
        await seat.asked_by("ACK")
        again = await seat.ring()
        given = dict(re.findall(r'(\w+)="?([^",]+)', header(again, answers)))
        first = _md5("12345:city:geheim")
        second = _md5(f"INVITE:{seat.uri}")
        whole = f"{first}:abc:{given['nc']}:{given['cnonce']}:auth:{second}"
        assert given["response"] == _md5(whole)
        assert header(again, "CSeq") == "2 INVITE"
        await seat.pick_up()
        await caller.bye()
        seat.reply(await seat.asked_by("BYE"), 200)
        await up.ticket(caller)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


async def test_a_desk_joins_the_caller_and_the_seat(tmp_path: Path) -> None:
    """*110# at the seat calls the desk in: three hear each other, and three are recorded."""
    sounds = [noise(2, seed=n) for n in (41, 42)]
    together = _together(sounds)
    async with (
        seated() as desk,
        bridging(tmp_path, desks={"110": desk.uri}) as (up, seat),
        calling(up.at) as caller,
    ):
        await talking(up, caller, seat)
        for key in "*110#":
            seat.press(key)
            await asyncio.sleep(0.02)
        await desk.ring()
        await desk.pick_up()
        async with asyncio.TaskGroup() as group:
            group.create_task(caller.speak(sounds[0]))
            group.create_task(seat.speak(sounds[1]))
            group.create_task(_mixed(desk, together))
        await seat.hang_up()  # the caller and the desk go on
        word = noise(0.5, seed=43)
        async with asyncio.TaskGroup() as group:
            group.create_task(desk.speak(word))
            group.create_task(heard(caller, word))
        await caller.bye()
        desk.reply(await desk.asked_by("BYE"), 200)
        ticket = await up.ticket(caller)
        names = [name.rpartition("-")[2] for name, _ in recordings(up, ticket)[1:]]
    assert names == ["seats.wav", "110.wav"]
    assert [(to, rung) for to, _, rung in up.office.popped] == [("seats", 0), ("110", 1)]


def _together(sounds: list[bytes]) -> set[bytes]:
    """Return what any frame of one sound and any of the other are together."""
    frames = [[s[at : at + 160] for at in range(0, len(s), 160)] for s in sounds]
    return {mix([one, two]) for one in frames[0] for two in frames[1]}


async def _mixed(listener: Caller, wanted: set[bytes]) -> None:
    """Return once the listener has heard twenty packets that are a frame of each sound together."""
    found = 0
    async with asyncio.timeout(10):
        while found < 20:
            found += (await listener.sound.got.get())[12:] in wanted


@pytest.mark.beside
async def test_a_call_is_shown_before_it_rings(tmp_path: Path) -> None:
    """The page has the caller's number and ticket before the seat's telephone rings."""
    async with bridging(tmp_path) as (up, seat), calling(up.at) as caller:
        await caller.call(extra="Diversion: <tel:12315>\r\n")
        caller.press("9")
        await up.ticket(caller)
        await caller.speak(noise(0.5), 0.005)
        caller.press("0")
        await seat.ring()
        ((to, call, rung),) = up.office.popped
        assert (to, call["caller"], call["called"], rung) == ("seats", "13800138000", "12315", 0)
        assert (call["number"], call["keys"]) == ("20261122-000001-7", "90")
        seat.answer(486)
        await caller.bye()
        await up.office.until(lambda: bool(up.rest(caller)))


@pytest.mark.beside
async def test_both_recordings_survive_a_killed_worker(tmp_path: Path) -> None:
    """SIGKILL while both talk: what each has said until then is on the ticket."""
    ours, theirs = noise(3, seed=51), noise(3, seed=52)
    async with bridging(tmp_path) as (up, seat), calling(up.at) as caller:
        await talking(up, caller, seat)
        await asyncio.gather(caller.speak(ours), seat.speak(theirs))
        pid = up.listener.supervisors[0].running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        ticket = await up.ticket(caller)
    (_, caller_said), (_, seat_said) = recordings(up, ticket)
    assert ours[: 8000 * 2] in caller_said
    assert theirs.startswith(seat_said)
    assert len(seat_said) >= 8000 * 2
