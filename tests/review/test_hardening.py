"""Small doors that stay shut: names, types, addresses, logs, the shipped secret."""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from channels.webhook.codec import seconds_of
from config.load import load
from gateway import plugins
from gateway.attempts import network_of
from gateway.configcheck import problems
from gateway.logs import JsonFormatter
from gateway.media import UNKNOWN, declared, safe_name
from tests.acceptance.process import write_config
from tests.acceptance.world import settings
from tests.clock import START
from tests.gateway.world import CONFIG


def test_whose_an_address_is() -> None:
    """Of IPv6 the /64, of IPv4 the address, however it is written; anything else is itself."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("2001:db8:0:1::1") == "2001:db8:0:1::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("") == ""


@pytest.mark.parametrize(
    ("told", "kept_as"),
    [
        ("image/jpeg", "image/jpeg"),
        ("Audio/AMR; rate=8000", "audio/amr"),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document",) * 2,
        ("text/html", UNKNOWN),
        ("image/svg+xml", UNKNOWN),
        ("application/xhtml+xml", UNKNOWN),
        ("text/javascript", UNKNOWN),
        ("photo", UNKNOWN),
        ("image/jpeg\r\nX: y", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_declared_types(told: str, kept_as: str) -> None:
    """A type that is one and that nothing runs stays."""
    assert declared(told) == kept_as


@pytest.mark.parametrize(
    "name", ["楼道.jpg", "a.tar.gz", "../x", "\u202egpj.exe", "", "..", "a" * 500]
)
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    """Made safe twice, as by a form and by the intake, it is the same."""
    assert safe_name(safe_name(name)) == safe_name(name)


@pytest.mark.parametrize(
    ("http", "wrong"),
    [
        ({"host": "127.0.0.1", "public_url": "http://127.0.0.1:8345"}, False),
        ({"host": "0.0.0.0", "public_url": "http://127.0.0.1:8345"}, True),  # noqa: S104 - refused
        ({"host": "127.0.0.1", "public_url": "https://12345.city.example"}, True),
    ],
)
def test_the_shipped_secret_is_for_one_machine(
    tmp_path: Path, http: dict[str, str], *, wrong: bool
) -> None:
    """Everybody knows it, and it opens all tickets."""
    chosen = settings("http://127.0.0.1:9/") | {"http": http}
    chosen["adapters"][0]["secret"] = "whsec_c2hpcHBlZC1kZWZhdWx0LXJlcGxhY2UtbWUtbm93"
    loaded = load(write_config(tmp_path / "gateway.yaml", chosen))
    found = problems(loaded, plugins.load("gateway.channels"), plugins.load("gateway.adapters"))
    assert [p.path for p in found] == (["adapters.0.secret"] if wrong else [])
    assert "c2hpcHB" not in str(found)


def test_a_librarys_message_does_not_bring_a_citizens_words_into_the_log() -> None:
    """Asyncio quotes the exception of a forgotten task below its first line."""
    message = "Task exception was never retrieved\nfuture: <Task exception=ValueError('着火了')>"
    line = JsonFormatter().format(
        logging.LogRecord("asyncio", logging.ERROR, "", 1, message, None, None)
    )
    assert json.loads(line)["event"] == "Task exception was never retrieved"
    line = JsonFormatter().format(
        logging.LogRecord("other", logging.ERROR, "", 1, "no route to %s", ("13800138000",), None)
    )
    assert json.loads(line)["event"] == "no route to 138****8000"


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2026 00:00:00 +9999999999999",
    ],
)
def test_a_retry_after_beyond_the_calendar_says_nothing(date: str) -> None:
    """Whoever answers a push cannot break the dispatcher by it."""
    assert seconds_of(date, START) is None


async def test_a_hangup_while_it_starts_ends_no_gateway(tmp_path: Path) -> None:
    """There is nothing to reload yet; it starts as if nobody had asked."""
    config = tmp_path / "gateway.yaml"
    os.mkfifo(config)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve", "--config", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            # Opened once the gateway reads its configuration: it is starting.
            pipe = await asyncio.to_thread(config.open, "w", encoding="utf-8")
            process.send_signal(signal.SIGHUP)
            pipe.write(CONFIG + "http: {port: 0}\nstore: {url: 'sqlite:///gateway.db'}\n")
            pipe.close()
            assert (await process.stdout.readline()).startswith(b"ready ")
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
