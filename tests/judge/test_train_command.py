"""``gateway train`` from the command line."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.load import shipped
from gateway.cli import main
from gateway.judge import model

Write = Callable[..., Path]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A site's configuration: the shipped one in a folder of its own."""
    return Path(shutil.copy(shipped() / "gateway.yaml", tmp_path / "gateway.yaml"))


def test_a_model_and_its_card_are_written(
    folder: Path, config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The card is printed, stands beside the model and inside it; the model can be loaded."""
    out = tmp_path / "site.model"
    words = ["train", str(folder), "--alone", "--out", str(out), "--config", str(config)]
    assert main([*words, "--date", "2026-11-22"]) == 0
    printed = json.loads(capsys.readouterr().out)
    loaded = model.load(out)
    assert loaded is not None
    assert printed == json.loads(out.with_suffix(".card.json").read_text(encoding="utf-8"))
    assert loaded.card["version"] == printed["version"]
    assert (printed["date"], set(printed["data"])) == ("2026-11-22", {"site"})
    assert 0 < loaded.score("厨房着火了").emergency < 1


def test_operators_corrections_are_learned(
    folder: Path, config: Path, tmp_path: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines in ``corrections.jsonl`` beside the configuration join the site's texts."""
    write({"text": "门缝里往外冒烟", "is_emergency": True}, name="corrections.jsonl")
    out = tmp_path / "site.model"
    words = ["train", str(folder), "--alone", "--out", str(out), "--config", str(config)]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["texts"]["site"]["emergencies"] == 6


def test_corrections_that_are_judged_otherwise_still_are_told(
    config: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """`evaluate` looks at the corrections whatever file it is given."""
    write({"text": "请问居住证怎么办理", "is_emergency": True}, name="corrections.jsonl")
    path = write({"text": "路灯坏了", "is_emergency": False})
    assert main(["evaluate", str(path), "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert "Corrections: 1, of which judged otherwise still: 1" in out
    assert "corrections.jsonl:1: missed" in out


def test_without_the_library_the_extra_is_named(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Whoever lacks scikit-learn is told what to install."""
    for name in [one for one in sys.modules if one.startswith("gateway.judge.train")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    assert main(["train", str(folder), "--out", str(tmp_path / "a.model")]) == 2
    assert "pip install 'intake-gateway[train]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--alone"], "needs a FILE"),
        (["--date", "22.11.2026"], "--date is written as"),
    ],
)
def test_wrong_usage_is_told(
    tmp_path: Path, words: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and what to write instead, before anything is trained."""
    assert main(["train", "--out", str(tmp_path / "a.model"), *words]) == 2
    assert what in capsys.readouterr().err
