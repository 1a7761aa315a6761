"""Several workers on one line, behind the Kamailio whose configuration is shipped."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from channels.phone.channel import worker_settings
from channels.phone.link import Call
from tests.channels.phone.caller import Caller, calling, header, status
from tests.channels.phone.lines import Line, brisk, line, mute, noise, ports, settings, until
from tests.channels.phone.registrar import kamailio
from tests.channels.phone.seat import seated

CONFIG = Path(__file__).parents[3] / "config" / "kamailio" / "kamailio.cfg"


@asynccontextmanager
async def dispatched(
    folder: Path, trunk: str = "127.0.0.1", **values: Any
) -> AsyncIterator[tuple[Line, tuple[str, int]]]:
    """Give a line of two workers and the address of the Kamailio in front of them."""
    front = ports(2)
    first = ports(86)
    values.setdefault("dialogue", mute(folder))
    section = settings(
        folder / "line",
        workers=2,
        local_port=first,
        rtp_ports=[first + 4, first + 83],
        server="127.0.0.1",
        port=front,
        **values,
    )
    listed = [f"1 sip:127.0.0.1:{first}", f"1 sip:127.0.0.1:{first + 1}", f"2 sip:{trunk}:9"]
    (folder / "dispatcher.list").write_text("\n".join(listed) + "\n")
    given = {
        "LISTEN": f"udp:127.0.0.1:{front}",
        "DISPATCHER": f'"{folder / "dispatcher.list"}"',
        "LINE_PASSWORD": '"secret"',
        "SEATS_PASSWORD": '"geheim"',
    }
    async with line(section) as up, kamailio(CONFIG, front, folder, **given) as at:
        yield up, at


def pid_of(up: Line, worker: int) -> int:
    """Return the process of a worker."""
    pid = up.listener.supervisors[worker].running()
    assert pid is not None
    return pid


@pytest.mark.beside
async def test_a_line_gives_its_workers_their_shares(tmp_path: Path) -> None:
    """Each has a port, ports for sound, a folder and a place among the account's contacts."""
    section = settings(tmp_path, local_port=30000, rtp_ports=[31000, 31008], workers=2)
    first, second = worker_settings(section, "")
    assert (first.local_port, second.local_port) == (30000, 30001)
    assert (first.rtp_ports, second.rtp_ports) == ((31000, 31003), (31004, 31007))
    assert first.max_calls == second.max_calls == 2
    assert first.priority > second.priority
    assert first.socket == second.socket
    assert first.spool != second.spool
    with pytest.raises(ValidationError, match="two ports a call"):
        settings(tmp_path, rtp_ports=[31000, 31005], workers=4)
    with pytest.raises(ValidationError, match="part them"):
        settings(tmp_path, local_port=30999, rtp_ports=[31000, 31099], workers=2)


@pytest.mark.beside
async def test_two_workers_register_one_account_and_share_its_calls(tmp_path: Path) -> None:
    """Both contacts are known to the registrar, the calls go to both, and each is a ticket."""
    async with dispatched(tmp_path, registration=True, password="secret") as (up, at):
        await until(lambda: up.listener.trouble() is None and up.listener.weakness() is None)
        answered = [await _short(at, f"1390000000{n}") for n in range(4)]
        await up.office.until(lambda: len(up.office.calls) == 4)
    assert len({target for target in answered if target}) == 2
    assert {call.key for call in up.office.calls if call.attachments}


async def _short(at: tuple[str, int], number: str) -> str:
    async with calling(at, number) as caller:
        assert status(await caller.call()) == 200
        await caller.speak(noise(0.3), 0.005)
        assert status(await caller.bye()) == 200
        return caller.target


@pytest.mark.beside
async def test_a_call_that_one_worker_has_no_room_for_goes_to_the_other(tmp_path: Path) -> None:
    """One place each: two callers talk, the third hears 503, and a place that is free is found."""
    async with dispatched(tmp_path, max_calls=1) as (up, at):
        async with calling(at) as one, calling(at) as two, calling(at) as three:
            assert {status(await one.call()), status(await two.call())} == {200}
            assert one.target != two.target
            refused = await three.call()
            assert (status(refused), header(refused, "Retry-After")) == (503, "5")
            await one.bye()
            await up.office.until(lambda: len(up.office.calls) == 1)
            async with calling(at) as four:
                assert status(await four.call()) == 200
                assert four.target == one.target
                await four.bye()
            await two.bye()
        await up.office.until(lambda: len(up.office.calls) == 3)


