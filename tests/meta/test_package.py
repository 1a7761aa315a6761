"""What is shipped: the wheel's contents, the lock files, the changelog."""

import json
import re
import zipfile
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.meta.tree import PACKAGES, ROOT, files, project

#: Everything that a package needs at run time besides its code.
DATA = (
    *("gateway/pages/form.html", "gateway/pages/desk.html", "gateway/pages/static/citizen.css"),
    *("gateway/pages/static/desk.js", "gateway/strings/zh.toml", "gateway/strings/en.toml"),
    *("gateway/store/migrations/0001_initial.sql", "gateway/store/queries/write.sql"),
    *("config/gateway.yaml", "config/regions/suzhou.yaml", "config/lexicons/rescue.yaml"),
    *("config/training/fire.yaml", "config/models/judge.model", "config/models/judge.card.json"),
    *("config/calendars/cn.yaml", "config/departments/cn.yaml"),
    *("normalizer/data/divisions.txt", "normalizer/data/towns.txt"),
    *(f"{package}/py.typed" for package in PACKAGES),
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Build the wheel as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(built)


def contents(wheel: zipfile.ZipFile) -> set[str]:
    return {name for name in wheel.namelist() if ".dist-info/" not in name}


def test_the_wheel_holds_the_five_packages_whole(wheel: zipfile.ZipFile) -> None:
    """Every file of the packages is in the wheel, and nothing else is."""
    assert contents(wheel) == {path.relative_to(ROOT).as_posix() for path in files(*PACKAGES)}


def test_the_wheel_holds_what_the_gateway_reads_at_run_time(wheel: zipfile.ZipFile) -> None:
    """Templates, queries, rule packs, lexicons and texts are shipped."""
    assert set(DATA) - contents(wheel) == set()


def test_the_wheel_holds_no_folder_twice(wheel: zipfile.ZipFile) -> None:
    """No test, tool or page of the documentation is installed beside the packages."""
    tops = {PurePosixPath(name).parts[0] for name in contents(wheel)}
    assert tops == set(PACKAGES)


def test_the_wheel_carries_its_licence(wheel: zipfile.ZipFile) -> None:
    """Whoever gets the wheel gets the licence."""
    (name,) = [n for n in wheel.namelist() if n.endswith("licenses/LICENSE")]
    assert wheel.read(name) == (ROOT / "LICENSE").read_bytes()


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_changelog_begins_with_what_is_coming_or_with_this_version() -> None:
    """The newest section is Unreleased or the version of the package."""
    newest = re.search(r"^## \[([^\]]+)\]", changelog(), re.MULTILINE)
    assert newest is not None
    assert newest[1] in {"Unreleased", project()["project"]["version"]}


def test_every_line_of_the_changelog_names_its_component() -> None:
    """A reader finds the lines about a part by its name."""
    entries = re.findall(r"^- (.*)$", changelog(), re.MULTILINE)
    assert len(entries) > 5
    assert [entry for entry in entries if not re.match(r"\*\*[a-z-]+:\*\* [\w`]", entry)] == []


def test_what_is_installed_is_this_version() -> None:
    """``gateway version`` tells the version of the source."""
    assert version("intake-gateway") == project()["project"]["version"]


def requirements(only: Collection[str] = (), without: Collection[str] = ()) -> set[str]:
    """Return the names of everything that the project asks for, with all extras or some."""
    data = project()["project"]
    extras = data["optional-dependencies"]
    chosen = [extras[n] for n in extras if (not only or n in only) and n not in without]
    groups = [data["dependencies"], *chosen]
    asked = [each for group in groups for each in group]
    names = {re.split(r"[\[<>=; ]", each)[0].lower() for each in asked}
    return {name.replace("_", "-") for name in names} - {data["name"]}


#: What each lock file holds beside the gateway's own requirements: an extra has one that whoever
#: does not ask for it need not fetch.
APART = "offline-speech"


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("requirements.lock", requirements(without={APART})),
        ("requirements-offline-speech.lock", requirements(only={APART})),
    ],
)
def test_every_requirement_is_locked_with_hashes(name: str, asked: set[str]) -> None:
    """A lock file pins all that is asked for, each with a hash."""
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert asked - set(pins(lock)) == set()
    blocks = re.split(r"^(?=[\w.-]+(?:\[[^\]]*\])?==)", lock, flags=re.MULTILINE)
    assert [b.splitlines()[0] for b in blocks if "==" in b and "--hash=sha256:" not in b] == []


def pins(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package that a lock file names."""
    found: dict[str, set[str]] = {}
    for name, pin in re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", lock, re.MULTILINE):
        found.setdefault(name.lower(), set()).add(pin)
    return found


def test_the_lock_files_agree() -> None:
    """What both name is of one version, so that one installation can hold both."""
    ours = pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    apart = pins((ROOT / "requirements-offline-speech.lock").read_text(encoding="utf-8"))
    assert {
        name: (ours[name], apart[name]) for name in ours.keys() & apart if ours[name] != apart[name]
    } == {}
    assert "faster-whisper" not in ours


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements-offline-speech.lock",
        "tests/peers/requirements.lock",
        "tests/peers/package-lock.json",
    ],
)
def test_a_lock_file_names_no_host(name: str) -> None:
    """Whoever installs chooses where packages come from."""
    assert re.findall(r"https?://[^\s\"]+", (ROOT / name).read_text(encoding="utf-8")) == []


def test_every_package_of_another_language_is_locked_by_its_hash() -> None:
    """Npm checks what it gets, wherever it gets it from."""
    lock = json.loads((ROOT / "tests/peers/package-lock.json").read_text(encoding="utf-8"))
    packages = {name: p for name, p in lock["packages"].items() if name}
    assert packages
    assert [name for name, p in packages.items() if not p["integrity"].startswith("sha512-")] == []


@pytest.mark.parametrize("name", ["tools/make-venv", "tools/install-peers", ".ci/run"])
def test_a_script_can_be_run(name: str) -> None:
    """The Makefile and the continuous integration call the scripts by name."""
    assert Path(ROOT / name).stat().st_mode & 0o111 == 0o111
