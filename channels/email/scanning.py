"""The optional look at each file: a program of the site, asked by exit code."""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0


class Scanner:
    """Asks a program about files.

    Args:
        command: The program and its arguments; empty: every file is allowed.
        timeout_s: A program that takes longer is ended, and the file is kept out.
    """

    def __init__(self, command: Sequence[str], timeout_s: float = TIMEOUT_S) -> None:
        self._command = tuple(command)
        self._timeout_s = timeout_s

    async def allows(self, content: bytes) -> bool:
        """Return whether a file may be kept. A program that fails allows nothing."""
        if not self._command:
            return True
        quiet = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=asyncio.subprocess.PIPE, stdout=quiet, stderr=quiet
            )
        except OSError as error:
            log.error("email.no_scanner", extra={"why": error.strerror})  # noqa: TRY400 - said
            return False
        try:
            async with asyncio.timeout(self._timeout_s):
                await process.communicate(content)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        return process.returncode == 0
