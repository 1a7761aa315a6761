"""The packaged rulebook, loaded once, and the judge as the gateway calls it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.judge.assess import assess
from gateway.judge.rulebook import Rulebook, load
from normalizer.schema import Judged
from normalizer.text import fold, normalize_text

Judge = Callable[..., Judged]

#: The least a lexicon needs: one kind, one happening.
SMALL = """\
kinds:
  fire: {label: 火灾, services: ["119"], also: {hurt: ["120"]}, domain: safety, rank: 2}
  hurt: {label: 受伤, services: ["120"], rank: 1}
  leak: {label: 漏水, level: urgent, services: [water]}
happenings:
  fire: {certain: [着火了, 点…火], likely: [着火], possible: [冒烟], always: [救命啊], alone: [火警]}
  hurt: {likely: [受伤]}
  leak: {certain: [爆管]}
signs:
  now: {weight: hint, opens: yes, rearms: text, phrases: [刚才]}
  call: {weight: possible, phrases: [快来]}
"""


@pytest.fixture(scope="session")
def rulebook() -> Rulebook:
    """The rulebook that ships."""
    return load(None)


@pytest.fixture(scope="session")
def judge(rulebook: Rulebook) -> Judge:
    """Judge a text after normalizing it."""

    def run(words: str, title: str | None = None) -> Judged:
        text = normalize_text(words)
        return assess(text, fold(text), rulebook, title)

    return run


@pytest.fixture
def small(tmp_path: Path) -> Callable[[str], Rulebook]:
    """Load the small lexicon with something added."""

    def build(more: str = "") -> Rulebook:
        (tmp_path / "a.yaml").write_text(SMALL, encoding="utf-8")
        if more:
            (tmp_path / "b.yaml").write_text(more, encoding="utf-8")
        return load(tmp_path)

    return build
