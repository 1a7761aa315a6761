# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls that we make: to seats, to desks, and back to citizens.

Source: RFC 3261 sections 9.1, 13.2, 17.1.1, 22. A call that was answered is a `Dialog` like one that
came in, as if the other side had called: what follows in it is treated alike.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from channels.phone import digest, sdp, sip
from channels.phone.sip import SipMessage
from channels.phone.worker.agent import GIVE_UP_S, T1, Address, Agent
from channels.phone.worker.dialog import Dialog

log = logging.getLogger(__name__)

#: Answers to one call that we have given up, after which nobody hears us any more.
_LATE_S = 4.0
#: What stands for no answer at all. Source: RFC 3261 section 8.1.3.1.
TIMED_OUT = 408


class Switch(Protocol):
    """Where calls live once they are answered."""

    def adopt(self, dialog: Dialog) -> None:
        """Take a call that we made."""
        ...

    def hang_up(self, dialog: Dialog, why: str) -> None:
        """End a call."""
        ...


class Wanted:
    """A call that is to be made.

    Args:
        target: URI of who is called.
        hop: Where the request is sent.
        host: Our address for sound.
        port: Ours.
        shown: The number that the other side sees as the caller's; empty: ours.
    """

    def __init__(self, target: str, hop: Address, host: str, port: int, shown: str = "") -> None:
        self.target = target
        self.hop = hop
        self.host = host
        self.port = port
        self.shown = shown
        self.call_id = secrets.token_hex(12)
        self.tag = secrets.token_hex(8)
        self.sequence = 0
        self.branch = ""
        self.ringing = False


