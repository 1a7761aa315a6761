"""Training: the same twice, honest about what it saw, and what the gateway computes."""

import subprocess
import sys
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from gateway.judge import corpus, model
from gateway.judge.corpus import Corpus, Example
from gateway.judge.cues import look
from gateway.judge.rulebook import Rulebook, load
from gateway.judge.train import LABELS, Options, Training
from gateway.judge.train_card import build
from gateway.judge.train_noise import Options as Noise
from gateway.judge.train_noise import tellings
from normalizer.errors import ConfigError

ON = date(2026, 11, 22)
OPTIONS = Options(least=1, folds=3)


@pytest.fixture(scope="module")
def rulebook() -> Rulebook:
    """The lexicon that ships."""
    return load(None)


@pytest.fixture
def small(folder: Path) -> Corpus:
    """The handful of seeds."""
    return corpus.shipped(folder)


def test_the_same_texts_give_the_same_file(small: Corpus, rulebook: Rulebook) -> None:
    """Two runs agree to the byte."""
    first = model.dump(build(None, small, rulebook, OPTIONS, ON))
    assert first == model.dump(build(None, small, rulebook, OPTIONS, ON))


def test_the_gateway_computes_what_training_did(
    small: Corpus, rulebook: Rulebook, tmp_path: Path
) -> None:
    """The scorer's logits are those of the fitted heads, rounding aside."""
    fine = msgspec.structs.replace(OPTIONS, grain=2**-14)
    training = Training((), small.examples, rulebook, fine)
    fitted = training.fit("emergency", training.labelled("emergency"))
    everything = np.ones(len(training.told), dtype=np.bool_)
    expected = fitted.logits(training.rows("emergency", everything))[:, 0]
    model.save(build(None, small, rulebook, fine, ON), tmp_path / "a.model")
    loaded = model.load(tmp_path / "a.model")
    assert loaded is not None
    head = loaded.heads["emergency"]
    for one, logit in zip(training.told, expected, strict=True):
        cues, centre = look(one.words, rulebook)
        chance = loaded.score(one.words, cues, centre).emergency
        told = 1 / (1 + np.exp(-(head.slope * logit + head.offset)))
        assert chance == pytest.approx(told, abs=2e-3)


def test_a_held_out_seed_is_judged_by_heads_that_never_saw_it(
    small: Corpus, rulebook: Rulebook
) -> None:
    """Every labelled text is judged once, and none of its seed's tellings was learned from."""
    training = Training((), small.examples, rulebook, OPTIONS)
    learned: list[set[str]] = []
    fit = training.fit

    def spy(head: str, chosen: np.ndarray) -> object:
        told = [one for one, yes in zip(training.told, chosen, strict=True) if yes]
        learned.append({one.example.seed for one in told})
        return fit(head, chosen)

    training.fit = spy  # type: ignore[assignment,method-assign]
    outcomes = training.crossed("emergency", lambda example: example.seed)
    judged = [one.example.text for one in outcomes]
    assert sorted(judged) == sorted(one.text for one in small.examples if one.emergency is not None)
    asked = {one.example.seed for one in outcomes}
    assert all(asked - seeds for seeds in learned)
    assert set.union(*[asked - seeds for seeds in learned]) == asked


def test_noise_changes_no_other_texts_variants(small: Corpus) -> None:
    """A text's variants are its own: another text more leaves them as they were."""

    def made(examples: tuple[Example, ...]) -> set[str]:
        return {
            one.words for one in tellings(examples, lambda _: 0, Noise()) if one.variant == "typo"
        }

    assert made(small.examples[:5]) <= made(small.examples)


def test_speech_has_no_marks(small: Corpus) -> None:
    """Speech recognition leaves no punctuation, and the spoken variant has none."""
    spoken = [
        one for one in tellings(small.examples, lambda _: 0, Noise()) if one.variant == "speech"
    ]
    assert spoken
    assert not any(mark in one.words for one in spoken for mark in "，。,!?！？")


def test_the_card_tells_what_was_learned_from(small: Corpus, rulebook: Rulebook) -> None:
    """Data, date, lexicon and figures are in the artefact."""
    card = build(None, small, rulebook, OPTIONS, ON).card
    assert card["date"] == "2026-11-22"
    assert card["data"] == {"shipped": small.digest}
    assert card["lexicon"] == rulebook.version
    assert card["texts"]["shipped"]["emergencies"] == 5
    assert set(card["figures"]) == set(LABELS)
    assert card["lexicon_weight"] == {"domain": 2.0, "type": 1.0}
    assert card["figures"]["emergency"]["texts"] == 15


def test_nothing_that_tells_an_emergency_is_an_error(rulebook: Rulebook) -> None:
    """A model that cannot tell emergencies is not made."""
    line = Example(text="停水了", where="a:1", seed="a", domain=None)
    with pytest.raises(ConfigError, match="is_emergency"):
        build(Corpus(examples=(line,), digest="0"), None, rulebook, OPTIONS, ON)


def test_a_site_with_many_letters_draws_its_own_borders(small: Corpus, rulebook: Rulebook) -> None:
    """From so many lines on the domain is learned from the site alone; emergencies from both."""
    site = tuple(
        Example(text=f"小区路灯{n}不亮", where=f"a:{n}", seed=str(n), domain="transport")  # type: ignore[arg-type]
        for n in range(4)
    )
    training = Training(site, small.examples, rulebook, msgspec.structs.replace(OPTIONS, own=4))
    known = training.labelled("domain")
    taught = [one.example.where for one, yes in zip(training.told, known, strict=True) if yes]
    assert taught == [one.where for one in site]
    assert training.labelled("emergency").sum() > 4
    assert (training.own("domain"), training.own("type")) == (True, False)


def test_a_disputed_text_teaches_only_that_it_is_disputed(
    small: Corpus, rulebook: Rulebook
) -> None:
    """It is neither an emergency nor the contrary, and one head learns to know its like."""
    training = Training((), small.examples, rulebook, OPTIONS)
    disputed = np.array([one.example.unclear for one in training.told])
    assert disputed.any()
    assert not (disputed & training.labelled("emergency")).any()
    assert (disputed & training.labelled("unclear")).sum() == disputed.sum()


def test_the_shipped_model_is_made_of_the_shipped_texts() -> None:
    """Whoever changes a text runs ``make model``: the artefact names the texts it was made of."""
    path = corpus.resources.files("config") / "models" / "judge.model"
    shipped = model.load(Path(str(path)))
    assert shipped is not None
    assert shipped.card["data"] == {"shipped": corpus.shipped().digest}


def test_nothing_that_serves_or_judges_loads_the_training_libraries() -> None:
    """Start-up stays light: ``serve``, ``explain`` and ``evaluate`` import none of them."""
    code = (
        "import sys, gateway.commands.serve, gateway.commands.explain, gateway.commands.evaluate\n"
        "print(sorted({'sklearn', 'scipy', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
