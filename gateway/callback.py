"""Call-back tasks: a citizen who can be told by no other way any more is to be telephoned."""

import logging

from gateway.clock import Clock
from gateway.ids import new_id
from gateway.ports import Outbox
from gateway.store.base import Change, Lane, NewDelivery, NewEvent, Store
from normalizer.errors import StoreError, TryLater, Unreachable

log = logging.getLogger(__name__)

#: The event on the ticket.
CALL_BACK = "callback"
_TASK = "【回访任务】该市民无法通过原渠道收到消息，请电话联系并转告：{text}"


class CallBacks:
    """Puts call-back tasks before the back office that a ticket was routed to."""

    def __init__(self, store: Store, outbox: Outbox, clock: Clock) -> None:
        self._store = store
        self._outbox = outbox
        self._clock = clock

    async def ask(self, number: str, key: str, text: str) -> None:
        """Return once the task is durable; a second one under the same key changes nothing.

        Raises:
            Unreachable: There is no ticket of this number.
            TryLater: The store did not take it.
        """
        try:
            await self._ask(number, key, text)
        except StoreError as error:
            raise TryLater(str(error)) from None

    async def _ask(self, number: str, key: str, text: str) -> None:
        stored = await self._store.ticket(number)
        if stored is None:
            raise Unreachable("there is no ticket that a call-back task could be put on")
        now = self._clock.now()
        task = _TASK.format(text=text)
        message = {"at": now.isoformat(), "text": task, "attachments": []}
        delivery = NewDelivery(
            id=new_id(),
            destination=stored.ticket.route.to,
            lane=Lane.ORDINARY,
            type="hotline.ticket.added",
            due_at=now,
            data={"message": message},
        )
        event = NewEvent(at=now, event=CALL_BACK, by="gateway", key=f"callback:{key}")
        changed = await self._store.change(
            Change(ticket_id=stored.ticket.id, events=(event,), deliveries=(delivery,))
        )
        self._outbox.hand_over(changed.leased)
        self._outbox.wake(delivery.destination, delivery.lane)
        log.info("callback.asked", extra={"delivery": key})
