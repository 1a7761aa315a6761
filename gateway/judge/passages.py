"""Passages: what stands in a long text and would be an emergency if it stood alone.

A letter about a road that ends in "my father has just collapsed" is a letter by its characters as a
whole: what is grave in it drowns. So each passage of a long text is read by itself, too.
"""

import re
from collections.abc import Iterator

from gateway.judge.cues import look
from gateway.judge.model import Model, Scores
from gateway.judge.rulebook import Rulebook
from normalizer.schema import Value

#: Characters of a passage; whole sentences, as many as fit.
_SIZE = 110
#: A sentence without an end is cut from so many characters on.
_LONGEST = 180
#: So many passages are read: the first of a text and the last. Bounds the work on a hostile one.
_FIRST, _LAST = 16, 8
_SENTENCE = re.compile(r"[^。！？!?；;\n]*[。！？!?；;\n]+|[^。！？!?；;\n]+")


class Passage(Value, frozen=True, kw_only=True):
    """The gravest passage of a text, by the model."""

    start: int
    end: int
    scores: Scores  #: what the model would make of it if it stood alone

    @property
    def chance(self) -> float:
        """That it would be an emergency."""
        return self.scores.emergency


def gravest(body: str, rulebook: Rulebook, model: Model) -> Passage | None:
    """Return the passage of a folded text that the model finds likeliest to be an emergency."""
    cuts = list(passages(body))
    if len(cuts) > _FIRST + _LAST:
        cuts = cuts[:_FIRST] + cuts[-_LAST:]
    found = [
        Passage(start=start, end=end, scores=_scores(body[start:end], rulebook, model))
        for start, end in cuts
    ]
    return max(found, key=lambda passage: passage.chance, default=None)


def passages(body: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of the passages that a text falls into."""
    start = at = 0
    for sentence in _SENTENCE.finditer(body):
        if at > start and sentence.end() - start > _SIZE:
            yield start, at
            start = at
        at = sentence.end()
        while at - start > _LONGEST:
            yield start, start + _SIZE
            start += _SIZE
    if at > start:
        yield start, at


def _scores(words: str, rulebook: Rulebook, model: Model) -> Scores:
    cues, centre = look(words, rulebook)
    return model.score(words, cues, centre)
