"""What the benchmark starts beside itself: servers, load, a desk, a back office."""

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import aiohttp

from gateway.bench.load import Job

_CONFIG = """\
instance: {{name: bench, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {store}
queue: {queue}
reading: {{process: {reading}}}
channels: [{{kind: web, name: portal}}]
adapters:
  - {{kind: backoffice, name: backoffice, url: "{office}", secret: "{secret}", retry_for: 3d}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""
SECRET = "whsec_YmVuY2htYXJrLWJlbmNobWFyay1iZW5jaG1hcms="  # noqa: S105 - signs loopback traffic
#: Nobody listens on the discard port: pushes fail at once and the breaker rests.
NOWHERE = "http://127.0.0.1:9/events"


class Server:
    """A child process that printed its address."""

    def __init__(self, process: asyncio.subprocess.Process, url: str, started_s: float) -> None:
        self.process = process
        self.url = url
        self.started_s = started_s  #: seconds from start to the ready line
        self.port = int(url.rsplit(":", 1)[1])

    def peak_mib(self) -> float:
        """Return the most memory that it has held, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024

    async def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the process and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(how)
        await self.process.wait()


async def start(*arguments: str, cwd: Path | None = None) -> Server:
    """Return a server once it printed ``ready URL``. Raises RuntimeError if it ends before."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cwd,
    )
    if process.stdout is None:
        raise RuntimeError("no pipe to the server")
    while line := await process.stdout.readline():
        if line.startswith(b"ready "):
            return Server(process, line.split()[1].decode(), time.perf_counter() - began)
    raise RuntimeError(f"the server {' '.join(arguments)} ended before it was ready")


@dataclass(frozen=True)
class Setup:
    """Where a gateway keeps its tickets and its liaison queues, and who reads what arrives."""

    store: str = "sqlite:///bench.db"
    queue: str = "embedded:"
    reading: bool = False  #: in a process of its own


#: What ships, and the same with a process for writing and one for reading.
EMBEDDED = Setup()
PROCESSES = Setup(store="sqlite:///bench.db?writer=process", reading=True)


def configure(folder: Path, setup: Setup = EMBEDDED, office: str = NOWHERE) -> Path:
    """Write a configuration into ``folder`` and return its path.

    Args:
        folder: Of the gateway alone.
        setup: How it is set up.
        office: The back office's address.
    """
    path = folder / "gateway.yaml"
    path.write_text(
        _CONFIG.format(
            store=json.dumps({"url": setup.store}),
            queue=json.dumps({"url": setup.queue}),
            reading=json.dumps(setup.reading),
            office=office,
            secret=SECRET,
        )
    )
    return path


@contextlib.asynccontextmanager
async def gateway(setup: Setup = EMBEDDED, office: str = NOWHERE) -> AsyncIterator[Server]:
    """Serve a gateway on a store of its own, or on the one that is named."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        config = configure(Path(folder), setup, office)
        server = await start("-m", "gateway", "serve", "--config", str(config))
        try:
            yield server
        finally:
            await server.stop()


@contextlib.asynccontextmanager
async def bare() -> AsyncIterator[Server]:
    """Serve the yardstick."""
    server = await start("-m", "gateway.bench.bare")
    try:
        yield server
    finally:
        await server.stop()


async def load(job: Job) -> dict[str, Any]:
    """Return what the load generator measured, from a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.bench.load",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(asdict(job)).encode())
    if process.returncode:
        raise RuntimeError("the load generator failed")
    result: dict[str, Any] = json.loads(out)
    return result


async def judge_seconds(url: str) -> float:
    """Return the seconds that the server's judge has taken so far."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        for line in (await answer.text()).splitlines():
            if line.startswith("gateway_judge_seconds_sum"):
                return float(line.split()[1])
    return 0.0


async def watch(url: str, service: str, seen: dict[str, float]) -> None:
    """Follow a desk's stream until cancelled, noting when each ticket's number was first there."""
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(timeout=timeout, read_bufsize=1 << 20) as session,
        session.get(f"{url}/api/v1/liaison/{service}/stream") as answer,
    ):
        async for line in answer.content:
            if line.startswith(b"data:"):
                now = time.time()
                for number in json.loads(line[5:]).get("reports", ()):
                    seen.setdefault(number, now)
