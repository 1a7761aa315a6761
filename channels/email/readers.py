"""The workers that read mails: few, kept, and killed when one takes too long."""

import asyncio
import contextlib
import logging
import sys

import msgspec

from channels.email.codec import salvage
from channels.email.parsed import Job, Mail
from channels.email.worker import HEAD
from normalizer.errors import StoreError

log = logging.getLogger(__name__)

#: Seconds that reading one mail may take; 30 MB take two on a slow machine.
TIMEOUT_S = 10.0


class Readers:
    """Understands mails, each in one of a few processes.

    Args:
        count: Workers; one that is stuck leaves the others.
        timeout_s: After which a worker is killed and the mail is salvaged.
        command: The program; tests give one that hangs.
    """

    def __init__(
        self,
        count: int = 2,
        timeout_s: float = TIMEOUT_S,
        command: tuple[str, ...] = (sys.executable, "-m", "channels.email.worker"),
    ) -> None:
        self._timeout_s = timeout_s
        self._command = command
        self._free = asyncio.Semaphore(count)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()

    async def open(self) -> None:
        """Start one worker, so that the first mail does not wait for it."""
        async with self._free:
            self._idle.append(await self._start())

    async def close(self) -> None:
        """End every worker."""
        for process in list(self._all):
            await self._end(process)
        self._idle.clear()

    async def understand(self, job: Job) -> Mail:
        """Return what a mail says; what cannot be read in time is salvaged.

        Raises:
            StoreError: No worker can be started; the mail is to be tried again.
        """
        async with self._free:
            process = self._idle.pop() if self._idle else await self._start()
            if process.returncode is not None:
                await self._end(process)
                process = await self._start()
            try:
                async with asyncio.timeout(self._timeout_s):
                    mail = await self._ask(process, job)
            except TimeoutError:
                return await self._failed(process, job, "reading it took too long")
            except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError):
                return await self._failed(process, job, "reading it ended the reader")
            except asyncio.CancelledError:
                await self._end(process)
                raise
            self._idle.append(process)
            return mail

    async def _failed(self, process: asyncio.subprocess.Process, job: Job, why: str) -> Mail:
        await self._end(process)
        log.warning("email.unreadable", extra={"why": why, "octets": len(job.raw)})
        return salvage(job, why)

    async def _ask(self, process: asyncio.subprocess.Process, job: Job) -> Mail:
        if process.stdin is None or process.stdout is None:
            raise OSError("a worker without pipes")
        frame = msgspec.msgpack.encode(job)
        process.stdin.write(HEAD.pack(len(frame)))
        process.stdin.write(frame)
        await process.stdin.drain()
        (size,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        return msgspec.msgpack.decode(await process.stdout.readexactly(size), type=Mail)

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise StoreError(f"no worker can be started: {error.strerror}") from None
        self._all.add(process)
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
