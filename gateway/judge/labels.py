"""What a text is about and what its writer wants: domain and request type, by weighted words."""

from collections.abc import Callable, Mapping, Sequence

from gateway.judge.scan import Found
from gateway.judge.terms import ONE, Labels, Sense
from normalizer.schema import Value

#: A phrase counts this often however often it is repeated: long letters name much in passing.
_REPEATS = 2
#: The logit of a label that the model was not taught.
_UNKNOWN = -4.0
#: Characters that count as the head of a text without a title.
_HEAD = 30
#: Gives the model's logits by label; costs time, so it is asked only when needed.
Model = Callable[[], Mapping[str, float]]


class Label(Value, frozen=True, kw_only=True):
    """A type or domain and the phrases that speak most for it."""

    name: str
    #: Start, end, sense and weight; strongest first, at most two; none where the model alone decided.
    hits: tuple[tuple[int, int, Sense, float], ...]


def best(
    found: Sequence[Found], labels: Labels, head: int, model: Model | None = None
) -> Label | None:
    """Return the label that phrases and model speak for most, None where nothing speaks for any.

    Phrases within the first ``head`` characters, the title, weigh `Labels.factor` times as much.
    Where they leave no doubt the model, which takes longer, is not asked. Of equals the one with
    the earlier place in the contract's list wins.

    Args:
        found: The phrases.
        labels: What each is worth.
        head: Length of the title, 0 without one.
        model: Gives the logit of each label; None where there is no model or it cannot read this.
    """
    limit = head or _HEAD
    weights = _weights(found, labels, limit)
    second, first = sorted(weights)[-2:]
    if model and (first - second) * labels.share < labels.lead:
        logits, share = model(), labels.share
        sums = [
            weight * share + logits.get(name, _UNKNOWN)
            for name, weight in zip(labels.names, weights, strict=True)
        ]
        slot = sums.index(max(sums))
    elif first:
        slot = weights.index(first)
    else:
        return None
    return Label(name=labels.names[slot], hits=_strongest(found, labels, slot, limit))


def _weights(found: Sequence[Found], labels: Labels, limit: int) -> tuple[int, ...]:
    """Return the weight of each label, by the phrases alone."""
    numbers = labels.numbers
    indexes = [one[0] for one in found]
    if len(set(indexes)) < len(indexes):
        found = _kept(found)
        indexes = [one[0] for one in found]
    total = sum([numbers[index] for index in indexes])
    first = sum([numbers[index] for index, start, _ in found if start < limit])
    return labels.unpack(total * ONE + first * labels.extra)


def _kept(found: Sequence[Found]) -> list[Found]:
    """Return of each phrase the first two."""
    times: dict[int, int] = {}
    kept = []
    for one in found:
        count = times.get(one[0], 0)
        if count < _REPEATS:
            times[one[0]] = count + 1
            kept.append(one)
    return kept


def _strongest(
    found: Sequence[Found], labels: Labels, slot: int, limit: int
) -> tuple[tuple[int, int, Sense, float], ...]:
    senses = labels.senses[slot]
    factor = 1 + labels.extra / ONE
    hits = [
        (start, end, sense, sense.weight * factor if start < limit else sense.weight)
        for index, start, end in found
        if (sense := senses.get(index))
    ]
    if len(hits) > 1:
        hits.sort(key=_strength)
    return tuple(hits[:2])


def _strength(hit: tuple[int, int, Sense, float]) -> tuple[float, int]:
    return -hit[3], hit[0]
