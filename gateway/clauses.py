"""Reading a text with a rulebook: which phrases it holds, in which clause, under which frames.

A clause ends at punctuation, at a space between Chinese characters and before words that open a
new one (现在, 但是); a sentence ends at 。！？； and at a new line. Speech recognition leaves no
punctuation, so frames and signs also reach no further than `Settings.reach` characters.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from gateway.rulebook import Pattern, Reach, Role, Rulebook, Sense
from normalizer.schema import Value

#: Start, end and sense of a phrase, and where its last part starts: at its start unless it has a ``…``.
Hit = tuple[int, int, Sense, int]
#: A happening, what is left of its weight under the frames that govern it, and those frames.
Standing = tuple[Hit, float, tuple[Hit, ...]]

_BREAK = re.compile(r"[，,。！？；;!?\n…~]+|\.(?=\s|$|\.)|(?<=[一-鿿])[ \t\u3000]+(?=[一-鿿])")
_ENDS = frozenset("。！？；;!?\n")
#: By phrase with ``…``: the place of the part it waits for, its start, and the last part's end.
_Chains = dict[int, tuple[int, int, int]]
_Match = tuple[int, int, int]
#: From so many matches on, only the first and last `_OFTEN` of each phrase are kept.
_MANY, _OFTEN = 3000, 100
#: So many happenings are weighed; the rest, weaker or later, are found but not looked into.
#: Bounds the work on a hostile text of 20,000 characters.
_MOST = 48


class Reading(Value, frozen=True, kw_only=True):
    """What a text holds, each tuple in the order of the text."""

    happenings: tuple[Hit, ...]
    signs: tuple[Hit, ...]
    frames: tuple[Hit, ...]
    types: tuple[Hit, ...]
    domains: tuple[Hit, ...]
    clauses: tuple[int, ...]  #: where each starts, ascending, the first at 0
    sentences: tuple[int, ...]  #: likewise
    rearms: tuple[int, ...]  #: where a word stands that ends the reach of earlier frames
    fresh: tuple[int, ...]  #: where one stands that ends the reach of the whole text's too


def read(folded: str, rulebook: Rulebook) -> Reading:
    """Return everything of the rulebook that the folded text holds."""
    clauses, sentences = _cut(folded)
    signals, types, domains = _match(folded, rulebook, clauses, sentences)
    kept = _unmasked(signals)
    longest: dict[str, Hit] = {}  # what lies inside a longer phrase of its kind says no more
    happenings, signs, frames = [], [], []
    rearms, fresh = [], []
    for hit in kept:
        role = hit[2].role
        if role is Role.HAPPENING:
            inner = longest.get(hit[2].name)
            if inner is None or inner[1] < hit[1] or inner[2].weight < hit[2].weight:
                longest[hit[2].name] = hit
                happenings.append(hit)
        elif role is Role.FRAME:
            frames.append(hit)
        elif role is Role.SIGN:
            signs.append(hit)
            if hit[2].opens:
                clauses.append(hit[0])
            if hit[2].rearms:
                rearms.append(hit[0])
                if hit[2].rearms == "text":
                    fresh.append(hit[0])
    clauses.sort()
    if len(happenings) > _MOST:
        strongest = sorted(happenings, key=lambda hit: (-hit[2].weight, hit[0]))[:_MOST]
        happenings = sorted(strongest, key=_order)
    return Reading(
        happenings=tuple(happenings),
        signs=tuple(signs),
        frames=tuple(frames),
        types=tuple(types),
        domains=tuple(domains),
        clauses=tuple(clauses),
        sentences=tuple(sentences),
        rearms=tuple(rearms),
        fresh=tuple(fresh),
    )


def standing(reading: Reading, rulebook: Rulebook) -> list[Standing]:
    """Return the happenings that the frames around them leave some weight.

    Cancelled ones stay with weight 0, so that the evidence can tell what cancelled them. Frames
    that reach the whole text are left to `gateway.assess`.
    """
    starts = [frame[0] for frame in reading.frames]
    reach = rulebook.settings.reach
    result: list[Standing] = []
    for hit in reading.happenings:
        low = bisect_left(starts, hit[0] - reach)
        high = bisect_right(starts, hit[1] + reach)
        strongest: dict[str, Hit] = {}
        if hit[2].tier != "always":
            for frame in reading.frames[low:high]:
                known = strongest.get(frame[2].name)
                if (known is None or known[2].weight < frame[2].weight) and _governs(
                    frame, hit, reading
                ):
                    strongest[frame[2].name] = frame
        result.append((hit, _left(hit, strongest, rulebook), tuple(strongest.values())))
    return result


def _left(hit: Hit, frames: dict[str, Hit], rulebook: Rulebook) -> float:
    """Return what the frames leave of a weight; only `Settings.all` cancels what is certain."""
    against = [frame[2].weight for frame in frames.values()]
    settings = rulebook.settings
    left = hit[2].weight - sum(against)
    if hit[2].weight >= settings.certain and max(against, default=0.0) < settings.all:
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


def _order(hit: Hit) -> tuple[int, int]:
    return hit[0], -hit[1]


def _by_start(match: tuple[int, int, int]) -> tuple[int, int]:
    return match[1], -match[2]


def _cut(folded: str) -> tuple[list[int], list[int]]:
    clauses, sentences = [0], [0]
    for match in _BREAK.finditer(folded):
        clauses.append(match.end())
        if not _ENDS.isdisjoint(match.group()):
            sentences.append(match.end())
    return clauses, sentences


def _match(
    folded: str, rulebook: Rulebook, clauses: Sequence[int], sentences: Sequence[int]
) -> tuple[list[Hit], list[Hit], list[Hit]]:
    """Return signals, types and domains by start, of equal starts the longest first."""
    found = rulebook.automaton.find_matches_as_indexes(folded, overlapping=True)
    if len(found) > _MANY:
        found = _thinned(found)
    found.sort(key=_by_start)
    patterns = rulebook.patterns
    signals: list[Hit] = []
    types: list[Hit] = []
    domains: list[Hit] = []
    chains: _Chains = {}
    joined: list[Hit] = []
    for index, start, end in found:
        pattern = patterns[index]
        if pattern.word and not _whole(folded, start, end, pattern):
            continue
        for sense in pattern.signals:
            signals.append((start, end, sense, start))
        for sense in pattern.types:
            types.append((start, end, sense, start))
        for sense in pattern.domains:
            domains.append((start, end, sense, start))
        for chain, place in pattern.nexts:
            known = chains.get(chain)
            if known is not None and known[0] == place:
                _follow(chain, known, start, end, chains, joined, rulebook, clauses, sentences)
        if pattern.firsts:
            chains.update(dict.fromkeys(pattern.firsts, (1, start, end)))
    if joined:
        tables = {Role.TYPE: types, Role.DOMAIN: domains}
        for hit in joined:
            tables.get(hit[2].role, signals).append(hit)
        for table in (signals, types, domains):
            table.sort(key=_order)
    return signals, types, domains


def _thinned(found: list[_Match]) -> list[_Match]:
    """Return the matches, of each phrase only its first and last hundred."""
    times: dict[int, int] = {}
    kept = [match for match in found if _count(match[0], times) <= _OFTEN]
    if len(kept) < len(found):
        times.clear()
        kept.extend(match for match in reversed(found) if _count(match[0], times) <= _OFTEN)
        kept = list(dict.fromkeys(kept))
    return kept


def _count(index: int, times: dict[int, int]) -> int:
    times[index] = times.get(index, 0) + 1
    return times[index]


def _whole(folded: str, start: int, end: int, pattern: Pattern) -> bool:
    if pattern.starts_word and start and _latin(folded[start - 1]):
        return False
    return not (pattern.ends_word and end < len(folded) and _latin(folded[end]))


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _follow(  # noqa: PLR0913 - the state of one loop, spelled out
    index: int,
    known: tuple[int, int, int],
    start: int,
    end: int,
    chains: _Chains,
    joined: list[Hit],
    rulebook: Rulebook,
    clauses: Sequence[int],
    sentences: Sequence[int],
) -> None:
    """Advance a phrase with ``…`` by one part if it stands near enough in the same sentence."""
    place, first, last = known
    if not 0 <= start - last <= rulebook.settings.gap:
        return
    if bisect_right(sentences, last) != bisect_right(sentences, start):
        return
    chain = rulebook.chains[index]
    if place + 1 == chain.parts:
        del chains[index]
        same = bisect_right(clauses, first) == bisect_right(clauses, start)
        joined.append((first, end, chain.sense if same else chain.across, start))
    else:
        chains[index] = (place + 1, first, end)


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


def _governs(frame: Hit, hit: Hit, reading: Reading) -> bool:
    reach, only = frame[2].reach, frame[2].only
    if reach is Reach.TEXT or (only and hit[2].name not in only):
        return False
    if reach is Reach.NEXT:
        return 0 <= hit[3] - frame[1] <= 1 or 0 <= hit[0] - frame[1] <= 1
    if bisect_right(reading.clauses, frame[0]) == bisect_right(reading.clauses, hit[0]):
        return True
    if reach is Reach.CLAUSE or (reach is Reach.ONWARD and frame[0] > hit[0]):
        return False
    if bisect_right(reading.sentences, frame[0]) != bisect_right(reading.sentences, hit[0]):
        return False
    first, last = sorted((frame[0], hit[0]))
    between = bisect_right(reading.rearms, first)
    return not (between < len(reading.rearms) and reading.rearms[between] <= last)
