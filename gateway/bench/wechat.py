"""WeChat's call-backs a second, and how long a citizen waits for the passive reply.

The pushes are sealed as the platform's are; the gateway serves in a process of its own.
"""

import asyncio
import json
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from channels.wechat.simulator.pusher import Account, Pusher, members
from gateway.bench.load import ORDINARY
from gateway.bench.peers import NOWHERE, SECRET, start

CONNECTIONS = 32
#: Pushes a second where citizens do not wait for one another: a large city's busy hour.
_RATE = 50.0
_WARM_UP_S = 1.0
_ACCOUNT = Account(
    app_id="wx5823bf96d3bd56c7",
    token="bench",  # noqa: S106 - signs loopback traffic
    encoding_aes_key="abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    mode="encrypted",
)


@dataclass(slots=True)
class _Tally:
    latencies_s: list[float] = field(default_factory=list)
    wrong: int = 0


def _configure(folder: Path) -> Path:
    """Write a configuration with one account into ``folder`` and return its path."""
    account = {
        "kind": "wechat",
        "name": "oa",
        "app_id": _ACCOUNT.app_id,
        "token": _ACCOUNT.token,
        "encoding_aes_key": _ACCOUNT.encoding_aes_key,
    }
    office = {"kind": "backoffice", "name": "backoffice", "url": NOWHERE, "secret": SECRET}
    settings = {
        "instance": {"name": "bench", "region": "suzhou"},
        "http": {"host": "127.0.0.1", "port": 0},
        "store": {"url": "sqlite:///bench.db"},
        "channels": [account],
        "adapters": [office],
        "routes": [{"name": "rest", "send": {"to": "backoffice"}}],
    }
    path = folder / "gateway.yaml"
    path.write_text(json.dumps(settings))  # JSON is YAML
    return path


async def _write(pusher: Pusher, citizen: str, count: int, tally: _Tally) -> None:
    """Write one message, a citizen's first."""
    fields = members("text", citizen, Content=ORDINARY[count % len(ORDINARY)])
    body, query = pusher.request(fields)
    began = time.perf_counter()
    status, answer = await pusher.once(body, query)
    tally.latencies_s.append(time.perf_counter() - began)
    tally.wrong += status != 200 or b"<Encrypt>" not in answer


async def _flood(pusher: Pusher, seconds: float) -> _Tally:
    """Push on every connection as soon as it was answered."""
    tally, until = _Tally(), time.perf_counter() + seconds

    async def connection(number: int) -> None:
        count = 0
        while time.perf_counter() < until:
            count += 1
            await _write(pusher, f"oFlood-{number}-{until:.0f}-{count}", count, tally)

    await asyncio.gather(*(connection(n) for n in range(CONNECTIONS)))
    return tally


async def _trickle(pusher: Pusher, seconds: float) -> _Tally:
    """Push at a rate, whether or not the ones before were answered."""
    tally, began = _Tally(), time.perf_counter()
    async with asyncio.TaskGroup() as writing:
        for n in range(int(seconds * _RATE)):
            await asyncio.sleep(max(0.0, began + n / _RATE - time.perf_counter()))
            writing.create_task(_write(pusher, f"oTrickle-{n}", n, tally))
    return tally


async def wechat(seconds: float) -> dict[str, float]:
    """Return the figures of one run, seen from the platform's side.

    ``callbacks_per_second``, ``reply_p50_ms`` and ``reply_p99_ms`` of sealed pushes on 32
    connections; the same of the reply at 50 pushes a second; ``wrong`` counts answers without one.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        config = _configure(Path(folder))
        server = await start("-m", "gateway", "serve", "--config", str(config))
        try:
            async with Pusher(
                _ACCOUNT, f"{server.url}/channels/wechat/oa", patience_s=30
            ) as pusher:
                await _flood(pusher, _WARM_UP_S)
                quiet = await _trickle(pusher, seconds)
                flood = await _flood(pusher, seconds)
        finally:
            await server.stop()
    calm, loud = (statistics.quantiles(t.latencies_s, n=100) for t in (quiet, flood))
    return {
        "callbacks_per_second": len(flood.latencies_s) / seconds,
        "reply_p50_ms": loud[49] * 1e3,
        "reply_p99_ms": loud[98] * 1e3,
        "reply_at_50_per_second_p50_ms": calm[49] * 1e3,
        "reply_at_50_per_second_p99_ms": calm[98] * 1e3,
        "wrong": float(quiet.wrong + flood.wrong),
    }
