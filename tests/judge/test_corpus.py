"""Seeds: what they mean, and where their mistakes are."""

from pathlib import Path

import pytest

from gateway.judge import corpus
from normalizer.errors import ConfigError


def test_what_a_seed_says_is_an_emergency_and_its_twins_are_none(folder: Path) -> None:
    """The texts under ``says`` carry the services, those under ``twins`` their reason."""
    found = {one.text: one for one in corpus.shipped(folder).examples}
    fire = found["阳台上着火了快派消防车来"]
    assert (fire.emergency, fire.services, fire.style, fire.seed) == (
        True,
        ("119",),
        "plain",
        "fire-2",
    )
    twin = found["烧烤店天天冒烟,投诉了没有人管"]
    assert (twin.emergency, twin.services, twin.reason, twin.type) == (
        False,
        (),
        "complaint",
        "complaint",
    )
    assert found["家里着火保险怎么赔"].where.endswith("small.yaml:9")


def test_an_ordinary_letter_has_its_labels(folder: Path) -> None:
    """Domain, type and title come with the text; it is no emergency."""
    (letter,) = [one for one in corpus.shipped(folder).examples if one.seed == "ord-housing-1"]
    assert (letter.domain, letter.type, letter.emergency) == ("housing", "complaint", False)
    assert letter.words == "投诉物业\n小区电梯坏了半个月没有人修,物业不理"


def test_a_disputed_text_is_neither(folder: Path) -> None:
    """A text that people dispute has no answer, so that nothing is learned from it."""
    (unclear,) = [one for one in corpus.shipped(folder).examples if one.unclear]
    assert (unclear.emergency, unclear.services) == (None, None)


def test_utilities_alone_make_no_emergency(tmp_path: Path) -> None:
    """Without one of the four services there is nothing to raise."""
    text = "- {seed: a-1, services: [water], says: {plain: 水管爆了}}\n"
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    (one,) = corpus.shipped(tmp_path).examples
    assert one.emergency is False


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("- {seed: a, says: {plain: 着火了}}", 1, "needs `services:`"),
        ('- seed: a\n  services: ["911"]\n  says: {plain: 着火了}', 2, "unknown service '911'"),
        ('- seed: a\n  services: ["119"]\n  says:\n    loud: 着火了', 4, "unknown style 'loud'"),
        ("- seed: a\n  twins:\n    why: 着火了", 3, "unknown reason 'why'"),
        ("- seed: a\n  domain: houses\n  says: {plain: 好}", 2, "unknown domain 'houses'"),
        ("- seed: a\n  twins: {past: 甲}\n- seed: a\n  twins: {past: 乙}", 3, "stands at"),
        ("- seed: a\n  twins: {past: 甲}\n- seed: b\n  twins: {past: 甲}", 4, "same text"),
        ("- seed: a\n  twins: {past: [甲, ]}\n  colour: red", 3, "unknown key 'colour'"),
        ("seed: a", 1, "expected a list"),
        ("- seed: [", 2, "not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, what: str) -> None:
    """Whoever writes seeds is told where the slip is."""
    (tmp_path / "a.yaml").write_text(text + "\n", encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        corpus.shipped(tmp_path)
    assert f"a.yaml:{line}: " in str(caught.value)
    assert what in str(caught.value)


def test_a_folder_without_seeds_is_a_mistake(tmp_path: Path) -> None:
    """An empty folder would train a model of nothing."""
    with pytest.raises(ConfigError, match="holds no seeds"):
        corpus.shipped(tmp_path)


def test_the_digest_follows_every_change(folder: Path) -> None:
    """One character more is another corpus; the same files are the same."""
    before = corpus.shipped(folder).digest
    assert corpus.shipped(folder).digest == before
    with (folder / "small.yaml").open("a", encoding="utf-8") as file:
        file.write("# more\n")
    assert corpus.shipped(folder).digest != before
