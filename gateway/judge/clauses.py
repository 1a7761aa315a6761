"""Reading a text with a rulebook: which phrases it holds, in which clause, under which frames.

A clause ends at punctuation, at a space between Chinese characters and before words that open a
new one (现在, 但是); a sentence ends at 。！？； and at a new line. Speech recognition leaves no
punctuation, so frames and signs also reach no further than `Settings.reach` characters.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from gateway.judge.rulebook import Rulebook
from gateway.judge.scan import Found, Hit, Scan
from gateway.judge.terms import Reach, Role
from normalizer.schema import Value

#: A happening, what is left of its weight under the frames that govern it, and those frames.
Standing = tuple[Hit, float, tuple[Hit, ...]]

#: So many happenings are weighed; the rest, weaker or later, are found but not looked into.
#: Bounds the work on a hostile text of 20,000 characters.
_MOST = 48


class Reading(Value, frozen=True, kw_only=True):
    """What a text holds. Without a happening, nothing is said of signs and frames."""

    happenings: tuple[Hit, ...]  #: in the order of the text, like signs and frames
    signs: tuple[Hit, ...]
    frames: tuple[Hit, ...]  #: those that reach so far and no further
    wide: tuple[Hit, ...]  #: those that reach the whole text
    types: Sequence[Found]
    domains: Sequence[Found]
    clauses: tuple[int, ...]  #: where each starts, ascending, the first at 0
    sentences: tuple[int, ...]  #: likewise
    rearms: tuple[int, ...]  #: where a word stands that ends the reach of earlier frames
    fresh: tuple[int, ...]  #: where one stands that ends the reach of the whole text's too
    today: tuple[int, ...] = ()  #: where a word stands that tells the day


def read(folded: str, rulebook: Rulebook) -> Reading:
    """Return everything of the rulebook that the folded text holds."""
    scan = Scan(folded, rulebook)
    types, domains, signals = scan.types, scan.domains, scan.signals
    if not any(hit[2].role is Role.HAPPENING for hit in signals):
        return _silent(types, domains)
    scan.rest()
    signals.sort(key=_order)
    kept = _unmasked(signals)
    happenings = _happenings(kept)
    if not happenings:
        return _silent(types, domains)
    clauses, sentences = scan.cuts()
    signs = [hit for hit in kept if hit[2].role is Role.SIGN]
    frames = [hit for hit in kept if hit[2].role is Role.FRAME]
    clauses.extend(hit[0] for hit in signs if hit[2].opens)
    clauses.sort()
    return Reading(
        happenings=happenings,
        signs=tuple(signs),
        frames=tuple(hit for hit in frames if hit[2].reach is not Reach.TEXT),
        wide=tuple(hit for hit in frames if hit[2].reach is Reach.TEXT),
        types=types,
        domains=domains,
        clauses=tuple(clauses),
        sentences=tuple(sentences),
        rearms=tuple(hit[0] for hit in signs if hit[2].rearms),
        fresh=tuple(hit[0] for hit in signs if hit[2].rearms == "text"),
        today=tuple(hit[0] for hit in signs if hit[2].today),
    )


def _silent(types: Sequence[Found], domains: Sequence[Found]) -> Reading:
    return Reading(
        happenings=(),
        signs=(),
        frames=(),
        wide=(),
        types=types,
        domains=domains,
        clauses=(0,),
        sentences=(0,),
        rearms=(),
        fresh=(),
    )


def standing(reading: Reading, rulebook: Rulebook) -> list[Standing]:
    """Return the happenings that the frames around them leave some weight.

    Cancelled ones stay with weight 0, so that the evidence can tell what cancelled them. Frames
    that reach the whole text are left to `gateway.judge.weighing`.
    """
    if not reading.frames:
        return [(hit, hit[2].weight, ()) for hit in reading.happenings]
    starts = [frame[0] for frame in reading.frames]
    places = [_place(frame, reading) for frame in reading.frames]
    reach = rulebook.settings.reach
    result: list[Standing] = []
    for hit in reading.happenings:
        strongest: dict[str, Hit] = {}
        if hit[2].tier != "always":
            place = _place(hit, reading)
            low = bisect_left(starts, hit[0] - reach)
            for at in range(low, bisect_right(starts, hit[1] + reach)):
                frame = reading.frames[at]
                known = strongest.get(frame[2].name)
                if (known is None or known[2].weight < frame[2].weight) and _governs(
                    frame, places[at], hit, place, reading.rearms
                ):
                    strongest[frame[2].name] = frame
        result.append((hit, _left(hit, strongest, rulebook), tuple(strongest.values())))
    return result


def _place(hit: Hit, reading: Reading) -> tuple[int, int]:
    """Return in which clause and in which sentence a phrase starts."""
    return bisect_right(reading.clauses, hit[0]), bisect_right(reading.sentences, hit[0])


def _left(hit: Hit, frames: dict[str, Hit], rulebook: Rulebook) -> float:
    """Return what the frames leave of a weight; only `Settings.all` cancels what is certain."""
    weight = hit[2].weight
    if not frames:
        return weight
    against = [frame[2].weight for frame in frames.values()]
    settings = rulebook.settings
    left = weight - sum(against)
    if weight >= settings.certain and max(against) < settings.all:
        return max(left, settings.doubt)
    return max(left, 0.0)


def fresh(hit: Hit, reading: Reading) -> bool:
    """Tell whether a word such as 刚才 opens the happening's clause or the one before."""
    if not reading.fresh:
        return False
    clause = bisect_right(reading.clauses, hit[0]) - 1
    low = reading.clauses[max(0, clause - 1)]
    index = bisect_left(reading.fresh, low)
    return index < len(reading.fresh) and reading.fresh[index] <= hit[1]


