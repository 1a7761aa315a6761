"""What a citizen does with a ticket of theirs: ask, add, rate, withdraw."""

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from channels.base import Messenger
from config.region import RATINGS
from gateway.additions import Additions
from gateway.attempts import Attempts, TooMany, network_of
from gateway.cards.terms import SHOWN
from gateway.core import Core
from gateway.ids import new_id
from gateway.links import query_code, same_code
from gateway.portal.codes import TemporaryCodes
from gateway.ports import lane_of
from gateway.standing import OVER, answered, code_nonces, own_key, rated_already
from gateway.store.base import (
    Change,
    Lane,
    NewDelivery,
    NewEvent,
    StoredTicket,
)
from gateway.view import Public, history, publish, status_of
from normalizer.errors import GatewayError, Malformed, NotAllowed, StoreError
from normalizer.number import is_number
from normalizer.schema import (
    LABELS,
    Attachment,
    Decision,
    HistoryEntry,
    Judged,
    Limits,
    RequestType,
    Service,
    Status,
    Urgency,
    Value,
)

#: Further words on a ticket may be this long; the first message's own limit.
TEXT_MAX = 20_000
#: Times a change is decided anew because somebody else changed the ticket meanwhile.
ROUNDS = 8
#: Events whose text was written for the citizen; every other text may hold personal data.
TOLD = ("refused", "answered", "returned", "extended", "closed", "reopened")


class NotFound(GatewayError):
    """No ticket of this number opens with this code; which of the two is wrong stays secret."""

    code = "not_found"


class Progress(Value, frozen=True, kw_only=True):
    """A ticket as its citizen may see it by number and code: no personal data."""

    number: str
    status: Status
    status_label: str
    type: RequestType
    type_label: str
    urgency: Urgency
    urgency_label: str
    services: tuple[Service, ...]
    received_at: datetime
    acceptance: Decision
    limits: Limits
    unit: str | None
    duplicate_of: str | None
    exercise: bool
    history: tuple[HistoryEntry, ...]
    rating: str | None
    can_rate: bool
    can_withdraw: bool
    ratings: tuple[str, ...]  #: the region's scale, best first


class Done(Value, frozen=True, kw_only=True):
    """A step that was taken."""

    number: str
    status: Status
    status_label: str
    urgency: Urgency
    services: tuple[Service, ...]
    escalated: bool = False  #: the words just added made it an emergency


