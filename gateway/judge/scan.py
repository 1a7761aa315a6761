"""One pass over a text: which phrases of the rulebook stand where.

Most phrases found in an ordinary letter only name what it is about, so they cost one branch each,
and what matters beside a happening alone waits until there is one.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence

from gateway.judge.chains import ENDS, follow
from gateway.judge.rulebook import Rulebook
from gateway.judge.terms import ANCHOR, DOMAIN, SIGNAL, TYPE, Role, Sense

#: Start, end and sense of a phrase, and where its last part starts: at its start unless it has a ``…``.
Hit = tuple[int, int, Sense, int]
#: A phrase's place in the rulebook, its start and its end.
Found = tuple[int, int, int]
_Anchors = list[tuple[tuple[int, ...], int, int]]

_BREAK = re.compile(r"[，,。！？；;!?\n…~]+|\.(?=\s|$|\.)|(?<=[一-鿿])[ \t\u3000]+(?=[一-鿿])")
#: From so many matches on, only the first and last `_OFTEN` of each phrase are kept.
_MANY, _OFTEN = 3000, 100


class Scan:
    """What stands in a text; `rest` adds what matters only beside a happening."""

    def __init__(self, folded: str, rulebook: Rulebook) -> None:
        self._folded = folded
        self._rulebook = rulebook
        self._cuts: tuple[list[int], list[int]] | None = None
        self._met: set[Found] = set()
        #: Happenings, signs, frames and masks, in no order.
        self.signals: list[Hit] = []
        eager: _Anchors = []
        self._late: _Anchors = []
        types, domains = self._sort(eager)
        #: In the order of their ends; none inside a longer one.
        self.types = outermost(types)
        self.domains = outermost(domains)
        if eager:
            self._join(eager)

    def rest(self) -> None:
        """Add the signs, frames and masks that have parts."""
        self._join(self._late)

    def cuts(self) -> tuple[list[int], list[int]]:
        """Return where clauses and sentences start, each ascending from 0."""
        if self._cuts is None:
            self._cuts = _cut(self._folded)
        return self._cuts

    def _sort(self, eager: _Anchors) -> tuple[list[Found], list[Found]]:
        """Sort what the automaton finds into signals, anchors, types and domains."""
        rulebook, folded = self._rulebook, self._folded
        types: list[Found] = []
        domains: list[Found] = []
        codes, acts = rulebook.codes, rulebook.acts
        for match in _matches(folded, rulebook):
            index = match[0]
            code = codes[index]
            if code & DOMAIN:
                domains.append(match)
            if code & TYPE:
                types.append(match)
            if code & SIGNAL:
                _, start, end = match
                for sense in acts[index][0]:
                    self.signals.append((start, end, sense, start))
            if code & ANCHOR:
                _, start, end = match
                eager.append((acts[index][1], start, end))
                self._late.append((acts[index][2], start, end))
        return types, domains

    def _join(self, anchors: _Anchors) -> None:
        """Look for the phrases whose anchors were found."""
        rulebook, folded = self._rulebook, self._folded
        chains, gap = rulebook.chains, rulebook.settings.gap
        for places, start, end in anchors:
            for place in places:
                before, after = chains[place].around
                if before and before.isdisjoint(folded[max(start - gap - 1, 0) : start]):
                    continue
                if after and after.isdisjoint(folded[end : end + gap + 1]):
                    continue
                met = follow(chains[place], folded, start, end, gap)
                if met:
                    self._meet(place, *met)

    def _meet(self, place: int, first: int, last: int, end: int) -> None:
        """Add a phrase with parts, once however many of its anchors it holds."""
        if (place, first, end) in self._met:
            return
        self._met.add((place, first, end))
        chain = self._rulebook.chains[place]
        tables = {Role.TYPE: self.types, Role.DOMAIN: self.domains}
        table = tables.get(chain.sense.role)
        if table is not None:
            table.append((len(self._rulebook.acts) + place, first, end))
            return
        clauses = self.cuts()[0]
        same = bisect_right(clauses, first) == bisect_right(clauses, last)
        self.signals.append((first, end, chain.sense if same else chain.across, last))


def _matches(folded: str, rulebook: Rulebook) -> list[Found]:
    """Return what the automaton finds, by end, of equal ends the longest first."""
    found: list[Found] = rulebook.automaton.find_matches_as_indexes(folded, overlapping=True)
    if len(found) > _MANY:
        found = _thinned(found)
    words = rulebook.words
    return [one for one in found if one[0] < words or _whole(folded, one[1], one[2])]


def outermost(found: Sequence[Found]) -> list[Found]:
    """Return the phrases that lie in no longer one: 农民工资 hides 农民 and 民工."""
    if len(found) < 2:
        return list(found)
    kept: list[Found] = []
    top = last = -1
    for match in found:
        _, start, end = match
        if end == last and start > top:
            continue
        while kept and kept[-1][1] >= start:
            kept.pop()
        kept.append(match)
        top, last = start, end
    return kept


def _cut(folded: str) -> tuple[list[int], list[int]]:
    clauses, sentences = [0], [0]
    for match in _BREAK.finditer(folded):
        clauses.append(match.end())
        if not ENDS.isdisjoint(match.group()):
            sentences.append(match.end())
    return clauses, sentences


def _thinned(found: Sequence[Found]) -> list[Found]:
    """Return the matches in their order, of each phrase only its first and last hundred."""
    by_phrase: dict[int, list[Found]] = {}
    for match in found:
        by_phrase.setdefault(match[0], []).append(match)
    kept: list[Found] = []
    for same in by_phrase.values():
        kept.extend(same if len(same) <= 2 * _OFTEN else (*same[:_OFTEN], *same[-_OFTEN:]))
    kept.sort(key=_by_end)
    return kept


def _by_end(match: Found) -> tuple[int, int]:
    return match[2], match[1]


def _whole(folded: str, start: int, end: int) -> bool:
    """Tell whether no ASCII letter or digit goes on with one at the phrase's edge."""
    if start and _latin(folded[start]) and _latin(folded[start - 1]):
        return False
    return not (end < len(folded) and _latin(folded[end - 1]) and _latin(folded[end]))


def _latin(character: str) -> bool:
    return character.isascii() and character.isalnum()
