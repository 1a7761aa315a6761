"""Adding up verdicts: the figures of the judge on a set of labelled texts."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from gateway.judge.corpus import Example
from gateway.judge.evaluate import ASPECTS, Verdict
from gateway.judge.evaluate_figures import (
    Bin,
    Class,
    brier,
    calibration,
    classes,
    macro_f1,
    share,
)
from normalizer.schema import Value


class Calls(Value, frozen=True, kw_only=True):
    """Of some texts, how many were called an emergency, and how many called or shown to a human."""

    name: str
    texts: int
    called: int
    shown: int


class Group(Value, frozen=True, kw_only=True):
    """The calls among a group's emergencies and among its other texts."""

    name: str
    emergencies: Calls
    others: Calls


class Emergencies(Value, frozen=True, kw_only=True):
    """How well emergencies are told from everything else."""

    true: Calls
    false: tuple[Calls, ...]  #: all others, then those that only sound like one, then ordinary ones
    unclear: Calls  #: texts that people dispute; all should be shown
    precision_called: float | None
    precision_shown: float | None
    by_style: tuple[Group, ...]
    by_category: tuple[Group, ...]
    outcomes: dict[str, dict[str, int]]  #: by truth, then by what became of the text
    calibration: tuple[Bin, ...]
    brier: float | None


class Services(Value, frozen=True, kw_only=True):
    """Who was named for the emergencies that were called or shown."""

    texts: int
    first: float | None  #: the first named is the one most needed
    one_right: float | None  #: one of the right ones is named
    none_wrong: float | None  #: none is named that need not come
    all_named: float | None  #: every one that must come is named


class Labelled(Value, frozen=True, kw_only=True):
    """How well domain or type is told."""

    texts: int
    accuracy: float | None
    macro_f1: float | None
    classes: tuple[Class, ...]
    confused: tuple[tuple[str, str, int], ...]  #: true, found, how often; the most frequent first


class Report(Value, frozen=True, kw_only=True):
    """The figures of one run."""

    texts: int
    rulebook: str
    emergency: Emergencies
    services: Services
    domain: Labelled
    type: Labelled


def report(verdicts: Sequence[Verdict], rulebook: str) -> Report:
    """Return the figures of the verdicts; ``rulebook`` is the version that judged."""
    return Report(
        texts=len(verdicts),
        rulebook=rulebook,
        emergency=_emergencies(verdicts),
        services=_services(verdicts),
        domain=_labelled(verdicts, "domain"),
        type=_labelled(verdicts, "type"),
    )


def misses(verdicts: Iterable[Verdict]) -> list[tuple[str, Verdict]]:
    """Return every wrong aspect with its verdict, what endangers people first."""
    found = [
        (rank, name, verdict)
        for verdict in verdicts
        for rank, name in [_miss(verdict, aspect) for aspect in ASPECTS]
        if name
    ]
    found.sort(key=_gravity)
    return [(name, verdict) for _, name, verdict in found]


def _gravity(miss: tuple[int, str, Verdict]) -> int:
    return miss[0]


def _miss(verdict: Verdict, aspect: str) -> tuple[int, str]:
    if verdict.right(aspect) is not False:
        # Shown to a human without need is no wrong call, yet it costs somebody a minute.
        quiet = aspect != "emergency" or verdict.example.emergency is not False
        needless = not quiet and verdict.found.shown and not verdict.example.unclear
        return (3, "shown without need") if needless else (9, "")
    if aspect != "emergency":
        return 4 + ASPECTS.index(aspect), f"wrong {aspect}"
    if verdict.example.emergency or verdict.example.unclear:
        return (1, "shown, not called") if verdict.found.shown else (0, "missed")
    return 2, "called without need"


# emergencies


def _emergencies(verdicts: Sequence[Verdict]) -> Emergencies:
    known = [one for one in verdicts if one.example.emergency is not None]
    known = [one for one in known if not one.example.unclear]
    true = [one for one in known if one.example.emergency]
    false = [one for one in known if not one.example.emergency]
    scored = [
        (one.found.chance, bool(one.example.emergency))
        for one in known
        if one.found.chance is not None
    ]
    trues, falses = _calls("emergencies", true), _calls("others", false)
    return Emergencies(
        true=trues,
        false=(
            falses,
            _calls("hard", [one for one in false if _kind_of(one.example) == "hard"]),
            _calls("ordinary", [one for one in false if _kind_of(one.example) == "ordinary"]),
        ),
        unclear=_calls("unclear", [one for one in verdicts if one.example.unclear]),
        precision_called=share(trues.called, trues.called + falses.called),
        precision_shown=share(trues.shown, trues.shown + falses.shown),
        by_style=_groups(known, lambda example: example.style),
        by_category=_groups(known, lambda example: example.reason or example.kind),
        outcomes={"emergency": _outcomes(true), "other": _outcomes(false)},
        calibration=calibration(scored),
        brier=brier(scored),
    )


def _kind_of(example: Example) -> str:
    """Return whether a text that is no emergency is hard to tell from one, or an ordinary letter."""
    if example.reason or example.kind.startswith("hn_"):
        return "hard"
    return "ordinary" if example.domain or example.type or example.kind == "ordinary" else ""


def _calls(name: str, verdicts: Sequence[Verdict]) -> Calls:
    return Calls(
        name=name,
        texts=len(verdicts),
        called=sum(one.found.called for one in verdicts),
        shown=sum(one.found.shown for one in verdicts),
    )


def _groups(known: Sequence[Verdict], key: Callable[[Example], str]) -> tuple[Group, ...]:
    groups: dict[str, list[Verdict]] = {}
    for one in known:
        if name := key(one.example):
            groups.setdefault(name, []).append(one)
    return tuple(
        Group(
            name=name,
            emergencies=_calls(name, [one for one in found if one.example.emergency]),
            others=_calls(name, [one for one in found if not one.example.emergency]),
        )
        for name, found in sorted(groups.items())
    )


def _outcomes(verdicts: Sequence[Verdict]) -> dict[str, int]:
    count = Counter(
        f"{one.found.urgency}, verify" if one.found.verify else str(one.found.urgency)
        for one in verdicts
    )
    return dict(sorted(count.items()))


# services, domain, type


def _services(verdicts: Sequence[Verdict]) -> Services:
    asked = [one for one in verdicts if one.right("services") is not None]
    pairs = [(one.named, one.example.services or ()) for one in asked]
    return Services(
        texts=len(pairs),
        first=share(sum(named[:1] == true[:1] for named, true in pairs), len(pairs)),
        one_right=share(sum(bool({*named} & {*true}) for named, true in pairs), len(pairs)),
        none_wrong=share(sum({*named} <= {*true} for named, true in pairs), len(pairs)),
        all_named=share(sum({*named} >= {*true} for named, true in pairs), len(pairs)),
    )


def _labelled(verdicts: Sequence[Verdict], aspect: str) -> Labelled:
    pairs = []
    for one in verdicts:
        right = one.right(aspect)
        if right is not None:
            true = str(getattr(one.example, aspect))
            # Any of the right ones counts as the first: the site's own label stands for them all.
            pairs.append((true, true if right else str(getattr(one.found, aspect))))
    table = classes(pairs)
    wrong = Counter(pair for pair in pairs if pair[0] != pair[1])
    return Labelled(
        texts=len(pairs),
        accuracy=share(sum(true == found for true, found in pairs), len(pairs)),
        macro_f1=macro_f1(table),
        classes=table,
        confused=tuple((true, found, times) for (true, found), times in wrong.most_common(10)),
    )
