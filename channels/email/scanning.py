"""The optional look at each file: a program of the site, asked by exit code."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

#: Seconds for all files of a mail: its ticket waits for them.
TIMEOUT_S = 10.0
_AT_ONCE = 4


class Scanner:
    """Asks a program about files.

    Args:
        command: The program and its arguments; empty: every file is allowed.
        timeout_s: What is not answered for by then is kept out.
    """

    def __init__(self, command: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def allowed(self, contents: Sequence[bytes]) -> list[bool]:
        """Return of each file of a mail whether it may be kept. A program that fails allows none."""
        if not self._command or not contents:
            return [True] * len(contents)
        asked = [asyncio.create_task(self._allows(content)) for content in contents]
        done, late = await asyncio.wait(asked, timeout=self._timeout_s)
        for task in late:
            task.cancel()
        if late:
            log.error("email.scanner_slow", extra={"files": len(late)})
            await asyncio.wait(late)
        return [task in done and task.result() for task in asked]

    async def _allows(self, content: bytes) -> bool:
        quiet = asyncio.subprocess.DEVNULL
        async with self._free:
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._command, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
                )
            except OSError as error:
                log.error("email.no_scanner", extra={"why": error.strerror})  # noqa: TRY400 - said
                return False
            try:
                await process.communicate(content)
            finally:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            return process.returncode == 0
