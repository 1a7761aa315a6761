"""The gateway's end of the telephone: it keeps the worker, and makes tickets of its calls.

A call becomes a ticket when the caller has said what they had to say, or has hung up. One whose
words tell of an emergency becomes its ticket at once, while the caller still speaks; the rest and
the recording are added to that ticket at the end.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from channels.base import Accept, Receipt
from channels.phone.codec import Account, attachment, early, more, whole
from channels.phone.hearing import Hearing
from channels.phone.link import (
    Alarmed,
    BadFrame,
    Call,
    CallBegan,
    Filed,
    Frames,
    Heard,
    Hello,
    LineState,
    Said,
    Stop,
    Urgent,
    WorkerSettings,
    digest,
    encode,
)
from channels.phone.ports import Judge, Keep
from channels.phone.speech import SpeechToText
from channels.phone.supervisor import Supervisor
from channels.phone.voice import Prompts
from channels.phone.wav import alaw_header
from normalizer.errors import Conflict, Oversized, StoreError
from normalizer.schema import Attachment, Urgency

log = logging.getLogger(__name__)

_READ = 1 << 16
#: Octets of one recording: two hours.
MOST_OCTETS = 64 * 1024 * 1024
#: Calls that are made into tickets at the same time.
_AT_ONCE = 8
_STOP_S = 5.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class PhoneLine:
    """One line, with its worker.

    Args:
        account: Whose calls they are.
        worker: What the worker works with.
        prompts: Makes the prompts that it plays.
        texts: Their words.
        recognizer: Understands what callers say; None: calls have no words.
        finish_s: How long its last words are waited for.
        now: Our clock.
    """

    def __init__(
        self,
        account: Account,
        worker: WorkerSettings,
        prompts: Prompts,
        texts: dict[str, str],
        recognizer: SpeechToText | None = None,
        finish_s: float = 5.0,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._account = account
        self._worker = worker
        self._prompts = prompts
        self._texts = texts
        self._recognizer = recognizer
        self._finish_s = finish_s
        self._now = now
        self._keep: Keep | None = None
        self._judge: Judge | None = None
        self._accept: Accept | None = None
        self._hearings: dict[str, Hearing] = {}
        self._early: dict[str, asyncio.Future[Receipt | None]] = {}
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work: set[str] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.supervisor = Supervisor(worker)
        self.line: LineState | None = None

    def equip(self, keep: Keep, judge: Judge) -> None:
        """Take what the gateway lends: a place for recordings, and a judge of words."""
        self._keep, self._judge = keep, judge

    def trouble(self) -> str | None:
        """Return why no calls come in; None: they do."""
        if self.supervisor.why is not None:
            return self.supervisor.why
        if self.line is None:
            return "the worker has not reported yet"
        return None if self.line.up else self.line.why

    async def run(self, accept: Accept) -> None:
        """Serve until cancelled; the worker is ended with it, and calls are kept."""
        self._accept = accept
        await asyncio.to_thread(self._prepare)
        self._spawn(self._render())
        server = await asyncio.start_unix_server(self._serve, self._worker.socket)
        try:
            async with server:
                await self.supervisor.keep()
        finally:
            await self.supervisor.stop(_STOP_S)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in list(self._writers):
                writer.close()
            self.line = None

    async def _render(self) -> None:
        """Make the prompts; calls are answered meanwhile, with those that are there."""
        if missing := await self._prompts.make(self._texts):
            log.error("prompts.missing", extra={"prompts": ",".join(missing)})

    def _prepare(self) -> None:
        """Make the folders, closed to everybody else; what an earlier gateway left is removed.

        Raises:
            StoreError: The socket's folder belongs to somebody else.
        """
        Path(self._worker.spool).mkdir(mode=0o700, parents=True, exist_ok=True)
        socket = Path(self._worker.socket)
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if socket.parent.stat().st_uid != os.getuid():
            raise StoreError(f"{socket.parent}: belongs to somebody else; name another folder")
        socket.unlink(missing_ok=True)

    # The worker's words

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        self._writers.add(writer)
        try:
            while octets := await reader.read(_READ):
                for message in frames.feed(octets):
                    self._take(message, writer)
        except (OSError, BadFrame) as error:
            log.warning("worker.lost", extra={"why": type(error).__name__})
        finally:
            self._writers.discard(writer)
            writer.close()

    def _take(self, message: Said, writer: asyncio.StreamWriter) -> None:
        match message:
            case Heard():
                if hearing := self._hearings.get(message.id):
                    hearing.put(message.sound)
            case CallBegan():
                self._listen(message, writer)
            case Urgent():
                self._spawn(self._first_words(message.call, "", writer))
            case Call():
                self._over(message, writer)
            case LineState():
                self.line = message
            case Hello():
                self._met(message, writer)
            case _:
                log.warning("worker.strange", extra={"kind": type(message).__name__})

    def _met(self, hello: Hello, writer: asyncio.StreamWriter) -> None:
        """Have a worker replaced that outlived a gateway of other settings."""
        if hello.settings != digest(self._worker):
            log.info("worker.outdated", extra={"pid": hello.pid})
            writer.write(encode(Stop()))

    def _over(self, call: Call, writer: asyncio.StreamWriter) -> None:
        if call.id not in self._at_work:
            self._at_work.add(call.id)
            self._spawn(self._finish(call, writer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # While the caller speaks

    def _listen(self, began: CallBegan, writer: asyncio.StreamWriter) -> None:
        if self._recognizer is None or began.id in self._hearings:
            return
        hearing = Hearing(self._recognizer.listen(began.id), began)
        self._hearings[began.id] = hearing
        hearing.task = self._spawn(self._follow(hearing, writer))

    async def _follow(self, hearing: Hearing, writer: asyncio.StreamWriter) -> None:
        """Judge a caller's words as they grow."""
        async for text in hearing.changes():
            if self._judge is not None and not hearing.alarmed and self._judge(text) is not None:
                hearing.alarmed = True
                await self._first_words(hearing.call(), text, writer)

    async def _first_words(self, call: Call, text: str, writer: asyncio.StreamWriter) -> None:
        """Make the ticket of a call that goes on, or add to it what turned it into an emergency."""
        if self._accept is None:
            return
        now = self._now()
        first = self._early.get(call.id)
        done = await first if first is not None else None
        message = early(call, self._account, text, now)
        if done is not None:
            if not text:
                return
            message = more(call, self._account, text, now, done.number)
        future: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        self._early[call.id] = future
        try:
            receipt = await self._accept(message)
        except (StoreError, Conflict) as error:
            # The whole call will tell it.
            future.set_result(done)
            log.error("call.early_failed", extra={"why": error.code})  # noqa: TRY400 - the error says all
            return
        future.set_result(receipt)
        writer.write(encode(Alarmed(id=call.id, number=receipt.number, advice=_advice(receipt))))

    # Once it is over

    async def _finish(self, call: Call, writer: asyncio.StreamWriter) -> None:
        """Make the ticket of a finished call, and let the worker forget it."""
        try:
            text = await self._text(call)  # a slow recognizer holds up its own calls only
            async with self._turns:
                receipt = await self._ticket(call, text)
        except (StoreError, OSError) as error:
            # The worker has it, and offers it again.
            log.warning("call.waits", extra={"why": type(error).__name__})
            return
        finally:
            self._at_work.discard(call.id)
        self._early.pop(call.id, None)
        if hearing := self._hearings.pop(call.id, None):
            hearing.close()
        writer.write(encode(Filed(id=call.id, number=receipt.number, advice=_advice(receipt))))

    async def _text(self, call: Call) -> str:
        """Return what the recognizer made of a call; of one that it missed, by its recording."""
        hearing = self._hearings.get(call.id)
        if hearing is not None and await hearing.finished(self._finish_s):
            return hearing.text
        if self._recognizer is None or not call.octets:
            return hearing.text if hearing is not None else ""
        again = Hearing(self._recognizer.listen(call.id), None)
        sound = await asyncio.to_thread(self._sound, call)
        again.put(sound)
        follow = asyncio.create_task(again.follow())
        await again.finished(self._finish_s + call.octets / 80_000)
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
        return again.text or (hearing.text if hearing is not None else "")

    def _sound(self, call: Call) -> bytes:
        try:
            return (Path(self._worker.spool) / f"{call.id}.alaw").read_bytes()
        except FileNotFoundError:
            return b""

    async def _ticket(self, call: Call, text: str) -> Receipt:
        if self._accept is None:
            raise StoreError("the line is not served")
        recording = await self._recording(call)
        first = self._early.get(call.id)
        receipt = await first if first is not None else None
        number = receipt.number if receipt is not None else None
        message = whole(call, self._account, text, recording, self._now(), continues=number)
        try:
            return await self._accept(message)
        except Conflict:
            # Either its first words made a ticket before the gateway was started again, or these
            # very words were added to it already.
            receipt = await self._accept(early(call, self._account, text, self._now()))
        if number is not None:
            return receipt
        message = whole(call, self._account, text, recording, self._now(), continues=receipt.number)
        try:
            return await self._accept(message)
        except Conflict:
            return receipt

    async def _recording(self, call: Call) -> tuple[Attachment, ...]:
        sound = await asyncio.to_thread(self._sound, call) if call.octets else b""
        if not sound or self._keep is None:
            return ()
        content = alaw_header(len(sound)) + sound + b"\0" * (len(sound) % 2)
        try:
            sha256, octets = await self._keep(content, MOST_OCTETS)
        except Oversized:
            log.error("recording.too_long", extra={"octets": len(content)})  # noqa: TRY400 - the error says all
            return ()
        return (attachment(call, sha256, octets),)


def _advice(receipt: Receipt) -> tuple[str, ...]:
    """Return the services that a caller should dial now."""
    urgent = receipt.urgency is Urgency.EMERGENCY
    return tuple(service.value for service in receipt.services) if urgent else ()
