"""Helper processes: few, kept, and killed when one takes too long."""

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from channels.email.frames import HEAD, framed
from normalizer.errors import StoreError


class Question(Protocol):
    """What a helper is asked about: a mail."""

    @property
    def raw(self) -> bytes:
        """Its octets."""
        ...


Q = TypeVar("Q", bound=Question)
A = TypeVar("A")

#: Octets of mails that go to a helper at once, and seconds that those may take.
_AT_ONCE_OCTETS = 256 * 1024
_AT_ONCE_S = 2.0


class Lost(Exception):
    """A helper gave no answer, and is no more; says why."""


class Helpers(Generic[Q, A]):
    """Answers questions, in a few processes.

    What waits goes to a process together: waking one for each costs more than reading a mail.

    Args:
        module: The program; see `channels.email.frames`.
        answer: Kind of the answers.
        count: Processes at most; one that is stuck leaves the others.
        timeout_s: After which one is killed.
        at_once: Questions that go to one together; if they come to nothing, each goes alone.
        command: What is run; tests give programs that hang.
    """

    def __init__(
        self,
        module: str,
        answer: type[A],
        *,
        count: int,
        timeout_s: float,
        at_once: int = 1,
        command: tuple[str, ...] | None = None,
    ) -> None:
        self._decoder = msgspec.msgpack.Decoder(list[answer])  # type: ignore[valid-type] # known when it runs
        self._count = count
        self._timeout_s = timeout_s
        self._at_once = at_once
        self._command = command or (sys.executable, "-m", module)
        self._waiting: deque[tuple[Q, asyncio.Future[A]]] = deque()
        self._workers: set[asyncio.Task[None]] = set()
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._closed = False

    async def open(self) -> None:
        """Start one, so that the first question does not wait for it."""
        self._idle.append(await self._start())

    async def close(self) -> None:
        """End every one; what is not answered yet is to be asked again."""
        self._closed = True
        for process in list(self._all):
            await self._end(process)
        self._idle.clear()
        await asyncio.gather(*self._workers)

    async def ask(self, question: Q) -> A:
        """Return the answer.

        Raises:
            Lost: There is none.
            StoreError: No process can be started; the question may be asked again later.
        """
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, answer))
        if len(self._workers) < self._count:
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return await answer

    async def _work(self) -> None:
        while self._waiting:
            together = [self._waiting.popleft()]
            octets = len(together[0][0].raw)
            while self._waiting and len(together) < self._at_once:
                octets += len(self._waiting[0][0].raw)
                if octets > _AT_ONCE_OCTETS:
                    break
                together.append(self._waiting.popleft())
            await self._answer(together)

    async def _answer(self, together: Sequence[tuple[Q, "asyncio.Future[A]"]]) -> None:
        limit = min(_AT_ONCE_S, self._timeout_s) if len(together) > 1 else self._timeout_s
        try:
            answers = await self._told([question for question, _ in together], limit)
        except (Lost, StoreError) as error:
            if len(together) > 1 and isinstance(error, Lost):
                for each in together:
                    await self._answer([each])
                return
            for _, future in together:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(together, answers, strict=True):
            if not future.done():
                future.set_result(answer)

    async def _told(self, questions: Sequence[Q], limit_s: float) -> list[A]:
        process = self._idle.pop() if self._idle else await self._start()
        if process.returncode is not None:
            await self._end(process)
            process = await self._start()
        try:
            async with asyncio.timeout(limit_s):
                answers = await self._exchanged(process, questions)
        except (OSError, asyncio.IncompleteReadError, msgspec.MsgspecError) as error:
            await self._end(process)
            if self._closed:
                raise StoreError("the gateway ends") from None
            late = isinstance(error, TimeoutError)
            raise Lost("it took too long" if late else "its reader ended") from None
        self._idle.append(process)
        return answers

    async def _exchanged(
        self, process: asyncio.subprocess.Process, questions: Sequence[Q]
    ) -> list[A]:
        if process.stdin is None or process.stdout is None:
            raise OSError("a helper without pipes")
        process.stdin.write(framed(questions))
        await process.stdin.drain()
        (size,) = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        answers = self._decoder.decode(await process.stdout.readexactly(size))
        if len(answers) != len(questions):
            raise OSError("a helper that leaves questions out")
        return answers

    async def _start(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise StoreError("the gateway ends")
        pipe = asyncio.subprocess.PIPE
        try:
            # Its trace would quote the citizen.
            quiet = asyncio.subprocess.DEVNULL
            process = await asyncio.create_subprocess_exec(
                *self._command, stdin=pipe, stdout=pipe, stderr=quiet
            )
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
