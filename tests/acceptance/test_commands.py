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


async def test_good_configuration(config: Path) -> None:
    """A good configuration is exit code 0 and leaves nothing behind."""
    done = await run("check", "--config", str(config), cwd=config.parent)
    assert done.code == 0, done.err
    assert done.err == ""
    assert list(config.parent.iterdir()) == [config]


async def test_shipped_default(tmp_path: Path) -> None:
    """Without a configuration anywhere the shipped default is checked and good."""
    done = await run("check", cwd=tmp_path)
    assert done.code == 0, done.err
    assert list(tmp_path.iterdir()) == []


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
        "kind: pigeon",
    ),
    "missing member": (
        lambda s: s["adapters"][0].pop("url"),
        "adapters[0].url",
        "- kind: backoffice",
    ),
    "missing default route": (
        lambda s: s["routes"].pop(),
        "routes",
        "routes:",
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
        lambda s: s["routes"][0]["send"].update(unit="火星事务局"),
        "routes[0].send.unit",
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
        lambda s: s["liaison"]["120"].update(token="${file:no-such-file}"),
        "liaison.120.token",
        "token: ${file:no-such-file}",
    ),
    "the same name twice": (
        lambda s: s["channels"].append({"kind": "web", "name": "portal"}),
        "channels[2]",
        "- kind: web",
    ),
}


def same_path(found: str, expected: str) -> bool:
    """Compare key paths, whichever way list positions are written."""
    dotted = re.sub(r"\[(\d+)\]", r".\1", found)
    wanted = re.sub(r"\[(\d+)\]", r".\1", expected)
    return dotted == wanted or dotted.startswith(f"{wanted}.")


async def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    """Each mistake is exit code 2 and a line FILE:LINE: path.to.key: what is wrong."""
    for index, name in enumerate(MISTAKES):
        change, _, _ = MISTAKES[name]
        chosen = settings(OFFICE)
        change(chosen)
        write_config(tmp_path / f"{index}.yaml", chosen)
    # One process for all would be no test of the command; a few at a time are quick enough.
    import asyncio

    limit = asyncio.Semaphore(3)

    async def check(index: int) -> tuple[int, str]:
        async with limit:
            done = await run("check", "--config", f"{index}.yaml", cwd=tmp_path)
            return done.code, done.err

    results = await asyncio.gather(*(check(index) for index in range(len(MISTAKES))))
    wrong = []
    for index, (name, (_, path, line)) in enumerate(MISTAKES.items()):
        code, err = results[index]
        source = (tmp_path / f"{index}.yaml").read_text().splitlines()
        at = [n for n, text in enumerate(source, 1) if text.strip() == line]
        told = re.findall(r"^(?:.*/)?(\d+\.yaml):(\d+): ([^:\s]+): (.+)$", err, re.MULTILINE)
        hits = [
            each
            for each in told
            if same_path(each[2], path) and (int(each[1]) in at or name == "the same name twice")
        ]
        if code != 2 or not hits:
            wrong.append((name, code, path, at, err))
    assert wrong == []


async def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """A file with three mistakes gives three lines; no secret is printed."""
    chosen = settings(OFFICE)
    chosen["http"]["port"] = "many"
    chosen["routes"][0]["send"]["to"] = "nowhere"
    chosen["adapters"][0]["retry_for"] = "soon"
    file = write_config(tmp_path / "site.yaml", chosen)
    done = await run("check", "--config", str(file), cwd=tmp_path)
    assert done.code == 2
    for path in ("http.port", "send.to", "retry_for"):
        assert re.search(rf"^{re.escape(str(file))}:\d+: \S*{path}: ", done.err, re.MULTILINE)
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
    """explain prints the ticket that a text would become and stores nothing."""
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
    assert list(config.parent.iterdir()) == [config]


async def test_explain_lines_keep_their_order(config: Path) -> None:
    """explain --jsonl - prints one line each, in order, with the promised members."""
    texts = ["路灯不亮", "我家着火了，有人被困", "不服法院一审判决，要求改判"] * 40
    lines = [
        {"id": f"n{index}", "text": f"{text}，{index}号"} for index, text in enumerate(texts)
    ]
    lines[5] |= {"channel": "sms", "called": "12315", "title": "t", "address": "埇桥区"}
    given = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    done = await run(
        "explain", "--config", str(config), "--jsonl", "-", cwd=config.parent, given=given
    )
    assert done.code == 0, done.err
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [each["id"] for each in told] == [line["id"] for line in lines]
    names = "id urgency verify services type domain unit route acceptance evidence".split()
    assert all(set(each) == set(names) for each in told)
    assert [each["urgency"] for each in told[:2]] == ["normal", "emergency"]
    assert told[5]["unit"] == "市市场监管局"


async def test_explain_reads_a_file(config: Path, tmp_path: Path) -> None:
    """explain --jsonl FILE reads the lines of a file."""
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"id": "一", "text": "建议增设公交站"}\n')
    done = await run("explain", "--config", str(config), "--jsonl", str(lines), cwd=tmp_path)
    assert done.code == 0, done.err
    assert json.loads(done.out)["type"] == "suggestion"


async def test_version(tmp_path: Path) -> None:
    """version prints the version of the package."""
    done = await run("version", cwd=tmp_path)
    assert done.code == 0
    assert re.search(r"\d+\.\d+", done.out)
