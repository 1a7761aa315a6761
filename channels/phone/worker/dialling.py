# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that we make to citizens and to phones on duty, for a task of the gateway's."""

import asyncio
import logging
from collections.abc import Callable

from channels.phone import dialogue as talk
from channels.phone.dialogue import Dialogue
from channels.phone.link import Dial, Missed, WorkerSettings
from channels.phone.worker.dialog import Dialog
from channels.phone.worker.dialogs import Dialogs
from channels.phone.worker.gateway import Gateway
from channels.phone.worker.media import Leg
from channels.phone.worker.outgoing import Wanted
from channels.phone.worker.settings import resolved
from channels.phone.worker.sockets import Sockets

log = logging.getLogger(__name__)

#: Takes a call that was answered, with where its dialogue begins.
Answered = Callable[[Dial, Dialog, Leg, talk.Talk], None]


class Dialling:
    """Makes calls.

    Args:
        settings: Whose line it is.
        dialogue: What is said.
        dialogs: Makes them.
        sockets: Gives ports out.
        gateway: Told of whom nobody reached.
        answered: Takes calls that were answered.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        dialogue: Dialogue,
        dialogs: Dialogs,
        sockets: Sockets,
        gateway: Gateway,
        answered: Answered,
    ) -> None:
        self._settings = settings
        self._dialogue = dialogue
        self._dialogs = dialogs
        self._sockets = sockets
        self._gateway = gateway
        self._answered = answered
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def ringing(self) -> int:
        """How many calls ring now."""
        return len(self._tasks)

    def dial(self, dial: Dial, *, room: bool) -> None:
        """Make a call, if there is room for one; the same task is never under way twice."""
        if dial.id in self._tasks:
            return
        if not room:
            self._missed(dial, "no room", rang=False)
            return
        task = self._tasks[dial.id] = asyncio.create_task(self._dial(dial))
        task.add_done_callback(lambda _: self._tasks.pop(dial.id, None))

    async def stop(self) -> None:
        """Let nobody ring any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _dial(self, dial: Dial) -> None:
        settings = self._settings
        try:
            begins = talk.begin_call(
                self._dialogue, dial.purpose, dial.number, dial.scale, dial.said
            )
        except KeyError:
            self._missed(dial, "the dialogue has no such calls", rang=False)
            return
        hop, leg = resolved(settings.server, settings.port), self._sockets.open()
        if hop is None or leg is None:
            if leg is not None:
                self._sockets.close(leg)
            self._missed(dial, "no port" if leg is None else "no server", rang=False)
            return
        target = f"sip:{dial.to}@{settings.server}"
        wanted = Wanted(target, hop, settings.local_host, leg.port)
        try:
            answer = await self._dialogs.outgoing.call(wanted, dial.ring_s)
        except asyncio.CancelledError:
            self._sockets.close(leg)
            raise
        if isinstance(answer, Dialog):
            self._answered(dial, answer, leg, begins)
        else:
            self._sockets.close(leg)
            self._missed(dial, f"status {answer}")

    def _missed(self, dial: Dial, why: str, *, rang: bool = True) -> None:
        log.info("call.missed", extra={"purpose": dial.purpose, "why": why})
        self._gateway.tell(Missed(id=dial.id, why=why, rang=rang))
