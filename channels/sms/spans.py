"""Spans of time in which a crash may have lost what the journal should know. Pure.

What the store holds is not forced into the journal as well: after a crash the acts of the last
moment may be missing there. The journal tells from when on; the store is asked about that span.
"""

from collections.abc import Iterable, Iterator

from channels.sms.acts import LIFE_S
from channels.sms.journal import Line

#: What rounding may make a moment earlier.
_ROUNDED_S = 0.01


class Spans:
    """The spans of one account, in seconds since 1970."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []

    def load(self, lines: Iterable[Line], now_s: float) -> None:
        """Take in what the journal holds; without a clean end, all since its newest line is a span."""
        newest, ended = None, False
        for line in lines:
            if line.op == "span":
                self._spans.append((line.at, line.until))
            ended = line.op == "end"
            newest = max(newest or 0.0, line.at)
        if newest is not None and not ended:
            self._spans.append((min(newest, now_s), now_s))

    def lines(self, now_s: float) -> Iterator[Line]:
        """Yield the spans that still count, and that all acts before now are in the journal."""
        self._spans = [span for span in self._spans if now_s - span[1] < LIFE_S]
        for at, until in self._spans:
            yield Line(op="span", at=at, until=until)
        yield Line(op="mark", at=now_s)

    def any(self, now_s: float) -> bool:
        """Return whether repeats of messages of a span may still come."""
        return any(now_s - until < LIFE_S for _, until in self._spans)

    def hold(self, at_s: float, now_s: float) -> bool:
        """Return whether a message of this moment is in a span, and its repeat may come now."""
        spans = ((at - _ROUNDED_S, until) for at, until in self._spans)
        return now_s - at_s < LIFE_S and any(at <= at_s <= until for at, until in spans)
