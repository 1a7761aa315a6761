"""What the gateway keeps for the mail channel: files, delivery reports, mails that are no tickets."""

import hashlib
import hmac
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from gateway.blobs import Blobs
from gateway.callback import CallBacks
from gateway.clock import Clock
from gateway.ids import new_id
from gateway.media import HEAD, media_type, safe_name
from gateway.ports import Outbox
from gateway.store.base import Change, Lane, NewDelivery, NewEvent, Quarantined, Store
from normalizer.errors import DeliveryError, StoreError
from normalizer.schema import Attachment

log = logging.getLogger(__name__)

#: Type of the delivery that tells by another channel what bounced.
RETOLD = "hotline.answer.retold"
#: Octets of the largest file: a whole mail, where it is kept beside its ticket.
_FILE_OCTETS = 64 * 1024 * 1024


class MailRegistry:
    """The registry of `channels.email.ports`, on the store.

    Args:
        store: Where tickets are.
        blobs: Where files are.
        clock: The time.
        outbox: Carries what is told by another channel.
        call_backs: Has citizens telephoned.
    """

    def __init__(
        self, store: Store, blobs: Blobs, clock: Clock, outbox: Outbox, call_backs: CallBacks
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._clock = clock
        self._outbox = outbox
        self._call_backs = call_backs
        self.secret = hmac.new(store.secret, b"ids of mails", hashlib.sha256).digest()

    async def keep(self, name: str, content: bytes, place: int) -> Attachment:
        """Return a file that is on the disk now. Raises `StoreError`."""
        sha256, size = await self._blobs.write(content, _FILE_OCTETS)
        name = safe_name(name)
        return Attachment(
            id=f"{place + 1}-{sha256[:16]}",
            name=name,
            media_type="message/rfc822"
            if name.endswith(".eml")
            else media_type(content[:HEAD], name),
            bytes=size,
            sha256=sha256,
        )

    async def set_aside(
        self, account: str, key: str, raw: bytes, reason: str, *, held: bool
    ) -> None:
        """Return once a mail that is no ticket is kept whole. Raises `StoreError`."""
        id_ = hashlib.sha256(repr(("email", account, key)).encode()).hexdigest()[:32]
        item = Quarantined(
            id=id_,
            at=self._clock.now(),
            channel="email",
            account=account,
            reason=reason,
            raw=raw,
            raw_type="message/rfc822",
        )
        await self._store.quarantine(item)
        if not held:  # recorded, and nothing for an operator to do
            await self._store.release(id_, "discarded", reason)

    async def note(
        self, number: str, event: str, text: str, data: Mapping[str, object], key: str
    ) -> bool:
        """Return whether the ticket is known; the event is on it then. Raises `StoreError`."""
        stored = await self._store.ticket(number)
        if stored is None:
            return False
        noted = NewEvent(
            at=self._clock.now(), event=event, by="gateway", text=text, data=dict(data), key=key
        )
        await self._store.change(Change(ticket_id=stored.ticket.id, events=(noted,)))
        return True

    async def thread_of(self, number: str) -> str | None:
        """Return the address that a ticket came from. Raises `StoreError`."""
        stored = await self._store.ticket(number)
        if stored is None:
            return None
        came_by = stored.ticket.channel
        return came_by.thread if came_by.kind == "email" else f"{came_by.kind}:{came_by.thread}"

    async def letters_of(self, account: str, thread: str) -> int:
        """Return how many mails of an address were taken in the last hour. Raises `StoreError`."""
        since = self._clock.now() - timedelta(hours=1)
        found = await self._store.conversation("email", account, thread, since)
        joined = sum(event.event == "added" for stored in found for event in stored.events)
        return len(found) + joined

    async def retell(self, number: str, key: str, ways: Sequence[str]) -> bool:
        """Return whether what bounced is told by another way. Raises `StoreError`."""
        stored = await self._store.ticket(number)
        if stored is None:
            return False
        said = next((e.text for e in reversed(stored.events) if e.event == "answered"), None)
        text = f"您的诉求（工单编号 {number}）的回复邮件无法送达您的邮箱。{said or ''}"
        for way in ways:
            phone = stored.ticket.requester.phone
            if way == "callback":
                return await self._call_back(number, key, text)
            if phone is not None:
                await self._send(stored.ticket.id, f"notify:{way}", key, phone, text)
                return True
        return False

    async def _call_back(self, number: str, key: str, text: str) -> bool:
        try:
            await self._call_backs.ask(number, key, text)
        except DeliveryError as error:
            raise StoreError(str(error)) from None
        return True

    async def _send(
        self, ticket_id: str, destination: str, key: str, phone: str, text: str
    ) -> None:
        now = self._clock.now()
        delivery = NewDelivery(
            id=new_id(),
            destination=destination,
            lane=Lane.ORDINARY,
            type=RETOLD,
            due_at=now,
            data={"to": phone, "text": text},
        )
        event = NewEvent(at=now, event="retold", by="gateway", key=f"retold:{key}")
        changed = await self._store.change(
            Change(ticket_id=ticket_id, events=(event,), deliveries=(delivery,))
        )
        self._outbox.hand_over(changed.leased)
        self._outbox.wake(destination, Lane.ORDINARY)
