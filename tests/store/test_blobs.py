"""Files that citizens sent."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.blobs import MOST_OCTETS, Blobs
from normalizer.errors import Oversized, StoreError
from tests.clock import FakeClock

PART = bytes(range(256)) * 400


@pytest.fixture
async def blobs(tmp_path: Path) -> Blobs:
    """Return an open, empty folder of files."""
    opened = Blobs(tmp_path / "files")
    await opened.open()
    return opened


async def parts(*given: bytes) -> AsyncIterator[bytes]:
    """Yield these parts."""
    for one in given:
        yield one


def drafts(tmp_path: Path) -> list[Path]:
    """Return the files that have only a temporary name."""
    return list((tmp_path / "files" / "tmp").iterdir())


@pytest.mark.parametrize("given", [(), (b"",), (b"a",), (b"a", b"", b"b"), (PART,) * 9])
async def test_a_file_is_kept_under_its_hash(
    blobs: Blobs, tmp_path: Path, given: tuple[bytes, ...]
) -> None:
    """A file comes back octet for octet under the SHA-256 of its content, however it arrived."""
    whole = b"".join(given)
    expected = (hashlib.sha256(whole).hexdigest(), len(whole))
    assert await blobs.write(parts(*given)) == expected
    assert await blobs.write(whole) == expected
    assert blobs.path(expected[0]).read_bytes() == whole
    assert blobs.path(expected[0]).stat().st_mode & 0o777 == 0o600
    assert drafts(tmp_path) == []


async def test_the_same_file_at_once(blobs: Blobs, tmp_path: Path) -> None:
    """Twenty writers of one file and a different one keep two files."""
    written = await asyncio.gather(*(blobs.write(PART) for _ in range(20)), blobs.write(b"other"))
    assert len(set(written)) == 2
    assert len([f for f in (tmp_path / "files").rglob("*") if f.is_file()]) == 2


async def test_a_file_beyond_the_limit_is_refused(blobs: Blobs, tmp_path: Path) -> None:
    """One octet too many is an error that keeps nothing; the limit itself is allowed."""
    assert (await blobs.write(bytes(1000), limit=1000))[1] == 1000
    for given in (bytes(1001), parts(bytes(1000), b"x")):
        with pytest.raises(Oversized):
            await blobs.write(given, limit=1000)
    with pytest.raises(Oversized):
        await blobs.write(bytes(MOST_OCTETS + 1))
    assert drafts(tmp_path) == []


async def test_an_endless_file_is_cut_off(blobs: Blobs, tmp_path: Path) -> None:
    """A sender that never ends is stopped at the limit."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield PART

    with pytest.raises(Oversized):
        await blobs.write(endless(), limit=3 * len(PART))
    assert drafts(tmp_path) == []


async def test_a_broken_off_file_leaves_nothing(blobs: Blobs, tmp_path: Path) -> None:
    """An error of the sender passes through, and its file is gone; so is a cancelled one's."""

    async def breaks() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield PART
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await blobs.write(breaks())

    async def hangs() -> AsyncIterator[bytes]:
        for _ in range(4):
            yield PART
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    writing = asyncio.ensure_future(blobs.write(hangs()))
    await begun.wait()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    assert drafts(tmp_path) == []


async def test_opening_sweeps_what_was_left(blobs: Blobs, tmp_path: Path) -> None:
    """Half-written files of a process that died are removed, whole ones stay."""
    kept, _ = await blobs.write(b"kept")
    (tmp_path / "files" / "tmp" / "left").write_bytes(b"half")
    await Blobs(tmp_path / "files").open()
    assert drafts(tmp_path) == []
    assert blobs.path(kept).read_bytes() == b"kept"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "g" * 64, "A" * 64, "a" * 63, "a" * 65])
async def test_only_a_hash_is_a_name(blobs: Blobs, name: str) -> None:
    """What is not a SHA-256 names no file, least of all one outside the folder."""
    with pytest.raises(ValueError, match="SHA-256"):
        blobs.path(name)


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """A folder that cannot be made, or that has gone, is a store error that names it."""
    with pytest.raises(StoreError, match="/proc/files"):
        await Blobs(Path("/proc/files")).open()
    gone = Blobs(tmp_path / "gone")
    with pytest.raises(StoreError, match="gone"):
        await gone.write(b"x")


async def test_what_nothing_names_is_removed_when_it_is_old(tmp_path: Path) -> None:
    """Old files that nothing names go; named ones, young ones and what is no file of ours stay."""
    blobs = Blobs(tmp_path)
    await blobs.open()
    old, named, young = [(await blobs.write(word))[0] for word in (b"old", b"named", b"young")]
    now = datetime.now(UTC)
    for sha256 in (old, named):
        os.utime(blobs.path(sha256), (0, (now - timedelta(hours=25)).timestamp()))
    stray = blobs.path(old).with_name("notes.txt")
    stray.write_bytes(b"")
    os.utime(stray, (0, 0))

    async def names(hashes: Sequence[str]) -> set[str]:
        assert set(hashes) == {old, named}
        return {named}

    assert await blobs.remove_unnamed(names, now - timedelta(days=1)) == 1
    left = [blobs.path(sha256).exists() for sha256 in (old, named, young)]
    assert [*left, stray.exists()] == [False, True, True, True]


async def test_a_file_that_is_sent_again_meanwhile_stays(tmp_path: Path) -> None:
    """A file that somebody sends again while it is being asked after is kept for them."""
    blobs = Blobs(tmp_path)
    await blobs.open()
    sha256, _ = await blobs.write(b"photo")
    os.utime(blobs.path(sha256), (0, 0))

    async def sent_again(_hashes: Sequence[str]) -> set[str]:
        await blobs.write(b"photo")
        return set()

    assert await blobs.remove_unnamed(sent_again, datetime.now(UTC) - timedelta(days=1)) == 0
    assert blobs.path(sha256).read_bytes() == b"photo"


async def test_the_folder_is_tidied_at_the_start_and_daily(tmp_path: Path) -> None:
    """What nothing names is looked for at once and a day later, also after a failure."""
    blobs = Blobs(tmp_path)
    await blobs.open()
    clock = FakeClock()
    asked: asyncio.Queue[datetime] = asyncio.Queue()
    failures = [StoreError("the disk does not answer")]

    async def names(hashes: Sequence[str]) -> set[str]:
        asked.put_nowait(clock.now())
        if failures:
            raise failures.pop()
        return set(hashes)

    sha256, _ = await blobs.write(b"photo")
    os.utime(blobs.path(sha256), (0, 0))
    task = asyncio.create_task(blobs.keep_tidy(names, clock))
    first = await asked.get()
    await clock.advance(86_399)
    assert asked.empty()
    await clock.advance(1)
    assert await asked.get() - first == timedelta(days=1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert blobs.path(sha256).exists()
