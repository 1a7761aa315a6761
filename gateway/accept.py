"""Accepting: one act of a citizen becomes one ticket, durable before anybody is answered."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec

from channels.base import Receipt
from gateway.clock import Clock
from gateway.compose import Composed, Rules, compose
from gateway.ids import new_id
from gateway.letters import Letters
from gateway.links import query_code
from gateway.media import tidied
from gateway.metrics import Metrics
from gateway.notices import received
from gateway.store.base import (
    Acceptance,
    Added,
    Delivery,
    IncidentReport,
    Lane,
    NewDelivery,
    NewEvent,
    Store,
    StoredTicket,
)
from normalizer.errors import Conflict
from normalizer.schema import Inbound, Status, Ticket, Urgency

log = logging.getLogger(__name__)

#: How long a citizen's same words count as the same matter.
REPEAT_WINDOW = timedelta(days=7)
#: How many matters are remembered: about 20 MB.
REPEATS_KEPT = 100_000


class Reporter(Protocol):
    """Who knows the open incidents."""

    def reports(self, ticket: Ticket, folded: str, now: datetime) -> tuple[IncidentReport, ...]:
        """Return the incidents that the ticket raises or joins."""
        ...

    def confirm(self, reports: Sequence[IncidentReport], ids: Sequence[str]) -> None:
        """Take note of what the store made of the reports."""
        ...


class Outbox(Protocol):
    """Who carries deliveries away."""

    def hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Carry deliveries that are leased to this process already."""
        ...

    def wake(self, destination: str, lane: Lane) -> None:
        """Look for new deliveries now."""
        ...


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


def lane_of(urgency: Urgency, *, verify: bool) -> Lane:
    """Return the lane of a ticket's deliveries; what a human must check now is not ordinary."""
    return Lane.EMERGENCY if verify or urgency is Urgency.EMERGENCY else Lane.ORDINARY


class Intake:
    """Turns inbound messages into stored tickets and receipts."""

    def __init__(
        self,
        store: Store,
        rules: Callable[[], Rules],
        clock: Clock,
        reporter: Reporter,
        outbox: Outbox,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._reporter = reporter
        self._outbox = outbox
        self._metrics = metrics
        self._letters = Letters()
        self.repeats = Repeats()

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return the receipt of a message once its ticket is durable.

        Raises:
            Conflict: The message's key was used before with other content.
            StoreError: Nothing was stored; the carrier should send it again.
        """
        if inbound.attachments:
            inbound = msgspec.structs.replace(inbound, attachments=tidied(inbound.attachments))
        composed = await self._compose(inbound)
        matter = self.repeats.key(composed.ticket, composed.folded)
        acceptance = self._plan(inbound, composed, matter)
        added = await self._store.add(acceptance)
        if added.duplicate:
            return await self._repeat(inbound, added)
        ticket = acceptance.ticket
        self._reporter.confirm(acceptance.reports, added.incidents)
        self._outbox.hand_over(added.leased)
        for delivery in acceptance.deliveries:
            self._outbox.wake(delivery.destination, delivery.lane)
        if ticket.duplicate_of is None:
            self.repeats.remember(matter, ticket.received_at, added.number)
        self._metrics.accepted(ticket, composed.judge_s)
        status = Status(acceptance.events[0].event)
        return self._receipt(ticket, added.number, status, added.incidents, duplicate=False)

    async def _compose(self, inbound: Inbound) -> Composed:
        rules = self._rules()
        # A long letter is read beside the loop, so that no emergency waits for its end.
        return await self._letters.read(
            inbound.text, rules.rulebook, lambda: compose(inbound, rules, new_id())
        )

    def _plan(self, inbound: Inbound, composed: Composed, matter: int | None) -> Acceptance:
        now = self._clock.now()
        ticket = composed.ticket
        if first := self.repeats.first(matter, ticket.received_at):
            ticket = msgspec.structs.replace(ticket, duplicate_of=first)
        taken_on = ticket.acceptance.decision == "accepted"
        event = "draft" if inbound.draft else "accepted" if taken_on else "refused"
        kind = "hotline.ticket.accepted" if taken_on else "hotline.ticket.refused"
        reports: tuple[IncidentReport, ...] = ()
        if ticket.urgency is Urgency.EMERGENCY:
            reports = self._reporter.reports(ticket, composed.folded, now)
        return Acceptance(
            ticket=ticket,
            key=inbound.key,
            digest=inbound.digest,
            raw=inbound.raw,
            raw_type=inbound.raw_type,
            number_on=day_of(ticket.received_at),
            events=(NewEvent(at=now, event=event, by="gateway", text=ticket.acceptance.reason),),
            deliveries=(
                NewDelivery(
                    id=new_id(),
                    destination=ticket.route.to,
                    lane=lane_of(ticket.urgency, verify=ticket.verify),
                    type=kind,
                    due_at=now,
                ),
            ),
            reports=reports,
        )

    async def _repeat(self, inbound: Inbound, added: Added) -> Receipt:
        if added.digest != inbound.digest:
            raise Conflict(
                inbound.key_name, "it was used before with other content; take a new one"
            )
        self._metrics.duplicate(inbound.channel)
        stored = await self._store.ticket(added.number)
        if stored is None:
            raise RuntimeError("the store named a duplicate that it does not hold")
        return self.receipt_of(stored, duplicate=True)

    def receipt_of(self, stored: StoredTicket, *, duplicate: bool) -> Receipt:
        """Return the receipt that was given for a stored ticket."""
        status = Status(stored.events[0].event)
        return self._receipt(
            stored.ticket, stored.number, status, stored.incidents, duplicate=duplicate
        )

    def _receipt(
        self,
        ticket: Ticket,
        number: str,
        status: Status,
        incidents: tuple[str, ...],
        *,
        duplicate: bool,
    ) -> Receipt:
        code = query_code(self._store.secret, ticket.id)
        return Receipt(
            number=number,
            query_code=code,
            duplicate=duplicate,
            status=status,
            urgency=ticket.urgency,
            services=ticket.services,
            type=ticket.type,
            received_at=ticket.received_at.astimezone(self._rules().zone),
            incidents=incidents,
            message=received(
                number=number,
                code=code,
                urgency=ticket.urgency,
                services=ticket.services,
                decision=ticket.acceptance,
                draft=status is Status.DRAFT,
                language=ticket.requester.language,
            ),
        )
