"""The judge: how urgent a text is, who must come, what it is about, and why.

One pure function, `assess`. It reads the text once with the rulebook (`gateway.judge.clauses`), weighs
every happening under the frames that govern it, and adds what stands nearby. From weight
`Settings.emergency` a happening is an emergency; from `Settings.doubt` a human must look
(``urgent`` with ``verify``); a happening that is certain in its own clause is never taken below
that by what the rest of the text says.
"""

import re
from collections.abc import Iterable

from gateway.judge.clauses import Hit, read
from gateway.judge.labels import Label, best
from gateway.judge.rulebook import Kind, Rulebook
from gateway.judge.weighing import Weighed, weigh
from normalizer.schema import (
    Domain,
    Evidence,
    Judged,
    RequestType,
    Service,
    Urgency,
    Value,
)
from normalizer.text import fold

#: Most items of evidence, so that a person can read them all.
MOST_EVIDENCE = 12
#: Least weight of a happening beside the main one for its own services to be called as well.
_COUNTS = 0.7
#: Letters of scripts that the lexicons hold no word of: a human reads those texts.
_FOREIGN = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\ua640-\ua69f\uac00-\ud7af\ufb50-\ufdff]")
_READABLE = re.compile(r"[a-z\u3400-\u9fff\U00020000-\U0003ffff]")
_NOT_WORD = re.compile(r"[\W_]+")


class _Span(Value, frozen=True, kw_only=True):
    """Turns offsets of the read text, title first, into offsets of the ticket's text."""

    text: str
    shift: int

    def evidence(self, claim: str, hit: Hit, weight: float) -> Evidence:
        start, end = hit[0] - self.shift, hit[1] - self.shift
        if start < 0:  # found in a title that is no part of the text
            start = end = 0
        return Evidence(
            claim=claim,
            rule=hit[2].rule,
            text=self.text[start:end],
            start=start,
            end=end,
            weight=round(weight, 2),
        )

    def rule(self, claim: str, rule: str, weight: float = 0.0) -> Evidence:
        return Evidence(claim=claim, rule=rule, text="", start=0, end=0, weight=weight)


def assess(text: str, folded: str, rulebook: Rulebook, title: str | None = None) -> Judged:
    """Return what the rulebook makes of a text.

    Args:
        text: The normalized text of the ticket; evidence spans are code points into it.
        folded: Its matching form (`normalizer.text.fold`), of the same length.
        rulebook: As loaded.
        title: The citizen's own title, if any; it is read before the text and weighs more for
            type and domain. Evidence from a title that is no part of the text has an empty span.
    """
    head = fold(title) if title else ""
    shift = 0 if not head or folded.startswith(head) else len(head) + 1
    body = f"{head}\n{folded}" if shift else folded
    span = _Span(text=text, shift=shift)
    reading = read(body, rulebook)
    weighed = weigh(body, reading, rulebook)
    urgency, verify, chosen, evidence = _urgency(body, weighed, span, rulebook)
    kind = chosen.kind if chosen else None
    services = _services(chosen, weighed) if chosen else ()
    if chosen and services:
        evidence.append(span.evidence("services", chosen.hit, 1.0))
    sure = kind if urgency is Urgency.EMERGENCY else None
    type_, why_type = _type(
        best(body, reading.types, rulebook.settings.title_type, len(head)), span, sure
    )
    about = best(body, reading.domains, rulebook.settings.title_domain, len(head))
    domain, why_domain = _domain(about, span, sure)
    return Judged(
        urgency=urgency,
        verify=verify,
        services=services,
        kind=kind.name if kind else None,
        type=type_,
        domain=domain,
        evidence=(*evidence, *why_type, *why_domain)[:MOST_EVIDENCE],
        version=rulebook.version,
    )


# urgency


