"""Replacing a file, and trying routes out."""

import asyncio
from pathlib import Path

import pytest

from gateway.console import trial
from gateway.console.replacing import ChangedMeanwhile, Unwritable, replace
from gateway.console.trial import Trial, TrialFailed
from tests.gateway.world import CONFIG

OLD, NEW = b"old\n", b"new\n" * 1000


def test_a_file_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    """And nothing is left beside it, not even after a call that was killed."""
    path = tmp_path / "gateway.yaml"
    path.write_bytes(OLD)
    path.chmod(0o640)
    (tmp_path / ".gateway.yaml.new").write_bytes(b"half")
    replace(path, OLD, NEW)
    assert path.read_bytes() == NEW
    assert path.stat().st_mode & 0o7777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["gateway.yaml"]


def test_what_somebody_else_wrote_meanwhile_stays(tmp_path: Path) -> None:
    """Nothing is overwritten that was not seen."""
    path = tmp_path / "gateway.yaml"
    path.write_bytes(b"by hand\n")
    with pytest.raises(ChangedMeanwhile):
        replace(path, OLD, NEW)
    assert path.read_bytes() == b"by hand\n"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the name of what is in the way; a link beside the file is not followed."""
    path, other = tmp_path / "gateway.yaml", tmp_path / "other"
    path.write_bytes(OLD)
    other.write_bytes(b"other")
    (tmp_path / ".gateway.yaml.new").symlink_to(other)
    with pytest.raises(Unwritable, match=r"\.gateway\.yaml\.new"):
        replace(path, OLD, NEW)
    with pytest.raises(Unwritable, match="missing"):
        replace(tmp_path / "missing", OLD, NEW)
    assert (path.read_bytes(), other.read_bytes()) == (OLD, b"other")


async def test_a_try_that_does_not_end_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is killed; so many may wait, and the others are told to come again."""
    monkeypatch.setattr(trial, "LASTS_S", 0.05)
    tries = Trial()
    path = tmp_path / "gateway.yaml"
    found = await asyncio.gather(
        *(tries.run(path, CONFIG.encode()) for _ in range(5)), return_exceptions=True
    )
    assert all(isinstance(one, TrialFailed) for one in found)
    assert sum("others are being tried" in str(one) for one in found) == 1
