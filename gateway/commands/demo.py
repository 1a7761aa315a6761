"""``gateway demo``: the main job on the embedded default, shown end to end."""

import argparse
import asyncio
import contextlib
import json
import signal
import tempfile
from pathlib import Path

import aiohttp

from config.load import load
from gateway import logs, plugins
from gateway.app import build
from gateway.commands.serve import run_loop
from gateway.demo import Citizens, LoopbackDesk, LoopbackOffice, new_secret, settled, table
from gateway.demo_peers import phone

_CONFIG = """\
instance: {{name: 12345 演示, region: suzhou}}
http: {{host: 127.0.0.1, port: {port}, public_url: "http://127.0.0.1:{port}"}}
store: {{url: "sqlite:///demo.db"}}
channels:
  - {{kind: web, name: portal}}
  - {{kind: webhook, name: partner, secret: {partner}}}
{line}adapters:
  - {{kind: backoffice, name: backoffice, url: "{office}", secret: {secret}}}
liaison:
  "110": {{ack_within: 30s}}
  "119": {{ack_within: 30s}}
  "120": {{ack_within: 30s}}
  "122": {{ack_within: 30s}}
  duty: {{ack_within: 60s}}
routes:
  - {{name: market, when: {{called: ["12315"]}}, send: {{to: backoffice, unit: 市市场监管局}}}}
  - {{name: rest, send: {{to: backoffice}}}}
"""
_SERVICES = ("110", "119", "120", "122")


def run(arguments: argparse.Namespace) -> int:
    """Show the main job; with ``--once`` return 0 when all arrived as they should, else 1."""
    logs.configure(level=30)
    return run_loop(_demo(arguments))


async def _demo(arguments: argparse.Namespace) -> int:
    office, partner = LoopbackOffice(new_secret()), new_secret()
    await office.start()
    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as folder:
        path = Path(folder) / "gateway.yaml"
        line = phone.section(Path(folder)) if phone.available() else None
        path.write_text(
            _CONFIG.format(
                line=f"  - {json.dumps(line)}\n" if line else "",
                port=0 if arguments.once else arguments.port,
                partner=partner,
                office=office.url,
                secret=office.secret,
            ),
            encoding="utf-8",
        )
        app = await build(
            load(path), plugins.load("gateway.channels"), plugins.load("gateway.adapters")
        )
        try:
            url = await app.start()
            good = await _show(url, office, partner, line["local_port"] if line else None)
            if not arguments.once:
                await _stay(url)
        finally:
            await app.stop()
            await office.stop()
    return 0 if good else 1


async def _show(url: str, office: LoopbackOffice, partner: str, line: int | None) -> bool:
    """Send everything, print the table, and return whether all arrived as it should."""
    async with aiohttp.ClientSession() as session:
        desks = [LoopbackDesk(url, service) for service in _SERVICES]
        following = [asyncio.create_task(desk.follow(session)) for desk in desks]
        await asyncio.sleep(0.2)
        sent = await Citizens(session, url, partner).all()
        if line is not None:
            sent.append(await phone.called(line, office))
        await settled(sent, office, desks)
        shown, good = table(sent, office, desks)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    print(shown)
    incidents = sum(len(desk.seen) for desk in desks)
    acknowledged = sum(len(desk.acknowledged) for desk in desks)
    print(
        f"\n{len(sent)} requests, {len({s.answer.get('number') for s in sent})} tickets, "
        f"{len(office.arrivals)} events at the back office (every signature verified), "
        f"{incidents} incidents, {acknowledged} acknowledged."
    )
    print("Everything arrived exactly once." if good else "SOMETHING IS MISSING: see the table.")
    return good


async def _stay(url: str) -> None:
    """Print where the pages are and wait for a signal."""
    print(
        f"\nThe pages stay open until Ctrl-C:\n  request form  {url}/\n  progress      {url}/progress\n"
        f"  fire desk     {url}/desk/119\n  state         {url}/readyz",
        flush=True,
    )
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    with contextlib.suppress(asyncio.CancelledError):
        await ended.wait()
