"""Reading a text with a rulebook: which phrases it holds, in which clause, under which frames.

A clause ends at punctuation, at a space between Chinese characters and before words that open a
new one (现在, 但是); a sentence ends at 。！？； and at a new line. Speech recognition leaves no
punctuation, so frames and signs also reach no further than `Settings.reach` characters.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from gateway.rulebook import Pattern, Reach, Role, Rulebook, Sense
from normalizer.schema import Value

#: A sense and the span it was met in.
Hit = tuple[int, int, Sense]
#: A happening, what is left of its weight under the frames that govern it, and those frames.
Standing = tuple[Hit, float, tuple[Hit, ...]]

_BREAK = re.compile(r"[，,。！？；;!?\n…~]+|\.(?=\s|$|\.)|(?<=[一-鿿])[ \t\u3000]+(?=[一-鿿])")
_ENDS = frozenset("。！？；;!?\n")
#: So many happenings are weighed; the rest, weaker or later, are found but not looked into.
#: Bounds the work on a hostile text of 20,000 characters.
_MOST = 48


class Reading(Value, frozen=True, kw_only=True):
    """What a text holds, each tuple in the order of the text."""

    happenings: tuple[Hit, ...]
    signs: tuple[Hit, ...]
    frames: tuple[Hit, ...]
    labels: tuple[Hit, ...]
    clauses: tuple[int, ...]  #: where each starts, ascending, the first at 0
    sentences: tuple[int, ...]  #: likewise
    rearms: tuple[int, ...]  #: where a word stands that ends the reach of earlier frames


def read(folded: str, rulebook: Rulebook) -> Reading:
    """Return everything of the rulebook that the folded text holds."""
    clauses, sentences = _cut(folded)
    signals, labels = _match(folded, rulebook, sentences)
    kept = _unmasked(signals)
    happenings, signs, frames, rearms = [], [], [], []
    for hit in kept:
        role = hit[2].role
        if role is Role.HAPPENING:
            happenings.append(hit)
        elif role is Role.FRAME:
            frames.append(hit)
        elif role is Role.SIGN:
            signs.append(hit)
            if hit[2].opens:
                clauses.append(hit[0])
            if hit[2].rearms:
                rearms.append(hit[0])
    clauses.sort()
    if len(happenings) > _MOST:
        strongest = sorted(happenings, key=lambda hit: (-hit[2].weight, hit[0]))[:_MOST]
        happenings = sorted(strongest, key=_order)
    return Reading(
        happenings=tuple(happenings),
        signs=tuple(signs),
        frames=tuple(frames),
        labels=tuple(labels),
        clauses=tuple(clauses),
        sentences=tuple(sentences),
        rearms=tuple(rearms),
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
        against = sum(frame[2].weight for frame in strongest.values())
        result.append((hit, max(0.0, hit[2].weight - against), tuple(strongest.values())))
    return result


def rearmed(hit: Hit, reading: Reading) -> bool:
    """Tell whether a word such as 刚才 or 突然 opens the happening's clause or the one before."""
    if not reading.rearms:
        return False
    clause = bisect_right(reading.clauses, hit[0]) - 1
    low = reading.clauses[max(0, clause - 1)]
    index = bisect_left(reading.rearms, low)
    return index < len(reading.rearms) and reading.rearms[index] <= hit[1]


def _order(hit: Hit) -> tuple[int, int]:
    return hit[0], -hit[1]


def _cut(folded: str) -> tuple[list[int], list[int]]:
    clauses, sentences = [0], [0]
    for match in _BREAK.finditer(folded):
        clauses.append(match.end())
        if not _ENDS.isdisjoint(match.group()):
            sentences.append(match.end())
    return clauses, sentences


def _match(
    folded: str, rulebook: Rulebook, sentences: Sequence[int]
) -> tuple[list[Hit], list[Hit]]:
    found = rulebook.automaton.find_matches_as_indexes(folded, overlapping=True)
    found.sort(key=lambda match: (match[1], -match[2]))
    patterns = rulebook.patterns
    signals: list[Hit] = []
    labels: list[Hit] = []
    chains: dict[int, tuple[int, int, int]] = {}
    joined = False
    for index, start, end in found:
        pattern = patterns[index]
        if (pattern.starts_word or pattern.ends_word) and not _whole(folded, start, end, pattern):
            continue
        for sense in pattern.signals:
            signals.append((start, end, sense))
        for sense in pattern.labels:
            labels.append((start, end, sense))
        for part in pattern.parts:
            hit = _follow(part.phrase, part.place, start, end, chains, rulebook, sentences)
            if hit is not None:
                joined = True
                labelled = hit[2].role in (Role.TYPE, Role.DOMAIN)
                (labels if labelled else signals).append(hit)
    if joined:
        signals.sort(key=_order)
    return signals, labels


def _whole(folded: str, start: int, end: int, pattern: Pattern) -> bool:
    if pattern.starts_word and start and _latin(folded[start - 1]):
        return False
    return not (pattern.ends_word and end < len(folded) and _latin(folded[end]))


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _follow(  # noqa: PLR0913 - the state of one loop, spelled out
    phrase: int,
    place: int,
    start: int,
    end: int,
    chains: dict[int, tuple[int, int, int]],
    rulebook: Rulebook,
    sentences: Sequence[int],
) -> Hit | None:
    """Advance a phrase with ``…`` by one part; return its hit if that was the last."""
    if place == 0:
        chains[phrase] = (1, start, end)
        return None
    known = chains.get(phrase)
    if known is None or known[0] != place or not 0 <= start - known[2] <= rulebook.settings.gap:
        return None
    if bisect_right(sentences, known[2]) != bisect_right(sentences, start):
        return None
    chain = rulebook.chains[phrase]
    if place + 1 == chain.parts:
        del chains[phrase]
        return known[1], end, chain.sense
    chains[phrase] = (place + 1, known[1], end)
    return None


def _unmasked(signals: list[Hit]) -> list[Hit]:
    """Return the signals without masks and without what lies inside one."""
    masks = [hit for hit in signals if hit[2].role is Role.MASK]
    if not masks:
        return signals
    kept = []
    starts = [mask[0] for mask in masks]
    furthest, ends = 0, []
    for mask in masks:
        furthest = max(furthest, mask[1])
        ends.append(furthest)
    for hit in signals:
        if hit[2].role is Role.MASK:
            continue
        index = bisect_right(starts, hit[0]) - 1
        if hit[2].role is Role.FRAME or index < 0 or ends[index] < hit[1]:
            kept.append(hit)
    return kept


def _governs(frame: Hit, hit: Hit, reading: Reading) -> bool:
    reach = frame[2].reach
    if reach is Reach.TEXT:
        return False
    if reach is Reach.NEXT:
        return 0 <= hit[0] - frame[1] <= 1
    if bisect_right(reading.clauses, frame[0]) == bisect_right(reading.clauses, hit[0]):
        return True
    if reach is Reach.CLAUSE or (reach is Reach.ONWARD and frame[0] > hit[0]):
        return False
    if bisect_right(reading.sentences, frame[0]) != bisect_right(reading.sentences, hit[0]):
        return False
    first, last = sorted((frame[0], hit[0]))
    between = bisect_right(reading.rearms, first)
    return not (between < len(reading.rearms) and reading.rearms[between] <= last)
