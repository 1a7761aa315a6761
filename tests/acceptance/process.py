"""The gateway as a process of its own, and its other commands."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.acceptance.polling import eventually

_READY = re.compile(r"^ready (http://[^\s/]+:\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str


async def run(*arguments: str, cwd: Path, given: str | None = None, within_s: float = 30) -> Done:
    """Run ``python -m gateway ARGUMENTS`` to its end."""

    def whole() -> Done:
        ended = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            cwd=cwd,
            input=(given or "").encode(),
            capture_output=True,
            timeout=within_s,
            check=False,
        )
        return Done(ended.returncode, ended.stdout.decode(), ended.stderr.decode())

    return await asyncio.to_thread(whole)


class Gateway:
    """``python -m gateway serve --config FILE``.

    Args:
        config: The configuration; stdout and stderr are kept in files beside it.
        environment: Variables to add to the environment.
    """

    def __init__(self, config: Path, environment: dict[str, str] | None = None) -> None:
        self.config = config
        self.url = ""
        self._environment = {**os.environ, **(environment or {})}
        self._out = config.with_suffix(".out")
        self._err = config.with_suffix(".err")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def out(self) -> str:
        """What it wrote on stdout, of all its lives."""
        return self._out.read_text() if self._out.exists() else ""

    @property
    def err(self) -> str:
        """What it wrote on stderr, of all its lives."""
        return self._err.read_text() if self._err.exists() else ""

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    async def start(self, within_s: float = 20.0) -> Self:
        """Serve; return once the ready line is there."""
        before = len(self.out)
        self.spawn()

        async def ready() -> str | None:
            found = _READY.search(self.out[before:])
            assert found or self.running, f"serve ended: {self.err}"
            return found[1] if found else None

        self.url = await eventually(ready, "the ready line", within_s)
        return self

    def spawn(self) -> None:
        """Start the process and do not wait for anything."""
        with self._out.open("ab") as out, self._err.open("ab") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "serve", "--config", str(self.config)],
                cwd=self.config.parent,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._environment,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self._process is not None
        self._process.send_signal(number)

    async def ended(self, within_s: float = 20.0) -> int:
        """Return the exit code once the process is gone."""
        process = self._process
        assert process is not None
        return await asyncio.to_thread(process.wait, within_s)

    async def kill(self) -> None:
        """End the process at once, whatever its state."""
        if self._process is not None:
            self._process.kill()
            await self.ended()


def write_config(file: Path, settings: dict[str, Any]) -> Path:
    """Write a configuration as YAML."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False))
    return file
