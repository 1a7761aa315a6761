"""Further words on a ticket, by whatever way they come: judged, stored and pushed like the first."""

from collections.abc import Callable, Sequence

from gateway.clock import Clock
from gateway.compose import Rules, judge
from gateway.ids import new_id
from gateway.letters import Letters
from gateway.ports import Outbox, Reporter, lane_of
from gateway.standing import addition, spoken_now, words_of
from gateway.store.base import Change, IncidentReport, NewDelivery, NewEvent, Store, StoredTicket
from normalizer.errors import Conflict
from normalizer.normalize import Normalized, normalize
from normalizer.schema import Attachment, Inbound, Judged, Ticket, Urgency


def message_key(key: str | None) -> str | None:
    """Return a carrier's message id apart from other keys that share the ticket's events."""
    return None if key is None else f"message:{key}"


class Additions:
    """Writes ``added`` events; an addition that tells of danger raises incidents at once."""

    def __init__(
        self,
        store: Store,
        rules: Callable[[], Rules],
        clock: Clock,
        reporter: Reporter,
        outbox: Outbox,
        letters: Letters,
    ) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock
        self._reporter = reporter
        self._outbox = outbox
        self._letters = letters

    async def put(
        self,
        stored: StoredTicket,
        text: str,
        attachments: Sequence[Attachment],
        key: str | None,
        key_name: str,
    ) -> Judged:
        """Return what the judge found in the words once they are durable on the ticket.

        Args:
            stored: The ticket.
            text: The words, literal.
            attachments: Files, stored already.
            key: A second addition with it changes nothing; None: each is one of its own.
            key_name: What the sender calls the key, for errors.

        Raises:
            Conflict: The key was used before with other words.
            StoreError: Nothing was written.
        """
        seen, judged = await self._letters.read(
            text, self._rules().rulebook, lambda: self._judge(stored.ticket, text)
        )
        now = self._clock.now()
        reports: tuple[IncidentReport, ...] = ()
        if judged.urgency is Urgency.EMERGENCY:
            told = spoken_now(stored.ticket, seen, judged, now)
            reports = self._reporter.reports(told, seen.folded, now)
        details = addition(now.astimezone(self._rules().zone), seen, judged, attachments)
        event = NewEvent(at=now, event="added", by="citizen", data=details, key=key)
        delivery = NewDelivery(
            id=new_id(),
            destination=stored.ticket.route.to,
            lane=lane_of(judged.urgency, verify=judged.verify),
            type="hotline.ticket.added",
            due_at=now,
            data={"message": details["message"]},
        )
        ticket_id = stored.ticket.id
        change = Change(
            ticket_id=ticket_id, events=(event,), deliveries=(delivery,), reports=reports
        )
        changed = await self._store.change(change)
        if changed.duplicate:
            await self._refuse_other_words(stored.number, event, key_name)
            return judged
        self._reporter.confirm(reports, changed.incidents)
        self._outbox.hand_over(changed.leased)
        self._outbox.wake(delivery.destination, delivery.lane)
        return judged

    async def _refuse_other_words(self, number: str, repeat: NewEvent, key_name: str) -> None:
        """Raise `Conflict` unless the event that has the repeat's key says the same."""
        stored = await self._store.ticket(number)
        first = next((e for e in stored.events if e.key == repeat.key), None) if stored else None
        if first is None or words_of(first.data) != words_of(repeat.data):
            raise Conflict(key_name, "it was used before with other content; take a new one")

    def _judge(self, ticket: Ticket, text: str) -> tuple[Normalized, Judged]:
        rules = self._rules()
        inbound = Inbound(
            channel=ticket.channel.kind,
            account=ticket.channel.account,
            message_id=None,
            text=text,
            received_at=self._clock.now().astimezone(rules.zone),
            raw=b"",
            raw_type="text/plain",
            requester=ticket.requester,
        )
        seen = normalize(inbound, rules.context, rules.gazetteer)
        return seen, judge(seen.content.text, seen.folded, rules.rulebook)
