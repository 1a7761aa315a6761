"""Minds the limits of all tickets, beside intake and never in its way.

Accepting a ticket writes nothing for this. The watch follows what was stored, in the order of the
store, and notes for each ticket the first instant at which a card may be due; what it has seen to
is in the store with its notes, in one transaction. A step that sets a limit, or lets one run again,
has the ticket looked at anew. So nothing is lost by a crash, and a gateway that was down for days
takes up where it stopped; a card has a key of its own, so that none is shown twice.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from gateway.cards.terms import CARD_LABELS, LABELS, SHOWN, Card, begun, standing
from gateway.clock import Clock
from gateway.ids import new_id
from gateway.outbox.destination import Counters
from gateway.ports import Outbox
from gateway.store.base import (
    Change,
    Lane,
    NewDelivery,
    NewEvent,
    Store,
    StoredTicket,
    Watched,
)
from gateway.store.watching import Look, News
from normalizer.errors import StoreError
from normalizer.schema import Value

log = logging.getLogger(__name__)

#: How old a ticket is before it is noted: a flood is taken in first. Every limit is longer.
SETTLED = timedelta(minutes=1)
#: News seen to in one round, and seconds until the next round while there are more.
_NEWS = 200
_NEWS_S = 0.1
#: Tickets looked at in one round, and seconds until the next while there are more: far fewer cards
#: than a back office takes, so that what is over by the thousand keeps no new ticket waiting.
_ROUND = 32
_ROUND_S = 1.0
#: Seconds between rounds otherwise.
PAUSE_S = 5.0
#: How long a ticket that could not be looked at is left alone, so that it keeps no other back.
_SPARED = timedelta(minutes=1)
#: What a ticket that cannot be shown or written brings.
_FAULTS = (StoreError, ArithmeticError, LookupError, TypeError, ValueError)
#: Due at every clock.
_AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


class Terms(Value, frozen=True, kw_only=True):
    """What is in force."""

    near: float  #: share of a limit that is left when the yellow card is shown
    shown: bool = True  #: the region shows cards


class CardWatch:
    """Shows the back office which limits are near and which are over.

    Args:
        store: Where the tickets are.
        clock: The time.
        outbox: What carries the cards.
        terms: What is in force.
        counters: Where cards are counted.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        outbox: Outbox,
        terms: Callable[[], Terms],
        counters: Counters,
    ) -> None:
        self._store = store
        self._clock = clock
        self._outbox = outbox
        self._terms = terms
        self._counters = counters
        self._upto = 0  #: news up to this event are noted

    async def run(self) -> None:
        """Mind the limits until cancelled; the store's failures are waited out."""
        never = asyncio.Event()
        while True:
            try:
                pause = await self.look()
            except StoreError as error:
                log.warning("cards.store_failed", extra={"why": type(error).__name__})
                pause = PAUSE_S
            await self._clock.wait(never, pause)

    async def look(self) -> float:
        """See to some news and some tickets; return the seconds until the next look.

        It is `PAUSE_S` when there is nothing more to be done now.

        Raises:
            StoreError: The store refuses; what is due stays due.
        """
        if not self._terms().shown:
            return PAUSE_S  # what came is noted once they are shown again
        more = await self._note_news()
        now = self._clock.now()
        due = await self._store.watched(now, _ROUND)
        looks = await asyncio.gather(*(self._take(one, now) for one in due))
        if looks:
            await self._store.watch(looks)
        if len(due) == _ROUND:
            return _ROUND_S
        return _NEWS_S if more else PAUSE_S

    async def _note_news(self) -> bool:
        """Note when to look at what came since; return whether there is more."""
        found = await self._store.unwatched(_NEWS)
        now = self._clock.now()
        young = next(
            (one for one in found.news if now - SETTLED < one.at <= now and one.limits), None
        )
        upto = found.upto if young is None else young.seq - 1
        if upto <= self._upto:
            return False
        looks = {one.ticket: self._first_look(one) for one in found.news if one.seq <= upto}
        await self._store.watch([look for look in looks.values() if look is not None], upto)
        self._upto = upto
        return found.more and young is None

    def _first_look(self, one: News) -> Look | None:
        """Return when to look at a ticket of which there is news; None: it has no limit."""
        if one.limits is None:
            return Look(ticket=one.ticket, at=_AT_ONCE)
        share = self._terms().near
        nears = [term.near(share) for term in begun(one.limits, one.at)]
        return Look(ticket=one.ticket, at=min(nears)) if nears else None

    async def _take(self, one: Watched, now: datetime) -> Look:
        """Show the cards that a ticket is due, and return when to look at it again."""
        stored = one.stored
        ticket = stored.events[0].seq
        try:
            found = standing(stored, now, self._terms().near, handed_over=one.handed_over)
            for version, card in enumerate(found.cards, stored.version):
                if not await self._show(stored, card, now, version):
                    return Look(ticket=ticket, at=now)  # something has happened meanwhile
        except _FAULTS as error:  # one ticket's must not keep others back
            log.error(  # noqa: TRY400 - the trace may quote a citizen
                "cards.failed", extra={"number": stored.number, "error": type(error).__name__}
            )
            return Look(ticket=ticket, at=now + _SPARED)
        return Look(ticket=ticket, at=found.look_at)

    async def _show(self, stored: StoredTicket, card: Card, now: datetime, version: int) -> bool:
        """Write a card and have it sent; return False if the ticket has another version by now."""
        told = {
            "limit": card.limit,
            "limit_label": LABELS[card.limit],
            "card": card.card,
            "card_label": CARD_LABELS[card.card],
        }
        event = NewEvent(
            at=now,
            event=SHOWN,
            by="gateway",
            text=f"{told['limit_label']}：{told['card_label']}",
            data={"limit": card.limit, "card": card.card},
            key=card.key,
        )
        delivery = NewDelivery(
            id=new_id(),
            destination=stored.ticket.route.to,
            lane=Lane.ORDINARY,
            type="hotline.ticket.limit",
            due_at=now,
            data=told,
        )
        changed = await self._store.change(
            Change(
                ticket_id=stored.ticket.id,
                events=(event,),
                deliveries=(delivery,),
                if_version=version,
            )
        )
        if changed.written:
            self._outbox.hand_over(changed.leased)
            self._outbox.wake(delivery.destination, delivery.lane)
            self._counters.count("card", card.card)
        return changed.written or changed.duplicate
