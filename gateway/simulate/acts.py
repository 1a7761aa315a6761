"""What simulated citizens do: the same acts for the same seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.judge.corpus import Example, shipped
from normalizer.schema import Value

_STREETS = ("汴河中路", "人民路", "淮海南路", "东昌路", "银河一路", "西昌路", "胜利路", "光彩路")


class Act(Value, frozen=True, kw_only=True):
    """One act of a citizen, whatever way it takes."""

    id: str  #: by which a repeat is known, unique in a simulation
    after_s: float  #: since the act before
    target: int  #: which of the targets gets it
    way: int  #: which of the target's ways it takes, modulo their number
    text: str
    title: str
    type: str  #: of the request, empty where the citizen chooses none
    domain: str  #: likewise, the service of Open311
    place: str
    phone: str  #: mobile number of 11 digits
    again_after_s: float | None  #: when the same message is sent once more; None: it is not


@dataclass(frozen=True, slots=True)
class Manner:
    """How citizens behave."""

    rate: float  #: acts a second, arriving by chance
    targets: int
    emergencies: float  #: share of acts that are one
    repeats: float  #: share of messages that are sent twice


def acts(manner: Manner, seed: int) -> Iterator[Act]:
    """Yield acts for ever. The words are those of our own labelled texts."""
    chooser = random.Random(seed)  # noqa: S311 - traffic, not secrets
    ordinary, urgent = _texts()
    while True:
        told = chooser.choice(urgent if chooser.random() < manner.emergencies else ordinary)
        place = f"埇桥区{chooser.choice(_STREETS)}{chooser.randrange(1, 2000)}号"
        again = chooser.random() < manner.repeats
        yield Act(
            id=f"{chooser.getrandbits(96):024x}",
            after_s=chooser.expovariate(manner.rate),
            target=chooser.randrange(manner.targets),
            way=chooser.randrange(1 << 16),
            text=f"{told.text}（{place}）",
            title=told.title or "",
            type=told.type or "",
            domain=told.domain or "other",
            place=place,
            phone=f"139{chooser.randrange(100_000_000):08d}",
            again_after_s=chooser.uniform(0.0, 1.0) if again else None,
        )


def _texts() -> tuple[Sequence[Example], Sequence[Example]]:
    """Return what citizens ordinarily write, and what they write in need."""
    known = [each for each in shipped().examples if not each.reason and not each.unclear]
    ordinary = [each for each in known if each.emergency is False and each.domain and each.type]
    return ordinary, [each for each in known if each.emergency]
