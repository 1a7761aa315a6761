"""``gateway train``: a model for the judge from labelled texts, with its card."""

import argparse
import json
import sys
from datetime import date
from pathlib import Path

from config.load import Loaded, load
from config.load import shipped as installed
from gateway.clock import SystemClock
from gateway.judge import corpus, labelled, model
from gateway.judge.rulebook import load as load_rulebook
from normalizer.errors import ConfigError

#: Where operators' corrections stand, beside the configuration.
CORRECTIONS = "corrections.jsonl"


def run(arguments: argparse.Namespace) -> int:
    """Write the model and its card, print what it was made of and how good it is; return 0."""
    try:
        from gateway.judge.train import Options
        from gateway.judge.train_card import build
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"gateway train needs {error.name}: pip install 'intake-gateway[train]'"
        ) from None
    loaded = load(arguments.config)
    site = site_texts(arguments.file, loaded, labelled.labels(arguments.labels))
    shipped = None if arguments.alone else corpus.shipped()
    if site is None and shipped is None:
        raise ConfigError("gateway train: --alone needs a FILE to learn from")
    on = _date(arguments.date, loaded)
    # Of the lexicon alone: the model in force has no say in its successor.
    rulebook = load_rulebook(loaded.lexicons or installed() / "lexicons")
    artefact = build(site, shipped, rulebook, Options(seed=arguments.seed), on)
    card = json.dumps(dict(artefact.card), ensure_ascii=False, indent=2) + "\n"
    _write(arguments.out, model.dump(artefact))
    _write(arguments.out.with_suffix(".card.json"), card.encode())
    print(card, end="")
    size = arguments.out.stat().st_size
    print(f"{arguments.out}: {len(artefact.grams)} grams, {size} bytes", file=sys.stderr)
    return 0


def site_texts(file: Path | None, loaded: Loaded, names: labelled.Labels) -> corpus.Corpus | None:
    """Return a site's texts: a file of lines or a folder of seeds, and the operators' corrections."""
    parts = []
    if file is not None:
        parts.append(corpus.shipped(file) if file.is_dir() else labelled.lines(file, names))
    corrections = loaded.path.parent / CORRECTIONS
    if corrections.is_file() and (file is None or corrections.resolve() != file.resolve()):
        parts.append(labelled.lines(corrections, names))
    return corpus.together(parts) if parts else None


def _date(word: str | None, loaded: Loaded) -> date:
    if word is None:
        return SystemClock().now().astimezone(loaded.settings.instance.zone).date()
    try:
        return date.fromisoformat(word)
    except ValueError:
        raise ConfigError("gateway train: --date is written as 2026-11-22") from None


def _write(path: Path, data: bytes) -> None:
    """Put a file in place whole: a gateway that reloads meanwhile sees the old one or the new."""
    part = path.with_name(path.name + ".part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None
