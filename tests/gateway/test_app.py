"""What runs beside the HTTP side."""

import asyncio
from pathlib import Path

import pytest

from config.load import load
from gateway import app as application
from gateway import plugins
from gateway.app import build
from gateway.outbox.destination import OWN
from tests.gateway.world import CONFIG


async def test_a_part_that_fails_is_started_again_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault in a listener, or in a chore beside intake, ends neither it nor the gateway."""
    monkeypatch.setattr(application, "_RESTART_S", 0.0)
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG + 'store: {url: "sqlite:///gateway.db"}\n', encoding="utf-8")
    kinds = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    gateway = await build(load(path), *kinds)
    runs, again = 0, asyncio.Event()

    async def fails_once() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise KeyError("a fault of the program")
        again.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(gateway._keep("cards", fails_once))
    async with asyncio.timeout(20):
        await again.wait()
    task.cancel()
    failed = gateway.parts.base.metrics.registry.get_sample_value(
        "gateway_events_total", {"event": "part_failed", "where": "cards"}
    )
    assert (runs, failed) == (2, 1)
    await gateway.parts.base.store.close()


async def test_every_chore_has_a_name_in_the_reference(tmp_path: Path) -> None:
    """Whoever is alarmed by ``part_failed`` finds what the part is."""
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG + 'store: {url: "sqlite:///gateway.db"}\n', encoding="utf-8")
    kinds = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    gateway = await build(load(path), *kinds)
    text = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    assert [name for name in gateway._chores() if f"`{name}`" not in text] == []
    await gateway.parts.base.store.close()


async def test_our_own_destinations_are_those_that_no_adapter_may_be_called(tmp_path: Path) -> None:
    """What the gateway delivers to beside the configured adapters is known by name."""
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG + 'store: {url: "sqlite:///gateway.db"}\n', encoding="utf-8")
    kinds = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    gateway = await build(load(path), *kinds)
    assert set(gateway.parts.dispatcher._outlets) == {"office", *OWN}
    await gateway.parts.base.store.close()
