"""How urgent a text is and who must come, by lexicon and model together.

A missed emergency weighs far above a false alarm, so each layer can raise a text alone and neither
can silence the other where it is certain: what the lexicon calls and the model doubts goes to a
human, as does what the model suspects and the lexicon has no word for. A letter is another matter:
of several hundred characters some are always grave, and there the model's certainty counts.
"""

import math
import re

import msgspec

from gateway.judge.case import Case
from gateway.judge.passages import Passage
from gateway.judge.responders import by_model, called_for, chances, likely, utilities
from gateway.judge.rulebook import Rulebook
from gateway.judge.spans import Spans
from gateway.judge.terms import Kind, Sense, Settings
from gateway.judge.weighing import Weighed
from normalizer.schema import Domain, Evidence, Service, Urgency, Value

#: What the evidence names the model.
RULE = "model.emergency"
PASSAGE = "model.passage"
#: Letters of scripts that neither lexicon nor model know: a human reads those texts.
_FOREIGN = re.compile(r"[\u0370-\u1fff\u3040-\u30ff\ua640-\ua69f\uac00-\ud7af\ufb50-\ufdff]")
_READABLE = re.compile(r"[a-z\u3400-\u9fff\U00020000-\U0003ffff]")
#: Words of a language that the lexicon knows a little of and the model nothing, and so many of them.
_LATIN, _SENTENCE = re.compile("[a-z]{2,}"), 3
_NOT_WORD = re.compile(r"[\W_]+")
#: A longer message is none of those that say everything in a word, whatever its punctuation.
_ALONE = 40


class Verdict(Value, frozen=True, kw_only=True):
    """How urgent a text is, what happened and who must come."""

    urgency: Urgency
    verify: bool
    kind: Kind | None
    services: tuple[Service, ...]
    evidence: list[Evidence]


def decide(case: Case) -> Verdict:
    """Return the verdict on a text."""
    settings = case.rulebook.settings
    strong = [
        item
        for item in case.weighed
        if item.weight >= (settings.careful if item.kind.careful else settings.doubt)
    ]
    grave = [item for item in strong if item.kind.level == "emergency"]
    soon = next((item for item in strong if item.kind.level != "emergency"), None)
    if grave:
        return _on_found(case, grave, soon)
    if alone := _alone(case.body, case.rulebook):
        return _found(case, alone, Urgency.EMERGENCY)
    return _on_silence(case, soon)


def _on_found(case: Case, grave: list[Weighed], soon: Weighed | None) -> Verdict:
    """Return the verdict where the lexicon found something grave; ``soon`` needs somebody soon."""
    settings = case.rulebook.settings
    chance = case.scores.emergency if case.scores else None
    if _called(grave[0], case):
        return _found(case, _main(grave, settings.emergency, settings.likely), Urgency.EMERGENCY)
    main = _main(grave, settings.doubt, settings.likely)
    backs = settings.model_backs if main.weight >= settings.doubt else settings.model_calls
    if chance is not None and chance >= backs:
        return _found(case, main, Urgency.EMERGENCY)
    if _careful(grave, case) or _doubted(grave[0], case):
        return _found(case, main, Urgency.URGENT)
    return _calm(case, soon)


def _on_silence(case: Case, soon: Weighed | None) -> Verdict:
    """Return the verdict where the lexicon found nothing grave; ``soon`` needs somebody soon."""
    settings = case.rulebook.settings
    if unreadable := _unreadable(case):
        why = [case.spans.rule("verify", unreadable)]
        return Verdict(urgency=Urgency.NORMAL, verify=True, kind=None, services=(), evidence=why)
    chance = case.scores.emergency if case.scores else 0.0
    calls = settings.model_insists if soon else settings.model_calls
    if len(case.body) < settings.model_least:
        calls = math.inf if soon else settings.model_sure
    if chance >= calls:
        return _suspected(case, Urgency.EMERGENCY)
    if chance >= settings.model_doubts and not soon:
        return _suspected(case, Urgency.URGENT)
    return _calm(case, soon)


def _called(top: Weighed, case: Case) -> bool:
    """Tell whether the lexicon calls an emergency and the model does not think otherwise.

    Of a text of a few characters the model knows too little to be asked. What is called plainly,
    by several words that bear each other out, or what people tell calmly, needs less consent than one
    phrase alone. A cry for help, and what many words bear out, need none, unless they stand in a letter.
    """
    settings, scores, length = case.rulebook.settings, case.scores, len(case.body)
    if top.weight < settings.emergency:
        return False
    if scores is None or length < settings.model_least:
        return True
    unasked = top.hit[2].tier == "always" or top.weight >= settings.beyond_doubt
    if unasked and length <= settings.long:
        return True
    plainly = top.weight >= settings.plain or top.kind.calm
    return scores.emergency >= (settings.model_yields if plainly else settings.model_agrees)


