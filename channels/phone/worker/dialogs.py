# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls as SIP sees them: each INVITE is answered once, whatever else comes or gets lost.

Source: RFC 3261 sections 8.2, 9.2, 12, 13.3, 14, 15, 17.2; RFC 6026 (a 200 is sent again until its
ACK); RFC 3515 (REFER); RFC 6665 (NOTIFY). Used on one loop, with datagrams in and out.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec

from channels.phone import dtmf, sdp, sip
from channels.phone.sip import SipMessage
from channels.phone.worker.agent import GIVE_UP_S, T1, T2, Address, Agent
from channels.phone.worker.dialog import Answerer, Dialog, Key
from channels.phone.worker.outgoing import Outgoing

log = logging.getLogger(__name__)

_T = TypeVar("_T")

_ALLOW = ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, NOTIFY")
#: Extensions that a caller may insist on; of others, 100rel included, it is told (RFC 3261 8.2.2.3).
_UNDERSTOOD = frozenset({"timer", "replaces", "norefersub", "from-change", "histinfo", "privacy"})
#: How long an INVITE's end is remembered, for what comes again.
_REMEMBERED_S = 32.0
#: Calls, and ends of calls, that are remembered; beyond them refusals are sent once.
_MOST_DIALOGS = 10_000
_RETRY_AFTER = ("Retry-After", "5")


