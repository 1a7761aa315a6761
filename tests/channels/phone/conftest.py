"""Tests of the line under way side by side: each waits for clocks of its own nearly all the time.

A test marked ``beside`` has a line, a folder and callers of its own, and asks for ``tmp_path`` alone.
All of them are begun together, some at a time, when the turn of the first comes, and each one's
turn then is its outcome. No other test runs meanwhile: what is measured has the machine to itself.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

#: What a marked test is before its turn comes, which wraps it in a loop of its own.
_RAW = pytest.StashKey[Callable[..., Any]]()
#: Under way at a time: more would keep two cores busy with starting workers.
AT_ONCE = 4
#: Within which what a run has left behind must end.
_END_S = 10.0


class Company:
    """The tests that are under way together, in a loop of their own.

    Args:
        tests: Each with what it is called with, by its id.
    """

    def __init__(self, tests: dict[str, tuple[Callable[..., Any], dict[str, Any]]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._under_way: dict[str, Future[None]] = {
            name: asyncio.run_coroutine_threadsafe(self._one(test, given), self._loop)
            for name, (test, given) in tests.items()
        }

    async def _one(self, test: Callable[..., Any], given: dict[str, Any]) -> None:
        async with self._room:
            await test(**given)

    def outcome(self, name: str) -> None:
        """Return once a test is over, or raise what it raised."""
        self._under_way[name].result()

    def end(self) -> None:
        """Cancel what is under way, for the run was given up, and end the loop."""
        for test in self._under_way.values():
            test.cancel()
        asyncio.run_coroutine_threadsafe(self._rest(), self._loop).result(_END_S * 3)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_END_S)
        if not self._thread.is_alive():
            self._loop.close()

    async def _rest(self) -> None:
        """Have what failed tests left behind end, in a bounded time."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others, timeout=_END_S)
        await asyncio.wait_for(self._loop.shutdown_asyncgens(), _END_S)


def _called_with(item: pytest.Function, folders: pytest.TempPathFactory) -> dict[str, Any]:
    given = dict(item.callspec.params) if hasattr(item, "callspec") else {}
    if "tmp_path" in item._fixtureinfo.argnames:
        given["tmp_path"] = folders.mktemp("beside")
    assert given.keys() == set(item._fixtureinfo.argnames), f"{item.nodeid}: asks for too much"
    return given


@pytest.fixture(scope="session")
def company(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    """All tests of this run that are marked, begun together."""
    begun = Company(
        {
            item.nodeid: (item.stash[_RAW], _called_with(item, tmp_path_factory))
            for item in request.session.items
            if isinstance(item, pytest.Function) and _beside(item)
        }
    )
    yield begun
    begun.end()


def _beside(item: pytest.Item) -> bool:
    return item.path.is_relative_to(Path(__file__).parent) and bool(
        item.get_closest_marker("beside")
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "beside: has nothing in common with its neighbours")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the marked tests in a row, the first of them where it was."""
    marked = [item for item in items if _beside(item)]
    for item in marked:
        assert isinstance(item, pytest.Function)
        item.stash[_RAW] = item.function
    if marked:
        at = items.index(marked[0])
        items[:] = [
            *(item for item in items[:at]),
            *marked,
            *(item for item in items[at:] if item not in marked),
        ]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Wait for a marked test rather than run it."""
    if not _beside(pyfuncitem):
        return None
    pyfuncitem._request.getfixturevalue("company").outcome(pyfuncitem.nodeid)
    return True
