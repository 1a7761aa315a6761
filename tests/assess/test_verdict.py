"""Lexicon and model decide together."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from gateway.judge import model
from gateway.judge.assess import assess
from gateway.judge.model import Artefact, Head
from gateway.judge.rulebook import Rulebook, load
from normalizer.schema import Judged, Urgency

Small = Callable[[str], Rulebook]
Told = Callable[[float, str], Judged]
FRAME = "frames:\n  it: {against: much, reach: text, phrases: [新闻]}\n"


@pytest.fixture
def told(small: Small, tmp_path: Path) -> Told:
    """Judge a text with a model that gives every text the same chance of an emergency."""

    def judge(logit: float, text: str) -> Judged:
        urgent = Head(name="emergency", labels=("emergency",), bias=(logit,))
        service = Head(name="service", labels=("119", "120"), bias=(1.0, -1.0))
        artefact = Artefact(
            card={"version": "m"},
            heads=(urgent, service),
            grams=("龘",),
            norms=(1.0,),
            weights=((0.0, 0.0, 0.0),),
        )
        model.save(artefact, tmp_path / "a.model")
        rulebook = structs.replace(small(FRAME), model=model.load(tmp_path / "a.model"))
        return assess(text, text, rulebook)

    return judge


def state(judged: Judged) -> tuple[Urgency, bool]:
    """Return urgency and whether a human must look."""
    return judged.urgency, judged.verify


CALLED, SHOWN, CALM = (Urgency.EMERGENCY, False), (Urgency.URGENT, True), (Urgency.NORMAL, False)


@pytest.mark.parametrize(
    ("logit", "text", "expected"),
    [
        (3.0, "着火了", CALLED),  # both are sure
        (-3.0, "着火了", SHOWN),  # what the lexicon calls and the model doubts
        (-9.0, "着火了", SHOWN),  # … is never silenced
        (-9.0, "救命啊", CALLED),  # … nor a cry for help even doubted
        (-9.0, "着火", CALM),  # what is only likely, and the model sure of nothing
        (-3.0, "着火", SHOWN),
        (3.0, "着火", CALLED),
        (3.0, "今天的天气很好很好", CALLED),  # the lexicon has no word
        (3.0, "天气很好", SHOWN),  # … nor many words to go by
        (-1.0, "天气很好", SHOWN),
        (-3.0, "天气很好", CALM),
        (-9.0, "新闻着火了", CALM),  # a frame and the model agree that it is nothing
        (-4.0, "新闻着火了", SHOWN),
        (-9.0, "火警!!", CALLED),  # a whole message
    ],
)
def test_both_decide(told: Told, logit: float, text: str, expected: tuple[Urgency, bool]) -> None:
    """Each may raise a text, neither silences the other where it is certain."""
    assert state(told(logit, text)) == expected


def test_the_model_names_service_and_kind(told: Told) -> None:
    """Where the lexicon is silent, the model's likeliest service and its least telling kind."""
    judged = told(3.0, "今天的天气很好很好")
    assert judged.services == ("119",)
    assert judged.kind == "fire"
    assert {item.rule for item in judged.evidence} >= {"model.emergency", "model.service"}


def test_the_evidence_tells_which_layer_decided(told: Told) -> None:
    """The model's chance stands beside the phrases, negative where it spoke against them."""
    chance = {item.rule: item.weight for item in told(3.0, "着火了").evidence}["model.emergency"]
    assert chance == pytest.approx(0.95)
    doubt = {item.rule: item.weight for item in told(-3.0, "着火了").evidence}["model.emergency"]
    assert doubt == pytest.approx(-0.95)


def test_the_version_names_both(told: Told, tmp_path: Path) -> None:
    """A ticket tells which lexicon and which model judged it."""
    told(0.0, "着火了")
    lexicon, _, version = load(tmp_path, tmp_path / "a.model").version.partition("+")
    assert (lexicon, version) == (load(tmp_path).version, "m")


@pytest.mark.parametrize(
    ("text", "expected"), [("fire in the kitchen", CALM), ("", (Urgency.NORMAL, True))]
)
def test_what_the_model_was_not_taught_it_does_not_judge(
    told: Told, text: str, expected: tuple[Urgency, bool]
) -> None:
    """English and nothing at all are left to the lexicon."""
    assert state(told(9.0, text)) == expected
