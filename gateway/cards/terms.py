"""Which limits of a ticket are running, when each is near and over, and the cards still to be shown.

Pure. A limit runs until what it asks for is done. Where a region's rules are silent, so is this:

- What is answered, closed, refused or withdrawn has no limit that runs.
- A unit that gives a ticket back has neither to sign for it nor to call its citizen; whoever signs
  for it next has. The citizen's own limit, ``finish_by``, does not stop for a return.
- A limit that had ended when a ticket was reopened is not held against whoever works on it then:
  no rule says until when. One that had not goes on.
- An extension is a limit of its own: it has cards of its own.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gateway.standing import OVER
from gateway.store.base import StoredTicket
from gateway.view import moves, status_of
from normalizer.schema import Limits, Status, Value

#: The event of a card that was shown; its details are ``limit`` and ``card``.
SHOWN = "limit"
YELLOW, RED = "yellow", "red"
#: The limits of a ticket, in their order, with what people call them.
LABELS = {
    "dispatch_by": "派发时限",
    "sign_by": "签收时限",
    "contact_by": "首次联系时限",
    "finish_by": "办结时限",
}
CARD_LABELS = {YELLOW: "黄牌", RED: "红牌"}
#: A limit is written as the last second that belongs to it.
_LAST = timedelta(seconds=1)
_QUIET = frozenset({*OVER, Status.ANSWERED})
_STEPS = frozenset({"signed", "contacted", "returned", "extended", "answered"})
#: The steps that show a limit to be kept, wherever they stand behind its beginning.
_MET_BY = {
    "dispatch_by": _STEPS,  # whoever takes a step has the ticket
    "sign_by": _STEPS,
    "contact_by": frozenset({"contacted", "answered"}),
    "finish_by": frozenset[str](),  # its end is a state: an answer may be reopened
}


class Term(Value, frozen=True, kw_only=True):
    """A limit that runs."""

    limit: str
    since: datetime
    until: datetime

    def near(self, share: float) -> datetime:
        """Return from when on no more than this share of it is left."""
        return self.until - max(self.until - self.since, timedelta(0)) * share

    @property
    def over(self) -> datetime:
        """The first instant behind it."""
        return self.until + _LAST

    def key(self, card: str) -> str:
        """Return what the event of a card is known by: each is shown once a limit."""
        return f"limit:{self.limit}:{card}:{self.until.isoformat()}"


class Card(Value, frozen=True, kw_only=True):
    """A card to show."""

    limit: str
    card: str
    key: str


class Standing(Value, frozen=True, kw_only=True):
    """How a ticket stands at an instant."""

    cards: tuple[Card, ...]  #: to be shown now
    look_at: datetime | None  #: when there may be another; None: not before another step


def running(stored: StoredTicket, *, handed_over: bool) -> Iterator[Term]:
    """Yield the limits that run.

    Args:
        stored: The ticket.
        handed_over: Whether the back office has it.
    """
    status = status_of(stored.events)
    if status in _QUIET:
        return
    reopened = max((e.at for e in stored.events if e.event == "reopened"), default=None)
    for set_by, term in _in_force(stored):
        met = any(e.event in _MET_BY[term.limit] and e.version > set_by for e in stored.events)
        met |= term.limit == "dispatch_by" and handed_over
        idle = term.limit == "contact_by" and status is Status.RETURNED
        if not met and not idle and (reopened is None or term.over > reopened):
            yield term


def begun(limits: Limits, received_at: datetime) -> Iterator[Term]:
    """Yield the limits that a new ticket is under."""
    for limit in LABELS:
        until: datetime | None = getattr(limits, limit)
        if until is not None:
            yield Term(limit=limit, since=received_at, until=until)


def _in_force(stored: StoredTicket) -> Iterator[tuple[int, Term]]:
    """Yield the limits as they are now, each with the version of the event that set it."""
    terms = {
        term.limit: (1, term) for term in begun(stored.ticket.limits, stored.ticket.received_at)
    }
    for event in stored.events:
        for limit, until in moves(event):
            terms[limit] = (event.version, Term(limit=limit, since=event.at, until=until))
    yield from terms.values()


def standing(
    stored: StoredTicket, now: datetime, share: float, *, handed_over: bool = False
) -> Standing:
    """Return the cards that a ticket is due, and when to look at it again.

    Who was not looked at in time is shown red, not yellow and red at once.

    Args:
        stored: The ticket.
        now: When.
        share: Of a limit that is left when it is near.
        handed_over: Whether the back office has it.
    """
    shown = {e.key for e in stored.events if e.event == SHOWN}
    cards, looks = [], []
    for term in running(stored, handed_over=handed_over):
        yellow, red = term.key(YELLOW), term.key(RED)
        if red in shown:
            continue
        if now >= term.over:
            cards.append(Card(limit=term.limit, card=RED, key=red))
            continue
        looks.append(term.over)
        if yellow in shown:
            continue
        if now >= term.near(share):
            cards.append(Card(limit=term.limit, card=YELLOW, key=yellow))
        else:
            looks.append(term.near(share))
    return Standing(cards=tuple(cards), look_at=min(looks, default=None))
