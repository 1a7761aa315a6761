"""From fitted heads to the artefact and its card; needs the extra ``train`` (scikit-learn)."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

import msgspec
import numpy as np
import sklearn

from gateway.judge.corpus import Corpus, Example
from gateway.judge.cues import CUES
from gateway.judge.evaluate_figures import (
    average_precision,
    brier,
    classes,
    macro_f1,
    passing,
    share,
)
from gateway.judge.model import Artefact, Head
from gateway.judge.rulebook import Rulebook
from gateway.judge.train import LABELS, Options, Outcome, Training
from gateway.judge.train_fit import Fitted, Floats, platt
from normalizer.errors import ConfigError

#: What a phrase of the lexicon's weight counts beside a logit, measured on letters of others. A
#: site that taught its own borders has no use for the lexicon's: there it took 0.92 to 0.82.
_LEXICON = {"domain": 2.0, "type": 1.0}
#: The questions with one label.
_YES_OR_NO = frozenset({"emergency", "unclear"})
#: The recalls at which the card tells the price.
_RECALLS = (0.95, 0.98, 0.99)


def build(
    site: Corpus | None,
    shipped: Corpus | None,
    rulebook: Rulebook,
    options: Options,
    on: date,
) -> Artefact:
    """Return the artefact learned from a site's texts, the shipped ones, or both.

    Raises:
        ConfigError: No text says whether it is an emergency.
    """
    own, common = site.examples if site else (), shipped.examples if shipped else ()
    training = Training(own, common, rulebook, options)
    known = training.labelled("emergency")
    if not known.any():
        raise ConfigError(
            "no text says whether it is an emergency; add `is_emergency` or the shipped texts"
        )
    training.narrow(options.most_own if training.own("domain") else options.most)
    heads, fields, figures = [], [], {}
    for name in LABELS:
        if not training.labelled(name).any():
            continue
        crossed = training.crossed(name, _seed)
        figures[name] = _figures(name, crossed)
        head, weights = _head(name, training, crossed)
        heads.append(head)
        fields.append(weights)
    figures["emergency"]["unseen_file"] = _figures(
        "emergency", training.crossed("emergency", _file)
    )
    rarity = training.space.rarity
    grain = options.grain
    rounded = np.round(np.vstack(fields) * rarity / grain).T * grain
    lexicon = {name: 0.0 if training.own(name) else weight for name, weight in _LEXICON.items()}
    return Artefact(
        card=_card(site, shipped, rulebook, options, on)
        | {"lexicon_weight": lexicon, "figures": figures},
        heads=tuple(heads),
        grams=training.space.grams,
        norms=[float(one) for one in rarity**2],
        weights=[[float(one) for one in row] for row in rounded],
    )


def _seed(example: Example) -> str:
    return example.seed


def _file(example: Example) -> str:
    return example.file


def _head(name: str, training: Training, crossed: Sequence[Outcome]) -> tuple[Head, Floats]:
    """Return a head, calibrated by what heads made of texts that they had not seen."""
    fitted = training.fit(name, training.labelled(name))
    grams = len(training.space.grams)
    cues = fitted.weights[:, grams:] * training.options.cues
    slope, offset = _calibrate(name, fitted, crossed)
    weights, bias = fitted.weights[:, :grams], fitted.bias
    if name != "emergency":  # these have no field for it: it goes into the weights
        weights, bias = weights * slope[:, None], bias * slope + offset
        slope, offset = np.ones(1), np.zeros(1)
    return Head(
        name=name,
        labels=fitted.labels,
        bias=tuple(float(one) for one in bias),
        cues=tuple(tuple(float(one) for one in row) for row in cues) if cues.size else (),
        slope=float(slope[0]),
        offset=float(offset[0]),
    ), weights


def _calibrate(name: str, fitted: Fitted, crossed: Sequence[Outcome]) -> tuple[Floats, Floats]:
    slope, offset = np.ones(len(fitted.labels)), np.zeros(len(fitted.labels))
    logits = np.array([one.logits for one in crossed])
    for at, label in enumerate(fitted.labels):
        true = np.array([label in _true(name, one.example) for one in crossed])
        if true.sum() >= 10 and (~true).sum() >= 10:
            slope[at], offset[at] = platt(logits[:, at], true)
    return slope, offset


def _true(name: str, example: Example) -> tuple[str, ...]:
    if name in _YES_OR_NO:
        return (name,) if (example.unclear if name == "unclear" else example.emergency) else ()
    if name == "service":
        return example.services or ()
    return (str(example.domain if name == "domain" else example.type),)


# the card


def _yes_or_no(name: str, crossed: Sequence[Outcome]) -> dict[str, Any]:
    if not crossed:
        return {}
    logits = np.array([one.logits[0] for one in crossed])
    true = np.array([bool(_true(name, one.example)) for one in crossed])
    slope, offset = platt(logits, true) if 0 < true.sum() < len(true) else (1.0, 0.0)
    chance = 1 / (1 + np.exp(-(slope * logits + offset)))
    scored = [(float(p), bool(flag)) for p, flag in zip(chance, true, strict=True)]
    called = [flag for p, flag in scored if p >= 0.5]
    found: dict[str, Any] = {
        "texts": len(scored),
        "recall": share(sum(called), int(true.sum())),
        "precision": share(sum(called), len(called)),
        "average_precision": average_precision(scored),
        "brier": brier(scored),
    }
    for recall in _RECALLS:
        if price := passing(scored, recall):
            found[f"at_{recall}"] = {
                "threshold": price[0],
                "precision": price[1],
                "false": price[2],
            }
    return found


def _service(crossed: Sequence[Outcome]) -> dict[str, Any]:
    labels = LABELS["service"]
    first = right = exact = 0
    for one in crossed:
        true = one.example.services or ()
        best = labels[max(range(len(labels)), key=one.logits.__getitem__)]
        named = {label for label, logit in zip(labels, one.logits, strict=True) if logit >= 0}
        first += best == true[0]
        right += best in true
        exact += named | {best} <= set(true)
    count = len(crossed)
    return {
        "texts": count,
        "first": share(first, count),
        "one_right": share(right, count),
        "none_wrong": share(exact, count),
    }


def _label(name: str, crossed: Sequence[Outcome]) -> dict[str, Any]:
    labels = LABELS[name]
    table = classes(
        [
            (
                _true(name, one.example)[0],
                labels[max(range(len(labels)), key=one.logits.__getitem__)],
            )
            for one in crossed
        ]
    )
    return {
        "texts": len(crossed),
        "macro_f1": macro_f1(table),
        "f1": {one.label: one.f1 for one in table},
    }


def _figures(name: str, crossed: Sequence[Outcome]) -> dict[str, Any]:
    if name in _YES_OR_NO:
        found = _yes_or_no(name, crossed)
    elif name == "service":
        found = _service(crossed)
    else:
        found = _label(name, crossed)
    return {key: _rounded(value) for key, value in found.items()}


def _rounded(found: Any) -> Any:
    if isinstance(found, float):
        return round(found, 4)
    if isinstance(found, dict):
        return {key: _rounded(value) for key, value in found.items()}
    return found


def _card(
    site: Corpus | None, shipped: Corpus | None, rulebook: Rulebook, options: Options, on: date
) -> dict[str, Any]:
    data = {name: each.digest for name, each in (("site", site), ("shipped", shipped)) if each}
    said = msgspec.to_builtins(options)
    mark = msgspec.json.encode([data, said, rulebook.version], order="sorted")
    counted = {
        name: _counts(each.examples)
        for name, each in (("site", site), ("shipped", shipped))
        if each
    }
    return {
        "version": f"{on:%Y%m%d}-{hashlib.sha256(mark).hexdigest()[:8]}",
        "date": on.isoformat(),
        "data": data,
        "texts": counted,
        "lexicon": rulebook.version,
        "cues": list(CUES),
        "options": said,
        "library": f"scikit-learn {sklearn.__version__}",
    }


def _counts(examples: Sequence[Example]) -> dict[str, Any]:
    return {
        "texts": len(examples),
        "seeds": len({one.seed for one in examples}),
        "emergencies": sum(one.emergency is True for one in examples),
        "others": sum(one.emergency is False for one in examples),
        "unclear": sum(one.unclear for one in examples),
        "styles": dict(sorted(Counter(one.style for one in examples if one.style).items())),
        "reasons": dict(sorted(Counter(one.reason for one in examples if one.reason).items())),
        "domains": dict(sorted(Counter(str(one.domain) for one in examples if one.domain).items())),
        "types": dict(sorted(Counter(str(one.type) for one in examples if one.type).items())),
    }
