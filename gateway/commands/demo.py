"""``gateway demo``: the main job on the embedded default, shown end to end."""

import argparse
import asyncio
import contextlib
import io
import json
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import yaml

from config.load import load
from gateway import logs, plugins
from gateway.app import build
from gateway.clock import SystemClock
from gateway.commands.serve import run_loop
from gateway.console import passwords
from gateway.demo.cast import cast, configuration, started
from gateway.demo.peers import LoopbackOffice, new_secret
from gateway.demo.performance import answered, perform
from gateway.demo.story import Peer
from gateway.demo.table import folded, table
from gateway.demo.verdict import Run, faults
from gateway.demo.wechat import WeChat
from gateway.loopback import free_port
from gateway.peers.answers import code_in
from gateway.store.accounts import NewEntry

#: Where the pages are if nobody says otherwise and nobody else is there.
_PORT = 8345


def run(arguments: argparse.Namespace) -> int:
    """Show the main job; with ``--once`` return 0 when all arrived as they should, else 1."""
    logs.configure(level=30)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that knows no Chinese
    try:
        office = LoopbackOffice(new_secret())
        return run_loop(demonstrate(arguments, cast(office), office))
    except KeyboardInterrupt:  # before the pages stayed open
        return 1


async def demonstrate(
    arguments: argparse.Namespace, peers: Sequence[Peer], office: LoopbackOffice
) -> int:
    """Return the exit code of a demonstration with these peers."""
    try:
        await office.start()
        playing, sections, missing = await started(peers)
        for why in missing:
            print(f"Not shown: {why}")
        port = arguments.port or free_port(0 if arguments.once else _PORT)
        password = secrets.token_urlsafe(12)
        async with serving(configuration(port, office, sections), password) as url:
            story, good = await _show(url, office, playing)
            if not arguments.once:
                await _stay(url, story, password)
    finally:
        for peer in peers:
            await peer.stop()
        await office.stop()
    return 0 if good else 1


@contextlib.asynccontextmanager
async def serving(settings: Mapping[str, object], password: str = "") -> AsyncIterator[str]:
    """Serve a gateway with a store of its own, and give its address.

    Args:
        settings: Its configuration.
        password: Of the user ``demo`` of its console; empty: there is none.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
        path = Path(folder) / "gateway.yaml"
        plain = json.loads(json.dumps(settings))
        path.write_text(yaml.safe_dump(plain, allow_unicode=True, sort_keys=False), "utf-8")
        app = await build(
            load(path), plugins.load("gateway.channels"), plugins.load("gateway.adapters")
        )
        try:
            if password:
                entry = NewEntry(at=SystemClock().now(), by="", remote="", action="user.added")
                kept = await asyncio.to_thread(passwords.hashed, password)
                await app.parts.base.store.accounts.add("demo", "admin", kept, entry)
            yield await app.start()
        finally:
            await app.stop()


async def _show(url: str, office: LoopbackOffice, playing: dict[str, Peer]) -> tuple[Run, bool]:
    """Play everything, print what became of it, and return whether all arrived as it should."""
    columns = shutil.get_terminal_size((120, 24)).columns
    greeting = (
        f"A gateway serves at {url} with a store of its own. Its back office, its desks and its "
        "carriers are on this machine, too. Milliseconds count from when the citizen sent it."
    )
    print(folded(greeting, columns), end="\n\n", flush=True)
    began = time.perf_counter()
    story, wrong = await perform(url, office, playing)
    took_s = time.perf_counter() - began
    print(table(story, columns), end="\n\n")
    wechat = playing.get("wechat")
    if isinstance(wechat, WeChat):
        told, failed = await answered(url, story, wechat)
        wrong += failed
        if told:
            print(folded(told, columns), end="\n\n")
    wrong += [fault for fault in faults(story) if fault not in wrong]  # what came late, or twice
    print(folded(_summary(story, took_s), columns))
    for fault in wrong:
        print(f"WRONG: {fault}")
    print("NOT EVERYTHING ARRIVED AS IT SHOULD." if wrong else "Everything arrived exactly once.")
    return story, not wrong


def _summary(story: Run, took_s: float) -> str:
    incidents = sum(len(desk.seen) for desk in story.desks)
    acknowledged = sum(len(desk.acknowledged) for desk in story.desks)
    return (
        f"{len(story.sent)} messages became {len(story.tickets)} tickets in {took_s:.1f} s. The back "
        f"office took {len(story.office.arrivals)} events, every signature verified; {incidents} "
        f"incidents came up at the desks, {acknowledged} were acknowledged."
    )


async def _stay(url: str, story: Run, password: str) -> None:
    """Print where the pages are and wait for a signal."""
    print(
        f"\nThe pages stay open until Ctrl-C:\n  request form  {url}/\n  progress      {url}/progress"
    )
    # The first citizen of WeChat's has most to see there: the office has answered.
    seen = sorted(story.sent, key=lambda one: one.scene.channel != WeChat.name)
    if known := next((one for one in seen if one.number and code_in(one.answer)), None):
        print(f"                number {known.number}, query code {code_in(known.answer)}")
    print(f"  fire desk     {url}/desk/119\n  console       {url}/console/")
    print(f"                user demo, password {password}")
    print(f"  state         {url}/readyz", flush=True)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    with contextlib.suppress(asyncio.CancelledError):
        await ended.wait()
