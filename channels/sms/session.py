"""A session with a carrier over one connection: login, window, heartbeats, answers after commit."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from channels.sms.dialect import Answered, Asked, Came, Dialect, Event, Outcome, Outgoing, Result
from channels.sms.pieces import Piece
from channels.sms.receipts import DeliveryReport
from normalizer.errors import Malformed, StoreError, TryLater
from normalizer.schema import Value

log = logging.getLogger(__name__)

_READ = 64 * 1024
#: Pieces under way; more are answered at once with "later" until some are done.
_UNDER_WAY = 512
#: Seconds for which pieces under way are waited for when the session ends.
_GRACE_S = 5.0
_LAST_SEQUENCE = 0x7FFF_FFFF


class LinkLost(Exception):
    """The session has ended; the reason is for operators."""


class LoginRefused(LinkLost):
    """The carrier does not let us in."""


class Timing(Value, frozen=True, kw_only=True):
    """The clocks of a session, in seconds."""

    heartbeat_s: float = 30.0
    answer_s: float = 10.0  #: how long an answer is waited for
    misses: int = 2  #: heartbeats without an answer that end the session
    connect_s: float = 10.0
    first_pause_s: float = 1.0  #: before the second try to connect
    longest_pause_s: float = 60.0
    window: int = 10  #: requests of ours that may be without an answer


class Hands(Value, frozen=True, kw_only=True):
    """Who takes what comes."""

    take: Callable[[Piece], Awaitable[None]]  #: raises `StoreError`
    report: Callable[[DeliveryReport], None]
    sure: Callable[[Sequence[str]], None]  #: the carrier has our answers to these pieces
    now: Callable[[], datetime]


class Session:
    """One connection, from login to its end."""

    def __init__(
        self,
        dialect: Dialect,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        timing: Timing,
        hands: Hands,
    ) -> None:
        self._dialect = dialect
        self._reader, self._writer = streams
        self._timing = timing
        self._hands = hands
        self._sequences = itertools.cycle(range(1, _LAST_SEQUENCE))
        self._waiting: dict[int, asyncio.Future[Outcome]] = {}
        # A fifth of the window is kept free for alarms, if it is large enough to be shared.
        kept = timing.window // 5
        self._window = asyncio.Semaphore(timing.window - kept)
        self._express = asyncio.Semaphore(kept) if kept else self._window
        self._taking: set[asyncio.Task[None]] = set()
        self._answered: list[str] = []  #: digests that the carrier may not know we have
        self._heard = 0  #: octets' arrivals, to tell silence
        self._unsent: list[bytes] = []  #: goes out together once this turn of the loop is over
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until the session ends.

        Args:
            ready: Called once the carrier has let us in.

        Raises:
            LinkLost: Always, with the reason, unless it is cancelled.
        """
        reading = asyncio.create_task(self._read())
        beating: asyncio.Task[None] | None = None
        try:
            await self._login(reading)
            ready()
            beating = asyncio.create_task(self._beat())
            done, _ = await asyncio.wait({reading, beating}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self._end(reading, beating)

    async def submit(self, outgoing: Outgoing) -> Outcome:
        """Return the carrier's answer to a message. Raises `TryLater` if there is none."""
        async with self._express if outgoing.urgent else self._window:
            try:
                return await self._ask(lambda n: self._dialect.submit(n, outgoing))
            except LinkLost as error:
                raise TryLater(str(error)) from None

    async def _login(self, reading: "asyncio.Task[None]") -> None:
        asking = asyncio.create_task(self._ask(lambda n: self._dialect.login(n, self._hands.now())))
        try:
            await asyncio.wait({reading, asking}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                reading.result()
            outcome = await asking
        finally:
            asking.cancel()
        if outcome.result is not Result.OK:
            raise LoginRefused(f"login refused with code {outcome.code:#x}")

    async def _ask(self, request: Callable[[int], bytes]) -> Outcome:
        """Send a request and return its answer. Raises `LinkLost`."""
        if self._ended.done():
            raise LinkLost("the session has ended")
        number = next(self._sequences)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        self._waiting[number] = future
        patience = loop.call_later(self._timing.answer_s, self._unanswered, future)
        try:
            self._write(request(number))
            return await future
        finally:
            patience.cancel()
            self._waiting.pop(number, None)

    def _unanswered(self, future: "asyncio.Future[Outcome]") -> None:
        if not future.done():
            future.set_exception(LinkLost(f"no answer within {self._timing.answer_s:g} s"))

    # What comes

    async def _read(self) -> None:
        while True:
            try:
                octets = await self._reader.read(_READ)
                if not octets:
                    raise LinkLost("the carrier closed the connection")
                self._heard += 1
                for event in self._dialect.feed(octets):
                    self._handle(event)
                self._flush()
                await self._writer.drain()
            except OSError as error:
                raise LinkLost(f"the connection broke: {error.strerror or error}") from None
            except Malformed as error:
                raise LinkLost(f"the carrier's octets cannot be followed: {error}") from None

    def _handle(self, event: Event) -> None:
        if isinstance(event, Came):
            self._came(event)
        elif isinstance(event, Answered):
            future = self._waiting.get(event.sequence)
            if future is not None and not future.done():
                future.set_result(event.outcome)
        elif isinstance(event, Asked):
            if event.unknown is not None:
                log.warning("sms.unknown_command", extra={"command": f"{event.unknown:#x}"})
            self._write(event.reply)
            if event.closing:
                raise LinkLost("the carrier ended the session")
        else:
            self._hands.report(event.report)
            self._write(event.reply)

    def _came(self, event: Came) -> None:
        if len(self._taking) >= _UNDER_WAY:
            self._write(event.later)
            return
        task = asyncio.create_task(self._take(event))
        self._taking.add(task)
        task.add_done_callback(lambda done: self._done(done, event))

    async def _take(self, event: Came) -> None:
        try:
            await self._hands.take(event.piece)
        except StoreError as error:
            log.warning("sms.not_taken", extra={"why": str(error)})
            self._write(event.later)
            return
        self._answered.append(event.piece.digest)
        self._write(event.taken)

    def _done(self, task: "asyncio.Task[None]", event: Came) -> None:
        """Let go of a piece; whatever failed on it must not end the session of all the others."""
        self._taking.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("sms.failed", exc_info=error)
            self._write(event.later)

    # Heartbeats and the end

    async def _beat(self) -> None:
        missed = 0
        while True:
            await asyncio.sleep(self._timing.heartbeat_s if not missed else 0)
            answered, self._answered = self._answered, []
            heard = self._heard
            try:
                await self._ask(self._dialect.heartbeat)
            except LinkLost:
                missed = 1 if self._heard != heard else missed + 1
                if missed >= self._timing.misses:
                    raise LinkLost("the carrier does not answer heartbeats") from None
                continue
            missed = 0
            # What it read of us before it answered, it has.
            self._hands.sure(answered)

    async def _end(
        self, reading: "asyncio.Task[None]", beating: "asyncio.Task[None] | None"
    ) -> None:
        """Let the pieces under way be answered, say goodbye, let go of the connection."""
        reading.cancel()
        if beating is not None:
            beating.cancel()
        if self._taking:
            await asyncio.wait(self._taking, timeout=_GRACE_S)
        for task in self._taking:
            task.cancel()
        tasks = [t for t in (reading, beating) if t is not None]
        await asyncio.gather(*tasks, *self._taking, return_exceptions=True)
        self._write(self._dialect.goodbye(next(self._sequences)))
        self._ended.set_result(None)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(LinkLost("the session has ended"))
        self._flush()
        self._writer.close()
        try:
            async with asyncio.timeout(1.0):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    def _write(self, octets: bytes) -> None:
        # A group commit answers many messages in one turn: each by itself would be a system call.
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._flush)
        self._unsent.append(octets)

    def _flush(self) -> None:
        octets, self._unsent = b"".join(self._unsent), []
        if octets and not self._writer.is_closing():
            self._writer.write(octets)
