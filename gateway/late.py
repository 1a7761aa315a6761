"""Pushes whose carrier hangs up before a slow store is done: written down, taken on, answered later.

A carrier that gets no answer in its time repeats, and in the end tells its citizen that nobody is
there. So what is not durable in the store by then is made durable beside it, in a folder; the
carrier is told that it has arrived; and once it is a ticket the citizen is answered by an outbox
delivery, stored under the message's key, so that a crash at any point neither loses the message nor
answers twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import msgspec

from channels.base import Accept, Fetching, Messenger, Prompt, Receipt, Request, Webhook
from gateway.accept import Intake
from gateway.blobs import Blobs
from gateway.clock import Clock
from gateway.core import Core
from gateway.fetching import media_delivery
from gateway.late_answers import LateAnswers, told_key
from gateway.ports import lane_of
from gateway.store.base import Change, NewEvent
from gateway.view import urgency_of
from normalizer.errors import ChannelError, DeliveryError, StoreError
from normalizer.schema import Inbound, Value

log = logging.getLogger(__name__)

#: Pauses between tries while the store refuses.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0

Key = tuple[str, str]
#: Quarantines what turned out not to be understood.
Quarantine = Callable[[Key, Request, ChannelError], Awaitable[None]]


class Late(Value, frozen=True, kw_only=True):
    """A push as it is written down."""

    kind: str
    account: str
    at: datetime  #: when it arrived
    request: Request


class Taking:
    """Makes tickets of a push's messages, with what is to be fetched for them."""

    def __init__(self, intake: Intake, core: Core, blobs: Blobs) -> None:
        self._intake = intake
        self._core = core
        self._blobs = blobs

    def accept_for(self, channel: object) -> Accept:
        """Return what a listener makes tickets with, its errands included."""
        if not hasattr(channel, "media"):
            return self._intake.accept
        fetching = cast("Fetching", channel)

        async def accept(inbound: Inbound) -> Receipt:
            receipt = await self._intake.accept(inbound)
            if receipt.number:
                await self._errands(fetching, inbound, receipt)
            return receipt

        return accept

    async def take(
        self, webhook: Webhook, request: Request, inbounds: Sequence[Inbound]
    ) -> list[Receipt]:
        """Return the receipts of messages that are durable, files and errands included.

        Raises:
            Conflict: A key was used before with other content.
            StoreError: Not everything was stored; the carrier should send it again.
        """
        for content in webhook.files(request):
            await self._blobs.write(content, len(content))
        accept = self.accept_for(webhook)
        if len(inbounds) == 1:
            return [await accept(inbounds[0])]
        # Together: one after another, hundreds would outlast the carrier's patience. Each is tried,
        # so that a repeat finds only those that failed undone.
        done = await asyncio.gather(*map(accept, inbounds), return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each
        return cast("list[Receipt]", done)

    async def _errands(self, webhook: Fetching, inbound: Inbound, receipt: Receipt) -> None:
        """Have a message's media fetched by the outbox; a repeat changes nothing."""
        refs = webhook.media(inbound)
        stored = await self._core.store.ticket(receipt.number) if refs else None
        if stored is None:
            return
        now = self._core.clock.now()
        # What later words have made it, too: the picture of a fire waits for nothing.
        lane = lane_of(urgency_of(stored.ticket, stored.events), verify=stored.ticket.verify)
        deliveries = tuple(media_delivery(inbound, ref, now, lane) for ref in refs)
        event = NewEvent(at=now, event="media", by="gateway", key=f"media-of:{inbound.key}")
        changed = await self._core.store.change(
            Change(ticket_id=stored.ticket.id, events=(event,), deliveries=deliveries)
        )
        self._core.outbox.hand_over(changed.leased)
        for delivery in deliveries:
            self._core.outbox.wake(delivery.destination, delivery.lane)


class Latecomers:
    """Takes on what could not be answered in time. Used on one event loop.

    Args:
        folder: Where it is written down; a push that is there is not a ticket yet, or not answered.
        core: What intake works with.
        taking: What makes tickets of it.
        speakers: The ways out by destination, for answers that belong to no ticket.
    """

    def __init__(
        self, folder: Path, core: Core, taking: Taking, speakers: Mapping[str, Messenger]
    ) -> None:
        self._folder = folder
        self._kept = Blobs(folder)
        self._core = core
        self._taking = taking
        self.answers = LateAnswers(core, speakers)
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending: set[tuple[str, str, str | None]] = set()
        self._stopping = asyncio.Event()

    async def start(self, webhooks: Mapping[Key, Webhook], quarantine: Quarantine) -> None:
        """Take on what an earlier process has left. Raises `StoreError` where the folder is unfit."""
        await self._kept.open()
        for path in await asyncio.to_thread(lambda: sorted(self._folder.glob("??/*"))):
            late = await self._read(path)
            if late is None:
                continue
            webhook = webhooks.get((late.kind, late.account))
            if webhook is None:
                log.error("late.unknown_channel", extra={"channel": late.kind})
                continue
            self._start(self._resume(late, path, webhook, quarantine))

    async def _read(self, path: Path) -> Late | None:
        """Return what was written down; None if it cannot be read: it keeps no gateway from starting."""
        try:
            return msgspec.json.decode(await asyncio.to_thread(path.read_bytes), type=Late)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            extra = {"file": path.name[:16], "error": type(error).__name__}
            log.error("late.unreadable", extra=extra)  # noqa: TRY400 - the trace may quote a citizen
            self._core.metrics.count("late_failed")
            return None

    async def stop(self, grace_s: float) -> None:
        """Give what is under way its time; the rest stays written down."""
        self._stopping.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def keep(self, key: Key, request: Request, at: datetime) -> Path:
        """Return the file of a push that is on the disk now. Raises `StoreError`."""
        late = Late(kind=key[0], account=key[1], at=at, request=request)
        sha256, _ = await self._kept.write(msgspec.json.encode(late))
        return self._kept.path(sha256)

    def follow(
        self,
        path: Path,
        taken: "asyncio.Task[list[Receipt]]",
        again: Callable[[], Awaitable[list[Receipt]]],
        inbounds: Sequence[Inbound],
        quarantine: Callable[[ChannelError], Awaitable[None]],
    ) -> None:
        """Answer a push once it is durable, however often the store must be asked.

        Args:
            path: Where it is written down.
            taken: The try that is under way.
            again: Tries once more.
            inbounds: Its messages.
            quarantine: Keeps it whole where it turns out not to be one.
        """
        self._pending.update(_known_by(inbound) for inbound in inbounds)
        self._start(self._finish(path, taken, again, inbounds, quarantine))

    async def answered(self, inbound: Inbound, receipt: Receipt) -> bool:
        """Return whether the answer to a message is on its way already, though this is a repeat."""
        if _known_by(inbound) in self._pending:
            return True
        first = not receipt.duplicate and receipt.received_at == inbound.received_at
        if first or not receipt.number:
            return False
        stored = await self._core.store.ticket(receipt.number)
        return stored is not None and any(e.key == told_key(inbound.key) for e in stored.events)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Tell of a push that could not be taken on; it stays written down for the next start."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The trace may quote a citizen.
            log.error("late.failed", extra={"error": type(error).__name__})
            self._core.metrics.count("late_failed")

    async def _resume(
        self, late: Late, path: Path, webhook: Webhook, quarantine: Quarantine
    ) -> None:
        async def keep(error: ChannelError) -> None:
            await quarantine((late.kind, late.account), late.request, error)

        async def again() -> list[Receipt]:
            return await self._taking.take(webhook, late.request, inbounds)

        try:
            inbounds = webhook.parse(late.request, late.at)
        except ChannelError as error:  # another release reads it otherwise, or a key has changed
            await keep(error)
            await asyncio.to_thread(path.unlink, missing_ok=True)
            return
        self._pending.update(_known_by(inbound) for inbound in inbounds)
        await self._finish(path, asyncio.create_task(again()), again, inbounds, keep)

    async def _finish(
        self,
        path: Path,
        taken: "asyncio.Task[list[Receipt]]",
        again: Callable[[], Awaitable[list[Receipt]]],
        inbounds: Sequence[Inbound],
        quarantine: Callable[[ChannelError], Awaitable[None]],
    ) -> None:
        """Answer, and forget the push; while the store refuses, try again."""
        pause, tried = _FIRST_PAUSE_S, taken
        try:
            while not await self._done_with(tried, inbounds, quarantine):
                if await self._core.clock.wait(self._stopping, pause):
                    return
                pause = min(2 * pause, _LONGEST_PAUSE_S)
                tried = asyncio.ensure_future(again())
            await asyncio.to_thread(path.unlink, missing_ok=True)
        finally:  # whatever came of it, nobody waits for this answer any more
            self._pending.difference_update(_known_by(inbound) for inbound in inbounds)

    async def _done_with(
        self,
        tried: "asyncio.Future[list[Receipt]]",
        inbounds: Sequence[Inbound],
        quarantine: Callable[[ChannelError], Awaitable[None]],
    ) -> bool:
        """Return whether a try brought the push to its end: answered, or kept for a human."""
        try:
            try:
                receipts = await tried
            except ChannelError as error:
                await quarantine(error)
                return True
            for inbound, receipt in zip(inbounds, receipts, strict=True):
                await self.answers.answer(inbound, receipt)
        except (StoreError, DeliveryError) as error:
            log.warning("late.waits", extra={"why": str(error)})
            return False
        return True


def _known_by(inbound: Inbound) -> tuple[str, str, str | None]:
    return inbound.channel, inbound.account, inbound.key


class InTime:
    """Takes a push and tells whether it was durable in time.

    Args:
        taking: What makes tickets of it.
        late: What takes on the rest.
        clock: The time.
    """

    def __init__(self, taking: Taking, late: Latecomers, clock: Clock) -> None:
        self.taking = taking
        self.late = late
        self._clock = clock

    async def take(
        self,
        webhook: Prompt,
        key: Key,
        request: Request,
        inbounds: Sequence[Inbound],
        *,
        arrived: float,
        quarantine: Quarantine,
    ) -> list[Receipt] | None:
        """Return the receipts; None where the answer comes later, or is on its way already.

        Args:
            webhook: The channel.
            key: Its kind and name.
            request: The push.
            inbounds: Its messages.
            arrived: When it came, monotonic.
            quarantine: Keeps it whole where it turns out not to be one.

        Raises:
            ChannelError: It was refused in time.
            StoreError: Nothing was stored, nor written down.
        """

        async def again() -> list[Receipt]:
            return await self.taking.take(webhook, request, inbounds)

        async def keep(error: ChannelError) -> None:
            await quarantine(key, request, error)

        at = self._clock.now()
        task = asyncio.create_task(again())
        if not await self._done(task, arrived + webhook.reply_within_s - self._clock.monotonic()):
            path = await self.late.keep(key, request, at)
            self.late.follow(path, task, again, inbounds, keep)
            return None
        receipts = task.result()
        for inbound, receipt in zip(inbounds, receipts, strict=True):
            if await self.late.answered(inbound, receipt):
                return None
        if not webhook.fits(receipts):
            path = await self.late.keep(key, request, at)
            self.late.follow(path, task, again, inbounds, keep)
            return None
        return receipts

    async def _done(self, task: "asyncio.Task[list[Receipt]]", within_s: float) -> bool:
        done = asyncio.Event()
        task.add_done_callback(lambda _: done.set())
        return await self._clock.wait(done, max(0.0, within_s))
