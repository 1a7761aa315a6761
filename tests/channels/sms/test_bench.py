"""The benchmark's message centre, for a moment."""

from pathlib import Path

from gateway.bench.sms import _measured
from gateway.peers.centre import Centre
from tests.channels.sms.world import QUICK, Gateway, running, texting


async def test_the_benchmark_measures_what_was_answered(tmp_path: Path) -> None:
    """Every message that it counts was accepted, and none was refused."""
    gateway = Gateway()
    async with Centre() as centre, running(texting(centre.port, tmp_path, QUICK), gateway):
        await centre.bound()
        figures = await _measured(centre, 0.3)
        await centre.settled()
    assert figures["refused"] == 0
    assert 0 < figures["per_second"] * 0.3 <= len(gateway.tickets)
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]