class Citizen:
    """The steps that number and query code open."""

    def __init__(
        self,
        core: Core,
        public: Public,
        additions: Additions,
        messenger: Messenger | None = None,
    ) -> None:
        """Take what the steps work with; ``messenger`` sends codes by text where there is one."""
        self._core = core
        self._public = public
        self._attempts = Attempts()
        self._additions = additions
        self.codes = TemporaryCodes(core, messenger) if messenger is not None else None

    async def _open(self, number: str, code: str, remote: str) -> StoredTicket:
        keys = (f"number {number[:32]}", f"address {network_of(remote)}")
        self._check_attempts(keys)
        stored = await self._core.store.ticket(number) if is_number(number) else None
        # Again: of many guesses sent at once, all have passed the first check.
        now = self._check_attempts(keys)
        # An unknown number costs the same comparison, so that time does not tell it apart.
        ticket_id = stored.ticket.id if stored else ""
        nonces = code_nonces(stored, self._core.clock.now()) if stored else ()
        if not same_code(self._core.store.secret, ticket_id, code, nonces) or stored is None:
            for key in keys:
                self._attempts.count(key, now)
            raise NotFound("no request with this number and query code")
        return stored

    def _check_attempts(self, keys: Sequence[str]) -> float:
        """Return the time if another try is allowed. Raises `TooMany`."""
        now = self._core.clock.monotonic()
        if wait := max(self._attempts.blocked_for(key, now) for key in keys):
            raise TooMany(wait)
        return now

    async def progress(self, number: str, code: str, remote: str) -> Progress:
        """Return where the ticket stands.

        Raises:
            NotFound: Number or code is wrong.
            TooMany: Wrong codes from this address or for this number are over the limit.
        """
        return self.shown(await self._open(number, code, remote))

    async def own_code(self, number: str, code: str, remote: str) -> str:
        """Return the ticket's own query code to who opens it with that or a temporary one.

        Raises:
            NotFound, TooMany: As `progress`.
        """
        stored = await self._open(number, code, remote)
        return query_code(self._core.store.secret, stored.ticket.id)

    def shown(self, stored: StoredTicket) -> Progress:
        """Return a ticket as its citizen may see it."""
        shown = publish(stored, self._public)
        ratings = [e.data["rating"] for e in stored.events if e.event == "rated"]
        return Progress(
            number=stored.number,
            status=shown.status,
            status_label=shown.status_label,
            type=shown.type,
            type_label=shown.type_label,
            urgency=shown.urgency,
            urgency_label=shown.urgency_label,
            services=shown.services,
            received_at=shown.received_at,
            acceptance=shown.acceptance,
            limits=shown.limits,
            unit=shown.route.unit,
            duplicate_of=shown.related.duplicate_of,
            exercise=shown.exercise,
            history=tuple(
                msgspec.structs.replace(h, text=h.text if h.event in TOLD else None)
                for h in history(stored.events, self._public.zone)
                if h.event != SHOWN  # a card is between the hotline and the unit
            ),
            rating=ratings[-1] if ratings else None,
            can_rate=answered(stored) and not rated_already(stored),
            can_withdraw=shown.status not in OVER,
            ratings=self._scale(),
        )

    def _scale(self) -> tuple[str, ...]:
        """Return the region's scale, best first."""
        allowed = self._core.rules().pack.rating_scale
        return tuple(rating for rating in RATINGS if rating in allowed)

    async def add(
        self,
        number: str,
        code: str,
        remote: str,
        text: str,
        *,
        attachments: Sequence[Attachment] = (),
        key: str | None = None,
    ) -> Done:
        """Put further words on the ticket; they are judged like the first ones.

        Raises:
            NotFound, TooMany: As `progress`.
            Malformed: The text is empty or too long.
            Conflict: The key was used before with other words.
        """
        if not text.strip() or len(text) > TEXT_MAX:
            raise Malformed("text", f"between 1 and {TEXT_MAX:,} characters")
        stored = await self._open(number, code, remote)
        further = await self._additions.read(stored.ticket, text)
        await self._additions.put(stored, further, attachments, own_key(key), "Idempotency-Key")
        return self._done(stored, further.judged)

    def _delivery(
        self, stored: StoredTicket, kind: str, lane: Lane, now: datetime, data: dict[str, object]
    ) -> NewDelivery:
        return NewDelivery(
            id=new_id(),
            destination=stored.ticket.route.to,
            lane=lane,
            type=f"hotline.ticket.{kind}",
            due_at=now,
            data=data,
        )

    def _done(self, stored: StoredTicket, judged: Judged | None = None) -> Done:
        status = status_of(stored.events)
        emergency = judged is not None and judged.urgency is Urgency.EMERGENCY
        before = publish(stored, self._public)
        return Done(
            number=stored.number,
            status=status,
            status_label=LABELS[status],
            urgency=Urgency.EMERGENCY if emergency else before.urgency,
            services=judged.services if judged and emergency else before.services,
            escalated=emergency and before.urgency is not Urgency.EMERGENCY,
        )

    async def withdraw(self, number: str, code: str, remote: str) -> Done:
        """Take the ticket back; a second time changes nothing.

        Raises:
            NotFound, TooMany: As `progress`.
            NotAllowed: The ticket is closed or was refused.
        """
        stored = await self._open(number, code, remote)
        return await self._step(stored, self._withdrawn)

    def _withdrawn(self, stored: StoredTicket) -> tuple[NewEvent, NewDelivery] | None:
        status = status_of(stored.events)
        if status is Status.WITHDRAWN:
            return None
        if status in OVER:
            raise NotAllowed("withdraw_open_only", "this request is over; it cannot be withdrawn")
        now = self._core.clock.now()
        lane = lane_of(stored.ticket.urgency, verify=stored.ticket.verify)
        return (
            NewEvent(at=now, event="withdrawn", by="citizen"),
            self._delivery(stored, "withdrawn", lane, now, {}),
        )

    async def rate(
        self, number: str, code: str, remote: str, rating: str, comment: str | None = None
    ) -> Done:
        """Rate the answer; the newest answer can be rated once.

        Raises:
            NotFound, TooMany: As `progress`.
            Malformed: The rating is not on the region's scale, or the comment is too long.
            NotAllowed: There is no answer yet, or it is rated already.
        """
        if rating not in self._scale():
            raise Malformed("rating", "one of " + ", ".join(self._scale()))
        if comment is not None and len(comment) > TEXT_MAX:
            raise Malformed("comment", f"at most {TEXT_MAX:,} characters")
        return await self.rate_stored(await self._open(number, code, remote), rating, comment)

    async def rate_stored(
        self,
        stored: StoredTicket,
        rating: str,
        comment: str | None = None,
        *,
        key: str | None = None,
    ) -> Done:
        """Rate the answer of a ticket that was opened; the rating is one of the region's scale.

        Raises:
            NotAllowed: There is no answer yet, or it is rated already.
        """

        def rated(now_stored: StoredTicket) -> tuple[NewEvent, NewDelivery]:
            if not answered(now_stored):
                raise NotAllowed("rate_after_answer", "there is no answer to rate yet")
            if rated_already(now_stored):
                raise NotAllowed("rate_once", "this answer is rated already")
            now = self._core.clock.now()
            event = NewEvent(
                at=now,
                event="rated",
                by="citizen",
                text=comment,
                data={"rating": rating},
                key=key,
            )
            return event, self._delivery(
                now_stored, "rated", Lane.ORDINARY, now, {"rating": rating}
            )

        return await self._step(stored, rated)

    async def _step(
        self,
        stored: StoredTicket,
        decide: Callable[[StoredTicket], tuple[NewEvent, NewDelivery] | None],
    ) -> Done:
        for _ in range(ROUNDS):
            decided = decide(stored)
            if decided is None:
                return self._done(stored)
            event, delivery = decided
            changed = await self._core.store.change(
                Change(
                    ticket_id=stored.ticket.id,
                    events=(event,),
                    deliveries=(delivery,),
                    if_version=stored.version,
                )
            )
            if changed.written:  # before anything else can fail: what is leased waits for nobody
                self._core.outbox.hand_over(changed.leased)
                self._core.outbox.wake(delivery.destination, delivery.lane)
            again = await self._core.store.ticket(stored.number)
            if again is None:
                break
            stored = again
            if changed.written:
                return self._done(stored)
        raise StoreError("the request is being changed by too many at once; try again")
