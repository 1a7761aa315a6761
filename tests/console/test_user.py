"""``gateway user``: who may use the console."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.process import Done, run
from tests.console.world import PASSWORD
from tests.gateway.world import CONFIG


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration and an empty store."""
    (tmp_path / "gateway.yaml").write_text(CONFIG, encoding="utf-8")
    done = await run("migrate", "--config", "gateway.yaml", cwd=tmp_path)
    assert done.code == 0, done.err
    return tmp_path


async def user(folder: Path, *arguments: str, given: str | None = None) -> Done:
    """Run ``gateway user …``."""
    return await run("user", *arguments, "--config", "gateway.yaml", cwd=folder, given=given)


async def test_users_are_added_listed_changed_and_removed(folder: Path) -> None:
    """A password is a line of standard input; a name is given once, whatever its case."""
    added = await user(folder, "add", "Chen", "--role", "operator", given=f"{PASSWORD}\n")
    assert (added.code, added.out) == (0, "chen may log in as operator\n")
    assert (await user(folder, "list")).out == "chen  operator\n"
    again = await user(folder, "add", "CHEN", "--role", "admin", given=f"{PASSWORD}\n")
    assert again.code == 1
    assert "the name chen is taken" in again.err
    assert (await user(folder, "change", "chen", "--role", "auditor")).code == 0
    assert (await user(folder, "change", "chen", "--password", given="another one\n")).code == 2
    assert (await user(folder, "list")).out == "chen  auditor\n"
    assert (await user(folder, "remove", "chen")).code == 0
    gone = await user(folder, "remove", "chen")
    assert (gone.code, "no user of this name" in gone.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (("add", "chen", "--role", "boss"), PASSWORD, "known: admin, operator, liaison, auditor"),
        (("add", "chen", "--role", "admin"), "too short\n", "at least 12 characters"),
        (("add", "chen", "--role", "admin"), "", "at least 12 characters"),
        (("add", "a/b", "--role", "admin"), PASSWORD, "cannot be a user's name"),
        (("change", "chen"), "", "nothing to change"),
    ],
)
async def test_what_is_wrong_is_told(
    folder: Path, arguments: tuple[str, ...], given: str, says: str
) -> None:
    """With exit code 2, in a sentence, and nobody is added."""
    done = await user(folder, *arguments, given=given)
    assert done.code == 2
    assert says in done.err
    assert (await user(folder, "list")).out == ""


@pytest.mark.parametrize(("second", "code"), [(PASSWORD, 0), (PASSWORD + "!", 2)])
def test_a_terminal_is_asked_twice(folder: Path, second: str, code: int) -> None:
    """Nothing that is typed is shown, and two different passwords are refused."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gateway", "user", "add", "li", "--role", "admin"]
    process = subprocess.Popen(
        [*command, "--config", "gateway.yaml"],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    for question, typed in ((b"password of li: ", PASSWORD), (b"once more: ", second)):
        while question not in shown:
            shown += os.read(ours, 1000)
        os.write(ours, typed.encode() + b"\n")
    assert process.wait(30) == code
    assert PASSWORD.encode() not in shown
    os.close(ours)
