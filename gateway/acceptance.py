"""Whether the region's rules let the hotline take a matter on.

The rules are the region pack's list of what is not accepted, met by conservative patterns: a
refusal by machine must be plain from the text. What nothing meets is accepted, and people decide.
Never refused: whatever is not of normal urgency, whatever a human must look at first, asking
about a body that is itself outside the hotline's range, and any text so long that it may hold
more than one matter.
"""

from ahocorasick_rs import AhoCorasick

from config.region import Refusal, RegionPack
from normalizer.schema import Decision, Evidence, Judged, Urgency

#: Code points: a longer text is left to people. Of 9,802 letters to government 61 met a pattern
#: without this bound, nearly all of them long ones with some other matter at heart.
PLAIN = 150

_ACCEPTED = Decision()


def decide(folded: str, judged: Judged, pack: RegionPack) -> Decision:
    """Return whether a matter is accepted, refused or referred, with reason, basis and to whom.

    Args:
        folded: The text's matching form (`normalizer.text.fold`).
        judged: What the judge found; its ``type`` is the citizen's own word where they gave one.
        pack: The region's rules.
    """
    met = _met(folded, judged, pack)
    if met is None:
        return _ACCEPTED
    rule = met[0]
    return Decision(
        decision=rule.decision,
        reason=rule.reason,
        basis=pack.cite(rule.basis),
        refer_to=rule.refer_to,
    )


def evidence(text: str, folded: str, judged: Judged, pack: RegionPack) -> tuple[Evidence, ...]:
    """Return the words that a refusal rests on; nothing for what is accepted.

    Args:
        text: ``content.text``, which the evidence's offsets are in.
        folded: Its matching form, of the same length.
        judged: What the judge found.
        pack: The region's rules.
    """
    met = _met(folded, judged, pack)
    if met is None:
        return ()
    rule, start, end = met
    return (
        Evidence(
            claim="acceptance",
            rule=rule.name,
            text=text[start:end],
            start=start,
            end=end,
            weight=1.0,
        ),
    )


def _met(folded: str, judged: Judged, pack: RegionPack) -> tuple[Refusal, int, int] | None:
    """Return the first refusal that the text meets, and where."""
    rules = pack.acceptance
    if not rules.refused or judged.verify or judged.urgency is not Urgency.NORMAL:
        return None
    if len(folded) > PLAIN:
        return None
    for rule in _triggered(folded, pack):
        if rule.types and judged.type not in rule.types:
            continue
        if (span := _span(rule, folded)) is not None:
            asking = any(pattern.search(folded) for pattern in rules.asking)
            return None if asking else (rule, *span)
    return None


def _triggered(folded: str, pack: RegionPack) -> list[Refusal]:
    """Return the refusals with a trigger in the text, in the pack's order."""
    refused = pack.acceptance.refused
    compiled = pack.memo.get(_triggered)
    if compiled is None:
        words = [(word, at) for at, rule in enumerate(refused) for word in rule.triggers]
        automaton = AhoCorasick([word for word, _ in words])
        compiled = pack.memo[_triggered] = (automaton, tuple(at for _, at in words))
    automaton, owners = compiled
    hits = automaton.find_matches_as_indexes(folded, overlapping=True)
    if not hits:
        return []
    return [refused[at] for at in sorted({owners[hit[0]] for hit in hits})]


def _span(rule: Refusal, folded: str) -> tuple[int, int] | None:
    """Return where the text meets a refusal."""
    found = next((hit for each in rule.match if (hit := each.search(folded))), None)
    if found is None or any(each.search(folded) for each in rule.unless):
        return None
    return found.span()
