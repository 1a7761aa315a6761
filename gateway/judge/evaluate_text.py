"""The figures and the misses as Markdown, to be read by people."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from gateway.judge.evaluate import Verdict
from gateway.judge.evaluate_report import Calls, Emergencies, Group, Labelled, Report

#: A text is quoted up to so many characters.
_QUOTED = 120


def markdown(report: Report) -> str:
    """Return the figures as Markdown tables."""
    return "\n".join(_sections(report))


def _sections(report: Report) -> Iterator[str]:
    yield f"{report.texts} texts, judged by {report.rulebook}"
    if report.emergency.true.texts + report.emergency.false[0].texts:
        yield from _emergency(report.emergency)
    if report.services.texts:
        yield from _table(
            "Services of the emergencies called or shown",
            ("texts", "first right", "one right", "none wrong", "all named"),
            [
                (
                    report.services.texts,
                    _percent(report.services.first),
                    _percent(report.services.one_right),
                    _percent(report.services.none_wrong),
                    _percent(report.services.all_named),
                )
            ],
        )
    for name, part in (("Domain", report.domain), ("Type", report.type)):
        if part.texts:
            yield from _labelled(name, part)


def _emergency(part: Emergencies) -> Iterator[str]:
    yield from _table(
        "Emergencies",
        ("", "texts", "called", "called or shown"),
        [_calls(one) for one in (part.true, *part.false, part.unclear) if one.texts]
        + [("precision", "", _percent(part.precision_called), _percent(part.precision_shown))],
    )
    for title, groups in (("By style", part.by_style), ("By category", part.by_category)):
        if groups:
            yield from _table(
                title,
                ("", "emergencies", "called", "or shown", "others", "called", "or shown"),
                [_group(one) for one in groups],
            )
    kinds = sorted({name for found in part.outcomes.values() for name in found})
    yield from _table(
        "What became of them",
        ("", *kinds),
        [(true, *(found.get(name, 0) for name in kinds)) for true, found in part.outcomes.items()],
    )
    if part.brier is not None:
        yield from _table(
            f"Calibration of the model (Brier score {part.brier:.4f})",
            ("probability", "texts", "mean said", "emergencies"),
            [
                (f"{one.low:.1f} to {one.high:.1f}", one.texts, _share(one.said), _share(one.true))
                for one in part.calibration
            ],
        )


def _labelled(name: str, part: Labelled) -> Iterator[str]:
    yield from _table(
        f"{name}: macro-F1 {_share(part.macro_f1)}, accuracy {_percent(part.accuracy)}",
        ("", "texts", "precision", "recall", "F1"),
        [
            (one.label, one.texts, _share(one.precision), _share(one.recall), _share(one.f1))
            for one in part.classes
        ],
    )
    if part.confused:
        yield from _table("Confused", ("true", "found", "texts"), part.confused)


def _calls(one: Calls) -> tuple[Any, ...]:
    return one.name, one.texts, _of(one.called, one.texts), _of(one.shown, one.texts)


def _group(one: Group) -> tuple[Any, ...]:
    return (*_calls(one.emergencies), *_calls(one.others)[1:])


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    yield f"\n### {title}\n"
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _of(part: int, whole: int) -> str:
    return f"{part} ({part / whole:.1%})" if whole else ""


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


# misses


def miss(name: str, verdict: Verdict) -> str:
    """Return one miss: where, what was expected and found, the words and the evidence."""
    example, found = verdict.example, verdict.found
    lines = [f"{example.where}: {name}: {_quoted(example.text)}"]
    lines.append(f"    expected {_expected(verdict)}; found {_found(verdict)}")
    for one in found.evidence:
        words = f" {one.text!r}" if one.text else ""
        lines.append(f"    {one.claim} {one.weight:+.2f} {one.rule}{words}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _QUOTED else line[:_QUOTED] + "…"


def _expected(verdict: Verdict) -> str:
    example = verdict.example
    parts: list[str] = []
    if example.unclear:
        parts.append("shown")
    elif example.emergency is not None:
        parts.append("emergency" if example.emergency else "no emergency")
    parts.extend(map(str, example.services or ()))
    parts.extend(str(one) for one in (example.domain, example.type, *example.also) if one)
    return " ".join(parts)


def _found(verdict: Verdict) -> str:
    found = verdict.found
    parts = [str(found.urgency), *(["verify"] if found.verify else []), *found.services]
    if found.chance is not None:
        parts.append(f"p={found.chance:.3f}")
    return " ".join([*parts, str(found.domain), str(found.type)])


def change(
    aspect: str,
    gained: Sequence[tuple[Verdict, Verdict]],
    lost: Sequence[tuple[Verdict, Verdict]],
) -> str:
    """Return what became right and wrong in one aspect, each with what judged it before and after."""
    lines = [f"\n### {aspect}: {len(gained)} became right, {len(lost)} became wrong\n"]
    for word, pairs in (("wrong", lost), ("right", gained)):
        for old, new in pairs:
            lines.append(f"{old.example.where}: became {word}: {_quoted(old.example.text)}")
            lines.append(
                f"    expected {_expected(old)}; before {_found(old)}; after {_found(new)}"
            )
    return "\n".join(lines)
