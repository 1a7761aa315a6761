"""Cues: what the lexicon found in a text as a few numbers, an input of the model beside the grams.

All of them are bound to a happening and the frames of its clause. Flags over a whole text made the
model worse when measured: long letters hold every such word somewhere.
"""

from collections.abc import Sequence

from gateway.judge.clauses import Reading, read
from gateway.judge.rulebook import Rulebook
from gateway.judge.weighing import Weighed, weigh

#: In the order of what `measure` returns; a model's card names those it was trained with.
CUES = (
    "weight",  # of the weightiest happening that may be an emergency
    "net",  # what its frames leave of it, its neighbours not counted
    "certain",  # 1 if it is certain in its own clause
    "doubtful",  # 1 if it stands between doubt and emergency
    "against",  # how much speaks against the weightiest happening, at most 2
    "cancelled",  # 1 if frames cancelled every happening
    "silent",  # 1 if the lexicon holds nothing of the text
    "kinds",  # different kinds that stand, at most 3, as a third each
    "signs",  # signs beside happenings, at most 4, as a quarter each
    "brief",  # 1 under 60 characters
    "long",  # 1 over 160 characters
)


def measure(length: int, reading: Reading, weighed: Sequence[Weighed]) -> tuple[float, ...]:
    """Return the cues of a text of so many characters, each from 0 to 2."""
    brief, long = float(length < 60), float(length > 160)
    grave = [item for item in weighed if item.kind.level == "emergency"]
    if not grave:
        return (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, brief, long)
    top = grave[0]
    standing = {item.kind.name for item in grave if item.weight > 0}
    against = sum(min(frame[2].weight, 2.0) for frame in top.against)
    return (
        min(max(top.weight, 0.0), 2.0),
        min(top.net, 1.0),
        float(top.net >= 1.0),
        float(0.6 <= top.weight < 1.0),
        min(against, 2.0),
        float(top.weight <= 0),
        0.0,
        min(len(standing), 3) / 3,
        min(len(reading.signs), 4) / 4,
        brief,
        long,
    )


def centre(weighed: Sequence[Weighed]) -> int:
    """Return where the weightiest happening stands, 0 where there is none."""
    return weighed[0].hit[0] if weighed else 0


def look(folded: str, rulebook: Rulebook) -> tuple[tuple[float, ...], int]:
    """Return the cues of a folded text and the centre of its `view`, as training needs them."""
    reading = read(folded, rulebook)
    weighed = weigh(folded, reading, rulebook)
    return measure(len(folded), reading, weighed), centre(weighed)
