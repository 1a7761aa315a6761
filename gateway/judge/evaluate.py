"""Judging labelled texts as the gateway would, and telling what was right.

`gateway.judge.evaluate_report` adds up the verdicts. Nothing here logs or keeps a text.
"""

from collections.abc import Callable, Iterable, Sequence

from gateway.judge.corpus import Example
from normalizer.schema import (
    EMERGENCY_SERVICES,
    Domain,
    Evidence,
    RequestType,
    Service,
    Urgency,
    Value,
)

#: What can be right or wrong about one text.
ASPECTS = ("emergency", "services", "domain", "type")


class Found(Value, frozen=True, kw_only=True):
    """What the judge made of a text."""

    urgency: Urgency
    verify: bool
    services: tuple[Service, ...]
    type: RequestType
    domain: Domain
    evidence: tuple[Evidence, ...]
    chance: float | None = None  #: the model's probability of an emergency; None without a model

    @property
    def called(self) -> bool:
        """Whether an emergency was raised."""
        return self.urgency is Urgency.EMERGENCY

    @property
    def shown(self) -> bool:
        """Whether a human sees the text at once: called, or to be verified."""
        return self.called or self.verify


class Verdict(Value, frozen=True, kw_only=True):
    """A labelled text beside what was found."""

    example: Example
    found: Found

    @property
    def named(self) -> tuple[Service, ...]:
        """The services named that raise an incident; utilities are not scored."""
        return tuple(one for one in self.found.services if one in EMERGENCY_SERVICES)

    def right(self, aspect: str) -> bool | None:
        """Return whether an aspect is right, None where nobody labelled it."""
        return _RIGHT[aspect](self)


def verdicts(examples: Iterable[Example], judge: Callable[[Example], Found]) -> list[Verdict]:
    """Return every example beside what the judge makes of it."""
    return [Verdict(example=example, found=judge(example)) for example in examples]


def changed(
    before: Sequence[Verdict], after: Sequence[Verdict], aspect: str
) -> tuple[list[tuple[Verdict, Verdict]], list[tuple[Verdict, Verdict]]]:
    """Return what became right and what became wrong between two runs over the same texts."""
    gained: list[tuple[Verdict, Verdict]] = []
    lost: list[tuple[Verdict, Verdict]] = []
    for old, new in zip(before, after, strict=True):
        was, now = old.right(aspect), new.right(aspect)
        if was is not None and was != now:
            (gained if now else lost).append((old, new))
    return gained, lost


def _emergency(verdict: Verdict) -> bool | None:
    if verdict.example.unclear:
        return verdict.found.shown
    if verdict.example.emergency is None:
        return None
    return verdict.found.called == verdict.example.emergency


def _services(verdict: Verdict) -> bool | None:
    """Return whether a right one is named and no wrong one; what was not shown has none."""
    expected = verdict.example.services
    if not verdict.example.emergency or not expected or not verdict.found.shown:
        return None
    return bool(verdict.named) and set(verdict.named) <= set(expected)


def _domain(verdict: Verdict) -> bool | None:
    example = verdict.example
    if example.domain is None:
        return None
    return verdict.found.domain == example.domain or verdict.found.domain in _domains(example)


def _domains(example: Example) -> list[Domain]:
    return [one for one in example.also if isinstance(one, Domain)]


def _type(verdict: Verdict) -> bool | None:
    example = verdict.example
    if example.type is None:
        return None
    found = verdict.found.type
    return found == example.type or found in [o for o in example.also if isinstance(o, RequestType)]


_RIGHT: dict[str, Callable[[Verdict], bool | None]] = {
    "emergency": _emergency,
    "services": _services,
    "domain": _domain,
    "type": _type,
}