class Outgoing:
    """Makes calls.

    Args:
        agent: Whose.
        switch: Who takes those that are answered.
        send: Sends a datagram.
    """

    def __init__(
        self, agent: Agent, switch: Switch, send: Callable[[bytes, Address], None]
    ) -> None:
        self._agent = agent
        self._switch = switch
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()

    async def call(self, wanted: Wanted, within_s: float) -> Dialog | int:
        """Return the call once it is answered, or the status with which it was not.

        Cancelled, it gives the call up; whoever answers all the same is hung up on.
        """
        answer = await self._try(wanted, within_s, ())
        if answer is not None and (credentials := self._credentials(wanted, answer)):
            answer = await self._try(wanted, within_s, credentials)
        if answer is None:
            return TIMED_OUT
        return answer.status if answer.status >= 300 else self._established(wanted, answer)

    def _credentials(self, wanted: Wanted, answer: SipMessage) -> tuple[tuple[str, str], ...]:
        """Return the header that answers a challenge; none where there is none, or no answer."""
        headers = {401: ("www-authenticate", "Authorization"),
                   407: ("proxy-authenticate", "Proxy-Authorization")}  # fmt: skip
        if answer.status not in headers:
            return ()
        asks, answers = headers[answer.status]
        asked = digest.challenge(v for name, v in answer.headers if name == asks)
        if asked is None:
            return ()
        agent = self._agent
        return (
            (
                answers,
                digest.answer(asked, "INVITE", wanted.target, agent.username, agent.password),
            ),
        )

    # One INVITE

    async def _try(
        self, wanted: Wanted, within_s: float, extra: tuple[tuple[str, str], ...]
    ) -> SipMessage | None:
        """Return the final response to an INVITE, acknowledged if it is no call; None: none came."""
        wanted.sequence += 1
        wanted.ringing = False
        invite = self._request(wanted, "INVITE", extra)
        wanted.branch = sip.parse(invite).branch
        with self._agent.waiting(wanted.branch) as answers:
            try:
                async with asyncio.timeout(within_s):
                    answer = await self._final(wanted, invite, answers)
            except TimeoutError:
                self._spawn(self._give_up(wanted, answers))
                return None
            except asyncio.CancelledError:
                self._spawn(self._give_up(wanted, answers))
                raise
        if answer is not None and answer.status >= 300:
            self._acknowledge_refusal(wanted, answer)
        return answer

    async def _final(
        self, wanted: Wanted, invite: bytes, answers: "asyncio.Queue[SipMessage]"
    ) -> SipMessage | None:
        pause, waited = T1, 0.0
        self._send(invite, wanted.hop)
        while True:
            try:
                async with asyncio.timeout(None if wanted.ringing else pause):
                    message = await answers.get()
            except TimeoutError:
                waited += pause
                if waited >= GIVE_UP_S:
                    return None
                pause *= 2  # RFC 3261 section 17.1.1.2: an INVITE's pauses have no cap
                self._send(invite, wanted.hop)
                continue
            if message.method == "INVITE":
                if message.status >= 200:
                    return message
                wanted.ringing = True

    async def _give_up(self, wanted: Wanted, answers: "asyncio.Queue[SipMessage]") -> None:
        """Cancel a call, and hang up if it is answered meanwhile."""
        message = None
        with self._agent.waiting(wanted.branch, answers), contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LATE_S):
                if wanted.ringing:
                    self._cancel(wanted)
                while (message := await answers.get()).status < 200 or message.method != "INVITE":
                    if not wanted.ringing and message.method == "INVITE":
                        wanted.ringing = True  # RFC 3261 section 9.1: not before it has answered
                        self._cancel(wanted)
        if message is None or message.status < 200 or message.method != "INVITE":
            return
        if message.status >= 300:
            self._acknowledge_refusal(wanted, message)
        elif isinstance(late := self._established(wanted, message), Dialog):
            self._switch.hang_up(late, "given_up")

    def _cancel(self, wanted: Wanted) -> None:
        self._send(self._request(wanted, "CANCEL", branch=wanted.branch), wanted.hop)

    def _request(
        self,
        wanted: Wanted,
        method: str,
        extra: tuple[tuple[str, str], ...] = (),
        *,
        branch: str = "",
        to: str = "",
    ) -> bytes:
        agent = self._agent
        via = f"{agent.myIP}:{agent.myPort};branch={branch}" if branch else agent.via()
        lines = [
            f"{method} {wanted.target} SIP/2.0",
            f"Via: SIP/2.0/UDP {via};rport",
            f"From: {self._ours(wanted)};tag={wanted.tag}",
            f"To: {to or f'<{wanted.target}>'}",
            f"Call-ID: {wanted.call_id}",
            f"CSeq: {wanted.sequence} {method}",
            "Max-Forwards: 70",
        ]
        body = b""
        if method == "INVITE":
            lines += [
                f"Contact: <{agent.contact}>",
                "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO",
            ]
            body = sdp.describe(wanted.host, wanted.port, 1)
        lines += [f"{name}: {value}" for name, value in extra]
        return sip.finish(lines, body)

    def _ours(self, wanted: Wanted) -> str:
        """Return our address; who sits at a seat sees the number of the citizen by it."""
        shown = f'"{wanted.shown}" ' if wanted.shown else ""
        return f"{shown}<sip:{self._agent.username}@{self._agent.server}>"

    def _acknowledge_refusal(self, wanted: Wanted, answer: SipMessage) -> None:
        ack = self._request(wanted, "ACK", branch=wanted.branch, to=answer.get("to") or "")
        self._send(ack, wanted.hop)

    # An answered call

    def _established(self, wanted: Wanted, answer: SipMessage) -> Dialog | int:
        """Acknowledge an answer; return the call, or 488 where we cannot hear each other."""
        offer = None
        try:
            offer = sdp.read(answer.body, answer.get("content-type") or "")
        except sdp.NotAcceptable:
            log.warning("call.deaf")
        headers = [
            ("from", answer.get("to") or ""),
            ("to", self._ours(wanted)),
            *((n, v) for n, v in answer.headers if n == "contact"),
            *(("record-route", route) for route in reversed(answer.all("record-route"))),
        ]
        as_if_called = SipMessage(
            method="INVITE",
            uri=self._agent.contact,
            headers=headers,
            sequence=-1,  # the other side begins to count where it likes
            call_id=wanted.call_id,
            from_tag=answer.to_tag,
            to_tag="",
            branch="",
        )
        dialog = Dialog(as_if_called, wanted.hop, offer)
        dialog.tag, dialog.state, dialog.sequence = wanted.tag, "answered", wanted.sequence
        dialog.host, dialog.port, dialog.version = wanted.host, wanted.port, 2
        dialog.acknowledged.set()
        dialog.ack = sip.within(dialog.peer, "ACK", wanted.sequence, via=self._agent.via())
        self._send(dialog.ack, wanted.hop)
        self._switch.adopt(dialog)
        if offer is None:
            self._switch.hang_up(dialog, "no_media")
            return 488
        return dialog

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
