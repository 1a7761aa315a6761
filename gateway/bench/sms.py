"""Text messages: how many a second an account takes, and how soon each is a ticket."""

import asyncio
import contextlib
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from aiohttp import web

from gateway.bench.peers import NOWHERE, SECRET, Server, start
from gateway.loopback import free_port
from gateway.peers.centre import Centre

_PATH = "bench-path-that-nobody-guesses"
_CONFIG = """\
instance: {{name: bench, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///bench.db"}}
channels:
  - {{kind: sms, name: mobile, protocol: smpp, number: "106912345", host: 127.0.0.1, port: {port},
      user: bench, password: bench, window: 100}}
  - {{kind: sms, name: cloud, protocol: http, provider: aliyun, number: "10691", secret: {path}}}
adapters:
  - {{kind: backoffice, name: backoffice, url: "{office}", secret: "{secret}", retry_for: 3d}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""
#: Alibaba Cloud hangs up after 700 ms and sends 500 messages at most.
_BATCH = 500
_RATE = 50.0

_KANNEL = """\
group = core
admin-port = {admin}
admin-password = bench
smsbox-port = {box}
box-allow-ip = "127.0.0.1"
log-level = 4

group = smsc
smsc = smpp
smsc-id = bench
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = bench
smsc-password = bench
system-type = ""

group = smsbox
bearerbox-host = 127.0.0.1
log-level = 4

group = sms-service
keyword = default
catch-all = true
max-messages = 0
omit-empty = true
get-url = "{url}/?from=%p&text=%b"
"""


async def sms(seconds: float) -> dict[str, float]:
    """Return messages a second of one SMPP account, milliseconds to the ticket, and Kannel's own.

    A deliver_sm is answered once its ticket is durable; Kannel, where it is installed, answers
    once the message was handed to its HTTP side, and keeps nothing.
    """
    figures: dict[str, float] = {}
    async with Centre() as centre, _gateway(centre.port) as server:
        await centre.bound()
        figures |= await _measured(centre, seconds)
        figures["batch_of_500_ms"] = await _batch(server.url)
    if shutil.which("bearerbox") and shutil.which("smsbox"):
        async with Centre() as centre, _kannel(centre.port):
            await centre.bound()
            kannel = await _measured(centre, seconds)
        figures |= {f"kannel_{name}": value for name, value in kannel.items()}
        figures["beside_kannel"] = figures["per_second"] / kannel["per_second"]
    return figures


async def _measured(centre: Centre, seconds: float) -> dict[str, float]:
    await centre.trickle(1.0, _RATE)  # caches warm
    await centre.settled()
    centre.answered.clear()
    await centre.trickle(seconds, _RATE)
    await centre.settled()
    quiet = sorted(took for _, took in centre.answered)
    centre.answered.clear()
    began = time.perf_counter()
    await centre.flood(seconds)
    taken = len(centre.answered)
    lasted = time.perf_counter() - began
    await centre.settled()
    return {
        "per_second": taken / lasted,
        "p50_ms": statistics.median(quiet),
        "p99_ms": quiet[int(0.99 * len(quiet))],
        "refused": float(centre.refused),
    }


async def _batch(url: str) -> float:
    """Return the milliseconds of the slowest of three pushes of 500 messages each."""
    slowest = 0.0
    async with aiohttp.ClientSession() as session:
        for turn in range(3):
            body = json.dumps([_item(turn * _BATCH + n) for n in range(_BATCH)])
            began = time.perf_counter()
            async with session.post(
                f"{url}/channels/sms/cloud/{_PATH}",
                data=body,
                headers={"Content-Type": "application/json"},
            ) as answer:
                if answer.status != 200:
                    raise RuntimeError(f"a batch was answered {answer.status}")
            slowest = max(slowest, (time.perf_counter() - began) * 1000)
    return slowest


def _item(n: int) -> dict[str, str]:
    return {
        "phone_number": f"138{n:08}",
        "content": f"人民路{n}号门口的路灯坏了三盏，请尽快修理",
        "send_time": "2026-11-23 10:00:00",
        "dest_code": "1234",
        "sequence_id": str(n),
    }


@contextlib.asynccontextmanager
async def _gateway(port: int) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        path = Path(folder) / "gateway.yaml"
        path.write_text(_CONFIG.format(port=port, office=NOWHERE, secret=SECRET, path=_PATH))
        server = await start("-m", "gateway", "serve", "--config", str(path))
        try:
            yield server
        finally:
            await server.stop()


@contextlib.asynccontextmanager
async def _kannel(port: int) -> AsyncIterator[None]:
    """Run Kannel between a centre and an HTTP server that answers 200."""
    async with _sink() as url:
        with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
            admin, box = free_port(), free_port()
            path = Path(folder) / "kannel.conf"
            path.write_text(_KANNEL.format(port=port, admin=admin, box=box, url=url))
            processes = [await _started("bearerbox", path)]
            await asyncio.sleep(1.0)  # smsbox gives up at once where bearerbox does not listen yet
            processes.append(await _started("smsbox", path))
            try:
                yield
            finally:
                for process in reversed(processes):
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()


async def _started(program: str, config: Path) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(program, str(config), stdout=quiet, stderr=quiet)


@contextlib.asynccontextmanager
async def _sink() -> AsyncIterator[str]:
    async def take(_request: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
