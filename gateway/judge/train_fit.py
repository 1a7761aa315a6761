"""Fitting linear heads over character n-grams; needs the extra ``train`` (scikit-learn).

Source: L2-regularised logistic regression by LIBLINEAR, R.-E. Fan et al., JMLR 9 (2008) 1871-1874;
columns scaled by naive Bayes: S. Wang, C. Manning, Baselines and Bigrams, ACL 2012; calibration: J. Platt, Probabilistic outputs for support vector machines (1999).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression

from gateway.judge.model import TIMES, grams
from normalizer.schema import Value

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
_TIMES: Floats = np.array(TIMES) / 3
#: What is added to how far a gram leans: one that leans to neither side keeps a little freedom.
_BOTH = 0.2


class Space:
    """The grams that are learned, with their weight by rarity; texts become unit rows over them."""

    def __init__(self, told: Iterable[tuple[str, str]], least: int) -> None:
        """Choose the grams.

        Args:
            told: Seed and `view` of every text that may name a gram.
            least: In so many seeds a gram must occur: what one situation alone says tells nothing
                of others.
        """
        seeds: dict[str, set[str]] = {}
        for seed, words in told:
            seeds.setdefault(seed, set()).update(grams(words))
        count = Counter(gram for found in seeds.values() for gram in found)
        self.grams = sorted(gram for gram, times in count.items() if times >= least)
        self._place = {gram: at for at, gram in enumerate(self.grams)}
        times = np.array([count[gram] for gram in self.grams], dtype=np.float64)
        self.rarity: Floats = np.log((1 + len(seeds)) / (1 + times)) + 1.0

    def keep(self, places: NDArray[np.intp]) -> None:
        """Forget all grams but those at some places."""
        self.grams = [self.grams[at] for at in places]
        self.rarity = self.rarity[places]
        self._place = {gram: at for at, gram in enumerate(self.grams)}

    def rows(self, texts: Sequence[str], counted: bool = True) -> csr_matrix:
        """Return a row a `view`, of length 1: each gram's rarity, times its count, damped."""
        found = [self._counted(words) for words in texts]
        starts = np.cumsum([0, *map(len, found)])
        total = int(starts[-1])
        places = np.fromiter((at for one in found for at in one), np.int32, total)
        times = np.fromiter((count for one in found for count in one.values()), np.int32, total)
        values = self.rarity[places].copy()
        if counted:
            values *= _TIMES[np.minimum(times, len(_TIMES) - 1)]
        for first, last in pairwise(starts):
            length = np.sqrt((values[first:last] ** 2).sum())
            values[first:last] /= length or 1.0
        return csr_matrix((values, places, starts), shape=(len(texts), len(self.grams)))

    def _counted(self, words: str) -> Counter[int]:
        place = self._place
        return Counter(place[gram] for gram in grams(words) if gram in place)


class Fitted:
    """One head: a weight a label and gram, and a bias a label."""

    def __init__(self, labels: Sequence[str], weights: Floats, bias: Floats) -> None:
        self.labels = tuple(labels)
        self.weights = weights  #: labels by grams
        self.bias = bias

    def logits(self, rows: csr_matrix) -> Floats:
        """Return the logit of each label for each row."""
        found: Floats = rows @ self.weights.T + self.bias
        return found


class Manner(Value, frozen=True, kw_only=True):
    """How a head is fitted."""

    keenness: float  #: LIBLINEAR's C: the higher, the closer to the texts learned from
    #: How much freer the weight of a gram is that leans to one side by its counts alone; at 0 all
    #: are as free.
    leaning: float = 0.0
    seed: int  #: of the order in which LIBLINEAR looks at the rows


def fit(
    rows: csr_matrix, has: Callable[[str], Flags], labels: Sequence[str], manner: Manner, grams: int
) -> Fitted:
    """Return a head of which every label is told from all the others.

    Args:
        rows: The texts; the columns past ``grams`` are no grams.
        has: For a label, which rows have it.
        labels: In the order of the artefact.
        manner: How.
        grams: Columns that are grams.
    """
    weights = np.zeros((len(labels), rows.shape[1]))
    bias = np.full(len(labels), -4.0)
    for at, label in enumerate(labels):
        target = has(label)
        if target.all() or not target.any():
            bias[at] = 4.0 if target.all() else -4.0
            continue
        learner: Any = LogisticRegression(
            C=manner.keenness,
            solver="liblinear",
            class_weight="balanced",
            random_state=manner.seed,
        )
        freedom = _freedom(rows, target, manner.leaning, grams)
        learner.fit(rows @ diags(freedom), target)
        weights[at] = learner.coef_[0] * freedom
        bias[at] = learner.intercept_[0]
    return Fitted(labels, weights, bias)


def _freedom(rows: csr_matrix, target: Flags, leaning: float, grams: int) -> Floats:
    """Return by column how far its weight may go for the same price: 1 in the quadratic mean.

    A gram that stands on both sides alike tells nothing, however well it fits a few texts.
    """
    freedom = np.ones(rows.shape[1])
    if leaning and grams:
        present = (rows[:, :grams] > 0).astype(np.float64)
        with_it, without = (
            (np.asarray(present[side].sum(axis=0)).ravel() + 1) / (side.sum() + 2)
            for side in (target, ~target)
        )
        freedom[:grams] = (_BOTH + np.abs(np.log(with_it / without))) ** leaning
        freedom[:grams] /= np.sqrt(np.mean(freedom[:grams] ** 2))
    return freedom


def platt(logits: Floats, target: Flags) -> tuple[float, float]:
    """Return slope and offset that turn logits into probabilities."""
    learner: Any = LogisticRegression(C=1e6)
    learner.fit(logits.reshape(-1, 1), target)
    return float(learner.coef_[0][0]), float(learner.intercept_[0])


def folds(groups: Sequence[str], part: Callable[[str], int]) -> Iterator[Flags]:
    """Yield, fold by fold, which rows are held out; a group, seed or file, is never split."""
    place = {group: part(group) for group in set(groups)}
    at = np.array([place[group] for group in groups])
    for number in sorted(set(place.values())):
        yield at == number
