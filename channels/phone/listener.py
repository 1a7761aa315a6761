"""The gateway's end of the telephone: it keeps the workers, and makes tickets of their calls.

A call becomes a ticket when the caller has said what they had to say, or has hung up. One whose
words tell of an emergency becomes its ticket at once, while the caller still speaks; the rest and
the recording are added to that ticket at the end.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from channels.base import Accept, Receipt
from channels.phone.callbacks import CallBacks, came_of
from channels.phone.codec import Account, shown
from channels.phone.filing import Filing, sound_of
from channels.phone.hearing import Hearing
from channels.phone.link import (
    Alarmed,
    BadFrame,
    Call,
    CallBegan,
    Dial,
    Filed,
    Frames,
    Heard,
    Hello,
    LineState,
    Missed,
    PuttingThrough,
    Said,
    Shown,
    Stop,
    Urgent,
    WorkerSettings,
    digest,
    encode,
)
from channels.phone.ports import Lent
from channels.phone.settings import CallBack
from channels.phone.speech import SpeechToText
from channels.phone.supervisor import Supervisor, heirs
from channels.phone.voice import Prompts
from normalizer.errors import StoreError
from normalizer.schema import Status, Urgency

log = logging.getLogger(__name__)

_READ = 1 << 16
#: Calls that are made into tickets at the same time.
_AT_ONCE = 8
_STOP_S = 5.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


class _Peer:
    """A worker's connection."""

    def __init__(self, writer: asyncio.StreamWriter, spool: str) -> None:
        self.writer = writer
        self.spool = spool  #: folder of its calls
        self.line: LineState | None = None

    def tell(self, message: Said) -> None:
        """Send."""
        self.writer.write(encode(message))


