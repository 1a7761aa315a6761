"""A gateway that is killed again and again while a message centre delivers."""

import asyncio
import contextlib
import random
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gateway.demo.peers import new_secret
from gateway.store.sqlite import SqliteStore
from tests.channels.sms.world import message, parts
from tests.peers.smsc import NODE, Smsc

_CONFIG = """\
instance: {{name: sms, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///gateway.db"}}
channels:
  - {{kind: sms, name: mobile, protocol: smpp, number: "106912345", host: 127.0.0.1, port: {port},
      user: hotline, password: secret, window: 50}}
adapters:
  - {{kind: backoffice, name: backoffice, url: "http://127.0.0.1:9/events", secret: {secret}}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""


async def _serve(config: Path) -> asyncio.subprocess.Process:
    log = config.parent / "stderr"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "gateway", "serve", "--config", str(config)),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    assert process.stdout is not None
    async with asyncio.timeout(30):
        line = await process.stdout.readline()
    assert line.startswith(b"ready "), log.read_text(encoding="utf-8")[-2000:]
    return process


async def _kill(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    await process.wait()


def _messages(count: int, chooser: random.Random) -> tuple[list[dict[str, Any]], list[str]]:
    """Return pieces in the order in which they go out, and the texts that they are."""
    singles: list[dict[str, Any]] = []
    texts = []
    for n in range(count):
        source = f"86139{n:08}"
        if n % 5:
            text = f"汴河路{n}号的路灯不亮，请修理"
            singles.append(message(n, text, source))
        else:
            text = f"汴河路{n}号停水了：" + "请尽快派人来看看，" * 20
            singles += parts(str(n), text, n % 7, source)
        texts.append(text)
    # Carriers deliver nearly in order.
    keyed = sorted(enumerate(singles), key=lambda each: each[0] + chooser.uniform(0, 12))
    return [item for _, item in keyed], texts


async def _deliver_under_kills(folder: Path, count: int, kills: int, seed: int) -> None:
    chooser = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    items, texts = _messages(count, chooser)
    async with Smsc(NODE) as smsc:
        config = folder / "gateway.yaml"
        config.write_text(_CONFIG.format(port=smsc.port, secret=new_secret()), encoding="utf-8")
        step = len(items) // (kills + 1) + 1
        process = None
        try:
            for begin in range(0, len(items), step):
                process = await _serve(config)
                bound = len(smsc.of("bind"))
                known = len(smsc.of("answered"))
                smsc.deliver(*items[begin : begin + step])
                if begin + step < len(items):
                    await smsc.until(lambda b=bound: len(smsc.of("bind")) > b, 30)  # type: ignore[misc]
                    # Killed with some answered and some not.
                    some = known + chooser.randrange(1, step)
                    await smsc.until(lambda s=some: len(smsc.of("answered")) >= s, 30)  # type: ignore[misc]
                    await _kill(process)
            wanted = {item["id"] for item in items}
            await smsc.until(
                lambda: wanted <= {a["id"] for a in smsc.of("answered") if a["status"] == 0}, 120
            )
        finally:
            if process is not None:
                await _kill(process)
    store = SqliteStore(folder / "gateway.db")
    await store.open()
    stored = await store.page("", count * 2)
    await store.close()
    found = Counter(s.ticket.content.original for s in stored)
    assert found == Counter(texts)


async def test_kills_under_way_lose_and_double_nothing(tmp_path: Path) -> None:
    """Long messages among them, and two kills: as many right tickets as messages."""
    await _deliver_under_kills(tmp_path, 150, 2, 1)


@pytest.mark.slow
async def test_chaos_of_ten_thousand_messages_and_twenty_kills(tmp_path: Path) -> None:
    """Ten thousand messages while the process is killed twenty times: ten thousand tickets."""
    await _deliver_under_kills(tmp_path, 10_000, 20, 2)
