"""Evidence as spans of the ticket's text, from offsets into what the judge reads."""

from collections.abc import Sequence

from gateway.judge.scan import Hit
from normalizer.schema import Evidence, Value


class Spans(Value, frozen=True, kw_only=True):
    """Turns offsets of the read text, title first, into offsets of the ticket's text."""

    text: str
    shift: int
    places: Sequence[int] | None = None  #: by character read, its offset in the text

    def evidence(self, claim: str, hit: Hit, weight: float) -> Evidence:
        """Return the evidence that a phrase of the lexicon is."""
        return self.quote(claim, hit[2].rule, hit[0], hit[1], weight)

    def quote(self, claim: str, rule: str, first: int, last: int, weight: float) -> Evidence:
        """Return the evidence that stands from ``first`` to ``last`` of what the judge read."""
        start, end = first - self.shift, last - self.shift
        if self.places and start >= 0:
            start, end = self.places[start], self.places[end]
        if start < 0:  # found in a title that is no part of the text
            start = end = 0
        return Evidence(
            claim=claim,
            rule=rule,
            text=self.text[start:end],
            start=start,
            end=end,
            weight=round(weight, 2),
        )

    def rule(self, claim: str, rule: str, weight: float = 0.0) -> Evidence:
        """Return evidence that stands nowhere in the text."""
        return Evidence(claim=claim, rule=rule, text="", start=0, end=0, weight=weight)
