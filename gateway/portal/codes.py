"""Temporary query codes: who lost theirs and holds the ticket's telephone gets one by text."""

import asyncio
import logging
import secrets
from datetime import timedelta

from channels.base import Message, Messenger
from gateway.attempts import Attempts, TooMany, network_of
from gateway.core import Core
from gateway.links import temporary_code
from gateway.notices import temporary
from gateway.standing import CODE_GOOD_FOR, CODE_SENT
from gateway.store.base import Change, NewEvent, StoredTicket
from normalizer.errors import DeliveryError, StoreError, TryLater
from normalizer.number import is_number
from normalizer.phone import to_e164

log = logging.getLogger(__name__)

#: Codes that may be asked for within an hour, for a number and a telephone, and from an address.
ASKED, ASKED_FROM, ASKED_WITHIN_S = 5, 20, 3600.0
#: How long a carrier that takes nothing is asked again, and how often.
_PATIENCE, _AGAIN_S = timedelta(minutes=3), 5.0


class TemporaryCodes:
    """Sends codes. What is answered tells nobody whether a number or a telephone is known.

    Args:
        core: What it works with.
        messenger: Sends texts.
    """

    def __init__(self, core: Core, messenger: Messenger) -> None:
        self._core = core
        self._messenger = messenger
        self._asked = Attempts(ASKED, ASKED_WITHIN_S)
        self._asked_from = Attempts(ASKED_FROM, ASKED_WITHIN_S)
        self._sending: set[asyncio.Task[None]] = set()

    def ask(self, number: str, phone: str, remote: str, language: str) -> None:
        """Begin to send a code to who has this number and this telephone, and return at once.

        Whether there is such a ticket is looked up after the answer: neither its words nor its
        time depend on it, nor do the limits.

        Args:
            number: Of the ticket, as typed.
            phone: In E.164.
            remote: Where it is asked from.
            language: Of the page.

        Raises:
            TooMany: Too many codes were asked for.
        """
        now = self._core.clock.monotonic()
        keys = (f"number {number[:32]}", f"phone {phone}")
        address = network_of(remote)
        waits = [self._asked.blocked_for(key, now) for key in keys]
        if wait := max(*waits, self._asked_from.blocked_for(address, now)):
            raise TooMany(wait)
        for key in keys:
            self._asked.count(key, now)
        self._asked_from.count(address, now)
        task = asyncio.create_task(self._answer(number, phone, language))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def phone_of(self, typed: str) -> str | None:
        """Return a telephone number in E.164, None where it is none."""
        return to_e164(typed, self._core.rules().pack.area_code)

    async def _answer(self, number: str, phone: str, language: str) -> None:
        try:
            stored = await self._core.store.ticket(number) if is_number(number) else None
            if stored is None or stored.ticket.requester.phone != phone:
                return
            await self._send(stored, phone, language)
        except (DeliveryError, StoreError) as error:
            log.warning("code.not_sent", extra={"code": error.code, "why": str(error)})

    async def _send(self, stored: StoredTicket, phone: str, language: str) -> None:
        """Note that a code goes out, and send it. Raises `DeliveryError` or `StoreError`."""
        now, nonce = self._core.clock.now(), secrets.token_hex(8)
        event = NewEvent(at=now, event=CODE_SENT, by="gateway", data={"nonce": nonce})
        await self._core.store.change(Change(ticket_id=stored.ticket.id, events=(event,)))
        code = temporary_code(self._core.store.secret, stored.ticket.id, nonce)
        minutes = int(CODE_GOOD_FOR.total_seconds() // 60)
        text = temporary(number=stored.number, code=code, minutes=minutes, language=language)
        message = Message(key=f"code:{nonce}", text=text)
        while True:
            try:
                await self._messenger.send(phone, message)
            except TryLater as error:
                if self._core.clock.now() - now >= _PATIENCE:
                    raise
                left = (_PATIENCE - (self._core.clock.now() - now)).total_seconds()
                pause = min(error.after_s or _AGAIN_S, max(left, _AGAIN_S))
                await self._core.clock.wait(asyncio.Event(), pause)
            else:
                return
