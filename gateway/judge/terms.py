"""The words of the judge: roles and reaches of phrases, kinds of happenings, the settings."""

import struct
from collections.abc import Mapping
from enum import Enum

from normalizer.schema import Domain, Service, Value


class Role(Enum):
    """What a matched phrase is to the judge."""

    HAPPENING = "happening"  #: something that needs a service
    SIGN = "sign"  #: speaks for a happening nearby: a victim, a call for help, now
    FRAME = "frame"  #: speaks against a happening: past, hypothetical, a drill …
    MASK = "mask"  #: only looks like a happening: 火锅, 水深火热
    TYPE = "type"
    DOMAIN = "domain"


class Reach(Enum):
    """Which happenings a frame speaks against."""

    PHRASE = "phrase"  #: those inside the phrase itself
    NEXT = "next"  #: the one right behind the phrase
    CLAUSE = "clause"  #: those of its clause
    ONWARD = "onward"  #: those of its clause and of the rest of its sentence
    SENTENCE = "sentence"  #: those of its sentence
    TEXT = "text"  #: all


class Sense(Value, frozen=True, kw_only=True):
    """What one phrase means where it occurs."""

    role: Role
    name: str  #: kind, sign, frame, request type or domain
    weight: float  #: for the claim; for a frame and a mask, against it
    tier: str = ""
    reach: Reach = Reach.PHRASE
    opens: bool = False  #: starts a new clause
    rearms: str = ""  #: sentence or text: which frames no longer reach what follows
    today: bool = False  #: what stands behind it in its sentence is of today
    only: frozenset[str] = frozenset()  #: the kinds that a frame speaks against; empty for all
    rule: str = ""  #: as named in the evidence

    def alarms(self, least: float) -> bool:
        """Return whether this names a happening, and weighs at least so much."""
        return self.role is Role.HAPPENING and self.weight >= least


class Kind(Value, frozen=True, kw_only=True):
    """A kind of happening and who must come."""

    name: str
    label: str
    level: str  #: emergency or urgent
    services: tuple[Service, ...]
    also: Mapping[str, tuple[Service, ...]]  #: by kind or sign found beside it
    domain: Domain | None
    rank: float  #: the highest among those found names the incident
    counts_as: str | None  #: the sign it is to other kinds, e.g. injured
    generic: bool = False  #: says that somebody must come, not what happens
    unnamed: bool = False  #: a cry to nobody in particular: the model tells who comes
    careful: bool = False  #: people dispute such texts: the least hint reaches a human
    calm: bool = False  #: is told like a letter: less consent of the model is asked


class Settings(Value, frozen=True, kw_only=True):
    """The numbers of the judge; each may be set under ``settings`` in a lexicon file."""

    emergency: float = 1.0  #: weight from which a happening is an emergency
    doubt: float = 0.6  #: weight from which a human must look
    careful: float = 0.4  #: the same for kinds that people dispute
    reach: int = 60  #: characters that a sign or frame reaches
    gap: int = 10  #: characters that ``…`` may stand for
    always: float = 1.0
    certain: float = 1.0
    likely: float = 0.7
    possible: float = 0.45
    hint: float = 0.2
    all: float = 9.0
    much: float = 0.7
    some: float = 0.4
    little: float = 0.2
    brief: int = 60  #: characters below which a text is brief
    brief_bonus: float = 0.1  #: emergencies are told briefly
    long: int = 160  #: characters above which a text is long
    long_malus: float = 0.3  #: letters tell of much that is over
    title_type: float = 4.0  #: factor for request types named in the title: it mostly says so
    title_domain: float = 2.0  #: likewise for domains
    model_calls: float = 0.35  #: chance from which the model calls an emergency by itself
    model_least: int = 9  #: in a text of so many characters; of a shorter one a human looks first …
    model_sure: float = 0.85  #: … unless it is as sure as this
    model_backs: float = 0.09  #: chance from which it calls what the lexicon found but only doubts
    model_agrees: float = 0.08  #: chance from which what the lexicon calls stands without a human
    plain: float = 1.5  #: weight from which the lexicon calls so plainly that ``model_yields`` does
    #: Weight from which the lexicon calls whatever the model thinks, but in a long text.
    beyond_doubt: float = 2.5
    model_yields: float = 0.005
    model_doubts: float = 0.11  #: chance from which a human looks though the lexicon is silent
    #: Chance that people would dispute a text, from which a human looks though nothing else asks.
    model_disputed: float = 0.1
    model_calms: float = 0.01  #: chance below which what the lexicon only doubts is let go
    model_clears: float = 0.004  #: below which it is let go whatever the lexicon found
    model_passage: float = 0.8  #: chance of a letter's passage from which a human looks
    #: Likewise where the lexicon found a failed supply or a hazard.
    model_insists: float = 0.45
    model_named: float = 0.2  #: how much more of a chance a service has that a call for help names
    #: Chance from which a service comes that the lexicon asks for because of what stands beside.
    model_beside: float = 0.75
    #: Chance of every service that a happening names, below which the model says who comes.
    model_overrules: float = 0.4
    model_adds: float = 0.85  #: chance from which the model adds a service
    #: What a weight of one counts beside the model's logits, in telling the type and the domain.
    model_type: float = 1.0
    model_domain: float = 4.0
    model_lead: float = 4.0  #: from which lead on, counted so, phrases tell without the model


#: What a factor of one is in `Labels.extra`.
ONE = 16
#: What a weight of one is in `Labels.numbers`.
UNIT = 1000
_FIELD = 32


class Labels(Value, frozen=True, kw_only=True):
    """Request types or domains: what each phrase adds to which.

    A phrase's weights for all labels stand in one whole number, 32 bits a label, in thousandths:
    one addition a phrase serves them all.
    """

    names: tuple[str, ...]  #: in the contract's order
    numbers: tuple[int, ...]  #: by pattern, then by chain
    senses: tuple[Mapping[int, Sense], ...]  #: by label: pattern or chain to sense
    extra: int  #: what a phrase in the title weighs more, in `ONE`
    share: float  #: what a unit of weight counts beside the model's logits
    lead: float  #: by so much more than the next, the model need not be asked

    def unpack(self, total: int) -> tuple[int, ...]:
        """Return the weights of a sum of numbers, by label."""
        size = len(self.names) * _FIELD // 8
        return struct.unpack(f"<{len(self.names)}I", total.to_bytes(size, "little"))


def packed(weights: Mapping[int, float]) -> int:
    """Return the number of weights given by their label's place."""
    return sum(round(weight * UNIT) << (_FIELD * place) for place, weight in weights.items())


#: What a pattern is to a scan, added up: a happening, sign, frame or mask; an anchor of phrases
#: with ``…``; a word for a domain; one for a type.
SIGNAL, ANCHOR, DOMAIN, TYPE = 1, 2, 4, 8
#: A pattern's happenings, signs, frames and masks; the chains it anchors that may be happenings or
#: labels; the other chains.
Act = tuple[tuple[Sense, ...], tuple[int, ...], tuple[int, ...]]
