"""The commands check, explain, version and their exit codes (contract section 1)."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.process import run, write_config
from tests.acceptance.shape import TICKET, assert_shape
from tests.acceptance.signing import OFFICE_SECRET, PARTNER_SECRET
from tests.acceptance.world import settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

OFFICE = "http://127.0.0.1:9000/events"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A good configuration in a folder of its own."""
    return write_config(tmp_path / "site.yaml", settings(OFFICE))


def left_in(folder: Path) -> list[Path]:
    """Return what a command left in a folder."""
    return list(folder.iterdir())


async def test_good_configuration(config: Path) -> None:
    """A good configuration is exit code 0 and leaves nothing behind."""
    done = await run("check", "--config", str(config), cwd=config.parent)
    assert done.code == 0, done.err
    assert done.err == ""
    assert left_in(config.parent) == [config]


async def test_shipped_default(tmp_path: Path) -> None:
    """Without a configuration anywhere the shipped default is checked and good."""
    done = await run("check", cwd=tmp_path)
    assert done.code == 0, done.err
    assert left_in(tmp_path) == []


Change = Callable[[dict[str, Any]], object]

MISTAKES: dict[str, tuple[Change, str, str]] = {
    "unknown key": (lambda s: s.update(tokens=1), "tokens", "tokens: 1"),
    "unknown inner key": (lambda s: s["http"].update(hots="x"), "http.hots", "hots: x"),
    "wrong type": (lambda s: s["http"].update(port="many"), "http.port", "port: many"),
    "port out of range": (lambda s: s["http"].update(port=70000), "http.port", "port: 70000"),
    "unknown zone": (
        lambda s: s["instance"].update(timezone="Mars/Base"),
        "instance.timezone",
        "timezone: Mars/Base",
    ),
    "unknown region": (
        lambda s: s["instance"].update(region="atlantis"),
        "instance.region",
        "region: atlantis",
    ),
    "bad store": (lambda s: s["store"].update(url="paper:"), "store.url", "url: 'paper:'"),
    "bad duration": (
        lambda s: s["adapters"][0].update(retry_for="soon"),
        "adapters[0].retry_for",
        "retry_for: soon",
    ),
    "bad secret": (
        lambda s: s["channels"][1].update(secret="not-a-secret-of-ours"),
        "channels[1].secret",
        "secret: not-a-secret-of-ours",
    ),
    "unknown kind": (
        lambda s: s["channels"].append({"kind": "pigeon", "name": "loft"}),
        "channels[2].kind",
        "- kind: pigeon",
    ),
    "missing member": (
        lambda s: s["adapters"][0].pop("url"),
        "adapters[0].url",
        "- kind: backoffice",
    ),
    "missing default route": (
        lambda s: s["routes"].pop(),
        "routes",
        "- name: market",
    ),
    "unreachable route": (
        lambda s: s["routes"].insert(
            1,
            {
                "name": "again",
                "when": {"called": ["12315"], "urgency": "urgent"},
                "send": {"to": "backoffice", "unit": "市市场监管局"},
            },
        ),
        "routes[1]",
        "- name: again",
    ),
    "unknown unit": (
        lambda s: s["routes"][1]["send"].update(unit="火星事务局"),
        "routes[1].send.unit",
        "unit: 火星事务局",
    ),
    "unknown adapter": (
        lambda s: s["routes"][0]["send"].update(to="nowhere"),
        "routes[0].send.to",
        "to: nowhere",
    ),
    "unknown condition": (
        lambda s: s["routes"][0]["when"].update(weather="rain"),
        "routes[0].when.weather",
        "weather: rain",
    ),
    "unknown domain": (
        lambda s: s["routes"][0]["when"].update(domain="astrology"),
        "routes[0].when.domain",
        "domain: astrology",
    ),
    "unknown rung": (
        lambda s: s["liaison"]["120"].update(ladder=[{"after": "0s", "to": "drum"}]),
        "liaison.120.ladder[0].to",
        "to: drum",
    ),
    "missing variable": (
        lambda s: s["liaison"]["120"].update(token="${NO_SUCH_VARIABLE_HERE}"),
        "liaison.120.token",
        "token: ${NO_SUCH_VARIABLE_HERE}",
    ),
    "missing file": (
        lambda s: s["liaison"]["122"].update(token="${file:no-such-file}"),
        "liaison.122.token",
        "token: ${file:no-such-file}",
    ),
}


#: Which of them stand in one file together.
FILES = [
    [
        "unknown key",
        "unknown inner key",
        "wrong type",
        "unknown zone",
        "bad store",
        "unknown rung",
        "unknown condition",
    ],
    ["port out of range"],
    ["unknown region"],
    ["bad duration", "bad secret", "unknown kind"],
    ["missing member"],
    ["missing default route"],
    ["unreachable route"],
    ["unknown unit", "unknown adapter", "unknown domain"],
    ["missing variable", "missing file"],
]


