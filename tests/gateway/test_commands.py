"""The command line: outputs and exit codes of the commands that end by themselves."""

import argparse
import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.cli import main
from gateway.commands import explain
from gateway.jsonschema import schema
from gateway.store.base import Outcome, Quarantined
from gateway.store.sqlite import SqliteStore
from normalizer.errors import ConfigError
from normalizer.schema import PublishedTicket
from tests.clock import START
from tests.gateway.world import CONFIG, COURT, FIRE, LAMP
from tests.store.make import acceptance, delivery

SECRET = "whsec_dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHM="
WHOLE = CONFIG.replace(
    "channels: [{kind: web, name: portal}]",
    f'channels: [{{kind: web, name: portal}}, {{kind: webhook, name: weibo, secret: "{SECRET}"}}]',
)
EMPTY = """\
routes:
  - {name: rest, send: {to: backoffice}}
"""


@dataclass(slots=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Return what runs a command in this process, and undo what it did to warnings."""

    def command(*words: str) -> Done:
        code = main(words)
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    yield command
    logging.captureWarnings(capture=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration whose store lies beside it."""
    path = tmp_path / "gateway.yaml"
    path.write_text(WHOLE + 'store: {url: "sqlite:///gateway.db"}\n', encoding="utf-8")
    return path


# -- check


def test_check_finds_nothing_wrong_with_a_good_configuration(run: Run, config: Path) -> None:
    """Exit code 0, one line, and no file is made."""
    before = sorted(config.parent.iterdir())
    done = run("check", "--config", str(config))
    assert (done.code, done.err) == (0, "")
    assert str(config) in done.out
    assert sorted(config.parent.iterdir()) == before


def test_check_tells_every_problem_with_its_line(run: Run, config: Path) -> None:
    """One problem a line, ``FILE:LINE: path: what is wrong``, on standard error; exit code 2."""
    text = WHOLE.replace("to: office, unit: 市市场监管局", "to: nobody, unit: 没有这个局")
    config.write_text(text, encoding="utf-8")
    done = run("check", "--config", str(config))
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    at = next(n for n, line in enumerate(text.splitlines(), 1) if "nobody" in line)
    assert len(lines) == 2
    assert all(line.startswith(f"{config}:{at}: routes.0.send.") for line in lines)


def test_check_tells_all_that_is_wrong_with_the_form(run: Run, config: Path) -> None:
    """An unknown key and a wrong value are both told."""
    config.write_text(WHOLE.replace("region: suzhou", "city: suzhou") + "http: {port: 99999}\n")
    done = run("check", "--config", str(config))
    assert done.code == 2
    assert "instance.city" in done.err
    assert "http.port" in done.err


def test_check_of_a_file_that_is_not_there(run: Run, tmp_path: Path) -> None:
    """The file is named; no traceback."""
    done = run("check", "--config", str(tmp_path / "absent.yaml"))
    assert done.code == 2
    assert "absent.yaml" in done.err
    assert "Traceback" not in done.err


def test_check_shows_no_secret(run: Run, config: Path) -> None:
    """Whatever is wrong, neither stream holds a secret."""
    config.write_text(WHOLE.replace(SECRET, "whsec_short-and-secret"), encoding="utf-8")
    done = run("check", "--config", str(config))
    assert done.code == 2
    assert "short-and-secret" not in done.out + done.err


def test_check_of_the_shipped_default(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a file of its own an instance can be served."""
    monkeypatch.chdir(tmp_path)
    assert run("check").code == 0
    assert list(tmp_path.iterdir()) == []


def test_the_file_beside_is_taken_without_being_named(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``config/gateway.yaml`` of the current folder comes before the shipped default."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "gateway.yaml").write_text(EMPTY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = run("check")
    assert done.code == 2
    assert "routes.0.send.to" in done.err


# -- explain


def test_explain_prints_the_ticket_and_stores_nothing(run: Run, config: Path) -> None:
    """The whole published ticket, without a number."""
    done = run("explain", "--config", str(config), "--called", "12315", FIRE)
    assert done.code == 0
    shown = msgspec.json.decode(done.out, type=PublishedTicket)
    assert (shown.number, shown.status, shown.urgency) == (None, "accepted", "emergency")
    assert (shown.channel.kind, shown.channel.called) == ("web", "12315")
    assert (shown.route.name, shown.route.why) == ("market", "called=12315")
    assert shown.evidence
    assert not (config.parent / "gateway.db").exists()


def test_explain_shows_what_would_be_refused(run: Run, config: Path) -> None:
    """With the reason and where to turn."""
    shown = json.loads(run("explain", "--config", str(config), COURT).out)
    assert (shown["status"], shown["acceptance"]["decision"]) == ("refused", "referred")
    assert shown["history"][0]["text"] == shown["acceptance"]["reason"]


def rows(*given: Any) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in given)


KEYS = (
    *("id", "urgency", "verify", "services", "type", "domain", "unit", "route"),
    *("acceptance", "evidence"),
)


def test_explain_reads_lines_and_keeps_their_order(run: Run, config: Path, tmp_path: Path) -> None:
    """One line each, with the contract's members; blank lines are passed over."""
    path = tmp_path / "texts.jsonl"
    given = [
        {"id": "a", "text": LAMP},
        {"id": 2, "text": FIRE, "title": "着火", "address": "汴河中路88号"},
        {"text": LAMP, "called": "12315", "channel": "sms"},
    ]
    path.write_text(rows(*given) + "\n\n", encoding="utf-8")
    done = run("explain", "--config", str(config), "--jsonl", str(path))
    shown = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [row["id"] for row in shown] == ["a", 2, None]
    assert all(tuple(row) == KEYS for row in shown)
    assert [row["urgency"] for row in shown] == ["normal", "emergency", "normal"]
    assert [row["route"]["name"] for row in shown] == ["rest", "rest", "market"]
    assert shown[2]["unit"] == "市市场监管局"


def test_explain_reads_standard_input(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``-`` is the standard input; the flags hold for rows that do not say otherwise."""
    monkeypatch.setattr(
        sys, "stdin", io.StringIO(rows({"text": LAMP}, {"text": LAMP, "called": "1"}))
    )
    done = run("explain", "--config", str(config), "--called", "12315", "--jsonl", "-")
    assert [json.loads(line)["route"]["name"] for line in done.out.splitlines()] == [
        "market",
        "rest",
    ]


def test_explain_names_the_line_that_is_wrong(run: Run, config: Path, tmp_path: Path) -> None:
    """Exit code 2; what came before it was answered."""
    path = tmp_path / "texts.jsonl"
    path.write_text(rows({"text": LAMP}) + "{\n", encoding="utf-8")
    done = run("explain", "--config", str(config), "--jsonl", str(path))
    assert done.code == 2
    assert done.err.startswith(f"{path}:2: ")
    assert len(done.out.splitlines()) == 1


@pytest.mark.parametrize(
    "line",
    ["{", "[]", "3", '{"id": 1}', '{"text": 3}', '{"text": "x", "called": 12315}', "[" * 100_000],
)
def test_no_wrong_line_is_taken(line: str) -> None:
    """Not JSON, no object, no text, or a member of another type: each is named."""
    with pytest.raises(ConfigError, match=r"^texts:7: "):
        explain._row(line, "texts:7", argparse.Namespace(channel="web", called=None))


@pytest.mark.parametrize("words", [(), ("x", "--jsonl", "-")])
def test_explain_wants_one_source(run: Run, config: Path, words: tuple[str, ...]) -> None:
    """Neither none nor two."""
    assert run("explain", "--config", str(config), *words).code == 2


def test_explain_of_a_file_that_is_not_there(run: Run, config: Path) -> None:
    """The file is named."""
    done = run("explain", "--config", str(config), "--jsonl", str(config.parent / "absent.jsonl"))
    assert done.code == 2
    assert "absent.jsonl" in done.err


# -- deadletter


def keep(config: Path) -> None:
    """Store a dead delivery ``d-1`` and three quarantined messages beside a configuration."""

    async def store() -> None:
        opened = SqliteStore(config.parent / "gateway.db")
        await opened.open()
        await opened.add(acceptance(deliveries=(delivery("office", id="d-1", due_at=START),)))
        later = START + timedelta(days=3)
        (claimed,) = await opened.claim("office", delivery().lane, later, 9, later)
        await opened.settle([Outcome(seq=claimed.seq, state="dead", error="HTTP 500")])
        good = json.dumps({"id": "w-1", "from": "u-1", "text": LAMP}).encode()
        for id_, raw, account in (
            ("q-good", good, "weibo"),
            ("q-bad", b"\xff{", "weibo"),
            ("q-gone", good, "removed"),
        ):
            await opened.quarantine(
                Quarantined(
                    id=id_,
                    at=START,
                    channel="webhook",
                    account=account,
                    reason="body: not JSON",
                    raw=raw,
                    raw_type="application/json",
                )
            )
        await opened.close()

    asyncio.run(store())


@pytest.fixture
def letters(run: Run, config: Path) -> Callable[..., Done]:
    """Return what runs ``gateway deadletter`` on a store with some of each kind."""
    keep(config)

    def command(action: str, *words: str) -> Done:
        return run("deadletter", action, "--config", str(config), *words)

    return command


def test_list_shows_what_came_in_and_what_could_not_go_out(letters: Run) -> None:
    """One line each with the cause, and nothing of the content."""
    done = letters("list")
    lines = done.out.splitlines()
    assert done.code == 0
    assert len(lines) == 4
    assert "q-good  in" in done.out
    assert "body: not JSON" in done.out
    assert "d-1  out" in done.out
    assert "HTTP 500" in done.out
    assert LAMP not in done.out


def test_show_prints_a_message_whole(letters: Run) -> None:
    """As text where it is some, else in base64."""
    assert LAMP in json.loads(json.loads(letters("show", "q-good").out)["raw"])["text"]
    assert json.loads(letters("show", "q-bad").out)["raw_base64"] == "/3s="


def test_show_prints_a_delivery(letters: Run) -> None:
    """With its state, its destination and its last failure."""
    shown = json.loads(letters("show", "d-1").out)
    assert (shown["state"], shown["destination"]) == ("dead", "office")
    assert shown["last_error"] == "HTTP 500"


def test_what_only_its_channel_can_read_stays(run: Run, config: Path) -> None:
    """A mail that was set aside is not replayed here; the command says what to do instead."""
    text = config.read_text(encoding="utf-8")
    sections = (
        "{kind: email, name: mailbox, address: a@city.example, listen: {protocol: smtp, port: 0}"
    )
    sections += ", outgoing: {host: 127.0.0.1, port: 25, tls: none}}"
    text = text.replace("channels: [", f"channels: [{sections}, ")
    config.write_text(text, encoding="utf-8")

    async def hold() -> None:
        opened = SqliteStore(config.parent / "gateway.db")
        await opened.open()
        await opened.quarantine(
            Quarantined(
                id="q-mail",
                at=START,
                channel="email",
                account="mailbox",
                reason="the gateway failed on it: KeyError",
                raw=b"Subject: x\r\n\r\n",
                raw_type="message/rfc822",
            )
        )
        await opened.close()

    asyncio.run(hold())
    done = run("deadletter", "replay", "q-mail", "--config", str(config))
    assert done.code == 1
    assert "q-mail stays: only email:mailbox itself can read this" in done.err
    assert "Traceback" not in done.err
    assert "q-mail  in" in run("deadletter", "list", "--config", str(config)).out


@pytest.mark.parametrize("action", ["show", "replay", "discard"])
def test_an_unknown_id_fails(letters: Run, action: str) -> None:
    """Exit code 1 and a hint."""
    done = letters(action, "nothing", *(["--why", "x"] if action == "discard" else []))
    assert done.code == 1
    assert "nothing: no dead or held item of this id" in done.err


def test_a_dead_delivery_is_made_due_again_once(letters: Run) -> None:
    """The running gateway will find it; the second time there is nothing to replay."""
    assert letters("replay", "d-1").out == "d-1 is due again\n"
    assert json.loads(letters("show", "d-1").out)["state"] == "due"
    assert letters("replay", "d-1").code == 1


def test_a_quarantined_message_becomes_a_ticket_once(letters: Run) -> None:
    """When its form is understood at last; a second replay finds it gone."""
    done = letters("replay", "q-good")
    assert done.code == 0
    assert "q-good became 20261123-000001-" in done.out
    assert letters("replay", "q-good").code == 1
    assert "q-good" not in letters("list").out
    shown = json.loads(letters("show", "q-good").out)
    assert shown["state"] == "replayed"
    assert shown["why"].startswith("20261123-000001-")


@pytest.mark.parametrize("id_", ["q-bad", "q-gone"])
def test_what_still_cannot_be_understood_stays(letters: Run, id_: str) -> None:
    """Nor is a message lost whose channel was removed."""
    done = letters("replay", id_)
    assert done.code == 1
    assert f"{id_} stays: " in done.err
    assert id_ in letters("list").out


def test_one_failure_does_not_keep_the_others_back(letters: Run) -> None:
    """Every id is tried; the exit code tells that one failed."""
    done = letters("replay", "q-bad", "d-1", "q-good")
    assert done.code == 1
    assert "d-1 is due again" in done.out
    assert "q-good became" in done.out


@pytest.mark.parametrize("id_", ["q-bad", "d-1"])
def test_discarding_keeps_item_and_reason(letters: Run, id_: str) -> None:
    """Nothing is deleted: it is only listed no more."""
    assert letters("discard", id_, "--why", "测试数据").code == 0
    assert id_ not in letters("list").out
    shown = json.loads(letters("show", id_).out)
    assert shown["state"] == "discarded"
    assert "测试数据" in (shown.get("why") or shown.get("last_error"))
    assert letters("replay", id_).code == 1


def test_all_works_while_the_gateway_runs(config: Path, letters: Run) -> None:
    """The commands need not own the store."""

    async def beside() -> Done:
        running = SqliteStore(config.parent / "gateway.db")
        await running.open()
        try:
            return await asyncio.to_thread(letters, "replay", "q-good")
        finally:
            await running.close()

    assert asyncio.run(beside()).code == 0


# -- the others


def test_schema_prints_the_schema(run: Run) -> None:
    """JSON with every event."""
    done = run("schema")
    assert done.code == 0
    assert json.loads(done.out) == json.loads(json.dumps(schema()))


def test_version_prints_the_version(run: Run) -> None:
    """And nothing else."""
    done = run("version")
    assert (done.code, done.out) == (0, version("intake-gateway") + "\n")


def test_migrate_makes_the_store(run: Run, config: Path) -> None:
    """Twice is as good as once."""
    for _ in range(2):
        assert run("migrate", "--config", str(config)).code == 0
    assert (config.parent / "gateway.db").exists()


def test_migrate_of_a_store_that_is_none(run: Run, config: Path) -> None:
    """Exit code 1 and a sentence: another file is not overwritten."""
    other = config.parent / "gateway.db"
    other.write_bytes(b"somebody's notes, longer than a header" * 100)
    done = run("migrate", "--config", str(config))
    assert done.code == 1
    assert done.err.startswith("gateway: ")
    assert other.read_bytes().startswith(b"somebody's notes")


@pytest.mark.parametrize(
    "words",
    [(), ("nonsense",), ("check", "--nonsense"), ("deadletter",), ("deadletter", "discard", "x")],
)
def test_wrong_usage_is_exit_code_2(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """With a hint on standard error."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert "usage: gateway" in capsys.readouterr().err


def test_a_reader_who_went_away_is_no_fault(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """``gateway schema | head`` ends quietly."""

    class Closed(io.StringIO):
        def write(self, _: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    assert main(["schema"]) == 1
