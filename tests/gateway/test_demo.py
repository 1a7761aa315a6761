"""The demonstration: what it prints, when it fails, and that its pages stay open."""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.commands.demo import demonstrate, serving
from gateway.demo import cast as casting
from gateway.demo.cast import configuration, started
from gateway.demo.peers import Arrival, LoopbackDesk, LoopbackOffice, new_secret
from gateway.demo.performance import perform
from gateway.demo.story import STORY, Lacking, Scene, Sent
from gateway.demo.table import columns_of, folded, table
from gateway.demo.verdict import ACCEPTED, ADDED, Run, faults
from gateway.demo.web import Web
from gateway.loopback import free_port
from gateway.peers.answers import code_in, number_in

ROOT = Path(__file__).parents[2]
NUMBER = re.compile(r"\d{8}-\d{6}-\d")


@pytest.fixture(scope="module")
def shown() -> str:
    """What ``gateway demo --once`` prints on a terminal of 120 columns."""

    async def once() -> tuple[int | None, str]:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "demo", "--once"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"COLUMNS": "120", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
        )
        out, err = await child.communicate()
        return child.returncode, f"{out.decode()}{err.decode()}"

    code, text = asyncio.run(once())
    assert code == 0, text
    return text


def _rows(shown: str) -> list[str]:
    """Return the rows of the printed table."""
    _, _, below = shown.partition("──\n")
    return below.split("\n\n")[: len(STORY)]


def test_every_channel_is_shown_with_its_answer(shown: str) -> None:
    """One row for each act, with ticket, destination, time and what the citizen was told."""
    rows = _rows(shown)
    assert len(rows) == len(STORY)
    assert "Everything arrived exactly once." in shown
    for label in ("app", "web form", "WeChat", "text message", "e-mail", "partner"):
        assert any(row.startswith(label) for row in rows)
    for row in rows:
        assert len(NUMBER.findall(row)) >= 1
        assert re.search(r"\d+ ms: \S", row)


def test_emergencies_reach_their_desks_by_four_ways(shown: str) -> None:
    """Each has its desks and the number to dial in its row, the back office, too."""
    rows = [row for row in _rows(shown) if "特急" in row]
    assert {row.split()[0] for row in rows} == {"app", "web", "WeChat", "text"}
    for row in rows:
        assert re.search(r"desk 1\d\d", row)
        assert "请立即拨打" in row
        assert "市" in row


def test_a_repeat_makes_no_second_ticket(shown: str) -> None:
    """What WeChat pushes again has the number of the first time, and goes nowhere again."""
    rows = _rows(shown)
    (index,) = (n for n, row in enumerate(rows) if "the same ticket" in row)
    assert "nowhere again" in rows[index]
    assert NUMBER.search(rows[index])[0] == NUMBER.search(rows[index - 1])[0]  # type: ignore[index]
    assert "14 messages became 12 tickets" in shown


def test_what_the_office_answers_is_in_the_citizens_chat(shown: str) -> None:
    """A customer-service message with the answer stands below the table."""
    _, _, told = " ".join(shown.split()).partition("as a customer-service message:")
    assert "有新进展" in told.partition("14 messages")[0]


def test_the_quickstart_shows_the_table_that_is_printed(shown: str) -> None:
    """Its heading and one row stand there as a terminal of 120 columns shows them."""
    page = (ROOT / "docs/quickstart.md").read_text("utf-8")
    sample = page.partition("```text\n")[2].partition("```")[0]
    assert sample.splitlines()[:2] == re.findall(r"^(?:channel|──).*$", shown, re.MULTILINE)
    (row,) = (row for row in _rows(shown) if "西昌路" in row)
    assert _left(sample.splitlines()[2:]) == _left(row.splitlines())


def _left(lines: list[str]) -> list[str]:
    """Return the first three cells of a row: the others' lines end where their times let them."""
    cut = [next((x[:n] for n in range(99) if columns_of(x[:n]) >= 59), x) for x in lines]
    return [NUMBER.sub("", line).rstrip() for line in cut]


def test_lines_fit_the_terminal(shown: str) -> None:
    """Nothing is broken by a terminal of 120 columns."""
    assert max(map(columns_of, shown.splitlines())) <= 120


