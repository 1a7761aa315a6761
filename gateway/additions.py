"""Further words on a ticket, by whatever way they come: judged, stored and pushed like the first."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from gateway.compose import judge
from gateway.core import Core
from gateway.ids import new_id
from gateway.ports import lane_of
from gateway.standing import addition, spoken_now, words_of
from gateway.store.base import Change, IncidentReport, NewDelivery, NewEvent, StoredTicket
from gateway.talk.matter import told_later, told_phone
from normalizer.errors import Conflict
from normalizer.normalize import Normalized, normalize
from normalizer.schema import Attachment, Inbound, Judged, Place, Ticket, Urgency, Value

#: Type of the delivery that tells a citizen of their further words.
ADDED = "hotline.answer.added"
_NOWHERE = Place()


def message_key(key: str | None) -> str | None:
    """Return a carrier's message id apart from other keys that share the ticket's events."""
    return None if key is None else f"message:{key}"


class Further(Value, frozen=True, kw_only=True):
    """Further words, read and judged."""

    seen: Normalized
    judged: Judged


class Additions:
    """Writes ``added`` events; an addition that tells of danger raises incidents at once."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def read(self, ticket: Ticket, text: str, place: Place = _NOWHERE) -> Further:
        """Return what a citizen's further words say; nothing is stored.

        Args:
            ticket: What they are about.
            text: The words.
            place: Where the citizen points beside them.
        """
        return await self._core.letters.read(
            text, self._core.rules().rulebook, lambda: self._judge(ticket, text, place)
        )

    async def put(
        self,
        stored: StoredTicket,
        further: Further,
        attachments: Sequence[Attachment],
        key: str | None,
        key_name: str,
        *,
        answer: str | None = None,
    ) -> None:
        """Return once further words are durable on the ticket.

        Args:
            stored: The ticket.
            further: The words.
            attachments: Files, stored already.
            key: A second addition with it changes nothing; None: each is one of its own.
            key_name: What the sender calls the key, for errors.
            answer: What the citizen is told by the channel's messenger; None: nothing.

        Raises:
            Conflict: The key was used before with other words.
            StoreError: Nothing was written.
        """
        now = self._core.clock.now()
        zone = self._core.rules().zone
        details = addition(now.astimezone(zone), further.seen, further.judged, attachments)
        details |= told_later(stored.ticket, further.seen)
        event = NewEvent(at=now, event="added", by="citizen", data=details, key=key)
        deliveries = self._deliveries(stored.ticket, further.judged, details, now, answer)
        reports = self._reports(stored.ticket, further, details, now)
        changed = await self._core.store.change(
            Change(
                ticket_id=stored.ticket.id,
                events=(event,),
                deliveries=deliveries,
                reports=reports,
            )
        )
        if changed.duplicate:
            await self._refuse_other_words(stored.number, event, key_name)
            return
        self._core.reporter.confirm(reports, changed.incidents)
        self._core.outbox.hand_over(changed.leased)
        for each in deliveries:
            self._core.outbox.wake(each.destination, each.lane)

    def _reports(
        self, ticket: Ticket, further: Further, details: Mapping[str, Any], now: datetime
    ) -> tuple[IncidentReport, ...]:
        """Return the incidents that the words raise or join."""
        if further.judged.urgency is not Urgency.EMERGENCY:
            return ()
        told = spoken_now(ticket, further.seen, further.judged, now)
        return self._core.reporter.reports(told, further.seen.folded, now, details["message"])

    def _deliveries(
        self,
        ticket: Ticket,
        judged: Judged,
        details: Mapping[str, Any],
        now: datetime,
        answer: str | None,
    ) -> tuple[NewDelivery, ...]:
        """Return the push to the back office, and the citizen's answer where there is one."""
        lane = lane_of(judged.urgency, verify=judged.verify)
        push = NewDelivery(
            id=new_id(),
            destination=ticket.route.to,
            lane=lane,
            type="hotline.ticket.added",
            due_at=now,
            data={"message": details["message"]},
        )
        if answer is None:
            return (push,)
        told = self._core.answering.acknowledgement(ticket.channel, ADDED, now, lane, answer)
        return (push, *told)

    async def _refuse_other_words(self, number: str, repeat: NewEvent, key_name: str) -> None:
        """Raise `Conflict` unless the event that has the repeat's key says the same."""
        stored = await self._core.store.ticket(number)
        first = next((e for e in stored.events if e.key == repeat.key), None) if stored else None
        if first is None or words_of(first.data) != words_of(repeat.data):
            raise Conflict(key_name, "it was used before with other content; take a new one")

    def _judge(self, ticket: Ticket, text: str, place: Place) -> Further:
        rules = self._core.rules()
        inbound = Inbound(
            channel=ticket.channel.kind,
            account=ticket.channel.account,
            message_id=None,
            text=text,
            received_at=self._core.clock.now().astimezone(rules.zone),
            raw=b"",
            raw_type="text/plain",
            requester=ticket.requester,
            place=place,
        )
        seen = normalize(inbound, rules.context, rules.gazetteer)
        phone = told_phone(ticket, seen, rules.context.area_code)
        if phone != seen.requester.phone:
            requester = msgspec.structs.replace(seen.requester, phone=phone)
            seen = msgspec.structs.replace(seen, requester=requester)
        return Further(seen=seen, judged=judge(seen.content.text, seen.folded, rules.rulebook))
