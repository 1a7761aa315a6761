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
from gateway.bench.peers import NOWHERE, SECRET, Server, start

CONNECTIONS = 32
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


async def _citizen(pusher: Pusher, number: int, tally: _Tally, until: float) -> None:
    """Write one message after another, each a citizen's first."""
    count = 0
    while (began := time.perf_counter()) < until:
        count += 1
        fields = members(
            "text", f"oBench-{number}-{count}", Content=ORDINARY[count % len(ORDINARY)]
        )
        status, answer = await pusher.once(*pusher.request(fields))
        tally.latencies_s.append(time.perf_counter() - began)
        tally.wrong += status != 200 or b"<Encrypt>" not in answer


async def _push(server: Server, seconds: float) -> _Tally:
    tally = _Tally()
    async with Pusher(_ACCOUNT, f"{server.url}/channels/wechat/oa", patience_s=30) as pusher:
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_citizen(pusher, n, tally, until) for n in range(CONNECTIONS)))
    return tally


async def wechat(seconds: float) -> dict[str, float]:
    """Return the figures of one run.

    ``callbacks_per_second``, ``reply_p50_ms`` and ``reply_p99_ms`` of sealed pushes on 32
    connections, seen from the platform's side; ``wrong`` counts answers without a passive reply.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        config = _configure(Path(folder))
        server = await start("-m", "gateway", "serve", "--config", str(config))
        try:
            await _push(server, _WARM_UP_S)
            tally = await _push(server, seconds)
        finally:
            await server.stop()
    cuts = statistics.quantiles(tally.latencies_s, n=100)
    return {
        "callbacks_per_second": len(tally.latencies_s) / seconds,
        "reply_p50_ms": cuts[49] * 1e3,
        "reply_p99_ms": cuts[98] * 1e3,
        "wrong": float(tally.wrong),
    }
