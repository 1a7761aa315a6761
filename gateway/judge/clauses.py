"""Reading a text with a rulebook: which phrases it holds, in which clause, under which frames.

A clause ends at punctuation, at a space between Chinese characters and before words that open a
new one (现在, 但是); a sentence ends at 。！？； and at a new line. Speech recognition leaves no
punctuation, so frames and signs also reach no further than `Settings.reach` characters.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from gateway.judge.rulebook import Pattern, Reach, Role, Rulebook, Sense
from normalizer.schema import Value

#: Start, end and sense of a phrase, and where its last part starts: at its start unless it has a ``…``.
Hit = tuple[int, int, Sense, int]
#: A happening, what is left of its weight under the frames that govern it, and those frames.
Standing = tuple[Hit, float, tuple[Hit, ...]]

_BREAK = re.compile(r"[，,。！？；;!?\n…~]+|\.(?=\s|$|\.)|(?<=[一-鿿])[ \t\u3000]+(?=[一-鿿])")
_ENDS = frozenset("。！？；;!?\n")
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
    scan = _Scan(rulebook, clauses, sentences)
    scan.run(folded)
    kept = _unmasked(scan.signals)
    signs = [hit for hit in kept if hit[2].role is Role.SIGN]
    clauses.extend(hit[0] for hit in signs if hit[2].opens)
    clauses.sort()
    return Reading(
        happenings=_happenings(kept),
        signs=tuple(signs),
        frames=tuple(hit for hit in kept if hit[2].role is Role.FRAME),
        types=tuple(scan.types),
        domains=tuple(scan.domains),
        clauses=tuple(clauses),
        sentences=tuple(sentences),
        rearms=tuple(hit[0] for hit in signs if hit[2].rearms),
        fresh=tuple(hit[0] for hit in signs if hit[2].rearms == "text"),
    )


def standing(reading: Reading, rulebook: Rulebook) -> list[Standing]:
    """Return the happenings that the frames around them leave some weight.

    Cancelled ones stay with weight 0, so that the evidence can tell what cancelled them. Frames
    that reach the whole text are left to `gateway.judge.assess`.
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


class _Scan:
    """One pass over a text; afterwards the hits stand by start, of equal starts the longest first."""

    def __init__(
        self, rulebook: Rulebook, clauses: Sequence[int], sentences: Sequence[int]
    ) -> None:
        self.signals: list[Hit] = []
        self.types: list[Hit] = []
        self.domains: list[Hit] = []
        self._rulebook = rulebook
        self._clauses = clauses
        self._sentences = sentences
        #: By phrase with ``…``: the part it waits for, its start, and the end of the last part.
        self._chains: dict[int, tuple[int, int, int]] = {}
        self._joined: list[Hit] = []

    def run(self, folded: str) -> None:
        found = self._rulebook.automaton.find_matches_as_indexes(folded, overlapping=True)
        if len(found) > _MANY:
            found = _thinned(found)
        found.sort(key=_by_start)
        patterns = self._rulebook.patterns
        for index, start, end in found:
            pattern = patterns[index]
            if not pattern.word or _whole(folded, start, end, pattern):
                self._meet(pattern, start, end)
        if self._joined:
            tables = {Role.TYPE: self.types, Role.DOMAIN: self.domains}
            for hit in self._joined:
                tables.get(hit[2].role, self.signals).append(hit)
            for table in (self.signals, self.types, self.domains):
                table.sort(key=_order)

    def _meet(self, pattern: Pattern, start: int, end: int) -> None:
        for sense in pattern.signals:
            self.signals.append((start, end, sense, start))
        for sense in pattern.types:
            self.types.append((start, end, sense, start))
        for sense in pattern.domains:
            self.domains.append((start, end, sense, start))
        chains = self._chains
        if pattern.nexts and chains:
            for chain in chains.keys() & pattern.nexts.keys():
                known = chains[chain]
                if known[0] in pattern.nexts[chain]:
                    self._follow(chain, known, start, end)
        if pattern.firsts:
            chains.update(dict.fromkeys(pattern.firsts, (1, start, end)))

    def _follow(self, index: int, known: tuple[int, int, int], start: int, end: int) -> None:
        """Advance a phrase with ``…`` by one part if it stands near enough in the same sentence."""
        place, first, last = known
        if not 0 <= start - last <= self._rulebook.settings.gap:
            return
        if bisect_right(self._sentences, last) != bisect_right(self._sentences, start):
            return
        chain = self._rulebook.chains[index]
        if place + 1 < chain.parts:
            self._chains[index] = (place + 1, first, end)
            return
        del self._chains[index]
        same = bisect_right(self._clauses, first) == bisect_right(self._clauses, start)
        self._joined.append((first, end, chain.sense if same else chain.across, start))


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
