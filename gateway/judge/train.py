"""Training the judge's model from labelled texts; needs the extra ``train`` (scikit-learn).

The same texts, lexicon, options and date give the same artefact. What the gateway loads at run
time is `gateway.judge.model`; nothing there imports this module.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
from scipy.sparse import csr_matrix, hstack

from gateway.judge.corpus import Example
from gateway.judge.cues import look
from gateway.judge.model import view
from gateway.judge.rulebook import Rulebook
from gateway.judge.train_fit import Fitted, Flags, Floats, Manner, Space, fit, folds
from gateway.judge.train_noise import PIECES, Telling, tellings
from gateway.judge.train_noise import Options as Noise
from normalizer.schema import EMERGENCY_SERVICES, Domain, RequestType, Value

#: The questions and their answers, in the order of the artefact.
LABELS: Mapping[str, tuple[str, ...]] = {
    "emergency": ("emergency",),
    "unclear": ("unclear",),
    "service": tuple(EMERGENCY_SERVICES),
    "domain": tuple(Domain),
    "type": tuple(RequestType),
}

#: LIBLINEAR's C by head, as cross-validation and a site's letters found best.
_KEENNESS = {"emergency": 4.0, "unclear": 4.0, "service": 4.0, "domain": 20.0, "type": 4.0}
#: Naive Bayes' say in how freely a gram is weighed (`Manner.leaning`), by head.
_LEANING = {"emergency": 0.5, "service": 0.5}


class Options(Value, frozen=True, kw_only=True):
    """How a model is trained."""

    noise: Noise = Noise()
    least: int = 2  #: seeds that a gram must occur in
    most: int = 16_000  #: grams of an artefact
    most_own: int = 32_000  #: where a site's own labels are learned: its words beside the shipped
    keenness: Mapping[str, float] = msgspec.field(default_factory=lambda: dict(_KEENNESS))
    leaning: Mapping[str, float] = msgspec.field(default_factory=lambda: dict(_LEANING))
    cues: float = 0.3  #: how freely the lexicon's cues are weighed beside the grams
    grain: float = 1 / 64  #: weights are rounded to this: a smaller file
    folds: int = 5
    seed: int = 12345
    #: From so many labelled lines of its own on, a site's domains and types are learned from them
    #: alone: its desks draw other borders than the shipped texts.
    own: int = 1000


class Outcome(Value, frozen=True, kw_only=True):
    """What a head that had not seen an example's seed made of it."""

    example: Example
    logits: tuple[float, ...]


class Training:
    """One run: texts made into rows once, heads fitted on any part of them."""

    def __init__(
        self,
        site: Sequence[Example],
        shipped: Sequence[Example],
        rulebook: Rulebook,
        options: Options,
    ) -> None:
        self.options = options
        examples = [*site, *shipped]
        self.told = tuple(tellings(examples, self._part, options.noise))
        looks = [look(one.words, rulebook) for one in self.told]
        seen = [view(one.words, at) for one, (_, at) in zip(self.told, looks, strict=True)]
        plain = [
            (one.example.seed, words)
            for one, words in zip(self.told, seen, strict=True)
            if one.variant not in PIECES
        ]
        self._seen = seen
        self.space = Space(plain, options.least)
        self._grams = self.space.rows(seen)
        self._present = self.space.rows(seen, counted=False)
        self._cues: Floats = np.array([cues for cues, _ in looks]) * options.cues
        mine = {id(example) for example in site}
        self._mine = np.array([id(one.example) in mine for one in self.told])
        self._written = np.array([one.variant == "written" for one in self.told])

    def narrow(self, most: int) -> None:
        """Keep the grams that weigh most in any head; what is fitted later knows no others."""
        if len(self.space.grams) <= most:
            return
        strongest = np.zeros(len(self.space.grams))
        for head in LABELS:
            known = self.labelled(head)
            if known.any():
                weights = np.abs(self.fit(head, known).weights[:, : len(strongest)])
                strongest = np.maximum(strongest, weights.max(axis=0) / (weights.max() or 1.0))
        self.space.keep(np.sort(np.argsort(-strongest, kind="stable")[:most]))
        self._grams = self.space.rows(self._seen)
        self._present = self.space.rows(self._seen, counted=False)

    def rows(self, head: str, chosen: Flags) -> csr_matrix:
        """Return the chosen rows.

        Those of the emergency head tell presence alone, which a cry for help and a scorer in a hurry
        have in common, and end in the lexicon's cues.
        """
        if head != "emergency":
            return self._grams[chosen]
        return hstack([self._present[chosen], csr_matrix(self._cues[chosen])], format="csr")

    def labelled(self, head: str) -> Flags:
        """Return which rows have an answer to a head's question, and are to be learned from."""
        known = np.array([_answer(head, one) is not None for one in self.told])
        return known & self._mine if self.own(head) else known

    def own(self, head: str) -> bool:
        """Return whether a head is learned from the site's lines alone: there are enough."""
        if head not in {"domain", "type"}:
            return False
        told = [_answer(head, one) is not None for one in self.told]
        return int((np.array(told) & self._mine & self._written).sum()) >= self.options.own

    def fit(self, head: str, chosen: Flags) -> Fitted:
        """Return a head learned from the chosen rows."""
        answers = [
            _answer(head, one) or () for one, yes in zip(self.told, chosen, strict=True) if yes
        ]

        def has(label: str) -> Flags:
            return np.array([label in answer for answer in answers])

        options = self.options
        manner = Manner(
            keenness=options.keenness[head],
            leaning=options.leaning.get(head, 0.0),
            seed=options.seed,
        )
        return fit(self.rows(head, chosen), has, LABELS[head], manner, len(self.space.grams))

    def crossed(self, head: str, group: Callable[[Example], str]) -> list[Outcome]:
        """Return what is made of each example by heads that saw none of its group.

        Args:
            head: The question.
            group: The seed or the file of an example.
        """
        known = self.labelled(head)
        groups = [group(one.example) for one in self.told]
        outcomes: list[Outcome] = []
        for held in folds(groups, self._part):
            learned, asked = known & ~held, known & held & self._written
            if not learned.any() or not asked.any():
                continue
            logits = self.fit(head, learned).logits(self.rows(head, asked))
            told = [one for one, yes in zip(self.told, asked, strict=True) if yes]
            outcomes.extend(
                Outcome(example=one.example, logits=tuple(map(float, row)))
                for one, row in zip(told, logits, strict=True)
            )
        return outcomes

    def _part(self, group: str) -> int:
        """Return the fold of a seed or file: adding another moves none."""
        digest = hashlib.sha256(f"{self.options.seed}:{group}".encode()).digest()
        return int.from_bytes(digest[:6], "big") % self.options.folds


def _answer(head: str, one: Telling) -> tuple[str, ...] | None:
    """Return the labels of a telling for a head, None where nobody said."""
    example = one.example
    if head in {"emergency", "unclear"}:
        return _yes_or_no(head, example)
    if head == "service":
        return example.services if example.emergency and example.services else None
    if head == "type" and one.variant in PIECES:
        return None  # of several that want different things, or of what wants nothing yet
    label = example.domain if head == "domain" else example.type
    return None if label is None else (label,)


def _yes_or_no(head: str, example: Example) -> tuple[str, ...] | None:
    """Return the head's only label or none; a disputed text is neither emergency nor the contrary."""
    if example.unclear:
        return ("unclear",) if head == "unclear" else None
    if example.emergency is None:
        return None
    return ("emergency",) if head == "emergency" and example.emergency else ()
