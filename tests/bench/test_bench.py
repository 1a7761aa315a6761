"""The pieces of the benchmark, on loopback and without measuring for long."""

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.load import load as load_config
from gateway import plugins
from gateway.bench import load, table
from gateway.bench.paging import all_numbers
from gateway.bench.peers import EMBEDDED, PROCESSES, configure
from gateway.bench.run import judging
from gateway.bench.sink import sink
from gateway.configcheck import problems
from gateway.judge.assess import assess
from gateway.judge.rulebook import load as load_rulebook
from normalizer.schema import Urgency
from normalizer.text import fold, normalize_text

JOB = load.Job("127.0.0.1", 1, connections=2, seconds=0.2, every=3)


def test_the_same_seed_sends_the_same_and_each_connection_something_else() -> None:
    """A run can be repeated; no two citizens say the same."""
    first, again, other = (
        list(itertools.islice(load.bodies(JOB, offset), 50)) for offset in (0, 0, 1)
    )
    assert first == again
    assert not {body for body, _ in first} & {body for body, _ in other}
    assert len({body for body, _ in first}) == 50


def test_every_so_manieth_request_is_an_emergency() -> None:
    """As many as the job asks for, or none."""
    marks = [emergency for _, emergency in itertools.islice(load.bodies(JOB, 0), 9)]
    assert marks == [False, False, True] * 3
    none = load.Job("127.0.0.1", 1, connections=1, seconds=1)
    assert not any(emergency for _, emergency in itertools.islice(load.bodies(none, 0), 100))


def test_the_texts_are_what_they_are_sent_as() -> None:
    """The judge finds ordinary ones ordinary and the fire an emergency, or the figures lie."""
    rulebook = load_rulebook(None)
    for text in load.ORDINARY:
        judged = assess(normalize_text(text), fold(normalize_text(text)), rulebook)
        assert (judged.urgency is Urgency.EMERGENCY, judged.verify) == (False, False), text
    fire = normalize_text(load.EMERGENCY.format(n=88))
    assert assess(fire, fold(fire), rulebook).urgency is Urgency.EMERGENCY


class Answers:
    """A server that answers as a gateway does."""

    def __init__(self, status: int = 201) -> None:
        self.status = status
        self.bodies: list[dict[str, Any]] = []

    async def take(self, request: web.Request) -> web.Response:
        """Answer with a number."""
        self.bodies.append(await request.json())
        body = {"number": f"20261123-{len(self.bodies):06}-0", "status": "accepted"}
        return web.Response(
            status=self.status,
            body=json.dumps(body, separators=(",", ":")).encode(),
            content_type="application/json",
        )


