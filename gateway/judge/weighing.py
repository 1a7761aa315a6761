"""Weighing happenings: what the frames leave of each, and what stands beside it."""

from bisect import bisect_left, bisect_right

from gateway.judge.clauses import Reading, Standing, fresh, standing, today
from gateway.judge.rulebook import Rulebook
from gateway.judge.scan import Hit
from gateway.judge.terms import Kind
from normalizer.schema import Value

#: What keeps small things below a threshold.
_LEAST = 0.05
#: A text this many times as long as `Settings.long` counts as no longer.
_LONGEST = 3.0

#: By kind and sign, the strongest beside a happening and the weight it adds.
Beside = dict[str, tuple[float, Hit]]
_Other = tuple[int, int, float, Hit]


class Weighed(Value, frozen=True, kw_only=True):
    """One happening with everything that speaks for and against it."""

    weight: float
    hit: Hit
    kind: Kind
    net: float = 0.0  #: of the happening itself under its frames
    beside: tuple[Hit, ...] = ()  #: other happenings and signs that add to it
    against: tuple[Hit, ...] = ()
    today: bool = False  #: whether the text says so


class _Whole(Value, frozen=True, kw_only=True):
    """What holds for the whole text: what is added to and taken from every happening."""

    bonus: float
    malus: float
    frames: tuple[Hit, ...]


def weigh(body: str, reading: Reading, rulebook: Rulebook) -> list[Weighed]:
    """Return the happenings, the weightiest first; cancelled ones last with weight 0."""
    if not reading.happenings:
        return []
    stands = standing(reading, rulebook)
    whole = _whole(len(body), reading, rulebook)
    others = [
        (hit[0], hit[1], net, hit)
        for hit, net, _ in stands
        if net > 0 and rulebook.kinds[hit[2].name].level == "emergency"
    ]
    others.extend(
        (sign[0], sign[1], sign[2].weight, sign) for sign in reading.signs if sign[2].weight
    )
    others.sort(key=_start)
    starts = [other[0] for other in others]
    reach = rulebook.settings.reach
    result = []
    for stand in stands:
        beside = _beside(stand[0], others, starts, reach) if stand[1] > 0 else {}
        result.append(_add_up(stand, beside, whole, reading, rulebook))
    result.sort(key=lambda item: (-item.weight, -item.kind.rank, item.hit[0], item.hit[2].rule))
    return result


def present(item: Weighed, rulebook: Rulebook) -> frozenset[str]:
    """Return the kinds and signs that stand beside a happening."""
    names = {hit[2].name for hit in item.beside}
    for name in tuple(names):
        kind = rulebook.kinds.get(name)
        if kind and kind.counts_as:
            names.add(kind.counts_as)
    return frozenset(names)


def _start(other: _Other) -> int:
    return other[0]


def _whole(length: int, reading: Reading, rulebook: Rulebook) -> _Whole:
    strongest: dict[str, Hit] = {}
    for frame in reading.wide:
        strongest.setdefault(frame[2].name, frame)
    settings = rulebook.settings
    malus = sum(frame[2].weight for frame in strongest.values())
    if length > settings.long:
        malus += settings.long_malus * min(_LONGEST, length / settings.long)
    return _Whole(
        bonus=settings.brief_bonus if length < settings.brief else 0.0,
        malus=malus,
        frames=tuple(strongest.values()),
    )


def _add_up(
    stand: Standing, beside: Beside, whole: _Whole, reading: Reading, rulebook: Rulebook
) -> Weighed:
    hit, net, frames = stand
    kind = rulebook.kinds[hit[2].name]
    now = today(hit, reading, rulebook.settings.reach)
    if net <= 0:
        return Weighed(weight=0.0, hit=hit, kind=kind, against=frames, today=now)
    weight = net + whole.bonus
    for added, _ in beside.values():
        weight += added
    against = frames
    if whole.malus and not fresh(hit, reading):
        weight -= whole.malus
        against = (*frames, *whole.frames)
    return Weighed(
        weight=_bounded(weight, hit, net, whole.malus, rulebook),
        hit=hit,
        kind=kind,
        net=net,
        beside=tuple(other for _, other in beside.values()),
        against=against,
        today=now,
    )


def _bounded(weight: float, hit: Hit, net: float, malus: float, rulebook: Rulebook) -> float:
    """Return the weight, no lower than what is certain and no higher than what is small allows."""
    settings = rulebook.settings
    if hit[2].tier == "always":
        return max(weight, settings.emergency if malus < settings.all else settings.doubt)
    if net >= settings.certain:
        return max(weight, settings.doubt)
    if hit[2].tier == "hint":
        return min(weight, settings.doubt - _LEAST)
    if net < settings.likely:  # many small things make no emergency, but a human looks
        return min(weight, settings.emergency - _LEAST)
    return weight


def _beside(hit: Hit, others: list[_Other], starts: list[int], reach: int) -> Beside:
    first, last, sense, _ = hit
    found: Beside = {}
    low = bisect_left(starts, first - reach)
    high = bisect_right(starts, last + reach)
    for start, end, net, other in others[low:high]:
        if other is hit:
            continue
        name = other[2].name
        added = net / 2 if name == sense.name else net
        if start < last and first < end:
            added = 0.0  # the same words are counted once
        if name not in found or found[name][0] < added:
            found[name] = (added, other)
    return found