def _careful(grave: list[Weighed], case: Case) -> bool:
    """Tell whether a human must look at the least hint of what people themselves dispute.

    In a letter the bare words for it are figures of speech, where the model is certain.
    """
    settings = case.rulebook.settings
    found = [item for item in grave if item.kind.careful]
    if _letter(case) and _cleared(case):
        return any(item.hit[2].weight >= settings.certain for item in found)
    return bool(found)


def _doubted(top: Weighed, case: Case) -> bool:
    """Tell whether a human must look at what the lexicon found.

    What it calls is let go only in a letter, and where the model is certain that nothing happens;
    what frames of the whole text took below that, where it is certain; what is less, where it is
    sure.
    """
    settings = case.rulebook.settings
    if case.scores is None:
        return True
    if top.weight >= settings.emergency:
        return not (_letter(case) and _cleared(case))
    if top.net >= settings.certain:
        return not _cleared(case)
    return case.scores.emergency >= settings.model_calms


def _letter(case: Case) -> bool:
    """Tell whether a text is long enough for a grave word to stand in it calmly."""
    return len(case.body) > case.rulebook.settings.long


def _cleared(case: Case) -> bool:
    """Tell whether the model is certain that nothing happens, in the whole text and in each passage."""
    settings, scores, passage = case.rulebook.settings, case.scores, case.passage
    return (
        scores is not None
        and scores.emergency < settings.model_clears
        and (passage is None or passage.chance < settings.model_passage / 2)
    )


def _alone(body: str, rulebook: Rulebook) -> Weighed | None:
    """Return the happening that a whole message names, without its punctuation."""
    if len(body) > _ALONE:
        return None
    sense: Sense | None = rulebook.alone.get(_NOT_WORD.sub("", body))
    if sense is None:
        return None
    hit = (0, len(body), sense, 0)
    return Weighed(weight=sense.weight, hit=hit, kind=rulebook.kinds[sense.name], net=1.0)


def _unreadable(case: Case) -> str:
    """Return why nobody but a human can read a text, empty if it can be read."""
    body = case.body
    if not body.strip():
        return "empty"
    if case.scores is None and case.rulebook.model and len(_LATIN.findall(body)) >= _SENTENCE:
        return "language"
    foreign = _FOREIGN.search(body)
    if foreign and len(_FOREIGN.findall(body)) > len(_READABLE.findall(body)):
        return "script"
    return ""


def _main(grave: list[Weighed], least: float, enough: float) -> Weighed:
    """Return the happening that names the incident: causes rank above their effects."""
    able = [item for item in grave if item.weight >= least] or grave
    bar = min(enough, max(item.net for item in able))
    candidates = [item for item in able if item.net >= bar]
    return max(candidates, key=lambda item: (item.kind.rank, item.weight, -item.hit[0]))


# what the lexicon found


def _found(case: Case, chosen: Weighed, urgency: Urgency) -> Verdict:
    spans = case.spans
    evidence = _why(chosen, spans)
    if case.scores:
        chance = case.scores.emergency
        against = urgency is Urgency.URGENT and chance < case.rulebook.settings.model_doubts
        evidence.append(spans.rule("urgency", RULE, round(chance - against, 2)))
    services = called_for(chosen, case)
    if urgency is Urgency.URGENT:
        evidence.append(spans.evidence("verify", chosen.hit, chosen.weight))
    if services:
        evidence.append(spans.evidence("services", chosen.hit, 1.0))
    return Verdict(
        urgency=urgency,
        verify=urgency is Urgency.URGENT,
        kind=chosen.kind,
        services=services,
        evidence=evidence,
    )


def _why(item: Weighed, spans: Spans) -> list[Evidence]:
    """Return the happening, what adds most to it and what speaks against it."""
    beside = sorted(item.beside, key=lambda hit: (-hit[2].weight, hit[0]))[:3]
    against = sorted(item.against, key=lambda hit: (-hit[2].weight, hit[0]))[:2]
    return [
        spans.evidence("urgency", item.hit, item.weight),
        *(spans.evidence("urgency", hit, hit[2].weight) for hit in beside),
        *(spans.evidence("urgency", hit, -min(hit[2].weight, 1.0)) for hit in against),
    ]