def _fetched(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        return int(answer.status)


@pytest.mark.parametrize(
    ("ending", "charset"), [(signal.SIGTERM, "utf-8"), (signal.SIGINT, "ascii")]
)
async def test_the_pages_stay_open_until_a_signal(ending: signal.Signals, charset: str) -> None:
    """Form, progress, desk, console and state answer where it is printed; a signal ends it with 0.

    A terminal that knows no Chinese shows question marks instead.
    """
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "demo", "--port", str(free_port())),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONIOENCODING": charset},
    )
    assert child.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(120):
        while not lines or "/readyz" not in lines[-1]:
            line = (await child.stdout.readline()).decode()
            assert line, lines
            lines.append(line)
    shown = "".join(lines)
    pages = re.findall(r"^  .*?(http://\S+)$", shown, re.MULTILINE)
    assert [page.partition("/")[2].partition("/")[2].partition("/")[2] for page in pages] == [
        *("", "progress", "desk/119", "console/", "readyz")
    ]
    for page in pages:
        assert await asyncio.to_thread(_fetched, page) == 200
    assert re.search(r"number \d{8}-\d{6}-\d, query code \w{8}", shown)
    assert re.search(r"user demo, password [\w-]{16}$", shown, re.MULTILINE)
    assert ("特急" in shown) == (charset == "utf-8")
    child.send_signal(ending)
    assert await child.wait() == 0


