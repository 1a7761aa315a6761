"""What carriers tell of messages, and what the store recalls for their channels."""

import logging
from datetime import datetime

from gateway.additions import message_key
from gateway.clock import Clock
from gateway.store.base import Change, NewEvent, Store
from gateway.talk.conversation import LOOK_BACK
from normalizer.schema import Inbound
from normalizer.text import storable

log = logging.getLogger(__name__)

#: Events of a ticket: the citizen's telephone has an answer of ours, or will never have it.
ARRIVED, NOT_ARRIVED = "delivered", "undelivered"
#: The same of a duty telephone and an alarm.
ALARM_ARRIVED, ALARM_NOT_ARRIVED = "alarm_delivered", "alarm_undelivered"


class CarrierReports:
    """Puts on a ticket what a carrier tells of the messages that answered its citizen."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def tell(self, delivery: str, arrived: bool, state: str) -> None:
        """Write whether a delivery's message arrived; a second report of it changes nothing.

        Raises:
            StoreError: Nothing was written.
        """
        known = await self._store.delivery(delivery)
        if known is None or known.ticket_id is None:
            return  # the answer to a command
        alarm = known.destination.startswith("notify:")
        yes, no = (ALARM_ARRIVED, ALARM_NOT_ARRIVED) if alarm else (ARRIVED, NOT_ARRIVED)
        event = NewEvent(
            at=self._clock.now(),
            event=yes if arrived else no,
            by="carrier",
            data={"delivery": delivery, "state": state},
            key=f"report:{delivery}",
        )
        await self._store.change(Change(ticket_id=known.ticket_id, events=(event,)))
        if not arrived:
            # Behind an alarm the ladder goes on by itself; the duty telephone's number may be wrong.
            name = "alarm.undelivered" if alarm else "answer.undelivered"
            level = logging.ERROR if alarm else logging.WARNING
            log.log(level, name, extra={"delivery": delivery, "state": state})


class Recollection:
    """Tells what the store holds of a conversation to a channel that a crash made forget."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def taken(self, inbound: Inbound) -> list[datetime]:
        """Return when words equal to these were taken, as a ticket or as an event of one.

        Raises:
            StoreError: Nobody knows.
        """
        since = inbound.received_at - LOOK_BACK
        earlier = await self._store.conversation(
            inbound.channel, inbound.account, inbound.thread or "", since
        )
        same = message_key((inbound.key or "").rpartition(":")[0] + ":") or ""
        words = storable(inbound.text)
        found = [s.ticket.received_at for s in earlier if s.ticket.content.original == words]
        for stored in earlier:
            found += [e.at for e in stored.events if e.key is not None and e.key.startswith(same)]
        return found