# what the model suspects


def _suspected(case: Case, urgency: Urgency) -> Verdict:
    """Return the verdict where the model decides: the lexicon has nothing or too little."""
    spans, scores = case.spans, case.scores
    shares = likely(case)
    services = by_model(case, shares) if shares else ()
    kind = case.rulebook.plain.get(services[0]) if services else None
    services = tuple(dict.fromkeys((*services, *utilities(case)))) if services else ()
    if scores is None or kind is None:
        services, kind = (), None
    model = case.rulebook.model
    reasons = model.reasons(case.body) if model else []
    chance = round(scores.emergency, 2) if scores else 0.0
    evidence = [spans.quote("urgency", RULE, start, end, chance) for start, end, _ in reasons]
    evidence = evidence or [spans.rule("urgency", RULE, chance)]
    if urgency is Urgency.URGENT or kind is None:
        urgency = Urgency.URGENT
        evidence.append(spans.rule("verify", RULE, chance))
    if services:
        evidence.append(spans.rule("services", "model.service", 1.0))
    return Verdict(
        urgency=urgency,
        verify=urgency is Urgency.URGENT,
        kind=kind,
        services=services,
        evidence=evidence,
    )


def _within(case: Case, passage: Passage) -> Verdict:
    """Return the verdict on a letter of which a passage alone would be an emergency."""
    spans, chance = case.spans, round(passage.chance, 2)
    alone = msgspec.structs.replace(case, scores=passage.scores)
    evidence = [
        spans.quote(claim, PASSAGE, passage.start, passage.end, chance)
        for claim in ("urgency", "verify")
    ]
    if services := by_model(alone, likely(alone)):
        evidence.append(spans.rule("services", "model.service", 1.0))
    return Verdict(
        urgency=Urgency.URGENT, verify=True, kind=None, services=services, evidence=evidence
    )


# nothing grave


def _calm(case: Case, chosen: Weighed | None) -> Verdict:
    """Return the verdict on a text that is no emergency; ``chosen`` needs somebody soon.

    A human looks all the same at what is told of today, and at what people would dispute.
    """
    spans, passage, settings = case.spans, case.passage, case.rulebook.settings
    if dated := _dated(case):
        return _found(case, dated, Urgency.URGENT)
    if passage and passage.chance >= settings.model_passage:
        return _within(case, passage)
    disputed = chances(case, "unclear").get("unclear", 0.0)
    verify = disputed >= settings.model_disputed
    evidence = _against(case) if chosen is None else _why(chosen, spans)
    services = chosen.kind.services if chosen else ()
    if chosen and services:
        evidence.append(spans.evidence("services", chosen.hit, 1.0))
    if verify:
        evidence.append(spans.rule("verify", "model.unclear", round(disputed, 2)))
    return Verdict(
        urgency=Urgency.URGENT if chosen or verify else Urgency.NORMAL,
        verify=verify,
        kind=chosen.kind if chosen else None,
        services=services,
        evidence=evidence,
    )


def _dated(case: Case) -> Weighed | None:
    """Return what a text tells of today without calling for anybody: blows, a fire, a robbery.

    However much sounds like a letter, a human looks, unless a frame says that it is not so. An
    illness is left out: that is what people tell a doctor.
    """
    return next((item for item in case.weighed if _of_today(item, case.rulebook.settings)), None)


def _of_today(item: Weighed, settings: Settings) -> bool:
    kind, sense = item.kind, item.hit[2]
    grave = kind.level == "emergency" and kind.domain is not Domain.HEALTH and not kind.generic
    return (
        item.today
        and grave
        and sense.weight >= settings.possible
        and all(frame[2].weight < settings.all for frame in item.against)
    )


def _against(case: Case) -> list[Evidence]:
    """Return what sounded like a happening and what spoke against it."""
    spans = case.spans
    evidence = []
    for item in case.weighed[:2]:
        for frame in item.against[:1]:
            evidence.append(spans.evidence("urgency", item.hit, item.weight))
            evidence.append(spans.evidence("urgency", frame, -min(frame[2].weight, 1.0)))
    doubt = case.rulebook.settings.doubt
    if case.scores and case.weighed and case.weighed[0].weight >= doubt:
        weight = round(case.scores.emergency - 1, 2)
        evidence.append(spans.evidence("urgency", case.weighed[0].hit, case.weighed[0].weight))
        evidence.append(spans.rule("urgency", RULE, weight))
    return evidence or [spans.rule("urgency", "nothing.found")]
