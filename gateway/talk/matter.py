"""Whether a further message of a conversation goes on with its matter or begins another one."""

import re
from typing import Any

import msgspec

from gateway.talk.receipts import PHONE, PLACE, missing
from normalizer.normalize import Normalized
from normalizer.phone import find_phones
from normalizer.schema import Domain, Judged, Place, Ticket, Urgency

#: Code points below which a message is no matter of its own: a detail, a thanks, a number.
_DETAIL = 10
#: Code points of the longest answer to a question of ours.
_ANSWER = 80
#: What may stand around a number that was asked for; anybody else's is called by more than that.
_AROUND = re.compile(
    r"(?:我的?|本人|联系|手机|电话|号码?|方式|[是为]|[您你]好|谢谢|好的?|[\s:,.;!、()])*"
)


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
    place = seen.place.text is not None or seen.place.latitude is not None
    return (PLACE in asked and place) or (PHONE in asked and seen.requester.phone is not None)


def told_phone(first: Ticket, seen: Normalized, area_code: str | None) -> str | None:
    """Return the telephone number that answers our question for one, in E.164.

    Words that are more than the number may tell of anybody's: then only what the citizen calls
    their own counts (`normalizer.phone.own_phone`).
    """
    text = seen.content.text
    if seen.requester.phone is not None or len(text) > _ANSWER or PHONE not in missing(first):
        return seen.requester.phone
    numbers = find_phones(text, area_code)
    rest = text
    for found in reversed(numbers):
        rest = rest[: found.start] + rest[found.end :]
    values = {found.value for found in numbers}
    return values.pop() if len(values) == 1 and _AROUND.fullmatch(rest) else None


def told_later(first: Ticket, seen: Normalized) -> dict[str, Any]:
    """Return what further words tell that the first ones did not, as an event's details."""
    asked, details = missing(first), dict[str, Any]()
    if PHONE in asked and seen.requester.phone is not None:
        details["phone"] = seen.requester.phone
    if PLACE in asked and seen.place != Place():
        details["place"] = msgspec.to_builtins(seen.place)
    return details
