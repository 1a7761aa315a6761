"""A site's own lines: what they may hold, and where their mistakes are."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.judge import labelled
from normalizer.errors import ConfigError

Write = Callable[..., Path]


def test_names_and_chinese_labels_mean_the_same(write: Write) -> None:
    """A site that exports labels need not translate them."""
    path = write({"text": "甲", "domain": "housing"}, {"text": "乙", "domain": "城乡建设"})
    first, second = labelled.lines(path, labelled.labels()).examples
    assert first.domain == second.domain == "housing"
    assert second.where.endswith("site.jsonl:2")


def test_a_sites_own_words_are_mapped(write: Write, tmp_path: Path) -> None:
    """The first of ours is learned, the others are right as well."""
    names = tmp_path / "labels.yaml"
    names.write_text("domain: {商贸: [commerce, market]}\ntype: {反映: help}\n", encoding="utf-8")
    path = write({"text": "甲", "domain": "商贸", "type": "反映"})
    (one,) = labelled.lines(path, labelled.labels(names)).examples
    assert (one.domain, one.also, one.type) == ("commerce", ("market",), "help")


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("{", "not a JSON object"),
        ('{"title": "甲"}', 'a string "text"'),
        ('{"text": "秘密", "domain": "秘密"}', "unknown domain"),
        ('{"text": "秘密", "is_emergency": "yes"}', '"is_emergency" is true, false or null'),
        ('{"text": "秘密", "services": ["911"]}', '"services" is a list of'),
        ('{"text": "秘密", "title": 1}', '"title" is a string'),
    ],
)
def test_a_mistake_is_named_without_the_citizens_words(write: Write, line: str, what: str) -> None:
    """The message tells the line and never quotes the text."""
    with pytest.raises(ConfigError) as caught:
        labelled.lines(write({"text": "好"}, line), labelled.labels())
    assert "site.jsonl:2: " in str(caught.value)
    assert what in str(caught.value)
    assert 'text": "秘密' not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing file and an empty one are told apart."""
    with pytest.raises(ConfigError, match="cannot be read"):
        labelled.lines(tmp_path / "none.jsonl", labelled.labels())
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="holds no labelled line"):
        labelled.lines(tmp_path / "empty.jsonl", labelled.labels())


def test_repeats_of_one_text_are_one_situation(write: Write) -> None:
    """A text that a site holds twice cannot stand on both sides of a split."""
    first, second, third = labelled.lines(
        write({"text": "停水了"}, {"text": "停水了"}, {"text": "停电了"}), labelled.labels()
    ).examples
    assert first.seed == second.seed != third.seed
