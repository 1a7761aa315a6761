"""Lexicon files: the notation, and where each mistake is reported."""

from pathlib import Path

import pytest

from gateway.judge.lexicon import Node, files, parse, spellings
from gateway.judge.rulebook import load
from normalizer.errors import ConfigError
from tests.assess.conftest import SMALL


def phrase(text: str, **lists: list[str]) -> list[list[str]]:
    """Return what one phrase stands for."""
    root = parse("f.yaml", f'["{text}"]'.encode())
    assert isinstance(root, Node)
    return spellings(root.items()[0], lists)


def test_choices_and_lists_multiply() -> None:
    """Every choice meets every other, an empty one included."""
    assert phrase("(掉|落)(进|)<水>", 水=["河", "井"]) == [
        ["掉进河", "掉进井", "掉河", "掉井", "落进河", "落进井", "落河", "落井"]
    ]


def test_ellipsis_parts_stand_apart() -> None:
    """An ellipsis of any length cuts a phrase into parts."""
    assert phrase("电梯……(困|卡)…人") == [["电梯"], ["困", "卡"], ["人"]]


def test_phrases_are_folded() -> None:
    """Traditional characters and capitals are written in the form that texts are matched in."""
    assert phrase("煤氣 SOS") == [["煤气 sos"]]


@pytest.mark.parametrize(
    ("more", "line", "what"),
    [
        ("happenings:\n  fire:\n    certain: [好(, 火]\n", 3, "bracket"),
        ("happenings:\n  fire:\n    certain: [掉<河>里]\n", 3, "unknown list <河>"),
        ("happenings:\n  fire:\n    certain: [火…]\n", 3, "empty"),
        ("happenings:\n  fire:\n    certain: [(|火)]\n", 3, "empty"),
        ("happenings:\n  flood: {certain: [淹了]}\n", 2, "unknown kind 'flood'"),
        ("happenings:\n  fire:\n    sure: [火]\n", 3, "unknown key 'sure'"),
        ("happenings:\n  fire: {certain: 火}\n", 2, "expected a list"),
        ("happenings:\n  fire: {certain: [[火]]}\n", 2, "expected a word"),
        ("happenings:\n  fire: {alone: [火…警]}\n", 2, "whole message"),
        ("frames:\n  past: {against: all, phrases: [去年]}\n", 2, "needs `reach:`"),
        (
            "frames:\n  past: {against: all, reach: far, phrases: [去年]}\n",
            2,
            "unknown reach 'far'",
        ),
        ("frames:\n  past: {against: 3, reach: clause, phrases: [去年]}\n", 2, "strength '3'"),
        (
            "frames:\n  a: {against: all, reach: clause, only: [flood], phrases: [去年]}\n",
            2,
            "kind",
        ),
        ("frames:\n  past: {against: all, reach: clause}\n", 2, "needs `phrases: [...]`"),
        ("signs:\n  soon: {opens: maybe, phrases: [马上]}\n", 2, "yes or no"),
        ("signs:\n  soon: {rearms: no, phrases: [马上]}\n", 2, "unknown reach 'no'"),
        ("kinds:\n  gas: {services: [gas]}\n", 2, "needs `label:`"),
        ("kinds:\n  gas: {label: 漏气, services: []}\n", 2, "at least one service"),
        ("kinds:\n  gas: {label: 气, services: [steam]}\n", 2, "unknown service 'steam'"),
        ("kinds:\n  gas: {label: 气, services: [gas], also: {burnt: [gas]}}\n", 2, "'burnt'"),
        ("kinds:\n  gas: {label: 气, services: [gas], rank: high}\n", 2, "number"),
        ("kinds:\n  fire: {label: 火, services: [gas]}\n", 2, "another file"),
        ("types:\n  wish: {certain: [想要]}\n", 2, "unknown request type 'wish'"),
        ("domains:\n  space: {certain: [火箭]}\n", 2, "unknown domain 'space'"),
        ("settings:\n  emergency: -1\n", 2, "number from 0"),
        ("settings:\n  limit: 1\n", 2, "unknown key 'limit'"),
        ("colours:\n  red: [红]\n", 2, "unknown key 'colours'"),
        ("signs:\n  a: {phrases: [甲]}\n  a: {phrases: [乙]}\n", 3, "twice"),
        ("- 火\n", 1, "name: value"),
        ("happenings:\n  fire: {certain: [火\n", 3, "not YAML"),
    ],
)
def test_mistakes_name_file_and_line(tmp_path: Path, more: str, line: int, what: str) -> None:
    """An operator's slip is reported where it stands, with what to do."""
    (tmp_path / "a.yaml").write_text(SMALL, encoding="utf-8")
    (tmp_path / "b.yaml").write_text(more, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'b.yaml'}:{line}: ")
    assert what in message


def test_wrong_encoding_names_its_line(tmp_path: Path) -> None:
    """A file saved as GBK is reported at the first line that is not UTF-8."""
    (tmp_path / "a.yaml").write_bytes("lists:\n  水: [河]\n".encode("gbk"))
    with pytest.raises(ConfigError, match=r"a\.yaml:2: not UTF-8"):
        load(tmp_path)


def test_forbidden_character_is_a_config_error(tmp_path: Path) -> None:
    """A control character that YAML forbids does not escape as another error."""
    (tmp_path / "a.yaml").write_bytes(b"lists:\n  a: [\x07]\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:\d+: not YAML"):
        load(tmp_path)


def test_folder_without_lexicon(tmp_path: Path) -> None:
    """An empty and a missing folder are reported by name."""
    with pytest.raises(ConfigError, match="holds no lexicon"):
        files(tmp_path)
    with pytest.raises(ConfigError, match="cannot be read"):
        files(tmp_path / "none")


def test_a_phrase_may_not_stand_for_too_much(tmp_path: Path) -> None:
    """A phrase that multiplies out to thousands of spellings is refused."""
    many = "|".join(f"甲{n}" for n in range(60))
    (tmp_path / "a.yaml").write_text(f"domains:\n  other:\n    certain:\n    - ({many})({many})\n")
    with pytest.raises(ConfigError, match=r"a\.yaml:4: .*3600 spellings"):
        load(tmp_path)
