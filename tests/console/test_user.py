"""``gateway user``: who may use the console."""

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import main
from tests.acceptance.process import Done
from tests.console.world import PASSWORD
from tests.gateway.world import CONFIG

AT = ("--config", "gateway.yaml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a configuration and an empty store, where commands are run."""
    (tmp_path / "gateway.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["migrate", *AT]) == 0
    return tmp_path


@pytest.fixture
def user(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Return what runs ``gateway user …``, given what comes by standard input."""
    assert folder.is_dir()

    def run(*arguments: str, given: str = "") -> Done:
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        capsys.readouterr()
        code = main(["user", *arguments, *AT])
        return Done(code, *capsys.readouterr())

    return run


def test_users_are_added_listed_changed_and_removed(user: Callable[..., Done]) -> None:
    """A password is a line of standard input; a name is given once, whatever its case."""
    added = user("add", "Chen", "--role", "operator", given=f"{PASSWORD}\n")
    assert (added.code, added.out) == (0, "chen may log in as operator\n")
    assert user("list").out == "chen  operator\n"
    again = user("add", "CHEN", "--role", "admin", given=f"{PASSWORD}\n")
    assert again.code == 1
    assert "the name chen is taken" in again.err
    assert user("change", "chen", "--role", "auditor").code == 0
    assert user("change", "chen", "--password", given="another one\n").code == 2
    assert user("change", "chen", "--password", given="quite another one\n").code == 0
    assert user("change", "li", "--role", "admin").code == 1
    assert user("list").out == "chen  auditor\n"
    assert user("remove", "chen").code == 0
    gone = user("remove", "chen")
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
def test_what_is_wrong_is_told(
    user: Callable[..., Done], arguments: tuple[str, ...], given: str, says: str
) -> None:
    """With exit code 2, in a sentence, and nobody is added."""
    done = user(*arguments, given=given)
    assert done.code == 2
    assert says in done.err
    assert user("list").out == ""


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
