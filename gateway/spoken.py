"""Words that are still being spoken: judged by themselves, before there is a ticket."""

from gateway.compose import judge
from gateway.judge.rulebook import Rulebook
from normalizer.schema import Service, Urgency
from normalizer.text import fold, normalize_text


def emergency_in(text: str, rulebook: Rulebook) -> tuple[Service, ...] | None:
    """Return the services that the words so far call for; None: they tell of no emergency."""
    seen = normalize_text(text)
    judged = judge(seen, fold(seen), rulebook)
    return judged.services if judged.urgency is Urgency.EMERGENCY else None
