"""Calls that are owed: to rate an answer, to a caller who was cut off, to a phone on duty.

Each is a file until it is done. A try is written down before it begins, so that no crash rings a
citizen more often than allowed.
"""

import asyncio
import hashlib
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec

from channels.base import Message
from channels.phone.link import Call, Dial, Missed
from channels.phone.numbers import to_dial
from channels.phone.ports import Lent, Ratings
from channels.phone.settings import CallBack
from channels.phone.voice import Prompts
from normalizer.errors import StoreError, TryLater, Unreachable
from normalizer.schema import Value

log = logging.getLogger(__name__)

Purpose = Literal["rating", "broken_off", "alarm"]
#: What an answered ticket's notice is called; no other notice is worth a call.
_ANSWERED = "hotline.answer.answered"
#: How often the list is looked through.
_LOOK_S = 1.0
#: Between two tries at a phone on duty, which no quiet hours hold.
_ALARM_PAUSE = timedelta(seconds=30)
#: Where the line had no room for a call, nobody was rung.
_NO_ROOM_PAUSE = timedelta(minutes=1)
_ENDING = ".owed"


class Owed(Value, frozen=True, kw_only=True):
    """A call that is to be made."""

    id: str
    purpose: Purpose
    to: str  #: number, E.164 where it is known
    number: str = ""  #: of the ticket
    key: str = ""  #: of the message whose outcome is told
    said: str = ""  #: prompt of what is to be told
    tries: int = 0
    due_at: datetime