async def loaded(answers: Answers, **more: Any) -> dict[str, Any]:
    """Return the result of a short load on a server."""
    app = web.Application()
    app.router.add_post("/api/v1/requests", answers.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    values: dict[str, Any] = {"connections": 2, "seconds": 0.3, "every": 2} | more
    job = load.Job("127.0.0.1", runner.addresses[0][1], **values)
    try:
        return load._result(job, await load.run(job), 0.3)
    finally:
        await runner.cleanup()


async def test_the_load_counts_what_was_answered() -> None:
    """Requests, statuses, numbers and the emergencies among them agree with the server's count."""
    answers = Answers()
    result = await loaded(answers)
    sent = len(answers.bodies)
    assert sent > 4
    assert result["requests"] == result["statuses"][201] == sent
    assert sorted(result["numbers"]) == [f"20261123-{n:06}-0" for n in range(1, sent + 1)]
    fires = sum("着火" in body["text"] for body in answers.bodies)
    assert len(result["emergencies"]) == fires > 0
    assert 0 < result["p50_ms"] <= result["p99_ms"]


async def test_what_was_not_accepted_counts_as_such() -> None:
    """A server that is overwhelmed does not look fast."""
    result = await loaded(Answers(503))
    assert result["statuses"].keys() == {503}
    assert (result["numbers"], result["emergencies"]) == ([], {})


async def test_a_rate_is_kept() -> None:
    """Twenty a second for three tenths of a second are six, give or take the first of each."""
    answers = Answers()
    await loaded(answers, rate=20.0)
    assert 2 <= len(answers.bodies) <= 8


async def test_a_server_that_goes_away_is_counted_and_ends_the_connection() -> None:
    """A killed server makes errors, not a hang."""

    async def slam(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.close()

    server = await asyncio.start_server(slam, "127.0.0.1", 0)
    job = load.Job("127.0.0.1", server.sockets[0].getsockname()[1], connections=3, seconds=5)
    tally = await load.run(job)
    server.close()
    await server.wait_closed()
    assert (tally.errors, tally.statuses) == (3, {})


async def test_the_sink_tells_events_from_repeats_and_holds_when_told() -> None:
    """What is counted as pushed was taken once."""
    async with sink() as office, aiohttp.ClientSession() as session:

        async def push(id_: str) -> int:
            async with session.post(office.url, data=b"{}", headers={"webhook-id": id_}) as answer:
                return answer.status

        assert [await push("a"), await push("b"), await push("a")] == [202, 202, 202]
        office.hold()
        assert await push("c") == 503
        assert office.release() == 2
        assert await push("c") == 202
        assert (office.taken, office.repeats) == (3, 1)


async def test_paging_follows_the_cursor_to_the_end() -> None:
    """Every number of every page is there."""
    pages = {"": (["1", "2"], "t2"), "t2": (["3"], None)}

    async def page(request: web.Request) -> web.Response:
        numbers, following = pages[request.query["after"]]
        assert request.headers["webhook-signature"].startswith("v1,")
        return web.json_response({"tickets": [{"number": n} for n in numbers], "next": following})

    app = web.Application()
    app.router.add_get("/api/v1/backoffice/backoffice/tickets", page)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:
        assert await all_numbers(session, url) == {"1", "2", "3"}
    await runner.cleanup()


@pytest.mark.parametrize("writer", [False, True])
def test_the_measured_gateway_has_a_sound_configuration(tmp_path: Path, *, writer: bool) -> None:
    """What is measured is what could be served."""
    loaded = load_config(configure(tmp_path, PROCESSES if writer else EMBEDDED))
    installed = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    assert problems(loaded, *installed) == []
    assert loaded.settings.store.url.endswith("?writer=process") is writer


def figures() -> dict[str, Any]:
    """Return figures of a run, as the table takes them."""
    one = {
        "per_second": 2000.4,
        "ratio": 0.5,
        "per_second_without_judge": 2500.0,
        "ratio_without_judge": 0.625,
        "p50_ms": 10.0,
        "p99_ms": 20.0,
        "p99_ratio": 1.5,
        "judge_us": 90.0,
        "peak_mib": 80.0,
        "not_201": 0,
    }
    wait = {"sent": 100, "seen": 99, "p50_ms": 2.0, "p99_ms": 5.0, "flood_per_second": 900.0}
    return {
        "accepting": {"bare_per_second": 4000.0, "thread": one, "process": one},
        "emergencies": {"quiet": wait, "at_1000": wait, "saturated": wait},
        "pushing": {"per_second": 1500.0, "repeats": 0},
        "judging": {"per_second": 9000.0, "p50_us": 100.0, "p99_us": 200.0},
        "kills": {"kills": 10, "answered": 1234, "lost": 1, "doubled": 2},
    }


def test_the_table_shows_every_figure_with_what_was_lost() -> None:
    """A Markdown table of three columns; a loss stands in it as it is."""
    lines = list(table.rows(figures()))
    assert all(line.startswith(("| ", "|---")) for line in lines)
    assert {line.replace(r"\|", "").count("|") for line in lines} == {4}
    text = "\n".join(lines)
    for shown in ("2,000/s | 0.50", "2,500/s | 0.62", "1 lost, 2 doubled", "99 of 100", "1,500/s"):
        assert shown in text


def test_judging_measures_something() -> None:
    """Texts a second and the slow end, in their order."""
    found = judging(0.05)
    assert found["per_second"] > 0
    assert 0 < found["p50_us"] <= found["p99_us"]