class PhoneLine:
    """One line, with its workers.

    Args:
        account: Whose calls they are.
        workers: What each worker works with; all find us by the same socket.
        prompts: Makes the prompts that they play.
        texts: Their words.
        recognizer: Understands what callers say; None: calls have no words.
        finish_s: How long its last words are waited for.
        now: Our clock.
    """

    def __init__(
        self,
        account: Account,
        workers: Sequence[WorkerSettings],
        prompts: Prompts,
        texts: dict[str, str],
        recognizer: SpeechToText | None = None,
        finish_s: float = 5.0,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._workers = workers
        self._socket = Path(workers[0].socket)
        self._filing = Filing(account, now)
        self._prompts = prompts
        self._texts = texts
        self._recognizer = recognizer
        self._finish_s = finish_s
        self._lent: Lent | None = None
        self._now = now
        #: What makes calls, and the way out by which others have them made; None: we call nobody.
        self.messenger: CallBacks | None = None
        self._hearings: dict[str, Hearing] = {}
        self._peers: set[_Peer] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._at_work: set[str] = set()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self.supervisors = [
            Supervisor(worker, inherits=heirs(worker, workers)) for worker in workers
        ]

    def make_calls(self, which: CallBack) -> None:
        """Call people from now on; before the line is lent anything."""
        owed = Path(self._workers[0].spool).parent / "owed"
        self.messenger = CallBacks(owed, which, self._prompts, self._dial, self._now)

    def equip(self, lent: Lent) -> None:
        """Take what the gateway lends."""
        self._lent, self._filing.keep = lent, lent.keep
        if self.messenger is not None:
            self.messenger.equip(lent)

    def follow(self, tell: Callable[[str, bool, str], Awaitable[None]]) -> None:
        """Take who is told what became of a call that somebody had made."""
        if self.messenger is not None:
            self.messenger.tell = tell

    def trouble(self) -> str | None:
        """Return why no calls come in; None: they do."""
        each = list(self._each())
        return each[0] if all(each) else None

    def weakness(self) -> str | None:
        """Return what is wrong with a worker while others take its calls; None: nothing is."""
        each = list(self._each())
        found = [f"worker {number}: {why}" for number, why in enumerate(each, start=1) if why]
        return "; ".join(found) if len(found) < len(each) and found else None

    def _each(self) -> Iterator[str | None]:
        """Yield why each worker takes no calls."""
        for worker, supervisor in zip(self._workers, self.supervisors, strict=True):
            line = self.line(worker.spool)
            if supervisor.why is not None:
                yield supervisor.why
            elif line is None:
                yield "the worker has not reported yet"
            else:
                yield None if line.up else line.why or "the line is down"

    def line(self, spool: str) -> LineState | None:
        """Return what the worker whose calls are in this folder last told of its line."""
        return next((p.line for p in self._peers if p.spool == spool and p.line), None)

    async def run(self, accept: Accept) -> None:
        """Serve until cancelled; the workers are ended with it, and calls are kept."""
        self._filing.accept = accept
        await asyncio.to_thread(self._prepare)
        self._spawn(self._render())
        if self.messenger is not None:
            self._spawn(self.messenger.run())
        server = await asyncio.start_unix_server(self._serve, self._socket)
        try:
            async with server, asyncio.TaskGroup() as group:
                for supervisor in self.supervisors:
                    group.create_task(supervisor.keep())
        finally:
            await asyncio.gather(*(each.stop(_STOP_S) for each in self.supervisors))
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for peer in list(self._peers):
                peer.writer.close()

    async def _render(self) -> None:
        """Make the prompts; calls are answered meanwhile, with those that are there."""
        if missing := await self._prompts.make(self._texts):
            log.error("prompts.missing", extra={"prompts": ",".join(missing)})

    def _prepare(self) -> None:
        """Make the folders, closed to everybody else; what an earlier gateway left is removed.

        Raises:
            StoreError: The socket's folder belongs to somebody else.
        """
        for worker in self._workers:
            Path(worker.spool).mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = self._socket.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise StoreError(f"{folder}: belongs to somebody else; name another folder")
        self._socket.unlink(missing_ok=True)

    # The workers' words

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        frames = Frames()
        peer = _Peer(writer, self._workers[0].spool)
        self._peers.add(peer)
        try:
            while octets := await reader.read(_READ):
                for message in frames.feed(octets):
                    self._take(message, peer)
        except (OSError, BadFrame) as error:
            log.warning("worker.lost", extra={"why": type(error).__name__})
        finally:
            self._peers.discard(peer)
            if self.messenger is not None:
                self.messenger.lost()
            writer.close()

    def _take(self, message: Said, peer: _Peer) -> None:
        match message:
            case Heard():
                if hearing := self._hearings.get(message.id):
                    hearing.put(message.sound)
            case CallBegan():
                self._listen(message, peer)
            case LineState():
                peer.line = message
            case Hello():
                self._met(message, peer)
            case _:
                self._take_call(message, peer)

    def _take_call(self, message: Said, peer: _Peer) -> None:
        match message:
            case Urgent():
                self._spawn(self._first_words(message.call, "", peer))
            case Call():
                self._over(message, peer)
            case PuttingThrough():
                self._show(message, peer)
            case Missed() if self.messenger is not None:
                self._spawn(self.messenger.missed(message))
            case _:
                log.warning("worker.strange", extra={"kind": type(message).__name__})

    def _met(self, hello: Hello, peer: _Peer) -> None:
        """Have a worker replaced that outlived a gateway of other settings."""
        peer.spool = hello.spool or peer.spool
        if hello.settings not in map(digest, self._workers):
            log.info("worker.outdated", extra={"pid": hello.pid})
            peer.tell(Stop())

    def _over(self, call: Call, peer: _Peer) -> None:
        if call.id not in self._at_work:
            self._at_work.add(call.id)
            self._spawn(self._finish(call, peer))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # While the caller speaks

    def _listen(self, began: CallBegan, peer: _Peer) -> None:
        if self._recognizer is None or began.id in self._hearings:
            return
        hearing = Hearing(self._recognizer.listen(began.id), began)
        self._hearings[began.id] = hearing
        hearing.task = self._spawn(self._follow(hearing, peer))

    async def _follow(self, hearing: Hearing, peer: _Peer) -> None:
        """Judge a caller's words as they grow."""
        async for text in hearing.changes():
            judge = self._lent.judge if self._lent is not None else None
            if judge is not None and not hearing.alarmed and judge(text) is not None:
                hearing.alarmed = True
                await self._first_words(hearing.call(), text, peer)

    async def _first_words(self, call: Call, text: str, peer: _Peer) -> None:
        receipt = await self._filing.early(call, text)
        if receipt is not None:
            peer.tell(Alarmed(id=call.id, number=receipt.number, advice=_advice(receipt)))

    def _show(self, message: PuttingThrough, peer: _Peer) -> None:
        """Show a call, with what is known of its matter, where it is about to ring."""
        call, hearing = message.call, self._hearings.get(message.id)
        if self._lent is not None:
            number = self._filing.number_of(message.id) or call.number or None
            self._lent.pop(message.to, shown(call, number, hearing.text if hearing else ""))
        peer.tell(Shown(id=message.id))

    # Once it is over

    async def _finish(self, call: Call, peer: _Peer) -> None:
        """Make the ticket of a finished call, and let the worker forget it."""
        try:
            filed = await self._filed(call, peer.spool)
        except (StoreError, OSError) as error:
            # The worker has it, and offers it again.
            log.warning("call.waits", extra={"why": type(error).__name__})
            return
        finally:
            self._at_work.discard(call.id)
        self._filing.forget(call)
        if hearing := self._hearings.pop(call.id, None):
            hearing.close()
        peer.tell(filed)

    async def _filed(self, call: Call, spool: str) -> Filed:
        """Return what the worker is told of a call that is durable now.

        Raises:
            StoreError: It is not.
            OSError: Nor that it has to be called back.
        """
        receipt = None
        # What somebody on duty says to an alarm is no citizen's matter.
        if not call.task or (call.number and (call.spoke or call.reported)):
            text = await self._text(call, spool)  # a slow recognizer holds up its own calls only
            async with self._turns:
                receipt = await self._filing.whole(call, text, spool)
        if self.messenger is not None and self._lent is not None:
            if call.task:
                await self.messenger.over(call, done=await came_of(call, self._lent.ratings))
            elif receipt is not None and receipt.status is Status.DRAFT and call.caller:
                self.messenger.cut_off(call, receipt.number)
        if receipt is None:
            return Filed(id=call.id, number=call.number)
        return Filed(id=call.id, number=receipt.number, advice=_advice(receipt))

    def _dial(self, dial: Dial) -> bool:
        """Have the worker call that has most room; False: none has."""
        free = [p for p in self._peers if p.line and p.line.up and p.line.calls < p.line.most]
        for peer in sorted(free, key=lambda p: p.line.calls if p.line else 0)[:1]:
            peer.tell(dial)
        return bool(free)

    async def _text(self, call: Call, spool: str) -> str:
        """Return what the recognizer made of a call; of one that it missed, by its recording."""
        hearing = self._hearings.get(call.id)
        if hearing is not None and await hearing.finished(self._finish_s):
            return hearing.text
        if self._recognizer is None or not call.octets:
            return hearing.text if hearing is not None else ""
        again = Hearing(self._recognizer.listen(call.id), None)
        sound = await asyncio.to_thread(sound_of, call, spool)
        again.put(sound)
        follow = asyncio.create_task(again.follow())
        await again.finished(self._finish_s + call.octets / 80_000)
        follow.cancel()
        await asyncio.gather(follow, return_exceptions=True)
        return again.text or (hearing.text if hearing is not None else "")


def _advice(receipt: Receipt) -> tuple[str, ...]:
    """Return the services that a caller should dial now."""
    urgent = receipt.urgency is Urgency.EMERGENCY
    return tuple(service.value for service in receipt.services) if urgent else ()
