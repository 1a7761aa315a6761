"""Helper processes: few, kept, and killed when one takes too long."""

import asyncio
import contextlib
import sys
from typing import Generic, TypeVar

import msgspec

from channels.email.frames import HEAD, framed
from normalizer.errors import StoreError

Q = TypeVar("Q")
A = TypeVar("A")


class Lost(Exception):
    """A helper gave no answer, and is no more; says why."""


class Helpers(Generic[Q, A]):
    """Answers questions, each in one of a few processes.

    Args:
        module: The program; see `channels.email.frames`.
        answer: Kind of the answers.
        count: Processes at most; one that is stuck leaves the others.
        timeout_s: After which one is killed.
        command: What is run; tests give programs that hang.
    """

    def __init__(
        self,
        module: str,
        answer: type[A],
        count: int,
        timeout_s: float,
        command: tuple[str, ...] | None = None,
    ) -> None:
        self._decoder = msgspec.msgpack.Decoder(answer)
        self._timeout_s = timeout_s
        self._command = command or (sys.executable, "-m", module)
        self._free = asyncio.Semaphore(count)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()

    async def open(self) -> None:
        """Start one, so that the first question does not wait for it."""
        async with self._free:
            self._idle.append(await self._start())

    async def close(self) -> None:
        """End every one."""
        for process in list(self._all):
            await self._end(process)
        self._idle.clear()

    async def ask(self, question: Q) -> A:
        """Return the answer.

        Raises:
            Lost: There is none.
            StoreError: No process can be started; the question may be asked again later.
        """
        async with self._free:
            process = self._idle.pop() if self._idle else await self._start()
            if process.returncode is not None:
                await self._end(process)
                process = await self._start()
            try:
                async with asyncio.timeout(self._timeout_s):
                    answer = await self._told(process, question)
            except TimeoutError:
                await self._end(process)
                raise Lost("it took too long") from None
            except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError):
                await self._end(process)
                raise Lost("its reader ended") from None
            except asyncio.CancelledError:
                await self._end(process)
                raise
            self._idle.append(process)
            return answer

    async def _told(self, process: asyncio.subprocess.Process, question: Q) -> A:
        if process.stdin is None or process.stdout is None:
            raise OSError("a helper without pipes")
        process.stdin.write(framed(question))
        await process.stdin.drain()
        (size,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        return self._decoder.decode(await process.stdout.readexactly(size))

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(*self._command, stdin=pipe, stdout=pipe)
        except OSError as error:
            raise StoreError(f"no helper can be started: {error.strerror}") from None
        self._all.add(process)
        return process

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        if process.stdin is not None:
            process.stdin.close()
        await process.wait()