@pytest.mark.beside
async def test_a_caller_is_put_through_to_a_seat_that_registered(tmp_path: Path) -> None:
    """The worker calls by the proxy; both legs keep their routes, and each end hangs up its own."""
    given = {"seats": "sip:seats@127.0.0.1", "put_through": "bridge", "dialogue": brisk(tmp_path)}
    sound = noise(1, seed=71)
    async with dispatched(tmp_path, **given) as (up, at), calling(at) as caller, seated() as seat:
        await seat.register(at, "geheim")
        assert status(await caller.call()) == 200
        caller.press("0")
        await seat.ring()
        await seat.pick_up()
        await asyncio.gather(seat.speak(sound), caller.speak(sound))
        assert status(await caller.bye()) == 200
        seat.reply(await seat.asked_by("BYE"), 200)
        ticket = await up.ticket(caller)
        await up.emptied()
    assert len(ticket.attachments) == 2
    assert up.office.files[ticket.attachments[1].sha256].endswith(sound)


@pytest.mark.beside
async def test_strangers_reach_no_worker(tmp_path: Path) -> None:
    """Who is neither the trunk nor registered is asked who they are, and a false seat is refused."""
    async with dispatched(tmp_path, trunk="127.0.0.9") as (up, at):
        async with calling(at) as stranger:
            assert status(await stranger.call()) == 407
        async with seated() as seat:
            with pytest.raises(AssertionError, match="401"):
                await seat.register(at, "guessed")
        assert up.office.calls == []


@pytest.mark.beside
async def test_a_killed_worker_loses_no_later_call_and_no_recording(tmp_path: Path) -> None:
    """SIGKILL of one of two at six calls a second: all later calls are answered by somebody."""
    sound = noise(3, seed=21)
    async with dispatched(tmp_path) as (up, at), asyncio.TaskGroup() as group:
        async with calling(at) as one, calling(at) as two:
            assert {status(await one.call()), status(await two.call())} == {200}
            speaking = [group.create_task(c.speak(sound)) for c in (one, two)]
            calls = [group.create_task(_later(at, n)) for n in range(36)]
            await asyncio.wait(speaking, timeout=2)
            os.kill(pid_of(up, 0), signal.SIGKILL)
            await asyncio.wait(speaking)
            assert await asyncio.gather(*calls) == [200] * 36
            dead = one if one.target.endswith(f":{up.at[1]}") else two
            alive = two if dead is one else one
            assert status(await alive.bye()) == 200
            cut, whole = await up.ticket(dead), await up.ticket(alive)
            assert cut.extra["how"] == "crash"
            assert sound.startswith(up.office.sound(cut))
            assert len(up.office.sound(cut)) >= 8000  # of two seconds, all but the last
            assert up.office.sound(whole) == sound
            await until(lambda: up.listener.trouble() is None and up.listener.weakness() is None)
        await up.emptied(20)


async def _later(at: tuple[str, int], n: int) -> int:
    """Call, the ``n``-th sixth of a second from now, and say nothing for a while."""
    await asyncio.sleep(n / 6)
    async with calling(at, f"137{n:08}") as caller:
        answer = await caller.call(within_s=8)
        await asyncio.sleep(0.2)
        await _ended(caller)
        return status(answer)


async def _ended(caller: Caller) -> None:
    """Hang up; whoever had the call may be gone."""
    try:
        await caller.bye()
    except TimeoutError:
        return


@pytest.mark.beside
async def test_calls_of_a_worker_that_is_no_more_are_taken_over(tmp_path: Path) -> None:
    """A line that has fewer workers than before: the first hands over what the others left."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    left = section.home / "calls-3"
    left.mkdir(parents=True)
    sound = noise(1, seed=8)
    known = Call(id="1-x", call_id="a@b", from_tag="t", caller="13800138000", called="12345",
                 answered_at=1_790_000_000.0)  # fmt: skip
    (left / "1-x.call").write_bytes(msgspec.json.encode(known))
    (left / "1-x.alaw").write_bytes(sound)
    async with line(section) as up:
        await up.office.until(lambda: len(up.office.calls) == 1)
        await up.emptied()
    assert up.office.sound(up.office.calls[0]) == sound
    assert up.office.calls[0].extra["how"] == "crash"


@pytest.mark.beside
async def test_one_invite_that_two_workers_answered_is_heard_twice(tmp_path: Path) -> None:
    """The first died with it: what the second heard is a ticket of its own, nothing is lost."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    spool = section.home / "calls"
    spool.mkdir(parents=True)
    sounds = {"1-a": b"", "2-b": noise(1, seed=8)}
    for name, sound in sounds.items():
        known = Call(id=name, call_id="a@b", from_tag="t", caller="13800138000", called="12345",
                     answered_at=1_790_000_000.0, ended_at=1_790_000_001.0, how="said",
                     spoke=bool(sound), octets=len(sound))  # fmt: skip
        (spool / f"{name}.done").write_bytes(msgspec.json.encode(known))
        (spool / f"{name}.alaw").write_bytes(sound)
    async with line(section) as up:
        await up.office.until(lambda: len(up.office.calls) == 2)
        await up.emptied()
    (heard,) = [up.office.sound(call) for call in up.office.calls if call.attachments]
    assert heard == sounds["2-b"]
    assert len(up.office.taken) == 2
