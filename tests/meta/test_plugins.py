"""Channels and adapters: installed as declared, documented, tested."""

from importlib.metadata import distribution

import pytest

from config.plugin import Plugin
from gateway import plugins
from tests.meta.tree import DOCS, ROOT, page, project, says

GROUPS = ("gateway.channels", "gateway.adapters")
DECLARED = [
    (group, name) for group in GROUPS for name in project()["project"]["entry-points"][group]
]
declared = pytest.mark.parametrize(("group", "name"), DECLARED)


def plugin_of(group: str, name: str) -> Plugin:
    return plugins.load(group)[name]


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_installed_is_what_is_declared(group: str) -> None:
    """The installed entry points are those of pyproject.toml; else install anew."""
    own = distribution("intake-gateway").entry_points.select(group=group)
    assert {e.name: e.value for e in own} == project()["project"]["entry-points"][group]


@declared
def test_an_entry_point_leads_to_a_plugin_of_its_name(group: str, name: str) -> None:
    """The name by which a configuration asks is the plug-in's own."""
    plugin = plugin_of(group, name)
    assert plugin.name == name
    assert plugin.settings.model_fields["kind"].default == name


#: An adapter that is known by what it sends.
PAGES = {"backoffice": "reference/events.md"}


def page_of(group: str, name: str) -> str:
    return PAGES.get(
        name, f"reference/{group.removeprefix('gateway.').removesuffix('s')}-{name}.md"
    )


@declared
def test_a_plugin_has_a_page(group: str, name: str) -> None:
    """Every channel and adapter has a page of the reference that shows how to configure it."""
    text = page(page_of(group, name))
    assert "## Settings" in text
    assert f"kind: {name}" in text


@declared
def test_a_plugins_settings_are_on_its_page(group: str, name: str) -> None:
    """Whoever configures a plug-in finds each of its settings."""
    text = page(page_of(group, name))
    missing = [f for f in plugin_of(group, name).settings.model_fields if not says(text, f)]
    assert missing == []


@declared
def test_a_plugin_has_tests_that_run_its_suite(group: str, name: str) -> None:
    """Every plug-in passes the conformance suite that is shipped for its kind."""
    kind = group.removeprefix("gateway.")
    folder, single = ROOT / "tests" / kind / name, ROOT / "tests" / kind / f"test_{name}.py"
    tests = [*folder.rglob("*.py"), *([single] if single.exists() else [])]
    assert any(f"from {kind}.testing import" in test.read_text(encoding="utf-8") for test in tests)


def test_every_page_of_a_plugin_is_of_one_that_exists() -> None:
    """No page describes a channel or adapter that is gone."""
    pages = {
        f"reference/{path.name}"
        for kind in ("channel", "adapter")
        for path in (DOCS / "reference").glob(f"{kind}-*.md")
    }
    assert pages == {page_of(group, name) for group, name in DECLARED} - set(PAGES.values())
