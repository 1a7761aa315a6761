"""The rules of the source that no linter knows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.meta.tree import PACKAGES, ROOT, files, modules

LINES_OF_A_MODULE = 400
LINES_OF_A_FUNCTION = 40
#: Where a fault of any kind is met: logged, counted, and the work goes on.
LAST_RESORTS = {
    "gateway/http.py": "a request is answered 500",
    "gateway/outbox/worker.py": "a delivery is tried again",
    "gateway/app.py": "a listener is started again",
    "gateway/alarms/watch.py": "one way's fault does not keep operators from being told",
    "gateway/desks/emergency.py": "a clock or a queue is started again",
    "gateway/desks/ladder.py": "one incident's fault does not silence the others",
    "gateway/rounds.py": "one bad message does not fail the others of its round",
    "gateway/store/commit.py": "the writer outlives what a change brings",
    "gateway/store/sqlite_read.py": "the reader outlives what a question brings",
    "gateway/store/postgres_read.py": "as above",
    "channels/email/sorting.py": "a mail that we fail on is kept for an operator",
    "adapters/liaison/redis_streams.py": "an answer of a desk is taken again",
}
#: Everything that somebody wrote, with what is made by tools left out.
WRITTEN = [
    *files(*PACKAGES, "docs", "tests", "tools", ".ci"),
    *(path for path in sorted(ROOT.iterdir()) if path.is_file()),
]
TEXTS = [path for path in WRITTEN if path.suffix not in {".lock", ".pyc", ".model", ".sound"}]


def lines(paths: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield where each line is, and the line."""
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{path.relative_to(ROOT).as_posix()}:{number}", line


def found(pattern: str, paths: list[Path]) -> list[str]:
    """Return where a pattern is found, outside this file."""
    own = Path(__file__).relative_to(ROOT).as_posix()
    matcher = re.compile(pattern)
    return [at for at, line in lines(paths) if matcher.search(line) and not at.startswith(own)]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (r"/(home|root|work|Users|workspace|mnt|tmp)/\w", "paths of one machine"),
        (r"(pypi\.org|files\.pythonhosted|registry\.npmjs|npmmirror|debian\.org/debian)", "hosts"),
        (r"\b(TODO|FIXME|XXX|HACK)\b", "notes to oneself"),
        (r"^(<{7}|={7}|>{7})( |$)", "marks of a merge"),
    ],
)
def test_no_text_holds(pattern: str, what: str) -> None:
    """What belongs to one machine or one moment is not in the repository."""
    assert found(pattern, TEXTS) == [], what


def is_broad(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler takes faults of any kind."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {"" if kind is None else ast.unparse(kind) for kind in kinds}
    return bool(names & {"", "Exception", "BaseException"})


def test_faults_of_any_kind_are_caught_only_where_the_work_must_go_on() -> None:
    """Everywhere else a handler names what it expects, or raises again what it met."""
    found = {
        name
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and is_broad(node)
        and not isinstance(node.body[-1], ast.Raise)
    }
    assert found == set(LAST_RESORTS)


def test_a_module_is_short() -> None:
    """A module that has grown beyond a few screens is two."""
    long = {
        path.relative_to(ROOT).as_posix(): count
        for path in files(*PACKAGES, suffix=".py")
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > LINES_OF_A_MODULE
    }
    assert long == {}


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function without its docstring."""
    docstring = 0
    if ast.get_docstring(function) is not None:
        docstring = (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def test_a_function_is_short() -> None:
    """A function fits on a screen."""
    long = {
        f"{name}:{node.lineno} {node.name}": count
        for name, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (count := length(node)) > LINES_OF_A_FUNCTION
    }
    assert long == {}


def test_a_package_says_what_it_is_and_does_nothing() -> None:
    """Importing a package runs no code: its ``__init__`` holds a docstring only."""
    busy = [
        path.relative_to(ROOT).as_posix()
        for path in files(*PACKAGES, "tests", suffix="__init__.py")
        if (tree := ast.parse(path.read_text(encoding="utf-8"))) is not None
        and (len(tree.body) != 1 or not ast.get_docstring(tree))
    ]
    assert busy == []


def test_every_folder_of_tests_is_a_package() -> None:
    """Without an ``__init__`` at every level, tests/channels would pass for the package itself."""
    folders = {path.parent for path in files("tests", suffix=".py")}
    assert [f.name for f in folders if not (f / "__init__.py").exists()] == []


def functions_of_tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in files("tests", suffix=".py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield f"{path.relative_to(ROOT).as_posix()}:{node.lineno}", node


def test_every_test_says_what_it_shows() -> None:
    """The first line of a test's docstring is the behaviour that it shows."""
    silent = [
        at
        for at, node in functions_of_tests()
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_test_is_left_out_or_sleeps() -> None:
    """A test that cannot run fails; one that must wait moves a clock."""
    assert (
        found(
            r"\bskipif\b|\bxfail\b|pytest\.skip|importorskip|time\.sleep\(",
            [p for p in files("tests", suffix=".py") if p.name.startswith("test_")],
        )
        == []
    )


def test_every_exception_to_a_lint_rule_has_its_reason() -> None:
    """A reader learns why a rule does not hold here."""
    code = list(files(*PACKAGES, suffix=".py"))
    bare = r"#\s*noqa(?!: [A-Z]+\d+(, [A-Z]+\d+)* - \w)|type: ignore(?!\[[\w-]+\] +# \w)"
    assert found(bare, code) == []
