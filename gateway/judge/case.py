"""What is known of a text when its urgency and its services are decided."""

from collections.abc import Sequence

from gateway.judge.model import Scores
from gateway.judge.passages import Passage
from gateway.judge.rulebook import Rulebook
from gateway.judge.spans import Spans
from gateway.judge.weighing import Weighed
from normalizer.schema import Value


class Case(Value, frozen=True, kw_only=True):
    """What is known of a text when its urgency is decided."""

    body: str
    weighed: Sequence[Weighed]  #: weightiest first
    scores: Scores | None  #: None without a model
    passage: Passage | None = None  #: the gravest of a long text
    spans: Spans
    rulebook: Rulebook
