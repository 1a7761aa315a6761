"""Accepting: one act of a citizen becomes one ticket, durable before anybody is answered."""

import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from channels.base import Receipt
from gateway.additions import Additions, message_key
from gateway.clock import Clock
from gateway.compose import Composed, Rules, compose
from gateway.ids import new_id
from gateway.letters import Letters, sounds_urgent
from gateway.links import query_code
from gateway.media import tidied
from gateway.metrics import Metrics
from gateway.notices import added, received
from gateway.ports import Outbox, Reporter, lane_of
from gateway.standing import OVER
from gateway.store.base import (
    Acceptance,
    Added,
    IncidentReport,
    NewDelivery,
    NewEvent,
    Store,
    StoredTicket,
)
from gateway.turns import Turns
from gateway.view import status_of
from normalizer.errors import Conflict
from normalizer.number import is_number
from normalizer.schema import ChannelRef, Inbound, Judged, Status, Ticket, Urgency
from normalizer.text import normalize_text

log = logging.getLogger(__name__)

#: How a ticket's number looks inside a text.
_NUMBER = re.compile(r"(?<![0-9-])[0-9]{8}-[0-9]{6,12}-[0-9](?![0-9-])")
#: Numbers of a text that are looked up.
_CITED = 3
#: How long a citizen's same words count as the same matter.
REPEAT_WINDOW = timedelta(days=7)
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


def _same_thread(came_by: ChannelRef, inbound: Inbound) -> bool:
    """Return whether a message is from the very conversation that a ticket came from."""
    return (came_by.kind, came_by.account, came_by.thread) == (
        inbound.channel,
        inbound.account,
        inbound.thread,
    )


def day_of(at: datetime) -> str:
    """Return the day as ``YYYYMMDD``."""
    return f"{at.year:04}{at.month:02}{at.day:02}"


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
        self._turns = Turns()
        self._additions = Additions(store, rules, clock, reporter, outbox, self._letters)
        self.repeats = Repeats()

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return the receipt of a message once its ticket is durable.

        Raises:
            Conflict: The message's key was used before with other content.
            StoreError: Nothing was stored; the carrier should send it again.
        """
        if inbound.attachments:
            inbound = msgspec.structs.replace(inbound, attachments=tidied(inbound.attachments))
        joined = await self._joined(inbound)
        return await self._new(inbound) if joined is None else joined

    async def _joined(self, inbound: Inbound) -> Receipt | None:
        """Put a message on the open ticket of its own thread whose number it cites.

        Source: contract section 5. A repeat of a message that joined a ticket joins it again, and
        changes nothing, even if the ticket is closed by then.
        """
        if inbound.thread is None:
            return None
        for number in _NUMBER.findall(normalize_text(inbound.text))[:_CITED]:
            stored = await self._store.ticket(number) if is_number(number) else None
            if stored is None or not _same_thread(stored.ticket.channel, inbound):
                continue
            key = message_key(inbound.key)
            known = key is not None and any(event.key == key for event in stored.events)
            if known or status_of(stored.events) not in OVER:
                tidy = tidied(inbound.attachments)
                judged = await self._additions.put(
                    stored, inbound.text, tidy, key, inbound.key_name
                )
                return self._added(stored, judged)
        return None

    def _added(self, stored: StoredTicket, judged: Judged) -> Receipt:
        """Return the receipt of words that joined a ticket."""
        receipt = self.receipt_of(stored, duplicate=False)
        urgent = judged.urgency is Urgency.EMERGENCY
        services = judged.services if urgent else receipt.services
        return msgspec.structs.replace(
            receipt,
            urgency=judged.urgency if urgent else receipt.urgency,
            services=services,
            message=added(
                number=receipt.number,
                emergency=urgent,
                services=services,
                language=stored.ticket.requester.language,
            ),
        )

    async def _new(self, inbound: Inbound) -> Receipt:
        composed = await self._compose(inbound)
        matter = self.repeats.key(composed.ticket, composed.folded)
        acceptance = self._plan(inbound, composed, matter)
        written = await self._store.add(acceptance)
        if written.duplicate:
            return await self._repeat(inbound, written)
        ticket = acceptance.ticket
        self._reporter.confirm(acceptance.reports, written.incidents)
        self._outbox.hand_over(written.leased)
        for delivery in acceptance.deliveries:
            self._outbox.wake(delivery.destination, delivery.lane)
        if ticket.duplicate_of is None:
            self.repeats.remember(matter, ticket.received_at, written.number)
        self._metrics.accepted(ticket, composed.judge_s)
        status = Status(acceptance.events[0].event)
        return self._receipt(ticket, written.number, status, written.incidents, duplicate=False)

    async def _compose(self, inbound: Inbound) -> Composed:
        rules = self._rules()
        if not self._turns.take() and not sounds_urgent(inbound.text, rules.rulebook):
            await self._turns.wait()
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
