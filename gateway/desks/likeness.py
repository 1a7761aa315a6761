"""Whether two emergency reports tell of the same happening: pure.

Joining two happenings hides one of them; keeping one happening twice costs a desk a glance. So
every doubt here is decided for keeping apart.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from normalizer.schema import Place, Ticket, Value
from normalizer.text import fold

#: Likeness of two places, 0 to 1: `normalizer.place.same_place`.
SamePlace = Callable[[Place, Place], float]

#: Reports join within this time of the happening's last report. Source: contract section 7 says
#: minutes; ours.
WINDOW = timedelta(minutes=30)
#: The same where a place says less: what befalls a person, and where only the sender or the
#: wording speaks for it.
NARROW_WINDOW = timedelta(minutes=10)
#: Likeness of places from which they are one place: one road, one estate, next door.
ONE_PLACE = 0.8
#: One name: a bridge, a square. For what befalls a person before many witnesses.
ONE_NAME = 0.9
#: One door. For what befalls a person: two patients in one square are two incidents.
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
_GROUPS = {
    "explosion": "fire",
    "wire": "electric",
    "drowned": "drowning",
    "inside": "trapped",
}
#: Calls for help that say nothing of what happened: never one by place alone.
_UNSAID = frozenset({"help", "ambulance", "firefighters", "officers", "hidden"})
#: Kinds that spread and that a whole street sees.
_WIDE = frozenset({"fire", "gas", "chemical", "collapse", "flood", "traffic", "electric"})
#: Kinds that befall a person before many witnesses; all others befall a person or a household.
_SEEN = frozenset({"drowning", "suicide", "threat", "violence", "lift", "outdoor"})
#: Characters that many addresses share: two of them in a row tell no place.
_COMMON = frozenset(
    "0123456789一二三四五六七八九十第号楼区小路街道巷弄栋幢座单元层室村镇乡县市省大厦广场"
    "附近对面旁边口门东西南北中的在和与里内外上下前后交叉"
)


class Trace(Value, frozen=True, kw_only=True):
    """What one report leaves for others to be compared with."""

    at: datetime
    place: Place
    precise: bool  #: the place names more than a district
    senders: frozenset[str]
    wording: frozenset[str]  #: trigrams of a long text; empty for a short one
    marks: frozenset[str] = frozenset()  #: pairs of characters that tell the place from others
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
        marks=_marks(ticket.place),
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


class Signs:
    """What all reports of a happening show, to pass over those that cannot be meant quickly."""

    __slots__ = ("anywhere", "marks", "positions", "senders", "wordings")

    def __init__(self) -> None:
        self.senders: set[str] = set()
        self.marks: set[str] = set()
        self.positions = False  #: some report has coordinates
        self.anywhere = False  #: some report's place has no marks
        self.wordings = False  #: some report without a place has a long text

    def add(self, trace: Trace) -> None:
        """Add one report's."""
        self.senders |= trace.senders
        self.marks |= trace.marks
        if trace.precise:
            self.positions |= trace.place.latitude is not None
            self.anywhere |= not trace.marks
        else:
            self.wordings |= bool(trace.wording)

    def promise(self, report: Trace) -> int:
        """Return how much it is worth to ask for the `likeness`: 0 only if it would be 0."""
        if not self.senders.isdisjoint(report.senders):
            return 2
        if not report.precise:
            return 2 if self.wordings and report.wording else 0
        if not self.marks.isdisjoint(report.marks):
            return 2
        weak = self.anywhere or (self.marks and not report.marks)
        return 1 if weak or (self.positions and report.place.latitude is not None) else 0


def likeness(report: Trace, earlier: Iterable[Trace], group: str | None, same: SamePlace) -> float:
    """Return how surely ``report`` tells of the happening of ``earlier``: 0 not, 1 surely."""
    if report.another:
        return 0.0
    best = 0.0
    places: dict[Place, float] = {}
    for trace in earlier:
        place = None
        if report.precise and trace.precise:
            place = places.get(trace.place)
            if place is None:
                place = places[trace.place] = same(report.place, trace.place)
            if place < TWO_PLACES:
                return 0.0
        best = max(best, _alike(report, trace, group, place))
    return best


def _alike(one: Trace, other: Trace, group: str | None, place: float | None) -> float:
    """Return the likeness of two reports; ``place``: of their places, if both tell one."""
    soon = abs(one.at - other.at) <= NARROW_WINDOW
    sender = soon and not one.senders.isdisjoint(other.senders)
    if place is not None:
        if group is not None and place >= _needed(group) and (soon or group in _WIDE):
            return place
        return ONE_PLACE if sender and place >= ONE_PLACE else 0.0
    if sender:
        return ONE_PLACE
    if soon and not one.precise and not other.precise and _same_wording(one, other):
        return ONE_PLACE
    return 0.0


def _needed(group: str) -> float:
    return ONE_PLACE if group in _WIDE else ONE_NAME if group in _SEEN else ONE_DOOR


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


def _marks(place: Place) -> frozenset[str]:
    text = fold(place.text or "")
    pairs = (text[i : i + 2] for i in range(len(text) - 1))
    divisions = "".join(n for n in (place.province, place.city, place.district) if n)
    return frozenset(
        pair
        for pair in pairs
        if pair.isalnum() and not _COMMON.issuperset(pair) and pair not in divisions
    )


def _senders(ticket: Ticket) -> frozenset[str]:
    who = ticket.requester
    known = [name for name in (who.phone, who.wechat, who.email) if name]
    if ticket.channel.thread:
        channel = ticket.channel
        known.append(f"{channel.kind}/{channel.account}/{channel.thread}")
    return frozenset(known)
