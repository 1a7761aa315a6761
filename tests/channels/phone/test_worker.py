"""The life of a worker: room, silence, crashes, and a gateway that is away."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.channels.phone.caller import SDP, calling, header, status
from tests.channels.phone.lines import (
    Line,
    Office,
    brisk,
    line,
    mute,
    noise,
    settings,
    until,
    until_up,
)


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[Line]:
    """A line of this test alone, whose dialogue listens at once."""
    async with line(settings(tmp_path / "line", dialogue=mute(tmp_path))) as up:
        yield up


@pytest.mark.beside
async def test_a_cancelled_call_makes_no_ticket(tmp_path: Path) -> None:
    """CANCEL before the answer: 200 to it, 487 to the INVITE, and nothing is left of the call."""
    async with line(settings(tmp_path / "line", ring="3s")) as up, calling(up.at) as caller:
        caller.send(caller.request("INVITE", SDP.format(port=caller.sound.port)))
        async with asyncio.timeout(2):
            while status(await caller.sip.got.get()) != 180:
                pass
        caller.send(caller.request("CANCEL"))
        answers = {
            header(a, "CSeq"): status(a) for a in [await caller.final(), await caller.final()]
        }
        assert answers == {"1 CANCEL": 200, "1 INVITE": 487}
        async with calling(up.at) as other:
            other.send(other.request("OPTIONS"))
            assert status(await other.final()) == 200
        assert up.office.calls == []
        assert up.left() == []


@pytest.mark.beside
async def test_calls_beyond_the_room_are_sent_elsewhere(tmp_path: Path) -> None:
    """With one place taken the next caller gets 503 with Retry-After, and the place is free again."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path), max_calls=1)
    async with line(section) as up, calling(up.at) as first, calling(up.at) as second:
        assert status(await first.call()) == 200
        refused = await second.call()
        assert (status(refused), header(refused, "Retry-After")) == (503, "5")
        await first.bye()
        await up.office.until(lambda: len(up.office.calls) == 1)
        async with calling(up.at) as third:
            assert status(await third.call()) == 200
            await third.bye()
        await up.office.until(lambda: len(up.office.calls) == 2)


@pytest.mark.beside
async def test_a_port_that_somebody_else_has_costs_no_call(tmp_path: Path) -> None:
    """The next port is taken instead; only where none is free a caller is sent elsewhere."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    first, _ = section.rtp_ports
    section = section.model_copy(update={"rtp_ports": (first, first + 5)})
    others = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    async with line(section) as up:
        try:
            for at, other in enumerate(others):
                other.bind(("127.0.0.1", first + 2 * at))
            async with calling(up.at) as caller, calling(up.at) as second:
                answer = await caller.call()
                assert f"m=audio {first + 4} ".encode() in answer
                assert status(await second.call()) == 503
                await caller.bye()
                await up.ticket(caller)
        finally:
            for other in others:
                other.close()


@pytest.mark.beside
async def test_a_call_without_sound_ends_with_its_ticket(tmp_path: Path) -> None:
    """Dead media: the worker hangs up and the call is a ticket."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path), no_media="1s")
    async with line(section) as up, calling(up.at) as caller:
        await caller.call()
        caller.reply(await caller.asked("BYE"), 200)
        await up.office.until(lambda: len(up.office.calls) == 1)
        assert up.office.calls[0].extra["how"] == "no_media"


@pytest.mark.beside
async def test_without_the_gateway_calls_are_answered_and_delivered_once_later(
    tmp_path: Path,
) -> None:
    """The worker outlives a gateway, keeps what was said, and hands it over once."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    office = Office(away=True)
    sound = noise(1, seed=3)
    async with line(section, office) as up, calling(up.at) as caller:
        await caller.call()
        await caller.speak(sound, 0.005)
        await caller.bye()
        await until(lambda: len(up.left()) == 3)
        office.away = False
        await office.until(lambda: len(office.calls) == 1, 25)
        await up.emptied()
    assert office.sound(office.calls[0]) == sound


async def test_a_killed_worker_is_back_and_its_recording_too(quiet: Line) -> None:
    """After SIGKILL another worker answers within five seconds, and delivers what was recorded."""
    sound = noise(2, seed=4)
    async with calling(quiet.at) as caller:
        await caller.call()
        await caller.speak(sound)
        pid = quiet.listener.supervisors[0].running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until_up(quiet, 5)
        await quiet.office.until(lambda: len(quiet.office.calls) == 1)
        ticket = quiet.office.calls[0]
        recorded = quiet.office.sound(ticket)
        assert sound.startswith(recorded)
        assert len(recorded) >= len(sound) - 8000
        assert ticket.extra["how"] == "crash"
        async with calling(quiet.at) as other:
            assert status(await other.call()) == 200
            await other.bye()
        await quiet.office.until(lambda: len(quiet.office.calls) == 2)


@pytest.mark.beside
async def test_the_worker_outlives_a_killed_gateway(tmp_path: Path) -> None:
    """A listener that vanishes leaves its worker; the next one adopts it, and its calls."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    office = Office()
    async with line(section, office) as first:
        pid = first.listener.supervisors[0].running()
        first.listener.supervisors[0].stop = _leave  # type: ignore[method-assign]  # as a kill would
        first.run.cancel()
        await asyncio.gather(first.run, return_exceptions=True)
        async with calling(first.at) as caller:
            assert status(await caller.call()) == 200
            await caller.speak(noise(0.5), 0.005)
            await caller.bye()
    async with line(section, office) as second:
        assert second.listener.supervisors[0].running() == pid
        assert second.listener.supervisors[0].starts == 0
        await office.until(lambda: len(office.calls) == 1)
    assert second.listener.supervisors[0].running() is None
    process = first.listener.supervisors[0].process
    assert process is not None
    assert await process.wait() == 0


async def _leave(within_s: float) -> None:
    del within_s


@pytest.mark.parametrize("seats", [None, "sip:seats@127.0.0.1:5080"])
async def test_a_caller_whom_no_seat_takes_stays_with_us(tmp_path: Path, seats: str | None) -> None:
    """Without seats, or refused by them, the caller is told so and can say what they want."""
    section = settings(
        tmp_path / "line", dialogue=brisk(tmp_path), seats=seats, put_through="refer"
    )
    async with line(section) as up, calling(up.at) as caller:
        await caller.call()
        caller.press("0")
        if seats is not None:
            caller.reply(await caller.asked("REFER"), 603)
        await caller.speak(noise(1), 0.01)
        caller.press("#")
        caller.reply(await caller.asked("BYE"), 200)
        ticket = await up.ticket(caller)
    assert (ticket.draft, len(ticket.attachments)) == (False, 1)
    assert ticket.extra["how"] == "said"
