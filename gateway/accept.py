"""Accepting: one act of a citizen becomes one ticket, durable before anybody is answered."""

import logging
from collections import OrderedDict
from datetime import datetime, timedelta

import msgspec

from channels.base import Receipt
from gateway.compose import Composed, compose
from gateway.core import Core
from gateway.ids import new_id
from gateway.letters import LONG_TEXT
from gateway.media import tidied
from gateway.ports import Told, lane_of
from gateway.reading import Here, Reader
from gateway.store.base import (
    Acceptance,
    Added,
    IncidentReport,
    NewDelivery,
    NewEvent,
)
from gateway.talk.answering import RECEIVED
from gateway.talk.conversation import Conversation
from normalizer.errors import Conflict
from normalizer.schema import Inbound, Status, Ticket, Urgency

log = logging.getLogger(__name__)

#: How long a citizen's same words count as the same matter.
REPEAT_WINDOW = timedelta(days=7)
#: Messages under way at once that make the gateway busy.
MANY = 12
#: How many matters are remembered: about 20 MB.
REPEATS_KEPT = 100_000


class Repeats:
    """What each citizen said lately, to link a repeat to its first ticket."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[int, tuple[datetime, str]] = OrderedDict()

    def key(self, ticket: Ticket, folded: str) -> int | None:
        """Return what the matter is known by; None for a citizen who cannot be told from others."""
        who = ticket.requester
        known = who.phone or who.wechat or who.email
        return hash((known, folded)) if known else None

    def first(self, key: int | None, now: datetime) -> str | None:
        """Return the number of the same citizen's ticket with the same words, if recent."""
        found = self._numbers.get(key) if key is not None else None
        return found[1] if found and now - found[0] <= REPEAT_WINDOW else None

    def remember(self, key: int | None, now: datetime, number: str) -> None:
        """Keep the number of a matter's first ticket."""
        if key is None:
            return
        self._numbers[key] = (now, number)
        if len(self._numbers) > REPEATS_KEPT:
            self._numbers.popitem(last=False)


def day_of(at: datetime) -> str:
    """Return the day as ``YYYYMMDD``."""
    return f"{at.year:04}{at.month:02}{at.day:02}"


class Intake:
    """Turns inbound messages into stored tickets and receipts."""

    def __init__(
        self,
        core: Core,
        conversation: Conversation | None = None,
        reader: Reader | None = None,
    ) -> None:
        """Make an intake.

        Args:
            core: What it works with.
            conversation: What looks at the messages of a conversation first; None: each is a
                ticket, as when a message is replayed.
            reader: What reads short messages; None: this process does.
        """
        self._core = core
        self._conversation = conversation
        self.reader = reader or Here(core.rules)
        self._under_way = 0
        self.repeats = Repeats()

    def behind(self) -> bool:
        """Return whether more citizens wait for their answers than a quiet hour ever has."""
        return self._under_way >= MANY

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return the receipt of a message once its ticket is durable.

        Raises:
            Conflict: The message's key was used before with other content.
            StoreError: Nothing was stored; the carrier should send it again.
        """
        self._under_way += 1
        try:
            return await self._accept(inbound)
        finally:
            self._under_way -= 1

    async def _accept(self, inbound: Inbound) -> Receipt:
        if inbound.attachments:
            inbound = msgspec.structs.replace(inbound, attachments=tidied(inbound.attachments))
        talk = self._conversation
        if talk is None or inbound.thread is None:
            return await self._new(inbound)
        async with talk.turn(inbound):
            taken = await talk.take(inbound)
            return await self._new(inbound) if taken is None else taken

    async def _new(self, inbound: Inbound) -> Receipt:
        composed = await self._compose(inbound)
        matter = self.repeats.key(composed.ticket, composed.folded)
        acceptance = self._plan(inbound, composed, matter)
        written = await self._core.store.add(acceptance)
        if written.duplicate:
            return await self._repeat(inbound, written)
        ticket = acceptance.ticket
        if acceptance.reports:  # the desks see it before anything else is done with it
            told = Told(
                number=written.number,
                ticket=ticket,
                event=acceptance.events[0],
                incidents=written.incidents,
                leased=written.leased,
            )
            self._core.reporter.confirm(acceptance.reports, written.incidents, told)
        self._core.outbox.hand_over(written.leased)
        handed = {delivery.id for delivery in written.leased}
        for delivery in acceptance.deliveries:
            if delivery.id not in handed:
                self._core.outbox.wake(delivery.destination, delivery.lane)
        if ticket.duplicate_of is None:
            self.repeats.remember(matter, ticket.received_at, written.number)
        self._core.metrics.accepted(ticket, composed.judge_s)
        status = Status(acceptance.events[0].event)
        receipt = self._core.receipts.new(
            ticket, written.number, status, written.incidents, duplicate=False
        )
        if len(acceptance.deliveries) > 1:
            return msgspec.structs.replace(receipt, answered=True)
        return receipt

    async def _compose(self, inbound: Inbound) -> Composed:
        if len(inbound.text) <= LONG_TEXT:
            return await self.reader.read(inbound)
        # Read beside the loop, so that no emergency waits for its end.
        rules = self._core.rules()
        return await self._core.letters.read(
            inbound.text, rules.rulebook, lambda: compose(inbound, rules, new_id())
        )

    def _plan(self, inbound: Inbound, composed: Composed, matter: int | None) -> Acceptance:
        now = self._core.clock.now()
        ticket = composed.ticket
        if first := self.repeats.first(matter, ticket.received_at):
            ticket = msgspec.structs.replace(ticket, duplicate_of=first)
        taken_on = ticket.acceptance.decision == "accepted"
        event = "draft" if inbound.draft else "accepted" if taken_on else "refused"
        kind = "hotline.ticket.accepted" if taken_on else "hotline.ticket.refused"
        reports: tuple[IncidentReport, ...] = ()
        if ticket.urgency is Urgency.EMERGENCY:
            reports = self._core.reporter.reports(ticket, composed.folded, now)
        return Acceptance(
            ticket=ticket,
            key=inbound.key,
            digest=inbound.digest,
            raw=inbound.raw,
            raw_type=inbound.raw_type,
            number_on=day_of(ticket.received_at),
            events=(
                NewEvent(
                    at=now,
                    event=event,
                    by="gateway",
                    text=ticket.acceptance.reason,
                    data={"extra": dict(inbound.extra)} if inbound.extra else {},
                ),
            ),
            deliveries=self._deliveries(inbound, ticket, kind, now),
            reports=reports,
        )

    def _deliveries(
        self, inbound: Inbound, ticket: Ticket, kind: str, now: datetime
    ) -> tuple[NewDelivery, ...]:
        """Return the push to the back office, and the acknowledgement where a channel sends it."""
        lane = lane_of(ticket.urgency, verify=ticket.verify)
        push = NewDelivery(
            id=new_id(), destination=ticket.route.to, lane=lane, type=kind, due_at=now
        )
        if not inbound.acknowledge:
            return (push,)
        return (
            push,
            *self._core.answering.acknowledgement(
                ticket.channel, RECEIVED, now, lane, inbound.remark
            ),
        )

    async def _repeat(self, inbound: Inbound, added: Added) -> Receipt:
        if added.digest != inbound.digest:
            raise Conflict(
                inbound.key_name, "it was used before with other content; take a new one"
            )
        self._core.metrics.duplicate(inbound.channel)
        stored = await self._core.store.ticket(added.number)
        if stored is None:
            raise RuntimeError("the store named a duplicate that it does not hold")
        return self._core.receipts.of(stored, duplicate=True)
