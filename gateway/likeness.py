"""Whether two emergency reports tell of the same happening: pure.

Joining two happenings hides one of them; keeping one happening twice costs a desk a glance. So
every doubt here is decided for keeping apart.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from normalizer.schema import Place, Ticket, Value

#: Likeness of two places, 0 to 1: `normalizer.place.same_place`.
SamePlace = Callable[[Place, Place], float]

#: Reports join within this time of the happening's last report. Source: contract section 7 says
#: minutes; ours.
WINDOW = timedelta(minutes=30)
#: The same for what befalls one person, and where only the sender or the wording speaks for it.
NARROW_WINDOW = timedelta(minutes=10)
#: Likeness of places from which they are one place.
ONE_PLACE = 0.8
#: The same for what befalls one person: two patients in one street are two incidents.
ONE_DOOR = 0.95
#: Likeness below which they are two places, whoever says so.
TWO_PLACES = 0.3
#: Fewest characters of a text that can be known again by its wording: "着火了快来人" is said by many.
_WORDING_LEAST = 24
_WORDING_MOST = 400
_WORDING_ALIKE = 0.9
#: Said of one more happening of the kind.
_ANOTHER = (
    "另一起",
    "又一起",
    "另外一起",
    "第二起",
    "又有一",
    "另有一",
    "又发生",
    "另一处",
    "又一处",
)

#: Kinds of happening (``config/lexicons/kinds.yaml``) that witnesses confuse: one group joins.
_GROUPS = {"explosion": "fire", "wire": "electric"}
#: Calls for help that say nothing of what happened: never one by place alone.
_UNSAID = frozenset({"help", "ambulance", "firefighters", "officers", "hidden"})
#: Kinds that many witness and that spread; all others befall one person or one household.
_WIDE = frozenset({"fire", "gas", "chemical", "collapse", "flood", "traffic", "electric"})


class Trace(Value, frozen=True, kw_only=True):
    """What one report leaves for others to be compared with."""

    at: datetime
    place: Place
    precise: bool  #: the place names more than a district
    senders: frozenset[str]
    wording: frozenset[str]  #: trigrams of a long text; empty for a short one
    another: bool = False  #: the text speaks of one more happening


def group_of(kind: str | None) -> str | None:
    """Return the group of kinds within which reports may join; None: they never do by place."""
    return None if kind is None or kind in _UNSAID else _GROUPS.get(kind, kind)


def trace_of(ticket: Ticket, folded: str) -> Trace:
    """Return what is compared of a ticket; ``folded`` is the matching form of its text."""
    return Trace(
        at=ticket.received_at,
        place=ticket.place,
        precise=is_precise(ticket.place),
        senders=_senders(ticket),
        wording=_wording(folded),
        another=any(word in folded for word in _ANOTHER),
    )


def is_precise(place: Place) -> bool:
    """Return whether a place says more than province, city, district and street office."""
    if place.latitude is not None and place.longitude is not None:
        return True
    rest = place.text or ""
    for name in (place.province, place.city, place.district, place.street):
        rest = rest.replace(name, "", 1) if name else rest
    return len(rest.strip()) >= 2


def likeness(report: Trace, earlier: Iterable[Trace], group: str | None, same: SamePlace) -> float:
    """Return how surely ``report`` tells of the happening of ``earlier``: 0 not, 1 surely."""
    if report.another:
        return 0.0
    best = 0.0
    for trace in earlier:
        alike = _alike(report, trace, group, same)
        if alike < 0:
            return 0.0
        best = max(best, alike)
    return best


def _alike(one: Trace, other: Trace, group: str | None, same: SamePlace) -> float:
    """Return the likeness of two reports, below 0 if they cannot be of one happening."""
    soon = abs(one.at - other.at) <= NARROW_WINDOW
    sender = soon and not one.senders.isdisjoint(other.senders)
    if one.precise and other.precise:
        place = same(one.place, other.place)
        if place < TWO_PLACES:
            return -1.0
        wide = group in _WIDE
        if group is not None and (wide or soon) and place >= (ONE_PLACE if wide else ONE_DOOR):
            return place
        return ONE_PLACE if sender and place >= ONE_PLACE else 0.0
    if sender:
        return ONE_PLACE
    if soon and not one.precise and not other.precise and _same_wording(one, other):
        return ONE_PLACE
    return 0.0


def _same_wording(one: Trace, other: Trace) -> bool:
    if not one.wording or not other.wording:
        return False
    if one.place.adcode and other.place.adcode and one.place.adcode != other.place.adcode:
        return False
    shared = len(one.wording & other.wording)
    return shared >= _WORDING_ALIKE * len(one.wording | other.wording)


def _wording(folded: str) -> frozenset[str]:
    letters = "".join(c for c in folded[: 2 * _WORDING_MOST] if c.isalnum())[:_WORDING_MOST]
    if len(letters) < _WORDING_LEAST:
        return frozenset()
    return frozenset(letters[i : i + 3] for i in range(len(letters) - 2))


def _senders(ticket: Ticket) -> frozenset[str]:
    who = ticket.requester
    known = [name for name in (who.phone, who.wechat, who.email) if name]
    if ticket.channel.thread:
        channel = ticket.channel
        known.append(f"{channel.kind}/{channel.account}/{channel.thread}")
    return frozenset(known)
