"""Whether a further message of a conversation goes on with its matter or begins another one."""

from gateway.talk.receipts import PHONE, PLACE, missing
from normalizer.normalize import Normalized
from normalizer.schema import Domain, Judged, Ticket, Urgency

#: Code points below which a message is no matter of its own: a detail, a thanks, a number.
_DETAIL = 10
#: Code points of the longest answer to a question of ours.
_ANSWER = 80


def says_nothing(ticket: Ticket) -> bool:
    """Return whether a first message told no matter yet: 你好, 在吗, a picture alone."""
    ordinary = ticket.urgency is Urgency.NORMAL and not ticket.verify
    return ordinary and ticket.domain is Domain.OTHER and len(ticket.content.text) <= _DETAIL


def is_new(first: Ticket, seen: Normalized, judged: Judged) -> bool:
    """Return whether words that follow a ticket's first ones tell of something else.

    An emergency belongs to a matter that is one itself, so that who is hurt and where it burns
    come to one ticket, unless it is in another district; behind an ordinary matter it is always
    another.
    """
    if says_nothing(first):
        return False
    if judged.urgency is Urgency.EMERGENCY:
        return first.urgency is not Urgency.EMERGENCY or _elsewhere(first, seen)
    if len(seen.content.text) < _DETAIL:
        return False
    if _elsewhere(first, seen):
        return True
    known = {_field(first), _field(judged)} - {Domain.OTHER}
    return len(known) > 1


def _field(told: Ticket | Judged) -> Domain:
    """Return the domain that words themselves name; what only the model thinks likely is open."""
    named = any(e.claim == "domain" and not e.rule.startswith("model.") for e in told.evidence)
    return told.domain if named else Domain.OTHER


def _elsewhere(first: Ticket, seen: Normalized) -> bool:
    """Return whether both tell a district, and not the same."""
    there, here = first.place.district, seen.place.district
    return there is not None and here is not None and there != here


def answers_question(first: Ticket, seen: Normalized, judged: Judged) -> bool:
    """Return whether words give what the citizen was asked for with the first receipt."""
    if len(seen.content.text) > _ANSWER or judged.urgency is Urgency.EMERGENCY:
        return False
    asked = missing(first)
    place = PLACE in asked and seen.place.text is not None
    return place or (PHONE in asked and seen.requester.phone is not None)
