"""Calls that we make: to have answers rated, to call back who was cut off, to phones on duty."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.base import Message
from channels.phone.callbacks import CallBacks
from channels.phone.link import Dial, Missed
from channels.phone.numbers import to_dial
from channels.phone.settings import CallBack
from channels.phone.voice import Prompts
from normalizer.errors import Unreachable
from tests.channels.phone.caller import calling, header, status
from tests.channels.phone.lines import Beep, Line, Office, brisk, line, noise, settings, until
from tests.channels.phone.seat import Seat, seated

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
NUMBER = "20261122-000001-7"
ANSWERED = Message(key="d1", text="已办结", number=NUMBER, kind="hotline.answer.answered")


@asynccontextmanager
async def owing(
    folder: Path, office: Office | None = None, **values: Any
) -> AsyncIterator[tuple[Line, Seat, CallBacks]]:
    """Give a line whose trunk leads to one telephone, and its list of calls."""
    async with seated() as phone:
        section = settings(
            folder / "line",
            dialogue=brisk(folder),
            port=phone.sip.port,
            call_back={"pause": "1s", "ring": "1s", **values},
        )
        async with line(section, office) as up:
            await until(lambda: not up.listener.trouble())
            assert up.listener.messenger is not None
            yield up, phone, up.listener.messenger


@pytest.mark.beside
async def test_an_answer_is_rated_by_a_key(tmp_path: Path) -> None:
    """The citizen is called, hears the scale, presses 2, and the rating is on the ticket."""
    async with owing(tmp_path) as (up, phone, calls):
        await calls.send("+8613800138000", ANSWERED)
        await calls.send("+8613800138000", ANSWERED)  # sent again: the same call
        invite = await phone.ring()
        assert invite.startswith(b"INVITE sip:13800138000@127.0.0.1 SIP/2.0")
        await phone.pick_up()
        phone.press("2")
        await up.office.until(lambda: bool(up.office.told))
        phone.reply(await phone.asked_by("BYE"), 200)
        await up.emptied()
        assert list(up.office.rated.values()) == [(NUMBER, "satisfied")]
        assert up.office.told == {"d1": (True, "said")}
        assert up.office.calls == up.office.added == []  # nothing was said
        await asyncio.sleep(1.5)
        assert len(phone.rung) == 1


@pytest.mark.beside
async def test_nobody_is_rung_more_than_three_times(tmp_path: Path) -> None:
    """Busy thrice: the answer counts as not delivered, and nobody is rung any more."""
    async with owing(tmp_path) as (up, phone, calls):
        await calls.send("+8613800138000", ANSWERED)
        for _ in range(3):
            await phone.ring()
            phone.answer(486)
            await phone.asked_by("ACK")
        await up.office.until(lambda: bool(up.office.told))
        assert up.office.told == {"d1": (False, "status 486")}
        assert list((up.settings.home / "owed").iterdir()) == []


@pytest.mark.beside
async def test_no_citizen_is_called_in_quiet_hours(tmp_path: Path) -> None:
    """A call that falls due in them waits for their end, on the disk."""
    office = Office(quiet_now="22:00-07:00")
    async with owing(tmp_path, office, quiet_hours="22:00-07:00") as (up, phone, calls):
        await calls.send("+8613800138000", ANSWERED)
        await asyncio.sleep(1.5)
        assert phone.rung == []
        (kept,) = (up.settings.home / "owed").iterdir()
        assert b'"tries":0' in kept.read_bytes()


@pytest.mark.beside
async def test_a_caller_who_was_cut_off_is_called_back(tmp_path: Path) -> None:
    """A draft's caller is called; what they say then, and its recording, join that ticket."""
    sound = noise(1, seed=61)
    async with owing(tmp_path) as (up, phone, _):
        async with calling(up.at) as caller:
            assert status(await caller.call()) == 200
            await caller.bye()
            assert (await up.ticket(caller)).draft
        await phone.ring()
        await phone.pick_up()
        await phone.speak(sound)
        phone.press("#")
        await up.office.until(lambda: bool(up.office.added))
        phone.reply(await phone.asked_by("BYE", 10), 200)
        await up.emptied()
        (added,) = up.office.added
        assert added.continues == "20261122-000001-7"
        assert sound in up.office.sound(added)
        assert len(up.office.calls) == 1
        assert list((up.settings.home / "owed").iterdir()) == []


@pytest.mark.beside
async def test_a_phone_on_duty_is_told_at_once(tmp_path: Path) -> None:
    """An alarm of the ladder is spoken, quiet hours or not; answered, it is done."""
    office = Office(quiet_now="22:00-07:00")
    async with owing(tmp_path, office, quiet_hours="22:00-07:00") as (up, phone, calls):
        await calls.send("+8655712345678", Message(key="r1", text="火灾待签收", urgent=True))
        invite = await phone.ring()
        assert invite.startswith(b"INVITE sip:055712345678@")
        await phone.pick_up()
        await phone.speak(noise(0.7))  # whoever is on duty says something, which is no ticket
        phone.reply(await phone.asked_by("BYE", 15), 200)
        await until(lambda: list((up.settings.home / "owed").iterdir()) == [])
        assert up.office.calls == []


