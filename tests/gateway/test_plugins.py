"""Finding channels and adapters, and noticing that somebody else's package took a name of ours."""

import sys
from pathlib import Path

import pytest

from config.plugin import Plugin
from gateway import plugins
from normalizer.errors import ConfigError

_OTHER = """\
from config.plugin import Plugin
from config.settings import Section
plugin = Plugin("web", Section, str)
"""


def installed(folder: Path, name: str, files: dict[str, str], *, points: str = "") -> None:
    """Put a distribution into a folder as an installer does."""
    record = []
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
        record.append(f"{path},,\n")
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text("".join(record))
    (info / "entry_points.txt").write_text(points)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that Python looks for distributions in."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_installed_plugins_are_found_by_name() -> None:
    """Each is a value whose name is that of its entry point."""
    for group in ("gateway.channels", "gateway.adapters"):
        found = plugins.load(group)
        assert found
        assert all(isinstance(p, Plugin) and p.name == name for name, p in found.items())


def test_another_distribution_may_bring_a_plugin(site: Path) -> None:
    """A site's own channel is found beside ours."""
    source = _OTHER.replace('"web"', '"pager"')
    installed(
        site,
        "site-pager",
        {"site_pager.py": source},
        points="[gateway.channels]\npager = site_pager:plugin\n",
    )
    try:
        assert set(plugins.load("gateway.channels")) >= {"web", "pager"}
    finally:
        sys.modules.pop("site_pager", None)


def test_two_plugins_of_one_name_are_an_error(site: Path) -> None:
    """Which one would run is not left to chance."""
    installed(
        site,
        "site-web",
        {"site_web.py": _OTHER},
        points="[gateway.channels]\nweb = site_web:plugin\n",
    )
    try:
        with pytest.raises(ConfigError, match="two plug-ins are called 'web'"):
            plugins.load("gateway.channels")
    finally:
        sys.modules.pop("site_web", None)


def test_a_clean_environment_has_no_foreign_package() -> None:
    """The guard is silent where there is nothing to say."""
    assert plugins.foreign_packages() == []


def test_another_distributions_package_of_our_name_is_noticed(site: Path) -> None:
    """An installer overwrites silently; ``serve`` and ``check`` do not go on."""
    installed(site, "other-channels", {"channels/consumer.py": ""})
    assert plugins.foreign_packages() == [
        "package 'channels' also belongs to other-channels: "
        "install the gateway in an environment of its own"
    ]


def test_a_package_without_its_init_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Uninstalling the other distribution deletes our ``__init__``: what is left is no package."""
    (tmp_path / "config" / "regions").mkdir(parents=True)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[-1:])
    monkeypatch.delitem(sys.modules, "config")
    said = plugins.foreign_packages()
    assert "package 'config' is incomplete: reinstall intake-gateway in a clean environment" in said
