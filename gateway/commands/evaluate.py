"""``gateway evaluate``: the judge's figures on labelled texts, each miss, and what a change would do.

What is printed quotes the texts of the file that the operator named, and goes to standard output
alone.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from config.load import Loaded, load
from gateway.commands.explain import explain
from gateway.commands.train import CORRECTIONS
from gateway.compose import Rules
from gateway.judge import corpus, labelled
from gateway.judge.cues import look
from gateway.judge.evaluate import ASPECTS, Found, Verdict, changed, verdicts
from gateway.judge.evaluate_report import Report, misses, report
from gateway.judge.evaluate_text import change, markdown, miss
from gateway.judge.rulebook import load as load_rulebook
from gateway.rules import compile_rules, model_of
from normalizer.errors import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Print the figures and return 0."""
    names = labelled.labels(arguments.labels)
    loaded = load(arguments.config)
    rules = compile_rules(loaded)
    texts = _texts(arguments.file, names)
    found = verdicts(texts.examples, _judge(rules))
    told = report(found, rules.rulebook.version)
    after = None
    if arguments.against is not None:
        new = _against(arguments.against, rules, loaded)
        after = verdicts(texts.examples, _judge(new)), new.rulebook.version
    corrected = _corrections(loaded.path.parent / CORRECTIONS, names, _judge(rules))
    if arguments.json:
        print(json.dumps(_built(told, found, after, corrected), ensure_ascii=False, indent=2))
    else:
        _print(told, found, after, corrected)
    return 0


def _texts(file: Path, names: labelled.Labels) -> corpus.Corpus:
    return corpus.shipped(file) if file.is_dir() else labelled.lines(file, names)


def _judge(rules: Rules) -> Callable[[corpus.Example], Found]:
    """Return what judges an example as intake does, beside the model's own opinion."""

    def judge(example: corpus.Example) -> Found:
        ticket = explain({"text": example.text, "title": example.title}, rules)
        chance, model = None, rules.rulebook.model
        if model is not None:
            cues, centre = look(example.words, rules.rulebook)
            chance = model.score(example.words, cues, centre).emergency
        return Found(
            urgency=ticket.urgency,
            verify=ticket.verify,
            services=ticket.services,
            type=ticket.type,
            domain=ticket.domain,
            evidence=ticket.evidence,
            chance=chance,
        )

    return judge


def _against(path: Path, rules: Rules, loaded: Loaded) -> Rules:
    """Return the rules that are compared with those in force.

    Args:
        path: A folder of lexicons, a model, or another configuration.
        rules: Those in force.
        loaded: Where they come from.
    """
    if path.is_dir():
        rulebook = load_rulebook(path, model_of(loaded))
    elif path.suffix == ".yaml":
        return compile_rules(load(path))
    elif path.is_file():
        rulebook = load_rulebook(loaded.lexicons, path)
    else:
        raise ConfigError(f"{path}: no folder of lexicons, model or configuration")
    return dataclasses.replace(rules, rulebook=rulebook)


def _corrections(
    path: Path, names: labelled.Labels, judge: Callable[[corpus.Example], Found]
) -> list[Verdict] | None:
    """Return the operators' corrections as judged now, None where there are none."""
    return verdicts(labelled.lines(path, names).examples, judge) if path.is_file() else None


# output


def _print(
    told: Report,
    found: Sequence[Verdict],
    after: tuple[Sequence[Verdict], str] | None,
    corrected: Sequence[Verdict] | None,
) -> None:
    print(markdown(told))
    if after is None:
        print("\n### Misses\n")
        for name, verdict in misses(found):
            print(miss(name, verdict))
    else:
        print(markdown(report(*after)))
        for aspect in ASPECTS:
            print(change(aspect, *changed(found, after[0], aspect)))
    if corrected is not None:
        still = misses(corrected)
        print(
            f"\n### Corrections: {len(corrected)}, of which judged otherwise still: {len(still)}\n"
        )
        for name, verdict in still:
            print(miss(name, verdict))


def _built(
    told: Report,
    found: Sequence[Verdict],
    after: tuple[Sequence[Verdict], str] | None,
    corrected: Sequence[Verdict] | None,
) -> dict[str, Any]:
    built: dict[str, Any] = {"figures": told, "misses": _missed(found)}
    if after is not None:
        built["against"] = {
            "figures": report(*after),
            "changes": {
                aspect: {
                    word: [old.example.where for old, _ in pairs]
                    for word, pairs in zip(
                        ("became_right", "became_wrong"),
                        changed(found, after[0], aspect),
                        strict=True,
                    )
                }
                for aspect in ASPECTS
            },
        }
    if corrected is not None:
        built["corrections"] = {"texts": len(corrected), "misses": _missed(corrected)}
    plain: dict[str, Any] = msgspec.to_builtins(built)
    return plain


def _missed(found: Sequence[Verdict]) -> list[dict[str, Any]]:
    return [
        {"miss": name, "example": one.example, "found": one.found} for name, one in misses(found)
    ]
