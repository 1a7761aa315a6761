"""The port's conformance suite, run against our own worker."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from channels.phone.channel import dialogue_text, worker_settings
from channels.phone.simulator.telephone import Refused, talking
from channels.phone.supervisor import PROGRAM
from channels.phone.testing import CHECKS, Trial
from tests.channels.phone.lines import mute, settings


class Ours:
    """The worker that is shipped."""

    def __init__(self, folder: Path) -> None:
        self._section = settings(folder / "line", dialogue=mute(folder))
        self._at = ("127.0.0.1", self._section.local_port)

    @asynccontextmanager
    async def running(self, socket: Path, spool: Path) -> AsyncIterator[Callable[[], bool]]:
        """Run it as the gateway does."""
        (told,) = worker_settings(self._section, dialogue_text(self._section))
        told = msgspec.structs.replace(told, socket=str(socket), spool=str(spool))
        process = await asyncio.create_subprocess_exec(*PROGRAM, stdin=asyncio.subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(told))
        process.stdin.close()
        try:
            yield lambda: process.returncode is None
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def call(self, sound: bytes) -> None:
        """Call it."""
        async with talking(self._at) as telephone:
            await telephone.speak(sound)


class Deaf(Ours):
    """A worker that never says a word."""

    @asynccontextmanager
    async def running(self, socket: Path, spool: Path) -> AsyncIterator[Callable[[], bool]]:
        """Run something else."""
        del socket, spool
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "input()", stdin=asyncio.subprocess.PIPE
        )
        try:
            yield lambda: process.returncode is None
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.beside
async def test_our_worker_keeps_the_port(
    check: Callable[[Trial, Path], Awaitable[None]], tmp_path: Path
) -> None:
    """What is asked of every worker holds for ours."""
    folder = tmp_path / "trial"
    folder.mkdir()
    await check(Ours(tmp_path), folder)


async def test_the_suite_fails_a_worker_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that says nothing passes no check."""
    monkeypatch.setattr("channels.phone.testing._PATIENCE_S", 0.5)
    monkeypatch.setattr("channels.phone.simulator.telephone._TRIES", 1)
    folder = tmp_path / "trial"
    folder.mkdir()
    for check in CHECKS:
        with pytest.raises((AssertionError, Refused)):
            await check(Deaf(tmp_path), folder)