class Dialogs:
    """All calls of the worker."""

    def __init__(self, agent: Agent, answerer: Answerer, send: Callable[[bytes, Address], None]):
        self._agent = agent
        self._answerer = answerer
        self._send = send
        self._dialogs: dict[Key, Dialog] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self.outgoing = Outgoing(agent, self, send)
        self.draining = False
        self.refused = 0

    def receive(self, message: SipMessage, source: Address) -> None:
        """Take a message that the guard let through."""
        if message.status:
            if not self._agent.answered(message):
                self._answered_again(message)
            return
        handlers = {
            "INVITE": self._invite,
            "ACK": self._ack,
            "CANCEL": self._cancel,
            "BYE": self._bye,
            "OPTIONS": self._options,
            "INFO": self._info,
            "UPDATE": self._update,
            "NOTIFY": self._notify,
        }
        handlers.get(message.method, self._unknown)(message, source)

    def _reply(
        self,
        request: SipMessage,
        source: Address,
        status: int,
        tag: str = "",
        *extra: tuple[str, str],
    ) -> bytes:
        answer = sip.response(
            request,
            status,
            tag=tag or secrets.token_hex(8),
            contact=self._agent.contact if status < 300 else "",
            extra=(_ALLOW, *extra),
            received=source,
        )
        self._send(answer, source)
        return answer

    # Calls that come

    def _invite(self, message: SipMessage, source: Address) -> None:
        known = self._dialogs.get((message.call_id, message.from_tag))
        if message.to_tag:
            self._again(message, source, known)
        elif known is not None and not _tried_anew(message, known):
            if known.invite.branch != message.branch:
                self._reply(message, source, 482)
            elif known.last:
                self._send(known.last, source)
        else:
            self._new(message, source)

    def _new(self, message: SipMessage, source: Address) -> None:
        wanted = {w.strip().lower() for v in message.all("require") for w in v.split(",")}
        if strange := sorted(wanted - _UNDERSTOOD - {""}):
            self._refuse(message, source, 420, ("Unsupported", ", ".join(strange)))
            return
        if self.draining:
            self._refuse(message, source, 503, _RETRY_AFTER)
            return
        offer = None
        if message.body:
            kind = message.get("content-type") or "application/sdp"
            try:
                offer = sdp.read(message.body, kind)
            except sdp.NotAcceptable:
                known = kind.lower().startswith(("application/sdp", "multipart/"))
                self._refuse(message, source, 488 if known else 415)
                return
        dialog = Dialog(message, source, offer)
        self._send(sip.response(message, 100, received=source), source)
        self._dialogs[dialog.key] = dialog
        if self._answerer.ring(dialog):
            if dialog.state == "ringing":
                dialog.last = self._reply(message, source, 180, dialog.tag)
        else:
            self.refused += 1
            dialog.state = "ended"
            self._final(dialog, message, source, 503, _RETRY_AFTER)

    def _refuse(
        self, message: SipMessage, source: Address, status: int, *extra: tuple[str, str]
    ) -> None:
        if len(self._dialogs) >= _MOST_DIALOGS:  # a flood is not worth remembering
            self._reply(message, source, status, "", *extra)
            return
        dialog = Dialog(message, source, None)
        dialog.state = "ended"
        self._dialogs[dialog.key] = dialog
        self._final(dialog, message, source, status, *extra)

    def answer(self, dialog: Dialog) -> None:
        """Answer a call that rings."""
        if dialog.state == "ringing":
            dialog.state = "answered"
            self._describe(dialog, dialog.invite, dialog.source)

    def _describe(self, dialog: Dialog, invite: SipMessage, source: Address) -> None:
        """Send the 200 of an INVITE until its ACK comes."""
        self._until_ack(dialog, invite, source, self._described(dialog, invite, source))

    def _described(self, dialog: Dialog, request: SipMessage, source: Address) -> bytes:
        """Return a 200 with our description: the answer to an offer, or an offer where none came."""
        offer = dialog.offer if request.body else None
        body = sdp.describe(dialog.host, dialog.port, dialog.version, offer)
        dialog.version += 1
        return sip.response(
            request,
            200,
            tag=dialog.tag,
            contact=self._agent.contact,
            extra=(_ALLOW,),
            body=body,
            received=source,
        )

    def _final(
        self,
        dialog: Dialog,
        invite: SipMessage,
        source: Address,
        status: int,
        *extra: tuple[str, str],
    ) -> None:
        answer = sip.response(
            invite, status, tag=dialog.tag, extra=(_ALLOW, *extra), received=source
        )
        self._until_ack(dialog, invite, source, answer)

    def _until_ack(
        self, dialog: Dialog, invite: SipMessage, source: Address, answer: bytes
    ) -> None:
        dialog.last, dialog.last_to = answer, invite.sequence
        dialog.acknowledged = asyncio.Event()
        self._send(answer, source)
        if dialog.task is not None:
            dialog.task.cancel()
        dialog.task = self._spawn(self._repeat(dialog, source, answer, dialog.acknowledged))

    async def _repeat(
        self, dialog: Dialog, source: Address, answer: bytes, acknowledged: asyncio.Event
    ) -> None:
        pause, waited = T1, 0.0
        while waited < GIVE_UP_S:
            try:
                async with asyncio.timeout(pause):
                    await acknowledged.wait()
            except TimeoutError:
                waited += pause
                pause = min(2 * pause, T2)
                self._send(answer, source)
                continue
            break
        if dialog.state == "answered":
            if not acknowledged.is_set():  # RFC 3261 section 13.3.1.4
                self.hang_up(dialog, "no_ack")
            return
        await self._forget(dialog)

    def _spawn(self, work: Coroutine[Any, Any, _T]) -> asyncio.Task[_T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Within a call

    def _again(self, message: SipMessage, source: Address, dialog: Dialog | None) -> None:
        """Answer an INVITE within a call: a refresh, a hold, a move of the peer's sound."""
        if dialog is None or dialog.state != "answered":
            self._reply(message, source, 481)
        elif message.sequence == dialog.last_to:
            self._send(dialog.last, source)
        elif message.sequence < dialog.remote_sequence:
            self._reply(message, source, 500, "", _RETRY_AFTER)
        elif self._moved(dialog, message, source):
            self._describe(dialog, message, source)

    def _moved(self, dialog: Dialog, message: SipMessage, source: Address) -> bool:
        """Take a new description, if there is one; False: it was refused."""
        dialog.remote_sequence = message.sequence
        if message.body:
            try:
                dialog.offer = sdp.read(message.body, message.get("content-type") or "")
            except sdp.NotAcceptable:
                self._reply(message, source, 488, dialog.tag)
                return False
            self._answerer.aim(dialog)
        if contact := message.get("contact"):  # RFC 3261 section 12.2.2
            headers = [(n, v) for n, v in dialog.invite.headers if n != "contact"]
            headers.append(("contact", contact))
            dialog.invite = msgspec.structs.replace(dialog.invite, headers=headers)
        dialog.source = source
        return True

    def _ack(self, message: SipMessage, _source: Address) -> None:
        dialog = self._dialogs.get((message.call_id, message.from_tag))
        if dialog is None or message.sequence != dialog.last_to:
            return
        if dialog.acknowledged.is_set():
            return
        dialog.acknowledged.set()
        if dialog.state == "answered" and message.body:
            # We made the offer; this is the answer to it.
            try:
                dialog.offer = sdp.read(message.body, message.get("content-type") or "")
            except sdp.NotAcceptable:
                self.hang_up(dialog, "no_media")
                return
            self._answerer.aim(dialog)

    def _cancel(self, message: SipMessage, source: Address) -> None:
        dialog = self._dialogs.get((message.call_id, message.from_tag))
        if dialog is None or dialog.invite.branch != message.branch:
            self._reply(message, source, 481)
            return
        self._reply(message, source, 200, dialog.tag)
        if dialog.state == "ringing":
            dialog.state = "ended"
            self._final(dialog, dialog.invite, dialog.source, 487)
            self._answerer.ended(dialog, "cancelled")

    def _bye(self, message: SipMessage, source: Address) -> None:
        dialog = self._within(message, source)
        if dialog is None:
            return
        self._reply(message, source, 200, dialog.tag)
        if dialog.state == "ringing":  # RFC 3261 section 15.1.2
            dialog.state = "ended"
            self._final(dialog, dialog.invite, dialog.source, 487)
            self._answerer.ended(dialog, "cancelled")
        else:
            self._end(dialog, "caller")

    def _end(self, dialog: Dialog, why: str) -> None:
        dialog.state = "ended"
        if dialog.task is not None:
            dialog.task.cancel()
        dialog.task = self._spawn(self._forget(dialog))
        self._answerer.ended(dialog, why)

    async def _forget(self, dialog: Dialog) -> None:
        await asyncio.sleep(_REMEMBERED_S)
        if self._dialogs.get(dialog.key) is dialog:  # and not what its caller has tried anew
            del self._dialogs[dialog.key]

    def _within(self, message: SipMessage, source: Address) -> Dialog | None:
        """Return the living call that a request belongs to; else it has been told so."""
        dialog = self._dialogs.get((message.call_id, message.from_tag))
        if dialog is None or dialog.state == "ended" or message.to_tag not in ("", dialog.tag):
            self._reply(message, source, 481)
            return None
        return dialog

    def _options(self, message: SipMessage, source: Address) -> None:
        if self.draining:
            self._reply(message, source, 503, "", _RETRY_AFTER)
        else:
            self._reply(message, source, 200, "", ("Accept", "application/sdp"))

    def _info(self, message: SipMessage, source: Address) -> None:
        dialog = self._within(message, source)
        if dialog is None:
            return
        self._reply(message, source, 200, dialog.tag)
        if message.sequence <= dialog.remote_sequence and message.sequence != 0:
            return  # sent again
        dialog.remote_sequence = message.sequence
        if key := dtmf.of_info(message.body):
            self._answerer.key(dialog, key)

    def _update(self, message: SipMessage, source: Address) -> None:
        """Answer an UPDATE: a session timer's, or one with a description (RFC 3311)."""
        dialog = self._within(message, source)
        if dialog is None or not self._moved(dialog, message, source):
            return
        if message.body:
            self._send(self._described(dialog, message, source), source)
        else:
            self._reply(message, source, 200, dialog.tag)

    def _notify(self, message: SipMessage, source: Address) -> None:
        dialog = self._within(message, source)
        if dialog is None:
            return
        self._reply(message, source, 200, dialog.tag)
        words = message.body.split(maxsplit=2)
        if dialog.referred is not None and len(words) > 1 and words[1][:3].isdigit():
            dialog.referred(int(words[1][:3]))

    def _unknown(self, message: SipMessage, source: Address) -> None:
        if message.to_tag and self._within(message, source) is None:
            return
        self._reply(message, source, 501)

    # Calls of ours

    def adopt(self, dialog: Dialog) -> None:
        """Take a call that we made and that was answered."""
        self._dialogs[dialog.key] = dialog

    def _answered_again(self, message: SipMessage) -> None:
        """Acknowledge an answer that comes again: the acknowledgement was lost (RFC 3261 13.2.2.4)."""
        dialog = self._dialogs.get((message.call_id, message.to_tag))
        if dialog is not None and dialog.ack and message.method == "INVITE":
            self._send(dialog.ack, dialog.source)

    # Requests of ours

    def hang_up(self, dialog: Dialog, why: str) -> None:
        """End a call from our side."""
        if dialog.state != "answered":
            return
        self._request(dialog, "BYE")
        self._end(dialog, why)

    def _request(self, dialog: Dialog, method: str, *extra: tuple[str, str]) -> None:
        self._spawn(self._asked(dialog, method, *extra))

    async def _asked(
        self, dialog: Dialog, method: str, *extra: tuple[str, str]
    ) -> SipMessage | None:
        dialog.sequence += 1
        request = sip.within(
            dialog.peer,
            method,
            dialog.sequence,
            via=self._agent.via(),
            contact=self._agent.contact,
            extra=extra,
        )
        return await self._agent.ask(request, dialog.source)

    async def refer(self, dialog: Dialog, target: str) -> bool | None:
        """Return whether the network put the caller through (RFC 3515); None: it does no such thing."""
        outcome: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def told(status: int) -> None:
            if status >= 200 and not outcome.done():
                outcome.set_result(status)

        dialog.referred = told
        answer = await self._asked(dialog, "REFER", ("Refer-To", f"<{target}>"))
        if answer is None or not 200 <= answer.status < 300:
            return None
        return await outcome < 300


def _tried_anew(message: SipMessage, known: Dialog) -> bool:
    """Return whether a caller tries once more what was refused or is over, as a call of its own."""
    return known.state == "ended" and message.sequence > known.invite.sequence
