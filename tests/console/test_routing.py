"""Putting routes in force where something goes wrong on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from config.load import Loaded, load
from gateway.console import replacing
from gateway.console.replacing import Unwritable
from gateway.console.routes_pages import changes_of
from gateway.console.routing import TEXT_MOST, Looked, NotNoted, Routing
from gateway.console.trial import TrialFailed
from gateway.console.trial_child import Told
from gateway.rerouting import Report
from gateway.store.accounts import NewEntry
from normalizer.errors import ConfigError, StoreError
from tests.gateway.world import CONFIG
from tests.store.make import NOW

NEW = "routes:\n  - {name: all, send: {to: backoffice, unit: 市城管局}}\n"

TRIED = Told(report=Report(tickets=0, elsewhere=()))


@dataclass
class Kept:
    """Versions that are counted, and what was noted; the store may fail on the last step."""

    noted: list[str] = field(default_factory=list)
    fails: bool = False

    async def keep(self, _text: str, _why: str, _before: str, entry: NewEntry) -> int:
        """Keep one."""
        self.noted.append(entry.action)
        return 1

    async def failed(self, entry: NewEntry) -> None:
        """Note that it was not put in force."""
        self.noted.append(entry.action)

    async def came_into_force(self, _number: int, entry: NewEntry) -> None:
        """Note that it was."""
        if self.fails:
            raise StoreError("the disk is full")
        self.noted.append(entry.action)


@dataclass
class Gateway:
    """A gateway that reads its file, or is kept from it."""

    loaded: Loaded
    meanwhile: Callable[[], None] | None = None

    async def reload_from(self, path: Path | None) -> None:
        """Read the file again."""
        if self.meanwhile is not None:
            self.meanwhile()
            raise ConfigError("the gateway refuses it")
        self.loaded = load(path)


@dataclass
class Tried:
    """What every try comes to."""

    told: Told = TRIED

    async def run(self, *_: object) -> Told:
        """Return it."""
        return self.told


class Case:
    """One gateway with its file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "gateway.yaml"
        self.path.write_text(CONFIG, encoding="utf-8")
        self.kept, self.gateway, self.tried = Kept(), Gateway(load(self.path)), Tried()
        kept: Any = self.kept
        self.routing = Routing(kept)
        self.routing.run_by(self.gateway)
        self.routing._trial = self.tried  # type: ignore[assignment]

    async def put(self, text: str = NEW) -> Looked:
        """Put routes in force."""
        base = (await self.routing.current()).digest
        return await self.routing.put(text, base, "why", entry)

    @property
    def changed(self) -> bool:
        """Whether the file has other routes now."""
        return self.path.read_text("utf-8") != CONFIG


def entry(action: str, subject: str = "", **detail: str) -> NewEntry:
    """Return an entry for the audit."""
    return NewEntry(at=NOW, by="chen", remote="", action=action, subject=subject, detail=detail)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """Return a gateway that nobody has changed yet."""
    return Case(tmp_path)


@pytest.mark.parametrize("told", [Told(failed="the disk is full"), Told()])
async def test_routes_that_were_not_tried_on_tickets_are_not_put(case: Case, told: Told) -> None:
    """An expression that never ends would hold all citizens up."""
    case.tried.told = told
    with pytest.raises(TrialFailed, match="try again"):
        await case.put()
    assert not case.changed
    assert not Looked(await case.routing.current(), told=Told(failed="x")).good


async def test_routes_in_force_that_could_not_be_noted_are_told_to_be_in_force(case: Case) -> None:
    """Nobody is to believe that nothing has happened."""
    case.kept.fails = True
    with pytest.raises(NotNoted, match="disk"):
        await case.put()
    assert case.changed
    assert case.gateway.loaded.settings.routes[0].name == "all"


async def test_refused_routes_are_noted_though_the_file_was_changed_meanwhile(case: Case) -> None:
    """Who edits the file just then is not overwritten, and the audit has that it failed."""
    case.gateway.meanwhile = lambda: case.path.write_text("by hand", encoding="utf-8") and None
    assert (await case.put()).trouble == "conflict"
    assert case.kept.noted == ["routes.change", "routes.failed"]
    assert case.path.read_text("utf-8") == "by hand"


async def test_refused_routes_that_stay_in_the_file_are_told(case: Case) -> None:
    """The old ones could not be written back."""
    beside = case.path.with_name(f".{case.path.name}.new")
    case.gateway.meanwhile = beside.mkdir
    with pytest.raises(ConfigError, match="still in the file") as told:
        await case.put()
    assert isinstance(told.value.__cause__, Unwritable)
    assert case.kept.noted[-1] == "routes.failed"


async def test_a_text_of_any_length_is_answered_at_once(case: Case) -> None:
    """Neither read as YAML nor compared line by line."""
    looked = await case.put("routes:\n" + "#" * TEXT_MOST)
    assert [wrong.line for wrong in looked.told.wrong] == [1]
    assert "64 KB" in looked.told.wrong[0].message
    long = "x\n" * 2001
    assert changes_of(long, NEW) is None
    assert changes_of(long, long) == []
    assert changes_of(NEW, NEW + "# x\n")


def test_a_folder_that_cannot_be_synced_undoes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file is in place by then."""

    def fail(_folder: Path) -> None:
        raise OSError(5, "Input/output error")

    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"old")
    monkeypatch.setattr(replacing, "_sync_folder", fail)
    replacing.replace(path, b"old", b"new")
    assert path.read_bytes() == b"new"
