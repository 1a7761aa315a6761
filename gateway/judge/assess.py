"""The judge: how urgent a text is, who must come, what it is about, and why.

One pure function, `assess`. It reads the text once with the rulebook (`gateway.judge.clauses`),
weighs every happening under the frames that govern it and by what stands nearby
(`gateway.judge.weighing`), asks the model (`gateway.judge.model`), and lets both decide
(`gateway.judge.verdict`).
"""

import re
from collections.abc import Sequence
from functools import partial

from gateway.judge.case import Case
from gateway.judge.clauses import Reading, read
from gateway.judge.cues import centre, measure
from gateway.judge.labels import Label, best
from gateway.judge.model import Scores
from gateway.judge.passages import Passage, gravest
from gateway.judge.rulebook import Rulebook
from gateway.judge.spans import Spans
from gateway.judge.verdict import decide
from gateway.judge.views import joined
from gateway.judge.weighing import Weighed, weigh
from normalizer.schema import Domain, Evidence, Judged, RequestType, Urgency
from normalizer.text import fold

#: What a channel puts for what has no words: ``[图片]``, ``[位置] (GCJ-02 33.64,116.97)``.
_SIGN = re.compile(r"\[[^\[\]]{1,4}\]|\(gcj-02 [0-9., -]+\)", re.IGNORECASE)
#: What the telephone puts for a call without words, in the matching form (`channels.phone.codec`).
_NOTE = re.compile(r"\((?:语音来件|已接通|接通后|已转接|来电人按)[^()]*\)")
_HAN = re.compile("[\u4e00-\u9fff]")
#: Chinese characters that make words.
_FEWEST = 3
#: Most items of evidence, so that a person can read them all.
MOST_EVIDENCE = 12


def assess(text: str, folded: str, rulebook: Rulebook, title: str | None = None) -> Judged:
    """Return what the rulebook makes of a text.

    Args:
        text: The normalized text of the ticket; evidence spans are code points into it.
        folded: Its matching form (`normalizer.text.fold`), of the same length.
        rulebook: As loaded.
        title: The citizen's own title, if any; it is read before the text and weighs more for
            type and domain. Evidence from a title that is no part of the text has an empty spans.
    """
    head = fold(title) if title else ""
    shift = 0 if not head or folded.startswith(head) else len(head) + 1
    plain, places = joined(folded)
    body = f"{head}\n{plain}" if shift else plain
    spans = Spans(text=text, shift=shift, places=places)
    reading = read(body, rulebook)
    weighed = weigh(body, reading, rulebook)
    model = rulebook.model
    scores, passage = _asked(body, reading, weighed, rulebook)
    verdict = decide(
        Case(
            body=body,
            weighed=weighed,
            scores=scores,
            passage=passage,
            spans=spans,
            rulebook=rulebook,
        )
    )
    sure = verdict.kind if verdict.urgency is Urgency.EMERGENCY else None
    type_, why_type = RequestType.HELP, [spans.rule("type", "emergency", 1.0)]
    if not sure:
        ask = partial(model.logits, "type", scores) if model and scores else None
        type_, why_type = _type(best(reading.types, rulebook.types, len(head), ask), spans)
    if sure and sure.domain:
        domain, why_domain = sure.domain, [spans.rule("domain", f"kind.{sure.name}", 1.0)]
    else:
        ask = partial(model.logits, "domain", scores) if model and scores else None
        domain, why_domain = _domain(best(reading.domains, rulebook.domains, len(head), ask), spans)
    return Judged(
        urgency=verdict.urgency,
        verify=verdict.verify,
        services=verdict.services,
        kind=verdict.kind.name if verdict.kind else None,
        type=type_,
        domain=domain,
        evidence=(*verdict.evidence, *why_type, *why_domain)[:MOST_EVIDENCE],
        version=rulebook.version,
    )


def _asked(
    body: str, reading: Reading, weighed: Sequence[Weighed], rulebook: Rulebook
) -> tuple[Scores | None, Passage | None]:
    """Return what the model makes of a text, and of the gravest passage of a long one."""
    model, settings = rulebook.model, rulebook.settings
    if model is None or not (words := _words(body)):
        return None, None
    scores = model.score(words, measure(len(body), reading, weighed), centre(weighed))
    # Of what is more likely than that as a whole, a human sees every passage anyway.
    if len(words) <= settings.long or scores.emergency >= settings.model_doubts:
        return scores, None
    return scores, gravest(words, rulebook, model)


def _words(body: str) -> str:
    """Return what there is for the model, which was taught Chinese sentences; empty: nothing.

    A picture, a sound or a point of the map comes as a sign in brackets. Offsets stay. A channel's
    note of a call that nobody has heard yet is no citizen's.
    """
    if body.isascii() or _NOTE.fullmatch(body):
        return ""
    if body.startswith("["):
        body = _SIGN.sub(lambda sign: " " * len(sign[0]), body)
        if len(_HAN.findall(body)) < _FEWEST:
            return ""
    return body


# type and domain


def _type(label: Label | None, spans: Spans) -> tuple[RequestType, list[Evidence]]:
    if label is None:
        return RequestType.CONSULTATION, [spans.rule("type", "nothing.found")]
    return RequestType(label.name), _named("type", label, spans)[:1]


def _domain(label: Label | None, spans: Spans) -> tuple[Domain, list[Evidence]]:
    if label is None:
        return Domain.OTHER, [spans.rule("domain", "nothing.found")]
    return Domain(label.name), _named("domain", label, spans)


def _named(claim: str, label: Label, spans: Spans) -> list[Evidence]:
    if not label.hits:
        return [spans.rule(claim, f"model.{claim}")]
    return [
        spans.quote(claim, sense.rule, start, end, weight)
        for start, end, sense, weight in label.hits
    ]
