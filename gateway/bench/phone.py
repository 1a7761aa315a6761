"""The telephone: calls held, set-ups a second, and what a call costs its worker.

Callers are telephones of our own in this process; the gateway and its worker run in processes of
theirs. The worker alone is measured: it is what carries calls.
"""

import asyncio
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

from channels.phone.g711 import FRAME
from channels.phone.simulator.telephone import (
    TICK_S,
    Refused,
    Telephone,
    free_ports,
    murmur,
    talking,
)
from gateway.bench.peers import NOWHERE, SECRET, start

#: Calls held at once: what one worker is made for.
HELD = 100
#: Callers that set calls up one after the other, for the rate.
_CALLERS = 8
_PORTS = 2 * (HELD + _CALLERS) + 4
_UP_S = 20.0


class Process:
    """A process, as the kernel counts it (proc(5))."""

    def __init__(self, pid: int) -> None:
        self.proc = Path("/proc") / str(pid)

    @property
    def spent_s(self) -> float:
        """Seconds of processor time that it has used."""
        fields = (self.proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def octets(self) -> int:
        """Of memory."""
        return int((self.proc / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def phone(seconds: float) -> dict[str, float]:
    """Return the figures of one run; none where the telephone's extra is not installed.

    ``set_ups_per_second`` counts calls that are set up, acknowledged and hung up by eight callers at
    once, ``set_up_p50_ms`` and ``set_up_p99_ms`` are from INVITE to 200. Then a hundred calls are
    held that speak and hear all the time: ``packets_lost_percent`` is what of the sound that the
    line should have sent has not come, the worker's processor and memory are told a call.
    """
    if find_spec("pyVoIP") is None:
        return {}
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        path, port = Path(folder), free_ports(_PORTS)
        server = await start("-m", "gateway", "serve", "--config", str(_configure(path, port)))
        try:
            await _up(port)
            worker = Process(int((path / "phone" / "calls" / "worker.lock").read_text()))
            quiet = worker.octets
            figures = await _set_ups(port, seconds)
            figures |= await _held(port, seconds, worker, quiet)
        finally:
            await server.stop()
    return figures


def _configure(folder: Path, port: int) -> Path:
    line = {
        "kind": "phone",
        "name": "trunk",
        "server": "127.0.0.1",
        "user": "12345",
        "registration": False,
        "local_port": port,
        "rtp_ports": [port + 2, port + _PORTS - 1],
        "max_calls": HELD + _CALLERS,
        "folder": str(folder / "phone"),
        "alone": "10s",
    }
    settings = {
        "instance": {"name": "bench", "region": "suzhou"},
        "http": {"host": "127.0.0.1", "port": 0},
        "store": {"url": "sqlite:///bench.db"},
        "channels": [line],
        "adapters": [
            {"kind": "backoffice", "name": "backoffice", "url": NOWHERE, "secret": SECRET}
        ],
        "routes": [{"name": "rest", "send": {"to": "backoffice"}}],
    }
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


async def _up(port: int) -> None:
    """Return once the line answers a call. Raises `Refused`."""
    deadline = time.perf_counter() + _UP_S
    while True:
        with contextlib.suppress(Refused):
            async with talking(("127.0.0.1", port)):
                return
        if time.perf_counter() > deadline:
            raise Refused(408)


async def _set_ups(port: int, seconds: float) -> dict[str, float]:
    took: list[float] = []
    refused = 0
    until = time.perf_counter() + seconds

    async def caller(n: int) -> None:
        nonlocal refused
        while (began := time.perf_counter()) < until:
            async with Telephone(("127.0.0.1", port), f"1380000{n:04}") as telephone:
                try:
                    await telephone.call()
                except Refused:
                    refused += 1
                    continue
                took.append(time.perf_counter() - began)
                await telephone.hang_up()

    began = time.perf_counter()
    await asyncio.gather(*(caller(n) for n in range(_CALLERS)))
    cuts = statistics.quantiles(took, n=100)
    return {
        "set_ups_per_second": len(took) / (time.perf_counter() - began),
        "set_up_p50_ms": cuts[49] * 1e3,
        "set_up_p99_ms": cuts[98] * 1e3,
        "set_ups_refused": float(refused),
    }


async def _held(port: int, seconds: float, worker: Process, quiet: int) -> dict[str, float]:
    async with _many(port) as telephones:
        spent, heard, began = worker.spent_s, _heard(telephones), time.perf_counter()
        await _speak(telephones, seconds)
        lasted = time.perf_counter() - began
        came, used = _heard(telephones) - heard, worker.spent_s - spent
        octets = worker.octets
        held = sum(not telephone.over.is_set() for telephone in telephones)
    share = used / lasted
    return {
        "calls_held": float(held),
        "packets_lost_percent": max(0.0, 100 * (1 - came / (held * lasted / TICK_S))),
        "worker_percent_of_a_core": 100 * share,
        "worker_percent_of_a_core_a_call": 100 * share / held,
        "worker_mib": octets / (1 << 20),
        "worker_kib_a_call": max(0, octets - quiet) / 1024 / held,
    }


@contextlib.asynccontextmanager
async def _many(port: int) -> AsyncIterator[list[Telephone]]:
    """Give a hundred telephones whose calls are answered."""
    async with contextlib.AsyncExitStack() as stack:
        telephones = [
            await stack.enter_async_context(talking(("127.0.0.1", port), f"1390000{n:04}"))
            for n in range(HELD)
        ]
        for telephone in telephones:
            telephone.press("1")  # past the greeting: the line listens while it is spoken to
        yield telephones


async def _speak(telephones: list[Telephone], seconds: float) -> None:
    """Have all speak at once, by one clock."""
    sound, loop = murmur(seconds), asyncio.get_running_loop()
    due = loop.time()
    for at in range(0, len(sound), FRAME):
        for telephone in telephones:
            telephone.say(sound[at : at + FRAME])
        due += TICK_S
        await asyncio.sleep(max(0.0, due - loop.time()))


def _heard(telephones: list[Telephone]) -> int:
    return sum(telephone.packets for telephone in telephones)