def test_a_port_in_use_is_left_to_its_owner() -> None:
    """Where somebody listens on the wished port, another one is taken."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port(port) != port
    assert free_port(port) == port


# -- What it must not overlook


class Deaf(Web):
    """A channel that the gateway is never reached by."""

    name = "deaf"

    async def meet(self, gateway: str) -> None:
        """Give up."""
        raise TimeoutError(f"no answer of {gateway}")


class Absent(Web):
    """A channel whose programs are not installed."""

    name = "absent"

    async def start(self) -> Mapping[str, object] | None:
        """Say what is missing."""
        raise Lacking("pip install '.[absent]'")


class Silent(Web):
    """A channel whose carrier loses every answer."""

    async def play(self, scene: Scene) -> Sent:
        """Break off."""
        raise ConnectionResetError(scene.channel)


@contextlib.asynccontextmanager
async def _stage(*peers: Web) -> Any:
    office = LoopbackOffice(new_secret())
    await office.start()
    playing, sections, missing = await started(peers)
    async with serving(configuration(free_port(), office, sections)) as url:
        yield url, office, playing, missing
    await office.stop()


async def test_a_channel_that_is_not_installed_is_named_and_left_out() -> None:
    """The others are shown, and that one is missing is no fault."""
    async with _stage(Absent(), Web()) as (url, office, playing, missing):
        run, wrong = await perform(url, office, playing)
    assert missing == ["absent: pip install '.[absent]'"]
    assert (wrong, {one.scene.channel for one in run.sent}) == ([], {"web"})


async def test_a_channel_that_does_not_come_up_is_a_fault() -> None:
    """It is named, and the others are shown."""
    async with _stage(Deaf(), Web()) as (url, office, playing, _):
        run, wrong = await perform(url, office, playing)
    (fault,) = wrong
    assert fault.startswith("deaf: the gateway is not reached: TimeoutError")
    assert len(run.sent) == sum(scene.channel == "web" for scene in STORY)


async def test_a_carrier_that_breaks_off_is_a_fault() -> None:
    """No traceback: the row says what happened."""
    async with _stage(Silent()) as (url, office, playing, _):
        run, wrong = await perform(url, office, playing, patience_s=0)
    assert run.sent[0].answer == "ConnectionResetError: web"
    assert "web, no number: pushed to the back office 0 times" in wrong


async def test_a_missing_channel_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    """``--once`` tells by its exit code that not everything arrived."""
    arguments = argparse.Namespace(once=True, port=None)
    assert (
        await demonstrate(arguments, [Deaf(), Absent(), Web()], LoopbackOffice(new_secret())) == 1
    )
    out = capsys.readouterr().out
    assert "Not shown: absent: pip install '.[absent]'" in out
    assert "WRONG: deaf: the gateway is not reached" in out
    assert "NOT EVERYTHING ARRIVED AS IT SHOULD." in out
    assert await demonstrate(arguments, [Absent(), Web()], LoopbackOffice(new_secret())) == 0


FIRST, SECOND = "20261128-000001-9", "20261128-000002-7"
CALM = Scene("web", "路灯不亮")
FIRE = Scene("web", "着火了", calls=("119",))
AGAIN, PHOTO = replace(CALM, becomes="repeat"), replace(CALM, becomes="addition")


def _accepted(scene: Scene, number: str, **more: Any) -> Arrival:
    ticket = {
        "channel": {"kind": scene.channel},
        "content": {"original": scene.text},
        "services": list(scene.calls),
        "urgency": "emergency" if scene.calls else "normal",
        "urgency_label": "特急" if scene.calls else "一般",
        "type_label": "求助",
        "route": {"unit": "市长热线办"},
        **more,
    }
    return Arrival(ACCEPTED, number, 1.02, {"data": {"ticket": ticket}})


def _photo(number: str) -> Arrival:
    return Arrival(ADDED, number, 1.03, {"data": {"message": {"attachments": [{}]}}})


def _sent(scene: Scene, number: str, answer: str = "请立即拨打 119。") -> Sent:
    return Sent(scene, number, answer, 1.0, 1.01)


def _run(sent: list[Sent], arrivals: list[Arrival], desks: dict[str, float]) -> Run:
    office = LoopbackOffice(new_secret(), arrivals=arrivals)
    return Run(office, [LoopbackDesk("http://127.0.0.1:9", "119", reports=desks)], sent)


GOOD = (
    [_sent(CALM, FIRST), _sent(AGAIN, FIRST), _sent(PHOTO, FIRST), _sent(FIRE, SECOND)],
    [_accepted(CALM, FIRST), _photo(FIRST), _accepted(FIRE, SECOND)],
    {SECOND: 1.005},
)


def _with(sent: int | None = None, one: Any = None, **more: Any) -> Run:
    """Return the good run with one thing that was sent exchanged, or other arrivals or desks."""
    acts = list(GOOD[0])
    if sent is not None:
        acts[sent] = one
    return _run(acts, more.get("arrivals", GOOD[1]), more.get("desks", GOOD[2]))


def test_a_run_without_a_fault_has_none() -> None:
    """What is as it should be is not called wrong."""
    assert faults(_with()) == []


@pytest.mark.parametrize(
    ("run", "fault"),
    [
        (_with(0, _sent(CALM, FIRST, "")), "no answer"),
        (_with(0, _sent(CALM, "")), "no number: pushed to the back office 0 times"),
        (_with(1, _sent(AGAIN, SECOND)), "a repeat has a number of its own"),
        (_with(2, _sent(PHOTO, SECOND)), "did not join"),
        (_with(3, _sent(FIRE, FIRST)), "a ticket of another request"),
        (_with(3, _sent(FIRE, SECOND, "您的诉求已受理。")), "is not told to dial 119"),
        (_with(desks={}), "is on the screens of no desk"),
        (_with(desks={FIRST: 1.0, SECOND: 1.0}), "is on the screens of 119"),
        (_with(arrivals=GOOD[1][1:]), "pushed to the back office 0 times"),
        (_with(arrivals=[*GOOD[1], GOOD[1][0]]), "pushed to the back office 2 times"),
        (_with(arrivals=[GOOD[1][0], GOOD[1][2]]), "photo is not at the back office"),
        (_with(arrivals=[*GOOD[1], _accepted(CALM, "20261128-000003-5")]), "nobody was told of"),
        (
            _with(arrivals=[_accepted(CALM, FIRST, content={"original": "路灯"}), *GOOD[1][1:]]),
            "the words have changed",
        ),
        (
            _with(arrivals=[_accepted(CALM, FIRST, channel={"kind": "sms"}), *GOOD[1][1:]]),
            "came by sms",
        ),
        (
            _with(arrivals=[*GOOD[1][:2], _accepted(FIRE, SECOND, urgency="normal")]),
            "judged 特急 for 119",
        ),
    ],
)
def test_nothing_that_is_wrong_is_overlooked(run: Run, fault: str) -> None:
    """Each way to lose, double, change or misdirect something is told."""
    assert any(fault in found for found in faults(run))


# -- The table


@pytest.mark.parametrize("columns", [20, 80, 81, 97, 120, 140, 300])
def test_the_table_is_as_wide_as_the_terminal(columns: int) -> None:
    """No line is wider than the terminal, 80 columns at least and 140 at most."""
    words = "长" * 200 + " a-word-that-is-longer-than-any-column-" * 5
    run = _run([_sent(CALM, FIRST, words), *GOOD[0][1:]], GOOD[1], GOOD[2])
    lines = [*table(run, columns).splitlines(), *folded(words, columns).splitlines()]
    assert max(map(columns_of, lines)) <= max(80, min(140, columns))
    assert "".join(folded(words, columns).split()) == "".join(words.split())


def test_answers_are_read_as_citizens_read_them() -> None:
    """Number and query code are found among Chinese characters, and nothing else is."""
    told = "工单编号20261128-000001-9，查询码 3HC93CBQ，凭此可查询办理进度。"
    assert (number_in(told), code_in(told)) == (FIRST, "3HC93CBQ")
    assert (number_in("查询码有误，电话12345-678"), code_in("请稍后再试")) == ("", "")


def test_every_scene_has_its_channel() -> None:
    """Nobody is in the story who is not in the cast, nor the other way round."""
    assert {scene.channel for scene in STORY} == {
        peer.name for peer in casting.cast(LoopbackOffice(new_secret()))
    }