@pytest.mark.beside
async def test_a_server_that_is_killed_while_it_rings_is_one_try(tmp_path: Path) -> None:
    """The try was written down before: the next worker rings again, and not more than allowed."""
    async with owing(tmp_path, tries=2) as (up, phone, calls):
        await calls.send("+8613800138000", ANSWERED)
        await phone.ring()
        pid = up.listener.supervisors[0].running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await phone.ring(10)
        phone.answer(486)
        await phone.asked_by("ACK")
        await up.office.until(lambda: bool(up.office.told))
        assert up.office.told["d1"][0] is False
        assert len(phone.rung) == 2


@pytest.mark.beside
async def test_a_call_that_is_challenged_is_made(tmp_path: Path) -> None:
    """407 from the trunk: the second INVITE has our credentials, and the same call goes on."""
    async with owing(tmp_path) as (up, phone, calls):
        await calls.send("+8613800138000", ANSWERED)
        first = await phone.ring()
        phone.answer(407, 'Proxy-Authenticate: Digest realm="city", nonce="abc"\r\n')
        await phone.asked_by("ACK")
        again = await phone.ring()
        assert header(again, "Call-ID") == header(first, "Call-ID")
        assert header(again, "Proxy-Authorization").startswith('Digest username="12345"')
        await phone.pick_up()
        phone.press("1")
        await up.office.until(lambda: bool(up.office.rated))
        phone.reply(await phone.asked_by("BYE"), 200)


@pytest.mark.beside
async def test_what_needs_no_call_makes_none(tmp_path: Path) -> None:
    """Acknowledgements were heard in the call; news that is no answer rings nobody."""
    dialled: list[Dial] = []

    def dial(call: Dial) -> bool:
        dialled.append(call)
        return True

    prompts = Prompts(tmp_path / "prompts", Beep())
    calls = CallBacks(tmp_path / "owed", CallBack(ratings=False), prompts, dial, lambda: NOW)
    await calls.send("+8613800138000", Message(key="1", text="x", number=NUMBER, acknowledges=True))
    await calls.send("+8613800138000", Message(key="2", text="x", number=NUMBER, kind="hotline.answer.extended"))  # fmt: skip
    await calls.send("+8613800138000", ANSWERED)  # ratings are switched off
    with pytest.raises(Unreachable):
        await calls.send("call:a@b;t", ANSWERED)
    assert not (tmp_path / "owed").exists()
    assert dialled == []


@pytest.mark.beside
async def test_a_line_without_room_costs_no_try(tmp_path: Path) -> None:
    """Nobody was rung: the call is owed as before, a minute later; a crash forgets nothing."""
    clock = [NOW]
    dialled: list[Dial] = []

    def dial(call: Dial) -> bool:
        dialled.append(call)
        return True

    def calls() -> CallBacks:
        prompts = Prompts(tmp_path / "prompts", Beep())
        return CallBacks(tmp_path / "owed", CallBack(tries=1), prompts, dial, lambda: clock[0])

    first = calls()
    await first.send("+8613800138000", ANSWERED)
    for expected in (1, 2, 3):
        listed = calls()  # as after a crash
        run = asyncio.create_task(listed.run())
        await until(lambda n=expected: len(dialled) == n)
        await listed.missed(Missed(id=dialled[-1].id, why="no room", rang=False))
        run.cancel()
        clock[0] += timedelta(minutes=2)
    listed = calls()
    run = asyncio.create_task(listed.run())
    await until(lambda: len(dialled) == 4)
    await listed.missed(Missed(id=dialled[-1].id, why="status 486"))
    run.cancel()
    assert list((tmp_path / "owed").iterdir()) == []


@pytest.mark.parametrize(
    ("number", "dialled"),
    [
        ("+8613800138000", "13800138000"),
        ("+865573022222", "05573022222"),
        ("+861012345678", "01012345678"),
        ("+8612345", "12345"),
        ("+85221234567", "0085221234567"),
        ("110", "110"),
    ],
)
def test_numbers_are_dialled_as_at_home(number: str, dialled: str) -> None:
    """Mobile numbers bare, others with their area code, foreign ones with 00."""
    assert to_dial(number) == dialled


@pytest.mark.parametrize("span", ["", "21:00", "21:00-21:00", "9-10", "25:00-08:00"])
def test_a_span_of_quiet_hours_is_two_times_of_day(span: str) -> None:
    """Anything else is refused with an example."""
    with pytest.raises(ValidationError, match="21:00-08:00"):
        CallBack(quiet_hours=span)


def test_a_table_of_ones_own_must_know_the_calls(tmp_path: Path) -> None:
    """Where we call, the dialogue says how each kind of call begins; else the section is refused."""
    table = brisk(tmp_path)
    settings(tmp_path, dialogue=table, call_back={})
    table.write_text(
        table.read_text("utf-8").replace("alarm: alarm}", "}").replace(", }", "}"), "utf-8"
    )
    with pytest.raises(ValidationError):
        settings(tmp_path, dialogue=table, call_back={})