class CallBacks:
    """The list of calls that are owed.

    Args:
        folder: Where they are kept.
        settings: Which are made, and when.
        prompts: Renders what a phone on duty is told.
        dial: Has a worker make a call; False: none can now.
        now: Our clock.
    """

    def __init__(
        self,
        folder: Path,
        settings: CallBack,
        prompts: Prompts,
        dial: Callable[[Dial], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._prompts = prompts
        self._dial = dial
        self._now = now
        #: When a citizen may be called: an instant, or the end of the quiet hours that it is in.
        self.quiet: Callable[[datetime], datetime] = lambda at: at
        self.scale: Callable[[], tuple[str, ...]] = tuple
        self.tell: Callable[[str, bool, str], Awaitable[None]] | None = None
        self._owed: dict[str, Owed] = {}
        self._ringing: set[str] = set()

    def equip(self, lent: Lent) -> None:
        """Take what the gateway lends."""
        span = self._settings.quiet_hours
        self.quiet = lambda at: lent.quiet(span, at)
        self.scale = lent.ratings.scale

    # What is owed

    def owe(self, purpose: Purpose, to: str, key: str, number: str = "", said: str = "") -> None:
        """Return once a call is on the disk; the same key means the same call.

        Raises:
            OSError: The disk refused.
        """
        name = hashlib.sha256(f"{purpose}:{key}".encode()).hexdigest()[:24]
        if name not in self._owed and not (self._folder / (name + _ENDING)).exists():
            self._write(
                Owed(
                    id=name,
                    purpose=purpose,
                    to=to,
                    number=number,
                    key=key,
                    said=said,
                    due_at=self._now(),
                )
            )

    def cut_off(self, call: Call, number: str) -> None:
        """Owe a caller a call who was cut off before they said anything. Raises `OSError`."""
        if self._settings.broken_off and call.caller:
            self.owe("broken_off", call.caller, call.id, number)

    def _write(self, owed: Owed) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / (owed.id + _ENDING)
        draft = path.with_suffix(".tmp")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(owed))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        self._owed[owed.id] = owed

    def _drop(self, owed: Owed) -> None:
        self._ringing.discard(owed.id)
        self._owed.pop(owed.id, None)
        (self._folder / (owed.id + _ENDING)).unlink(missing_ok=True)

    def _read(self) -> None:
        for path in self._folder.glob("*" + _ENDING):
            try:
                owed = msgspec.json.decode(path.read_bytes(), type=Owed)
            except (OSError, msgspec.MsgspecError):
                log.error("callback.unreadable", extra={"file": path.name})  # noqa: TRY400 - the error says all
                continue
            self._owed[owed.id] = owed

    async def run(self) -> None:
        """Make the calls that are due, until cancelled."""
        await asyncio.to_thread(self._read)
        while True:
            for owed in list(self._owed.values()):
                if owed.id not in self._ringing and owed.due_at <= self._now():
                    try:
                        await self._try(owed)
                    except (OSError, StoreError) as error:
                        log.error("callback.failed", extra={"why": type(error).__name__})  # noqa: TRY400 - the error says all
            await asyncio.sleep(_LOOK_S)

    async def _try(self, owed: Owed) -> None:
        if owed.tries >= self._settings.tries:  # and nobody has told what became of the last
            await self._give_up(owed, "lost")
            return
        now = self._now()
        alarm = owed.purpose == "alarm"
        may = now if alarm else self.quiet(now)
        if may > now:
            self._write(msgspec.structs.replace(owed, due_at=may))
            return
        pause = _ALARM_PAUSE if alarm else self._settings.pause
        tried = msgspec.structs.replace(owed, tries=owed.tries + 1, due_at=now + pause)
        self._write(tried)
        dial = Dial(
            id=owed.id,
            to=to_dial(owed.to),
            purpose=owed.purpose,
            number=owed.number,
            scale=self.scale(),
            said=owed.said,
            ring_s=self._settings.ring.total_seconds(),
        )
        if self._dial(dial):
            self._ringing.add(owed.id)
            log.info("callback.begun", extra={"purpose": owed.purpose, "tries": tried.tries})
        else:
            self._write(owed)  # nobody was rung

    def lost(self) -> None:
        """Take that a worker is gone: what it was ringing will be tried again in its time."""
        self._ringing.clear()

    # What became of it

    async def missed(self, missed: Missed) -> None:
        """Take that nobody was reached; after the last try it is given up.

        One that the store does not take note of is given up when its time comes again.
        """
        self._ringing.discard(missed.id)
        if (owed := self._owed.get(missed.id)) is None:
            return
        log.info("callback.missed", extra={"purpose": owed.purpose, "why": missed.why})
        try:
            if not missed.rang:
                again = self._now() + _NO_ROOM_PAUSE
                self._write(msgspec.structs.replace(owed, tries=owed.tries - 1, due_at=again))
            elif owed.tries >= self._settings.tries:
                await self._give_up(owed, missed.why)
        except (OSError, StoreError) as error:
            log.error("callback.failed", extra={"why": type(error).__name__})  # noqa: TRY400 - the error says all

    async def _give_up(self, owed: Owed, why: str) -> None:
        log.warning("callback.given_up", extra={"purpose": owed.purpose, "why": why})
        await self._told(owed, arrived=False, why=why)
        self._drop(owed)

    async def over(self, call: Call, *, done: bool) -> None:
        """Take that a call was answered; one that brought nothing counts as a try."""
        owed = self._owed.get(call.task)
        if owed is None:
            return
        if not done:
            await self.missed(Missed(id=call.task, why="nothing was said"))
            return
        await self._told(owed, arrived=True, why=call.how)
        self._drop(owed)

    async def _told(self, owed: Owed, *, arrived: bool, why: str) -> None:
        if self.tell is not None and owed.purpose == "rating":
            await self.tell(owed.key, arrived, why)

    # As a way out (Messenger)

    async def open(self) -> None:
        """Make ready; the line does that by itself."""

    async def close(self) -> None:
        """Let go of nothing."""

    async def send(self, to: str, message: Message) -> str:
        """Have somebody telephoned: a phone on duty at once, a citizen to rate an answer.

        Returns once it is on the disk. What a caller has heard already, and notices that are no
        answer, ring nobody.

        Raises:
            TryLater: The disk refused, or the words could not be spoken.
            Unreachable: There is no number to call.
        """
        if message.acknowledges or (message.number is not None and message.kind != _ANSWERED):
            return ""
        if not to.lstrip("+").isdigit():
            raise Unreachable("no number to call is known")
        try:
            if message.number is not None:
                if self._settings.ratings:
                    self.owe("rating", to, message.key, message.number)
                return message.key
            said = "said_" + hashlib.sha256(message.text.encode()).hexdigest()[:16]
            if await self._prompts.make({said: message.text}):
                raise TryLater("the words could not be spoken")
            self.owe("alarm", to, message.key, said=said)
        except OSError as error:
            raise TryLater(f"the call could not be kept: {error.strerror}") from error
        return message.key


async def came_of(call: Call, ratings: Ratings) -> bool:
    """Return whether a call of ours has brought what it was made for; a rating is durable then.

    Raises:
        StoreError: It is not.
    """
    if call.purpose != "rating":
        return call.purpose == "alarm" or call.spoke or call.reported
    scale = ratings.scale()
    places = [int(key) for key in call.keys if key.isdigit() and 0 < int(key) <= len(scale)]
    if not places:
        return call.spoke
    await ratings.rate(call.number, scale[places[-1] - 1], f"call:{call.task}")
    return True
