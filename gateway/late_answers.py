"""Answering by the outbox whom the reply to their push cannot tell any more: it came too late."""

from collections.abc import Mapping

from channels.base import Message, Messenger, Receipt
from gateway.core import Core
from gateway.ids import new_id
from gateway.ports import lane_of
from gateway.store.base import Change, NewEvent
from normalizer.schema import ChannelRef, Inbound

#: Type of the delivery that answers what was late.
LATE = "hotline.answer.late"
#: The event of a citizen who was answered so.
TOLD = "told"


def told_key(key: str | None) -> str:
    """Return the key of the event by which a message was answered late."""
    return f"told:{key}"


class LateAnswers:
    """Answers messages whose push is over; each once, however often it is asked.

    Args:
        core: What intake works with.
        speakers: The ways out by destination, for answers that belong to no ticket.
    """

    def __init__(self, core: Core, speakers: Mapping[str, Messenger]) -> None:
        self._core = core
        self._speakers = speakers

    async def answer(self, inbound: Inbound, receipt: Receipt) -> None:
        """Answer one message, unless it was; what belongs to no ticket is told at once.

        Raises:
            StoreError: It was not stored.
            DeliveryError: It could not be told.
        """
        if receipt.answered or not receipt.message:
            return
        core = self._core
        if not receipt.number:
            await self._say(inbound, receipt)
            return
        stored = await core.store.ticket(receipt.number)
        if stored is None:
            raise RuntimeError("the store does not hold a ticket that it has given a number")
        came_by = ChannelRef(
            kind=inbound.channel,
            account=inbound.account,
            message_id=inbound.message_id or "",
            thread=inbound.thread,
        )
        now, lane = core.clock.now(), lane_of(receipt.urgency, verify=stored.ticket.verify)
        deliveries = core.answering.acknowledgement(came_by, LATE, now, lane, receipt.message)
        if not deliveries:
            return  # nobody can be reached so
        event = NewEvent(at=now, event=TOLD, by="gateway", key=told_key(inbound.key))
        changed = await core.store.change(
            Change(ticket_id=stored.ticket.id, events=(event,), deliveries=deliveries)
        )
        core.metrics.count("answered_late", inbound.channel)
        core.outbox.hand_over(changed.leased)
        for delivery in deliveries:
            core.outbox.wake(delivery.destination, delivery.lane)

    async def _say(self, inbound: Inbound, receipt: Receipt) -> None:
        """Tell the answer to a command that belongs to no ticket, and so to no outbox."""
        way = self._speakers.get(f"answer:{inbound.channel}:{inbound.account}")
        if way is not None and inbound.thread is not None:
            await way.send(inbound.thread, Message(key=new_id(), text=receipt.message))