def today(hit: Hit, reading: Reading, reach: int) -> bool:
    """Tell whether a word such as 今天 stands before the happening, near it in its sentence."""
    if not reading.today:
        return False
    sentence = reading.sentences[bisect_right(reading.sentences, hit[0]) - 1]
    index = bisect_left(reading.today, max(sentence, hit[0] - reach))
    return index < len(reading.today) and reading.today[index] < hit[0]


def _order(hit: Hit) -> tuple[int, int]:
    return hit[0], -hit[1]


def _happenings(signals: list[Hit]) -> tuple[Hit, ...]:
    """Return the happenings without those inside a longer phrase of their kind."""
    longest: dict[str, Hit] = {}
    found = []
    for hit in signals:
        if hit[2].role is not Role.HAPPENING:
            continue
        inner = longest.get(hit[2].name)
        if inner is None or inner[1] < hit[1] or inner[2].weight < hit[2].weight:
            longest[hit[2].name] = hit
            found.append(hit)
    if len(found) > _MOST:
        strongest = sorted(found, key=lambda hit: (-hit[2].weight, hit[0]))[:_MOST]
        found = sorted(strongest, key=_order)
    return tuple(found)


def _unmasked(signals: list[Hit]) -> list[Hit]:
    """Return the signals without masks and without what a mask covers.

    A mask covers what lies inside it, and a happening that it cuts: 在烧烤 is no fire (在烧).
    """
    masks = [hit for hit in signals if hit[2].role is Role.MASK]
    if not masks:
        return signals
    starts = [mask[0] for mask in masks]
    ends = list(accumulate((mask[1] for mask in masks), max))
    kept = []
    for hit in signals:
        role = hit[2].role
        if role is Role.MASK:
            continue
        chain = hit[3] != hit[0]
        if role is Role.FRAME or not (
            _masked(hit[3], hit[1], role, starts, ends)
            or (chain and _masked(hit[0], hit[0] + 1, role, starts, ends))
        ):
            kept.append(hit)
    return kept


def _masked(start: int, end: int, role: Role, starts: list[int], ends: list[int]) -> bool:
    before = bisect_right(starts, start) - 1  # masks that start no later than the phrase
    if before >= 0 and ends[before] >= end:
        return True
    if role is not Role.HAPPENING:
        return False
    if before >= 0 and ends[before] > start and starts[before] < start:
        return True
    last = bisect_left(starts, end) - 1  # masks that start before the phrase ends
    return last > before and ends[last] > end


def _governs(
    frame: Hit,
    its: tuple[int, int],
    hit: Hit,
    place: tuple[int, int],
    rearms: tuple[int, ...],
) -> bool:
    """Tell whether a frame in clause and sentence ``its`` speaks against a happening in ``place``."""
    reach, only = frame[2].reach, frame[2].only
    if only and hit[2].name not in only:
        return False
    if reach is Reach.NEXT:
        return 0 <= hit[3] - frame[1] <= 1 or 0 <= hit[0] - frame[1] <= 1
    if its[0] == place[0]:
        return True
    ends = reach is Reach.CLAUSE or (reach is Reach.ONWARD and frame[0] > hit[0])
    if ends or its[1] != place[1]:
        return False
    if not rearms:
        return True
    first, last = (frame[0], hit[0]) if frame[0] < hit[0] else (hit[0], frame[0])
    between = bisect_right(rearms, first)
    return not (between < len(rearms) and rearms[between] <= last)
