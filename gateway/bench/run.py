"""The measurements, each a median of paired runs, and the table that shows them."""

import asyncio
import contextlib
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp

from gateway.bench.email import email
from gateway.bench.load import EMERGENCY, ORDINARY, Job
from gateway.bench.peers import (
    EMBEDDED,
    PROCESSES,
    Setup,
    bare,
    configure,
    gateway,
    judge_seconds,
    load,
    start,
    watch,
)
from gateway.bench.phone import phone
from gateway.bench.sink import sink
from gateway.bench.sms import sms
from gateway.bench.wechat import wechat

CONNECTIONS = 64
_WARM_UP_S = 1.5


def _job(port: int, seconds: float, **more: Any) -> Job:
    return Job("127.0.0.1", port, more.pop("connections", CONNECTIONS), seconds, **more)


def _median(values: Sequence[float]) -> float:
    return statistics.median(values) if values else float("nan")


def _quantile(values: Sequence[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))] if ordered else float("nan")


async def _one_round(seconds: float, servers: Setup | None = None) -> dict[str, Any]:
    """Measure the yardstick and all store modes once, next to one another."""
    out: dict[str, Any] = {}
    async with bare() as server:
        await load(_job(server.port, _WARM_UP_S))
        out["bare"] = await load(_job(server.port, seconds))
    modes = {"thread": EMBEDDED, "process": PROCESSES}
    if servers is not None:
        modes |= {"postgres": servers, "postgres_reading": replace(servers, reading=True)}
    for name, setup in modes.items():
        async with gateway(setup) as server:
            await load(_job(server.port, _WARM_UP_S))
            before = await judge_seconds(server.url)
            result = await load(_job(server.port, seconds))
            result["judge_s"] = await judge_seconds(server.url) - before
            result["peak_mib"] = server.peak_mib()
        out[name] = result
    return out


async def accepting(rounds: int, seconds: float, servers: Setup | None = None) -> dict[str, Any]:
    """Return accepted requests a second beside the yardstick, by where the tickets are kept."""
    runs = [await _one_round(seconds, servers) for _ in range(rounds)]
    figures: dict[str, Any] = {"bare_per_second": _median([r["bare"]["per_second"] for r in runs])}
    for name in [mode for mode in runs[0] if mode != "bare"]:
        rates = [r[name]["per_second"] for r in runs]
        without = [r[name]["requests"] / (r[name]["seconds"] - r[name]["judge_s"]) for r in runs]
        bases = [r["bare"]["per_second"] for r in runs]
        figures[name] = {
            "per_second": _median(rates),
            "ratio": _median([a / b for a, b in zip(rates, bases, strict=True)]),
            "per_second_without_judge": _median(without),
            "ratio_without_judge": _median([a / b for a, b in zip(without, bases, strict=True)]),
            "p99_ratio": _median([r[name]["p99_ms"] / r["bare"]["p99_ms"] for r in runs]),
            "p50_ms": _median([r[name]["p50_ms"] for r in runs]),
            "p99_ms": _median([r[name]["p99_ms"] for r in runs]),
            "judge_us": _median([r[name]["judge_s"] / r[name]["requests"] * 1e6 for r in runs]),
            "peak_mib": max(r[name]["peak_mib"] for r in runs),
            "not_201": sum(
                n for r in runs for code, n in r[name]["statuses"].items() if int(code) != 201
            )
            + sum(r[name]["errors"] for r in runs),
        }
    return figures


async def _emergencies(
    seconds: float, *, rate: float | None, every: int, setup: Setup = EMBEDDED
) -> dict[str, float]:
    seen: dict[str, float] = {}
    async with sink() as office, gateway(setup, office.url) as server:
        await load(_job(server.port, _WARM_UP_S))
        desk = asyncio.create_task(watch(server.url, "119", seen))
        await asyncio.sleep(0.3)
        result = await load(_job(server.port, seconds, rate=rate, every=every))
        await asyncio.sleep(1.0)
        desk.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await desk
    sent = result["emergencies"]
    waits = [(seen[number] - at) * 1000 for number, at in sent.items() if number in seen]
    return {
        "sent": len(sent),
        "seen": len(waits),
        "p50_ms": _quantile(waits, 0.5),
        "p99_ms": _quantile(waits, 0.99),
        "flood_per_second": result["per_second"],
    }


