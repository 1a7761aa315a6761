# SPDX-License-Identifier: GPL-3.0-or-later
"""One call: its dialogue, its sound and its recording held together."""

import asyncio
import contextlib
import logging
import time
from typing import Protocol

import msgspec

from channels.phone import dialogue as talk
from channels.phone.dialogue import Dialogue, Event, Happened
from channels.phone.link import Call as Record
from channels.phone.link import Said, Urgent
from channels.phone.worker.dialog import Dialog
from channels.phone.worker.guests import Guest
from channels.phone.worker.media import Leg, Room

log = logging.getLogger(__name__)

#: Seconds of sound above the threshold from which a caller counts as having spoken: a click is less.
_SPOKE_S = 0.5
#: A shorter noise ends no silence: two packets.
_CLICK_S = 0.04
#: How long somebody else may let a caller wait where the dialogue does not say.
_RING_S = 45.0
#: Length of what the media thread tells at a time.
_BATCH_S = 0.2


class Desk(Protocol):
    """What a call needs of the worker."""

    dialogue: Dialogue

    def play(self, leg: Leg, pieces: tuple[str, ...], token: int) -> None:
        """Play prompts."""
        ...

    def tell(self, message: Said) -> None:
        """Tell the gateway, if it is there."""
        ...

    def finish(self, call: "Call", record: Record) -> None:
        """Close the recordings and hand the call over."""
        ...

    async def put_through(self, call: "Call", to: str, within_s: float) -> bool | None:
        """Return whether somebody took the call; None: they talk in a room of ours."""
        ...

    def dismiss(self, call: "Call") -> None:
        """Hang up on whomever a caller talked with."""
        ...

    def hang_up(self, call: "Call", why: str) -> None:
        """End the call."""
        ...


