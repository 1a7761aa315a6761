"""Message centres written by others, each a process that is told what to do over its pipes."""

import asyncio
import contextlib
import json
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
#: What starts each centre.
NODE = ("node", "smsc.cjs")
PERL = ("perl", "smsc.pl")


class Smsc:
    """A centre on a private port.

    Args:
        command: `NODE` or `PERL`.
        tls: Files by which it secures its connections, see its script.
        folder: Where its script and packages are.
    """

    def __init__(
        self, command: Sequence[str], tls: Sequence[Path] = (), folder: Path = HERE
    ) -> None:
        self._command = command
        self._tls = tls
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.events: list[dict[str, Any]] = []
        self.port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start it, on the same port as before if there was one."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            str(self.port),
            *map(str, self._tls),
            cwd=self._folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reading = asyncio.create_task(self._read(self._process))
        known = len(self.events)
        (event,) = await self.wait("port", 1, after=known)
        self.port = event["port"]

    async def stop(self) -> None:
        """End it at once, as a crash would."""
        if self._process is None or self._reading is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        await self._reading
        self._process._transport.close()  # type: ignore[attr-defined]  # closes the pipes, too
        self._process = None

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self.events.append(json.loads(line))
            self._changed.set()

    def tell(self, do: str, **values: Any) -> None:
        """Give a command."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **values}).encode() + b"\n")

    async def set(self, **values: Any) -> None:
        """Change settings; return once they hold."""
        count = len(self.of("set"))
        self.tell("set", values=values)
        await self.wait("set", count + 1)

    def deliver(self, *items: Mapping[str, Any]) -> None:
        """Have messages delivered; each again and again until it is taken."""
        self.tell("deliver", items=list(items))

    async def wait(
        self, event: str, count: int = 1, *, after: int = 0, limit_s: float = 15.0
    ) -> list[dict[str, Any]]:
        """Return the first so many events of a kind once they have happened."""

        def found() -> list[dict[str, Any]]:
            return [e for e in self.events[after:] if e["event"] == event]

        await self.until(lambda: len(found()) >= count, limit_s)
        return found()[:count]

    async def until(self, holds: Callable[[], bool], limit_s: float = 15.0) -> None:
        """Return once something holds."""
        async with asyncio.timeout(limit_s):
            while not holds():
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await self._changed.wait()

    def of(self, event: str) -> list[dict[str, Any]]:
        """Return the events of a kind so far."""
        return [e for e in self.events if e["event"] == event]
