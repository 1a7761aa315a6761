"""What a text is about and what its writer wants: domain and request type, by weighted words."""

from gateway.clauses import Hit, Reading
from gateway.rulebook import Role, Rulebook
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


def best(body: str, reading: Reading, role: Role, rulebook: Rulebook, head: int) -> Label | None:
    """Return the weightiest label of a role, None where no phrase speaks for any.

    Phrases within the first ``head`` characters, the title, weigh `Settings.title` times as much.
    Of equals the one with the earlier place in the contract's list wins.
    """
    limit = head or _HEAD
    weights: dict[str, float] = {}
    hits: dict[str, list[tuple[float, Hit]]] = {}
    times: dict[tuple[str, str], int] = {}
    ends: dict[str, int] = {}
    for hit in reading.labels:
        start, end, sense = hit
        name = sense.name
        if sense.role is not role or end <= ends.get(name, 0):
            continue  # or inside a longer phrase for the same label
        ends[name] = end
        key = name, body[start:end]
        times[key] = times.get(key, 0) + 1
        if times[key] > _REPEATS:
            continue
        weight = sense.weight * rulebook.settings.title if start < limit else sense.weight
        weights[name] = weights.get(name, 0.0) + weight
        hits.setdefault(name, []).append((weight, hit))
    if not weights:
        return None
    name = min(weights, key=lambda one: (-round(weights[one], 6), _ORDER[one]))
    strongest = sorted(hits[name], key=lambda item: (-item[0], item[1][0]))[:2]
    return Label(name=name, weight=weights[name], hits=tuple(strongest))