class Call:
    """A call between its answer and its end. Used on one loop.

    Args:
        record: What is known of it.
        dialog: Its SIP side.
        leg: Its sound.
        desk: The worker.
        begins: Where the dialogue begins, if not where it does for those who call us.
    """

    def __init__(
        self, record: Record, dialog: Dialog, leg: Leg, desk: Desk, begins: talk.Talk | None = None
    ) -> None:
        self.record = record
        self.dialog = dialog
        self.leg = leg
        self.ended = False
        self.live = False  #: it was answered
        self.began = 0.0  #: when, monotonic seconds
        self._desk = desk
        self._talk = begins or talk.begin(desk.dialogue)
        self._ear: _Ear | None = None
        self._say: talk.Say | None = None
        self._token = 0
        self._spoke_s = 0.0
        self._timers: set[asyncio.TimerHandle] = set()
        self._transfer: asyncio.Task[None] | None = None
        self.guests: list[Guest] = []  #: whom the caller was put through to, those too who left
        self.joining: set[asyncio.Task[None]] = set()  #: desks that are being called in
        self.room: Room | None = None

    @property
    def filed(self) -> bool:
        """Whether the call was handed over already."""
        return self._talk.filed

    def answered(self) -> None:
        """Begin the dialogue."""
        self.live, self.began = True, time.monotonic()
        self.happened(Event(what=Happened.ANSWERED))

    def happened(self, event: Event) -> None:
        """Take the next step of the dialogue, and do what it says."""
        before = self._talk
        self._talk, actions = talk.step(self._desk.dialogue, before, event)
        if self._talk.state != before.state or actions:
            self._ear = None
            self._forget_timers()
            self._give_up_transfer()
        for action in actions:
            self._do(action)

    def _do(self, action: talk.Action) -> None:
        match action:
            case talk.Say():
                self._token += 1
                self._say = action
                self._desk.play(self.leg, action.pieces, self._token)
            case talk.Listen():
                self._ear = _Ear(action, waits=self._say is not None)
            case talk.Report():
                self.record = msgspec.structs.replace(self.record, reported=True)
                self._desk.tell(Urgent(id=self.record.id, call=self.now()))
            case talk.Transfer():
                self._transfer = asyncio.create_task(self._put_through(action))
            case talk.File():
                self._desk.finish(self, self.now())
                if action.within_s:
                    self._after(action.within_s, Event(what=Happened.UNFILED))
            case talk.HangUp():
                self._desk.hang_up(self, "said")

    def now(self) -> Record:
        """Return the record as it stands."""
        timeline = self.leg.timeline
        return msgspec.structs.replace(
            self.record,
            ended_at=time.time(),
            state=self._talk.state,
            spoke=self._spoke_s >= _SPOKE_S,
            lost=timeline.lost,
        )

    def key(self, key: str) -> None:
        """Take a key."""
        self.record = msgspec.structs.replace(self.record, keys=(self.record.keys + key)[:200])
        if self.room is None:  # else it is meant for whoever they talk with
            self.happened(Event(what=Happened.KEY, key=key))

    def said(self, token: int) -> None:
        """Take that all was played which was begun under this token."""
        if token != self._token or self._say is None:
            return
        say, self._say = self._say, None
        if self._ear is not None:
            self._ear.waits = False
        if say.then:
            self._after(say.wait_s, Event(what=Happened.SAID))

    def sound(self, loud_s: float) -> None:
        """Take for how long the caller was loud in the last fifth of a second."""
        self._spoke_s += loud_s
        self._listened(loud_s)

    def silent(self) -> None:
        """Take that a fifth of a second has gone by without a packet."""
        self._listened(0.0)

    def _listened(self, loud_s: float) -> None:
        if self._ear is not None and (outcome := self._ear.hear(loud_s)):
            self.happened(Event(what=outcome))

    def end(self, why: str) -> None:
        """Take that the call is over; one that was never answered leaves nothing."""
        if self.ended:
            return
        self.ended = True
        for task in self.joining:
            task.cancel()
        self._give_up_transfer()
        if self.live:
            if not self.record.how:
                self.record = msgspec.structs.replace(self.record, how=why)
            self.happened(Event(what=Happened.HUNG_UP))
            self._forget_timers()
        self._desk.dismiss(self)

    # Put through

    async def _put_through(self, action: talk.Transfer) -> None:
        within_s = action.within_s or _RING_S
        taken: bool | None = False
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                taken = await self._desk.put_through(self, action.to, within_s)
        if taken:
            self._taken()
        elif taken is False:
            self.happened(Event(what=Happened.REFUSED))

    def _taken(self) -> None:
        self.record = msgspec.structs.replace(self.record, how="transferred")
        self.happened(Event(what=Happened.TAKEN))
        self._desk.hang_up(self, "transferred")

    def _give_up_transfer(self) -> None:
        """Let nobody ring any more for a caller who has gone on to something else."""
        transfer = self._transfer
        if transfer is not None and transfer is not asyncio.current_task():
            transfer.cancel()

    def left(self, guest: Guest) -> None:
        """Take that somebody has hung up whom the caller talked with; the last one ends the call."""
        del guest
        if not self.ended and not any(each.live for each in self.guests):
            self._taken()

    def _after(self, seconds: float, event: Event) -> None:
        loop = asyncio.get_running_loop()

        def act() -> None:
            self._timers.discard(handle)
            self.happened(event)

        handle = loop.call_later(seconds, act)
        self._timers.add(handle)

    def _forget_timers(self) -> None:
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


class _Ear:
    """Decides when a caller has said what they had to say.

    Args:
        times: How long to listen.
        waits: A prompt is still being played: speech counts already, silence does not.
    """

    def __init__(self, times: talk.Listen, *, waits: bool) -> None:
        self.waits = waits
        self._times = times
        self._spoke_s = self._quiet_s = self._whole_s = 0.0

    def hear(self, loud_s: float) -> Happened | None:
        """Return what a fifth of a second more has brought about."""
        self._spoke_s += loud_s
        if loud_s > _CLICK_S:
            self._quiet_s = 0.0
        elif not self.waits:
            self._quiet_s += _BATCH_S
        if not self.waits:
            self._whole_s += _BATCH_S
        spoke = self._spoke_s >= _SPOKE_S
        if self._whole_s >= self._times.most_s or (spoke and self._quiet_s >= self._times.pause_s):
            return Happened.HEARD
        if not spoke and self._quiet_s >= self._times.begin_s:
            return Happened.UNHEARD
        return None