def _urgency(
    body: str, weighed: list[Weighed], span: _Span, rulebook: Rulebook
) -> tuple[Urgency, bool, Weighed | None, list[Evidence]]:
    settings = rulebook.settings
    strong = [item for item in weighed if item.weight >= settings.doubt]
    grave = [item for item in strong if item.kind.level == "emergency"]
    if grave and grave[0].weight >= settings.emergency:
        urgency, verify = Urgency.EMERGENCY, False
        chosen = _main(grave, settings.emergency, settings.likely)
    elif alone := rulebook.alone.get(_NOT_WORD.sub("", body)):
        urgency, verify = Urgency.EMERGENCY, False
        hit = (0, len(body), alone, 0)
        chosen = Weighed(weight=alone.weight, hit=hit, kind=rulebook.kinds[alone.name])
    elif grave:
        urgency, verify = Urgency.URGENT, True
        chosen = _main(grave, settings.doubt, settings.likely)
    elif strong:
        urgency, verify, chosen = Urgency.URGENT, False, strong[0]
    else:
        return _nothing(body, weighed, span)
    evidence = _why(chosen, span)
    if verify:
        evidence.append(span.evidence("verify", chosen.hit, chosen.weight))
    return urgency, verify, chosen, evidence


def _main(grave: list[Weighed], least: float, likely: float) -> Weighed:
    """Return the happening that names the incident: causes rank above their effects."""
    able = [item for item in grave if item.weight >= least]
    bar = min(likely, max(item.net for item in able))
    candidates = [item for item in able if item.net >= bar]
    return max(candidates, key=lambda item: (item.kind.rank, item.weight, -item.hit[0]))


def _nothing(
    body: str, weighed: list[Weighed], span: _Span
) -> tuple[Urgency, bool, None, list[Evidence]]:
    if not body.strip():
        return Urgency.NORMAL, True, None, [span.rule("verify", "empty")]
    foreign = _FOREIGN.search(body)
    if foreign and len(_FOREIGN.findall(body)) > len(_READABLE.findall(body)):
        return Urgency.NORMAL, True, None, [span.rule("verify", "script")]
    evidence = []
    for item in weighed[:2]:
        for frame in item.against[:1]:
            evidence.append(span.evidence("urgency", item.hit, item.weight))
            evidence.append(span.evidence("urgency", frame, -min(frame[2].weight, 1.0)))
    return Urgency.NORMAL, False, None, evidence or [span.rule("urgency", "nothing.found")]


def _why(item: Weighed, span: _Span) -> list[Evidence]:
    """Return the happening, what adds most to it and what speaks against it."""
    beside = sorted(item.beside, key=lambda hit: (-hit[2].weight, hit[0]))[:3]
    against = sorted(item.against, key=lambda hit: (-hit[2].weight, hit[0]))[:2]
    return [
        span.evidence("urgency", item.hit, item.weight),
        *(span.evidence("urgency", hit, hit[2].weight) for hit in beside),
        *(span.evidence("urgency", hit, -min(hit[2].weight, 1.0)) for hit in against),
    ]


def _services(chosen: Weighed, weighed: Iterable[Weighed]) -> tuple[Service, ...]:
    """Return who must come: the kind's own services, then what stands beside it asks for."""
    kind = chosen.kind
    if kind.level == "urgent":
        return kind.services
    services = list(kind.services)
    for name, more in kind.also.items():
        if name in chosen.present:
            services.extend(more)
    for item in weighed:
        near = item.kind.name in chosen.present and item.weight >= _COUNTS
        if near and item.kind.counts_as:
            services.extend(item.kind.services)
    return tuple(dict.fromkeys(services))


# type and domain


def _type(
    label: Label | None, span: _Span, sure: Kind | None
) -> tuple[RequestType, list[Evidence]]:
    if sure:
        return RequestType.HELP, [span.rule("type", "emergency", 1.0)]
    if label is None:
        return RequestType.CONSULTATION, [span.rule("type", "nothing.found")]
    why = [span.evidence("type", hit, weight) for weight, hit in label.hits[:1]]
    return RequestType(label.name), why


def _domain(label: Label | None, span: _Span, sure: Kind | None) -> tuple[Domain, list[Evidence]]:
    if sure and sure.domain:
        return sure.domain, [span.rule("domain", f"kind.{sure.name}", 1.0)]
    if label is None:
        return Domain.OTHER, [span.rule("domain", "nothing.found")]
    return Domain(label.name), [span.evidence("domain", hit, weight) for weight, hit in label.hits]