async def emergencies(seconds: float, servers: Setup | None = None) -> dict[str, Any]:
    """Return milliseconds from sending an emergency to its desk's consumer, in another process."""
    found = {
        "quiet": await _emergencies(seconds, rate=50, every=1),
        "at_1000": await _emergencies(seconds, rate=1000, every=20),
        "saturated": await _emergencies(seconds, rate=None, every=20),
        "at_1000_processes": await _emergencies(seconds, rate=1000, every=20, setup=PROCESSES),
        "saturated_processes": await _emergencies(seconds, rate=None, every=20, setup=PROCESSES),
    }
    if servers is not None:
        for name, rate in (("at_1000_postgres", 1000.0), ("saturated_postgres", None)):
            setup = replace(servers, reading=True)
            found[name] = await _emergencies(seconds, rate=rate, every=20, setup=setup)
    return found


async def pushing(seconds: float) -> dict[str, float]:
    """Return events pushed a second once a backlog is there and the back office takes them."""
    async with sink() as office:
        async with gateway(office=office.url) as server:
            office.hold()
            await load(_job(server.port, seconds))
            backlog = office.release()
            began = time.perf_counter()
            await asyncio.sleep(min(seconds, 5.0))
            pushed = office.taken - backlog
        return {"per_second": pushed / (time.perf_counter() - began), "repeats": office.repeats}


async def kills(count: int, seed: int = 7) -> dict[str, int]:
    """Kill the server at random while it accepts; return what was answered 201 and is missing."""
    chooser = random.Random(seed)  # noqa: S311 - when to kill, not a secret
    numbers: list[str] = []
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        config = configure(Path(folder))
        for _ in range(count):
            server = await start("-m", "gateway", "serve", "--config", str(config))
            running = asyncio.create_task(load(_job(server.port, 3.0, connections=16)))
            await asyncio.sleep(0.3 + chooser.random())
            await server.stop(signal.SIGKILL)
            numbers += (await running)["numbers"]
        server = await start("-m", "gateway", "serve", "--config", str(config))
        stored = await _stored(server.url)
        await server.stop()
    return {
        "kills": count,
        "answered": len(numbers),
        "lost": len(set(numbers) - stored),
        "doubled": len(numbers) - len(set(numbers)),
    }


async def _stored(url: str) -> set[str]:
    """Return the numbers of all stored tickets, by the back office's paging."""
    from gateway.bench.paging import all_numbers

    async with aiohttp.ClientSession() as session:
        return await all_numbers(session, url)


def judging(seconds: float) -> dict[str, float]:
    """Return texts that the judge reads a second, and its slow end, in this process."""
    from gateway.judge.assess import assess
    from gateway.judge.rulebook import load as load_rulebook
    from normalizer.text import fold, normalize_text

    rulebook = load_rulebook(None)
    texts = [normalize_text(t) for t in (*ORDINARY, EMERGENCY.format(n=88))]
    times: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for text in texts:
            began = time.perf_counter()
            assess(text, fold(text), rulebook)
            times.append(time.perf_counter() - began)
    return {
        "per_second": 1 / statistics.fmean(times),
        "p50_us": _quantile(times, 0.5) * 1e6,
        "p99_us": _quantile(times, 0.99) * 1e6,
    }


async def everything(rounds: int, seconds: float, servers: Setup | None = None) -> dict[str, Any]:
    """Run every measurement, one after another; those on servers where there are any."""
    return {
        "accepting": await accepting(rounds, seconds, servers),
        "emergencies": await emergencies(seconds, servers),
        "pushing": await pushing(seconds),
        "judging": judging(min(seconds, 2.0)),
        "channels": {
            "sms": await sms(seconds),
            "wechat": await wechat(seconds),
            "email": await email(seconds),
            "phone": await phone(seconds),
        },
        "kills": await kills(10),
    }