def same_path(found: str, expected: str) -> bool:
    """Compare key paths, whichever way list positions are written."""
    dotted = re.sub(r"\[(\d+)\]", r".\1", found)
    wanted = re.sub(r"\[(\d+)\]", r".\1", expected)
    return dotted == wanted or dotted.startswith(f"{wanted}.")


@pytest.mark.parametrize("names", FILES, ids=" ".join)
async def test_mistakes_are_told_with_their_lines(tmp_path: Path, names: list[str]) -> None:
    """Mistakes are exit code 2 and a line FILE:LINE: path.to.key: what is wrong each."""
    chosen = settings(OFFICE)
    for name in names:
        MISTAKES[name][0](chosen)
    file = write_config(tmp_path / "site.yaml", chosen)
    source = file.read_text().splitlines()
    done = await run("check", "--config", str(file), cwd=tmp_path)
    assert done.code == 2
    told = re.findall(rf"^{re.escape(str(file))}:(\d+): ([^:\s]+): .", done.err, re.MULTILINE)
    assert len(told) == len(done.err.splitlines()), done.err
    for name in names:
        _, path, line = MISTAKES[name]
        assert any(
            same_path(where, path) and source[int(number) - 1].strip() == line
            for number, where in told
        ), (name, done.err)
    assert PARTNER_SECRET not in done.out + done.err
    assert OFFICE_SECRET not in done.out + done.err


@pytest.mark.parametrize("raw", ["a: [", "- 1", "http: {port: 1}\nhttp: {port: 2}", "\tx: 1"])
async def test_file_that_is_no_configuration(tmp_path: Path, raw: str) -> None:
    """A file that is no YAML mapping is exit code 2 with file and line, no traceback."""
    file = tmp_path / "site.yaml"
    file.write_text(raw)
    done = await run("check", "--config", str(file), cwd=tmp_path)
    assert done.code == 2
    assert re.search(rf"^{re.escape(str(file))}:\d+: ", done.err, re.MULTILINE), done.err
    assert "Traceback" not in done.err


async def test_missing_file_and_wrong_usage(tmp_path: Path) -> None:
    """A missing file, an unknown command and an unknown option are exit code 2."""
    for arguments in (
        ("check", "--config", "nowhere.yaml"),
        ("serve", "--config", "nowhere.yaml"),
        ("conjure",),
        ("check", "--loudly"),
    ):
        done = await run(*arguments, cwd=tmp_path)
        assert done.code == 2, (arguments, done.err)
        assert done.err
        assert "Traceback" not in done.err


async def test_explain_prints_a_whole_ticket(config: Path) -> None:
    """Explain prints the ticket that a text would become and stores nothing."""
    done = await run(
        "explain",
        "--config",
        str(config),
        "--channel",
        "phone",
        "--called",
        "12315",
        "超市卖过期牛奶，要求赔偿",
        cwd=config.parent,
    )
    assert done.code == 0, done.err
    ticket = json.loads(done.out)
    assert ticket.pop("number") is None  # nothing was stored, so there is none
    assert_shape(ticket, {name: shape for name, shape in TICKET.items() if name != "number"})
    assert ticket["channel"]["kind"] == "phone"
    assert ticket["channel"]["called"] == "12315"
    assert ticket["route"]["unit"] == "市市场监管局"
    assert ticket["route"]["why"] == "called=12315"
    assert left_in(config.parent) == [config]


async def test_explain_lines_keep_their_order(config: Path) -> None:
    """Explain --jsonl - prints one line each, in order, with the promised members."""
    texts = ["路灯不亮", "我家着火了，有人被困", "不服法院一审判决，要求改判"] * 40
    lines = [{"id": f"n{index}", "text": f"{text}，{index}号"} for index, text in enumerate(texts)]
    lines[5] |= {"channel": "sms", "called": "12315", "title": "t", "address": "埇桥区"}
    given = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    done = await run(
        "explain", "--config", str(config), "--jsonl", "-", cwd=config.parent, given=given
    )
    assert done.code == 0, done.err
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [each["id"] for each in told] == [line["id"] for line in lines]
    names = [
        "id",
        "urgency",
        "verify",
        "services",
        "type",
        "domain",
        "unit",
        "route",
        "acceptance",
        "evidence",
    ]
    assert all(set(each) == set(names) for each in told)
    assert [each["urgency"] for each in told[:2]] == ["normal", "emergency"]
    assert told[5]["unit"] == "市市场监管局"


async def test_explain_reads_a_file(config: Path, tmp_path: Path) -> None:
    """Explain --jsonl FILE reads the lines of a file."""
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"id": "一", "text": "建议增设公交站"}\n')
    done = await run("explain", "--config", str(config), "--jsonl", str(lines), cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["type"] == "suggestion"


async def test_version(tmp_path: Path) -> None:
    """Version prints the version of the package."""
    done = await run("version", cwd=tmp_path)
    assert done.code == 0
    assert re.search(r"\d+\.\d+", done.out)
