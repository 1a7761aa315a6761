# SPDX-License-Identifier: GPL-3.0-or-later
"""One call as SIP sees it, and what is told of it."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Protocol

from channels.phone import sdp, sip
from channels.phone.sip import SipMessage
from channels.phone.worker.agent import Address

Key = tuple[str, str]


class Answerer(Protocol):
    """What is done with a call; made by whoever takes calls in."""

    def ring(self, dialog: "Dialog") -> bool:
        """Take a call that has come; False: there is no room for it."""
        ...

    def aim(self, dialog: "Dialog") -> None:
        """Take that `Dialog.offer` is new."""
        ...

    def key(self, dialog: "Dialog", key: str) -> None:
        """Take a key that came by INFO."""
        ...

    def ended(self, dialog: "Dialog", why: str) -> None:
        """Take that the call is over; called once, also for one that was never answered."""
        ...


class Dialog:
    """One call. States: ringing, answered, ended."""

    def __init__(self, invite: SipMessage, source: Address, offer: sdp.Offer | None) -> None:
        self.invite = invite
        self.source = source
        self.offer = offer
        self.tag = secrets.token_hex(8)
        self.state = "ringing"
        self.port = 0  #: of our sound
        self.host = ""
        self.version = 1
        self.sequence = 1  #: of our requests
        self.remote_sequence = invite.sequence
        self.last = b""  #: newest response to an INVITE
        self.last_to = invite.sequence  #: the INVITE that it answers
        self.acknowledged = asyncio.Event()
        self.ack = b""  #: of a call that we made, for an answer that comes again
        self.referred: Callable[[int], None] | None = None  #: told the status of a transfer
        self.task: asyncio.Task[None] | None = None

    @property
    def key(self) -> Key:
        """What the call is known by."""
        return self.invite.call_id, self.invite.from_tag

    @property
    def peer(self) -> sip.Peer:
        """The other side, for our requests."""
        contact = sip.address_of(self.invite.get("contact") or "")
        target = contact if contact.lower().startswith(("sip:", "sips:")) else ""
        host, port = self.source
        return sip.Peer(
            call_id=self.invite.call_id,
            local=f"{self.invite.get('to')};tag={self.tag}",
            remote=self.invite.get("from") or "",
            target=target or f"sip:{host}:{port}",
            routes=tuple(self.invite.all("record-route")),
        )
