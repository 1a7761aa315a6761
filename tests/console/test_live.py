"""Which incidents the live page shows where there are more than it has room for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console import tickets
from gateway.console.tickets import open_incidents
from gateway.store.base import IncidentChange
from gateway.store.sqlite import SqliteStore
from tests.store import make


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """Yield an empty store."""
    opened = SqliteStore(tmp_path / "gateway.db")
    await opened.open()
    yield opened
    await opened.close()


async def test_a_new_emergency_is_not_hidden_by_old_ones(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that nobody has acknowledged come first, and of each the newest."""
    monkeypatch.setattr(tickets, "_INCIDENTS", 4)
    fires = [make.incident() for _ in range(6)]
    ids = [fire.id for fire in fires]
    for fire in fires:
        await store.add(make.acceptance(deliveries=(), reports=(make.report(fire),)))
    for old in (*ids[:3], ids[5]):
        event = make.event("acknowledged", make.after(10))
        await store.step(
            IncidentChange(
                incident_id=old,
                event=event,
                state="acknowledged",
                desk="119",
                rung=0,
                ladder_at=None,
            )
        )
    found = [one.incident.id for one in await open_incidents(store)]
    assert found == [ids[4], ids[3], ids[5], ids[2]]
