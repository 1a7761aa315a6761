"""The compiled rulebook."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.judge.assess import assess
from gateway.judge.rulebook import Rulebook, load
from normalizer.schema import Domain, RequestType, Service, Urgency
from tests.assess.conftest import SMALL


def test_packaged_lexicons_load(rulebook: Rulebook) -> None:
    """What ships is free of mistakes and covers every type, every domain and every service."""
    types = {sense.name for found in rulebook.types.senses for sense in found.values()}
    domains = {sense.name for found in rulebook.domains.senses for sense in found.values()}
    services = {service for kind in rulebook.kinds.values() for service in kind.services}
    assert types == set(RequestType)
    assert domains == set(Domain) - {Domain.OTHER}
    assert services == set(Service)


def test_version_follows_the_content(tmp_path: Path) -> None:
    """The same files give the same version; one changed word gives another."""
    (tmp_path / "a.yaml").write_text(SMALL, encoding="utf-8")
    first = load(tmp_path).version
    assert load(tmp_path).version == first
    assert len(first) == 12
    (tmp_path / "a.yaml").write_text(SMALL.replace("冒烟", "冒黑烟"), encoding="utf-8")
    assert load(tmp_path).version != first


def test_rulebook_cannot_be_changed(rulebook: Rulebook) -> None:
    """A running judge's rules stay what they were."""
    with pytest.raises(AttributeError):
        rulebook.version = "x"  # type: ignore[misc]


def test_files_add_up(small: Callable[[str], Rulebook]) -> None:
    """A second file adds phrases to what the first one began."""
    rulebook = small("happenings:\n  fire: {certain: [走水了]}\n")
    assert assess("走水了", "走水了", rulebook).urgency is Urgency.EMERGENCY
    assert assess("着火了", "着火了", rulebook).urgency is Urgency.EMERGENCY


def test_settings_change_the_decision(small: Callable[[str], Rulebook]) -> None:
    """An operator can lower the bar."""
    text = "对面楼里好像冒烟"
    assert assess(text, text, small("")).urgency is Urgency.NORMAL
    eager = small("settings: {doubt: 0.5}\n")
    assert assess(text, text, eager).verify


def test_loading_is_repeatable(rulebook: Rulebook) -> None:
    """Loading twice gives equal rulebooks: no order of a set or a folder shows through."""
    again = load(None)
    assert again.version == rulebook.version
    assert again.acts == rulebook.acts
    assert again.chains == rulebook.chains
