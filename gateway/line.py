"""A line of questions in front of an engine: one batch under way while the next one collects.

The loop's side owns what waits, so there are no locks: a batch is handed over whole, and its
answers come back in one call, whatever their number. What is urgent goes to an engine that takes
it behind the batch under way, so that it need not wait for a turn at the loop. What is patient makes
no batch of its own while others go.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, Protocol

from normalizer.errors import StoreError

#: Changes in one batch: what a commit costs is spread thin enough, and an emergency that has just
#: missed one waits a few milliseconds for its end.
MOST_IN_BATCH = 64

#: Askers who are answered in one round of the loop. Each goes on at once: with all of a batch, a
#: message that has just arrived would wait for the end of sixty others.
ANSWERED_AT_ONCE = 8

#: How long a patient question waits for a batch to go with. Each batch is a commit of its own, and
#: while there is anything to do another goes within this time.
PATIENCE_S = 0.004

#: More than this waiting means that the engine does not keep up; the rest is turned away at once.
MOST_WAITING = 20_000

#: An engine that is busy with one batch for so long does not answer: whoever asks is told at once,
#: so that a citizen in danger is not left waiting for an answer that nobody can give.
STALLED_S = 10.0
_STALLED = "the store has not answered for {:.0f} s; nothing was written"

#: Results in order, and what went wrong by position.
Answers = tuple[Sequence[Any], dict[int, str]]

#: A question, its asker, and whether it is urgent.
_Asked = tuple[Any, asyncio.Future[Any], bool]


class Engine(Protocol):
    """Carries out one batch at a time in the order of sending, away from the loop."""

    #: Batches that may be with it, so that it need not wait for the loop between two of them.
    depth: int
    #: Whether one of what is urgent may be sent on top of those.
    express: bool

    def send(self, items: list[Any]) -> bool:
        """Begin a batch; `Line.answered` is called on the loop when it is done.

        Returns:
            False where it refuses: the askers are told so.
        """
        ...

    async def stop(self) -> None:
        """Let go of everything. No batch is under way."""
        ...


class Line:
    """Questions waiting for an engine. Used on one event loop.

    Args:
        unwanted: Told the question and the answer when the asker was cancelled meanwhile.
        most: Questions of one batch.
    """

    def __init__(
        self, unwanted: Callable[[Any, Any], None] | None = None, most: int = MOST_IN_BATCH
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._unwanted = unwanted
        self._most = most
        self._urgent: deque[_Asked] = deque()
        self._waiting: deque[_Asked] = deque()
        #: By whether they are urgent: no ordinary one goes with an urgent batch on top of others.
        self._patient: dict[bool, deque[_Asked]] = {True: deque(), False: deque()}
        self._patience: asyncio.TimerHandle | None = None
        self._overdue = False  #: what is patient has waited long enough
        self._under_way: deque[list[_Asked]] = deque()
        self._began: deque[float] = deque()  #: when each of them was sent
        self._answers: deque[tuple[_Asked, Any, str | None]] = deque()
        self._scheduled = False
        self._engine: Engine | None = None
        self._closed = False
        self._stalling: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self, engine: Engine) -> None:
        """Take questions from now on."""
        self._engine = engine

    def ask(self, item: Any, *, urgent: bool = False, patient: bool = False) -> asyncio.Future[Any]:
        """Return the future answer. The item is carried out even if the future is cancelled.

        Args:
            item: The question.
            urgent: Before whatever waits that is not.
            patient: With the next batch, in front of it, but no batch for it alone until
                `PATIENCE_S` have passed.

        Raises:
            StoreError: The store is closed or does not answer, or too much waits already.
        """
        if refusal := self._refusal(urgent=urgent):
            raise StoreError(refusal)
        future: asyncio.Future[Any] = self._loop.create_future()
        if patient:
            self._idle.clear()
            self._patient[urgent].append((item, future, urgent))
            if self._patience is None:
                self._patience = self._loop.call_later(PATIENCE_S, self._lose_patience)
            return future
        (self._urgent if urgent else self._waiting).append((item, future, urgent))
        if self._may_send(urgent=urgent):
            self._idle.clear()
            if urgent:  # at once; what is ready to run may take milliseconds
                self._send()
            elif not self._scheduled:
                # After the callbacks that are ready now: what they ask shares the commit.
                self._scheduled = True
                self._loop.call_soon(self._send)
        return future

    def _refusal(self, *, urgent: bool) -> str:
        """Return why nothing can be asked now, empty where it can."""
        if self._closed or self._engine is None:
            return "the store is closed"
        if self.oldest_s >= STALLED_S:
            return _STALLED.format(self.oldest_s)
        # What is urgent has room of its own: no ordinary flood turns an emergency away.
        if len(self._urgent if urgent else self._waiting) >= MOST_WAITING:
            return f"{MOST_WAITING} changes wait for the disk; try again later"
        return ""

    @property
    def oldest_s(self) -> float:
        """For how long the oldest batch has been under way; 0: there is none."""
        return self._loop.time() - self._began[0] if self._began else 0.0

    def _may_send(self, *, urgent: bool) -> bool:
        """Return whether a batch can go now.

        On top of those under way goes what is urgent, and what is ordinary where none of those
        holds anything ordinary: or else a stream of emergencies would hold it up for ever.
        """
        if self._engine is None:
            return False
        over = len(self._under_way) - self._engine.depth
        if over < 0:
            return True
        if over >= self._engine.express:
            return False
        return urgent or all(one[2] for one in chain.from_iterable(self._under_way))

    def _send(self) -> None:
        self._scheduled = False
        while self._may_send(urgent=self._has_urgent()) and (asked := self._batch()):
            self._under_way.append(asked)
            self._began.append(self._loop.time())
            if self._engine is not None and not self._engine.send([one[0] for one in asked]):
                self._under_way.pop()
                self._began.pop()
                self._fail(asked, "there is nobody to ask")
        if self._began and self._stalling is None:
            self._stalling = self._loop.call_later(STALLED_S - self.oldest_s, self._look)
        if not self._under_way and not any(self._patient.values()):
            self._idle.set()

    def _look(self) -> None:
        """Turn away what waits behind a batch that does not end; nothing of it was begun."""
        self._stalling = None
        if self.oldest_s >= STALLED_S:
            lines = (self._urgent, self._waiting, *self._patient.values())
            self._fail(chain.from_iterable(lines), _STALLED.format(self.oldest_s))
            for line in lines:
                line.clear()
        elif self._began:
            self._stalling = self._loop.call_later(STALLED_S - self.oldest_s, self._look)

    def _has_urgent(self) -> bool:
        """Return whether something is to be sent that may go on top of what is under way."""
        return bool(self._urgent or (self._overdue and self._patient[True]))

    def _lose_patience(self) -> None:
        """Send what is patient with the next batch that can go, whatever else is in it."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = None
        self._overdue = any(self._patient.values())
        if self._overdue:
            self._send()

    def _batch(self) -> list[_Asked]:
        """Take the next batch; on top of others that hold what is ordinary, of what is urgent alone."""
        alone = not self._may_send(urgent=False)
        ready = [self._patient[True]] if alone else [self._patient[True], self._patient[False]]
        asked: list[_Asked] = []
        if self._overdue or self._urgent or (self._waiting and not alone):
            for patient in ready:
                while len(asked) < self._most and patient:
                    asked.append(patient.popleft())
            self._overdue = self._overdue and any(self._patient.values())
        while len(asked) < self._most and (self._urgent or (self._waiting and not alone)):
            asked.append((self._urgent or self._waiting).popleft())
        return asked

    def answered(self, answers: Answers) -> None:
        """Give the askers of the oldest batch under way their answers and begin the next batch."""
        results, errors = answers
        asked = self._under_way.popleft()
        self._began.popleft()
        self._send()
        giving = bool(self._answers)
        for position, (one, result) in enumerate(zip(asked, results, strict=True)):
            answer = (one, result, errors.get(position))
            if one[2]:  # urgent: behind nobody
                self._tell(*answer)
            else:
                self._answers.append(answer)
        if not giving:
            self._give()

    def _give(self) -> None:
        """Answer some askers, in the order in which their changes were carried out."""
        for _ in range(min(ANSWERED_AT_ONCE, len(self._answers))):
            self._tell(*self._answers.popleft())
        if self._answers:
            self._loop.call_soon(self._give)

    def _tell(self, asked: _Asked, result: Any, error: str | None) -> None:
        item, future, _ = asked
        if future.done():
            if self._unwanted is not None and error is None:
                self._unwanted(item, result)
        elif error is not None:
            future.set_exception(StoreError(error))
        else:
            future.set_result(result)

    def failed(self, reason: str) -> None:
        """Fail the askers of what is under way and begin the next batch."""
        under_way, self._under_way = self._under_way, deque()
        self._began.clear()
        self._fail(chain.from_iterable(under_way), reason)
        self._send()

    def _fail(self, asked: Iterable[_Asked], reason: str) -> None:
        for _, future, _ in asked:
            if not future.done():
                future.set_exception(StoreError(reason))

    async def close(self) -> None:
        """Finish what was asked, then stop the engine. Later questions are refused."""
        self._closed = True
        self._lose_patience()
        await self._idle.wait()
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.stop()
