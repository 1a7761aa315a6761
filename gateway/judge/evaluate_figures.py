"""Figures of merit over labelled texts, in plain Python: recall, precision, F1, calibration.

A share without anything to divide by is None, never 0 or 1.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise

from normalizer.schema import Value

#: Bounds of the bins of a calibration table.
BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


class Class(Value, frozen=True, kw_only=True):
    """How well one label is told from the others."""

    label: str
    precision: float | None
    recall: float | None
    f1: float
    texts: int  #: that have the label


class Bin(Value, frozen=True, kw_only=True):
    """The texts whose probability lies from ``low`` to below ``high``."""

    low: float
    high: float
    texts: int
    said: float | None  #: mean probability
    true: float | None  #: share of emergencies


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole, None of nothing."""
    return part / whole if whole else None


def f1(precision: float | None, recall: float | None) -> float:
    """Return the harmonic mean of precision and recall, 0 where either is nothing."""
    if not precision or not recall:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def classes(pairs: Sequence[tuple[str, str]]) -> tuple[Class, ...]:
    """Return every true label's figures from pairs of the true and the found label."""
    true = Counter(pair[0] for pair in pairs)
    found = Counter(pair[1] for pair in pairs)
    right = Counter(pair[0] for pair in pairs if pair[0] == pair[1])
    table = []
    for label in sorted(true):
        precision = share(right[label], found[label])
        recall = share(right[label], true[label])
        table.append(
            Class(
                label=label,
                precision=precision,
                recall=recall,
                f1=f1(precision, recall),
                texts=true[label],
            )
        )
    return tuple(table)


def macro_f1(table: Sequence[Class]) -> float | None:
    """Return the mean F1 over the true labels, each counting alike."""
    return sum(one.f1 for one in table) / len(table) if table else None


def average_precision(scored: Iterable[tuple[float, bool]]) -> float | None:
    """Return the area under precision over recall, ties taken as one step."""
    ordered = sorted(scored, reverse=True)
    total = sum(true for _, true in ordered)
    if not total:
        return None
    area = hits = before = 0.0
    for at, (score, true) in enumerate(ordered, 1):
        hits += true
        if at == len(ordered) or ordered[at][0] != score:
            area += (hits - before) / total * (hits / at)
            before = hits
    return area


def brier(scored: Sequence[tuple[float, bool]]) -> float | None:
    """Return the mean squared distance of the probability from what was true."""
    if not scored:
        return None
    return sum((probability - true) ** 2 for probability, true in scored) / len(scored)


def calibration(scored: Sequence[tuple[float, bool]]) -> tuple[Bin, ...]:
    """Return, bin by bin, the probability that was said and the share that was true."""
    table = []
    for low, high in pairwise(BINS):
        inside = [pair for pair in scored if low <= pair[0] < high or pair[0] == high == 1.0]
        said = sum(probability for probability, _ in inside)
        table.append(
            Bin(
                low=low,
                high=high,
                texts=len(inside),
                said=said / len(inside) if inside else None,
                true=share(sum(true for _, true in inside), len(inside)),
            )
        )
    return tuple(table)


def passing(
    scored: Sequence[tuple[float, bool]], recall: float
) -> tuple[float, float, float] | None:
    """Return the threshold that reaches a recall, the precision there and the false alarms' share."""
    true = sorted((score for score, flag in scored if flag), reverse=True)
    false = [score for score, flag in scored if not flag]
    if not true or not false:
        return None
    needed = max(1, -int(-len(true) * recall // 1))
    bar = true[needed - 1]
    kept, alarms = sum(score >= bar for score in true), sum(score >= bar for score in false)
    return bar, kept / (kept + alarms), alarms / len(false)
