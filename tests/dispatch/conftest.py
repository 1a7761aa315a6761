"""A scene for every test, taken down whatever happened."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.dispatch.scene import Faulty, PatientClock, Scene


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    store = Faulty(tmp_path / "gateway.db")
    await store.open()
    scene = Scene(PatientClock(lambda: store.busy > 0), store)
    yield scene
    store.broken.clear()
    for dispatcher in scene.dispatchers:
        await dispatcher.stop(0)
    await store.close()
