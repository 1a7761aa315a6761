"""What a text is about and what its writer wants: domain and request type, by weighted words."""

from collections.abc import Sequence

from gateway.judge.clauses import Hit
from normalizer.schema import Domain, RequestType, Value

#: A phrase counts this often however often it is repeated: long letters name much in passing.
_REPEATS = 2
#: Characters that count as the head of a text without a title.
_HEAD = 30
_ORDER = {str(name): place for place, name in enumerate((*RequestType, *Domain))}


class Label(Value, frozen=True, kw_only=True):
    """A type or domain with its weight and the phrases that speak most for it."""

    name: str
    weight: float
    hits: tuple[tuple[float, Hit], ...]  #: strongest first, at most two


def best(body: str, found: Sequence[Hit], factor: float, head: int) -> Label | None:
    """Return the weightiest of the labels found, None where no phrase speaks for any.

    Phrases within the first ``head`` characters, the title, weigh ``factor`` times as much.
    Of equals the one with the earlier place in the contract's list wins.
    """
    limit = head or _HEAD
    weights: dict[str, float] = {}
    hits: dict[str, list[tuple[float, Hit]]] = {}
    times: dict[tuple[str, str], int] = {}
    last_start = last_end = -1
    for hit in found:
        start, end, sense, _ = hit
        name = sense.name
        if end <= last_end and (start, end) != (last_start, last_end):
            continue  # inside a longer phrase: 农民工 is not about farming
        last_start, last_end = start, end
        key = name, body[start:end]
        times[key] = times.get(key, 0) + 1
        if times[key] > _REPEATS:
            continue
        weight = sense.weight * factor if start < limit else sense.weight
        weights[name] = weights.get(name, 0.0) + weight
        hits.setdefault(name, []).append((weight, hit))
    if not weights:
        return None
    name = min(weights, key=lambda one: (-round(weights[one], 6), _ORDER[one]))
    strongest = sorted(hits[name], key=lambda item: (-item[0], item[1][0]))[:2]
    return Label(name=name, weight=weights[name], hits=tuple(strongest))
