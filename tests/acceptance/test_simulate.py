"""The command ``simulate`` against a gateway that runs (contract section 1)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.loopback import free_port
from tests.acceptance.process import Done, run
from tests.acceptance.signing import PARTNER_SECRET
from tests.acceptance.world import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "path-that-nobody-guesses-0123456789"
TOKEN = "token-of-the-account"
KEY = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
SMPP, SMTP, ANSWERS = free_port(), free_port(), free_port()
CHANNELS: list[dict[str, Any]] = [
    {"kind": "web", "name": "portal"},
    {"kind": "webhook", "name": "weibo", "secret": PARTNER_SECRET, "reply_url": None},
    {
        "kind": "sms",
        "name": "cloud",
        "protocol": "http",
        "provider": "aliyun",
        "number": "10691",
        "secret": PATH,
    },
    {
        "kind": "sms",
        "name": "mobile",
        "protocol": "smpp",
        "number": "106912345",
        "host": "127.0.0.1",
        "port": SMPP,
        "user": "u",
        "password": "p",
        "window": 100,
    },
    {
        "kind": "email",
        "name": "mailbox",
        "address": "12345@city.example",
        "listen": {"protocol": "smtp", "host": "127.0.0.1", "port": SMTP},
        "outgoing": {"host": "127.0.0.1", "port": ANSWERS},
    },
    {
        "kind": "wechat",
        "name": "oa",
        "app_id": "wx5823bf96d3bd56c7",
        "token": TOKEN,
        "encoding_aes_key": KEY,
    },
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def every(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A gateway with a channel of every kind that can be simulated."""
    async with opened(tmp_path_factory.mktemp("world"), channels=CHANNELS) as world:
        yield world


def targets(world: World) -> list[str]:
    host = world.gateway.url.removeprefix("http://")
    return [
        f"http://{host}",
        f"webhook+http://${{PARTNER}}@{host}/weibo",
        f"aliyun+http://{PATH}@{host}/cloud",
        f"wechat+http://wx5823bf96d3bd56c7:{TOKEN}@{host}/oa?encoding_aes_key={KEY}",
        f"smtp://127.0.0.1:{SMTP}/12345@city.example?answers=127.0.0.1:{ANSWERS}",
        f"smpp://u:p@127.0.0.1:{SMPP}/106912345",
    ]


async def tickets(world: World) -> float:
    """Return how many tickets the gateway has made."""
    lines = (await world.citizen.get("/metrics")).text.splitlines()
    return sum(
        float(line.split()[-1]) for line in lines if line.startswith("gateway_tickets_total")
    )


async def simulated(folder: Path, *words: str) -> Done:
    return await run("simulate", *words, cwd=folder, within_s=120)


async def test_every_protocol_is_spoken_and_nothing_is_lost(
    every: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each target takes acts; repeats come back as such; each ticket opens where a number is told."""
    monkeypatch.setenv("PARTNER", PARTNER_SECRET)
    # Citizens of this test's own: whoever wrote in another one a moment ago would be adding to that.
    many = ("--rate", "30", "--seconds", "3", "--repeats", "0.3", "--seed", "311", "--json")
    before = await tickets(every)
    done = await simulated(every.folder, "--to", *targets(every), *many)
    assert done.err == ""
    found = json.loads(done.out)
    counts = {each["target"].partition("://")[0]: each for each in found["targets"]}
    assert done.code == 0, counts
    assert set(counts) == {"http", "webhook+http", "aliyun+http", "wechat+http", "smtp", "smpp"}
    for scheme, each in counts.items():
        assert each["accepted"] > 0, scheme
        assert (each["lost"], each["doubled"], each["failed"], each["refused"]) == (0, 0, 0, 0)
        assert each["sent"] == each["accepted"] + each["duplicate"]
        assert each["unchecked"] == (each["accepted"] if scheme == "aliyun+http" else 0), scheme
        assert (each["duplicate"] > 0) == (scheme != "smpp"), scheme
    assert await tickets(every) - before == found["total"]["accepted"]
    for secret in (PARTNER_SECRET, PATH, TOKEN, KEY):
        assert secret not in done.out


async def test_a_table_is_printed_for_people(every: World) -> None:
    """A line a target, and one of all."""
    few = ("--rate", "20", "--seconds", "0.5", "--emergencies", "0")
    done = await simulated(every.folder, "--to", targets(every)[0], *few)
    assert done.code == 0, done.out
    head, *lines = done.out.splitlines()
    assert head.split()[:5] == ["target", "sent", "accepted", "duplicate", "doubled"]
    assert lines[1].startswith("all")


async def test_what_does_not_answer_is_no_success(every: World) -> None:
    """Exit code 1 where nothing was taken."""
    nobody = f"http://127.0.0.1:{free_port()}"
    few = ("--rate", "20", "--seconds", "0.5", "--json")
    done = await simulated(every.folder, "--to", nobody, *few)
    total = json.loads(done.out)["total"]
    assert done.code == 1
    assert (total["accepted"], total["failed"]) == (0, total["sent"])
    assert total["sent"] > 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--to", "gopher://127.0.0.1", "--rate", "1", "--seconds", "1"), "smpp://HOST"),
        (("--to", "http://", "--rate", "1", "--seconds", "1"), "host"),
        (("--to", "http://h:port", "--rate", "1", "--seconds", "1"), "port"),
        (("--to", "webhook+http://h/x", "--rate", "1", "--seconds", "1"), "before the host"),
        (("--to", "webhook+http://${NONE}@h/x", "--rate", "1", "--seconds", "1"), "NONE"),
        (("--to", "smtp://h:25/nobody", "--rate", "1", "--seconds", "1"), "address"),
        (("--to", "smtp://h/a@b?answers=x", "--rate", "1", "--seconds", "1"), "answers"),
        (("--to", "smpp://h:1", "--rate", "1", "--seconds", "1"), "NUMBER"),
        (("--to", "http://h", "http://h", "--rate", "1", "--seconds", "1"), "twice"),
        (("--to", "http://h", "--rate", "0", "--seconds", "1"), "--rate"),
        (("--to", "http://h", "--rate", "1", "--seconds", "nan"), "--seconds"),
        (("--to", "http://h", "--rate", "1", "--seconds", "1", "--repeats", "2"), "--repeats"),
        (("--rate", "1", "--seconds", "1"), "--to"),
    ],
)
async def test_wrong_usage_is_told(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    """Exit code 2, and what is wrong; nothing is sent."""
    done = await simulated(tmp_path, *words)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
