"""The model's file, its scores, and what of a text it reads."""

import math
from pathlib import Path

import pytest

from gateway.judge import model
from gateway.judge.assess import assess
from gateway.judge.model import Artefact, Head, grams, view
from gateway.judge.rulebook import load as load_rulebook
from normalizer.errors import ConfigError
from tests.assess.conftest import SMALL

SERVICES = Head(name="service", labels=("110", "119"), bias=(0.5, -0.5))
URGENT = Head(
    name="emergency", labels=("emergency",), bias=(-1.0,), cues=((2.0,),), slope=2.0, offset=0.25
)
ARTEFACT = Artefact(
    card={"version": "v1"},
    heads=(URGENT, SERVICES),
    grams=("着", "着火", "你好"),
    norms=(1.0, 4.0, 4.0),
    weights=((0.5, 0.0, 1.5), (3.0, -1.0, 2.25), (-3.0, 0.0, -0.25)),
)


@pytest.fixture
def small(tmp_path: Path) -> model.Model:
    """A model of three grams, written and read."""
    model.save(ARTEFACT, tmp_path / "a.model")
    loaded = model.load(tmp_path / "a.model")
    assert loaded is not None
    return loaded


def test_scores_are_those_of_the_formula(small: model.Model) -> None:
    """Weights over the root of the norms, plus bias and cues, through Platt's curve."""
    scores = small.score("着火", (0.5,))
    logit = (0.5 + 3.0) / math.sqrt(1.0 + 4.0) - 1.0 + 2.0 * 0.5
    assert scores.emergency == pytest.approx(1 / (1 + math.exp(-(2 * logit + 0.25))), abs=1e-4)
    told = small.logits("service", scores)
    assert told["110"] == pytest.approx(-1.0 / math.sqrt(5) + 0.5, abs=1e-4)
    assert told["119"] == pytest.approx(3.75 / math.sqrt(5) - 0.5, abs=1e-4)


def test_no_head_borrows_from_another(tmp_path: Path) -> None:
    """All answers stand in one number a gram: negative weights before or behind change none."""
    heads = (SERVICES, URGENT, Head(name="type", labels=("help",), bias=(0.0,)))
    artefact = Artefact(
        card={"version": "v1"},
        heads=heads,
        grams=("着", "火"),
        norms=(2.0, 2.0),
        weights=((-1.5, -2.0, 0.5, -3.0), (-0.5, -1.0, 0.25, 1.0)),
    )
    model.save(artefact, tmp_path / "b.model")
    loaded = model.load(tmp_path / "b.model")
    assert loaded is not None
    scores = loaded.score("着火", (0.0,))
    logit = 0.75 / 2.0 - 1.0
    assert scores.emergency == pytest.approx(1 / (1 + math.exp(-(2 * logit + 0.25))), abs=1e-4)
    services = loaded.logits("service", scores)
    assert services == pytest.approx({"110": -1.0 + 0.5, "119": -1.5 - 0.5}, abs=1e-4)
    assert loaded.logits("type", scores)["help"] == pytest.approx(-1.0, abs=1e-4)
    assert [span[:2] for span in loaded.reasons("着火")] == [(0, 1), (1, 2)]


def test_a_repeated_gram_counts_more_but_not_twice(small: model.Model) -> None:
    """Twice is five thirds of once, in the weights and in the norm; an emergency is told once."""
    scores = small.score("着火着火", ())
    assert scores.emergency == small.score("着火", ()).emergency
    times = 5 / 3
    norm = math.sqrt(times**2 * (1.0 + 4.0))
    assert small.logits("service", scores)["119"] == pytest.approx(
        times * 3.75 / norm - 0.5, abs=1e-4
    )


def test_a_text_of_unknown_words_gets_the_bias(small: model.Model) -> None:
    """Without a known gram only the bias speaks."""
    scores = small.score("天气", ())
    assert scores.emergency == pytest.approx(1 / (1 + math.exp(1.75)), abs=1e-6)
    assert small.logits("service", scores) == {"110": 0.5, "119": -0.5}
    assert small.logits("domain", scores) == {}


def test_reasons_are_the_weightiest_spans(small: model.Model) -> None:
    """What speaks for an emergency, where it stands, no two across each other."""
    assert [(start, end) for start, end, _ in small.reasons("你好着火了")] == [(2, 4)]


def test_no_file_is_no_model(tmp_path: Path) -> None:
    """The lexicon judges alone where there is none."""
    assert model.load(None) is None
    assert model.load(tmp_path / "none.model") is None


@pytest.mark.parametrize("data", [b"", b"not a model", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_broken_file_is_named(tmp_path: Path, data: bytes) -> None:
    """What is no model stops the start, with the file's name."""
    path = tmp_path / "a.model"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"a\.model:1: cannot be read as a model"):
        model.load(path)


def test_marks_and_numbers_are_alike() -> None:
    """Punctuation reads as one space and a number as 0, but for the numbers that people dial."""
    assert view("着火了!!!快打119,3号楼") == "着火了 快打119 0号楼"


def test_a_long_text_is_read_at_both_ends_and_around_the_centre() -> None:
    """The middle of a letter is read where the lexicon points."""
    folded = "甲" * 1000 + "火" + "乙" * 1000
    seen = view(folded, 1000)
    assert "甲火乙" in seen
    assert len(seen) == model.FIRST + model.LAST + 2 * model.AROUND + 2
    assert "火" not in view(folded)


def test_grams_are_of_one_to_three_characters() -> None:
    """Every run, repeats included."""
    assert list(grams("着火了")) == ["着", "火", "了", "着火", "火了", "着火了"]


@pytest.mark.parametrize(("weight", "domain"), [(2.0, "housing"), (0.0, "education")])
def test_a_model_that_a_site_taught_draws_the_borders(
    tmp_path: Path, weight: float, domain: str
) -> None:
    """What its own letters said of a domain counts, not the shipped phrases."""
    lexicon = f"{SMALL}domains:\n  housing: {{certain: [路灯]}}\n"
    (tmp_path / "a.yaml").write_text(lexicon, encoding="utf-8")
    heads = (
        Head(name="emergency", labels=("emergency",), bias=(-9.0,)),
        Head(name="domain", labels=("housing", "education"), bias=(0.0, 1.0)),
    )
    artefact = Artefact(
        card={"version": "m", "lexicon_weight": {"domain": weight}},
        heads=heads,
        grams=("龘",),
        norms=(1.0,),
        weights=((0.0, 0.0, 0.0),),
    )
    model.save(artefact, tmp_path / "a.model")
    rulebook = load_rulebook(tmp_path, tmp_path / "a.model")
    assert assess("路灯不亮了", "路灯不亮了", rulebook).domain == domain
