"""Makes tickets of calls: of a whole one, and of the first words of one that goes on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from channels.base import Accept, Receipt
from channels.phone.codec import Account, attachment, early, ended, more, whole
from channels.phone.link import Call
from channels.phone.ports import Keep
from channels.phone.wav import alaw_header
from normalizer.errors import Conflict, Oversized, StoreError
from normalizer.schema import Attachment

log = logging.getLogger(__name__)

_T = TypeVar("_T")

#: Octets of one recording: two hours.
MOST_OCTETS = 64 * 1024 * 1024


def sound_of(call: Call, spool: str, side: int = 0) -> bytes:
    """Return a call's recording, or the one of a side of it; empty where it has none."""
    name = f"{call.id}.{side}" if side else call.id
    try:
        return (Path(spool) / f"{name}.alaw").read_bytes()
    except FileNotFoundError:
        return b""


class Filing:
    """Hands calls to the gateway.

    Args:
        account: Whose they are.
        now: Our clock.
    """

    def __init__(self, account: Account, now: Callable[[], datetime]) -> None:
        self._account = account
        self._now = now
        self.accept: Accept | None = None
        self.keep: Keep | None = None
        self._first: dict[str, asyncio.Future[Receipt | None]] = {}

    def number_of(self, name: str) -> str | None:
        """Return the number of the ticket that a call's first words made, if they made one."""
        first = self._first.get(name)
        receipt = first.result() if first is not None and first.done() else None
        return receipt.number if receipt is not None else None

    def forget(self, call: Call) -> None:
        """Take note that a call is a ticket, whole."""
        self._first.pop(call.id, None)

    async def early(self, call: Call, text: str) -> Receipt | None:
        """Return the receipt of words that cannot wait for the end of their call; None: they do.

        The first of them make its ticket, later ones are added to it.
        """
        first = self._first.get(call.id)
        done = await first if first is not None else None
        if done is not None and not text:
            return None
        future: asyncio.Future[Receipt | None] = asyncio.get_running_loop().create_future()
        self._first[call.id] = future
        receipt = None
        try:
            receipt = await _under_its_key(call, lambda named: self._early(named, text, done))
        except (StoreError, Conflict) as error:
            # The whole call will tell it.
            log.error("call.early_failed", extra={"why": error.code})  # noqa: TRY400 - the error says all
        finally:
            future.set_result(receipt or done)
        return receipt

    async def _early(self, call: Call, text: str, done: Receipt | None) -> Receipt:
        number = done.number if done is not None else call.number
        if not number:
            message = early(call, self._account, text, self._now())
            try:
                return await self._accepting(message)
            except Conflict:
                # Or its end was taken already, and the worker, which was not told so by a gateway
                # that stopped, sends what came before it once more.
                return await self._accepting(ended(call, message))
        return await self._accepting(more(call, self._account, text, self._now(), number))

    async def whole(self, call: Call, text: str, spool: str) -> Receipt:
        """Return the receipt of a finished call: its ticket's, or of the one that it is about.

        Args:
            call: It.
            text: What was understood of it.
            spool: The folder of its recording.

        Raises:
            StoreError: It is no ticket yet.
            OSError: Its recording could not be read.
        """
        recording = await self._recordings(call, spool)
        first = self._first.get(call.id)
        receipt = await first if first is not None else None
        number = receipt.number if receipt is not None else None
        try:
            return await _under_its_key(
                call, lambda named: self._whole(named, text, recording, number)
            )
        except Conflict as error:
            raise StoreError(str(error)) from error

    async def _whole(
        self, call: Call, text: str, recording: tuple[Attachment, ...], number: str | None
    ) -> Receipt:
        message = whole(call, self._account, text, recording, self._now(), continues=number)
        try:
            return await self._accepting(message)
        except Conflict:
            if call.number:
                raise
            # Either its first words made a ticket before the gateway was started again, or these
            # very words were added to it already.
            receipt = await self._accepting(early(call, self._account, text, self._now()))
        if number is not None:
            return receipt
        message = whole(call, self._account, text, recording, self._now(), continues=receipt.number)
        try:
            return await self._accepting(message)
        except Conflict:
            return receipt

    @property
    def _accepting(self) -> Accept:
        if self.accept is None:
            raise StoreError("the line is not served")
        return self.accept

    async def _recordings(self, call: Call, spool: str) -> tuple[Attachment, ...]:
        """Return the caller's recording, then those of whoever talked with them by us."""
        octets = (call.octets, *(side.octets for side in call.sides))
        kept = [await self._recording(call, spool, at) for at, some in enumerate(octets) if some]
        return tuple(each for each in kept if each is not None)

    async def _recording(self, call: Call, spool: str, side: int) -> Attachment | None:
        sound = await asyncio.to_thread(sound_of, call, spool, side)
        if not sound or self.keep is None:
            return None
        content = alaw_header(len(sound)) + sound + b"\0" * (len(sound) % 2)
        try:
            sha256, octets = await self.keep(content, MOST_OCTETS)
        except Oversized:
            log.error("recording.too_long", extra={"octets": len(content)})  # noqa: TRY400 - the error says all
            return None
        return attachment(call, sha256, octets, side)


async def _under_its_key(call: Call, file: Callable[[Call], Awaitable[_T]]) -> _T:
    """Return what filing a call brings, under a key of its own where another call has its key.

    Raises:
        Conflict: Both are taken.
    """
    try:
        return await file(call)
    except Conflict:
        return await file(msgspec.structs.replace(call, again=True))
