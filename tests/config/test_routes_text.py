"""The routes of a configuration file as text."""

import pytest

from config.load import shipped
from config.routes_text import block_of, only_routes, plain, same
from normalizer.errors import ConfigError

NEW = "routes:\n  - {name: 新, send: {to: office}}\n"
FILES = {
    "in the middle": "# 注释\na: 1\nroutes:\n- {name: é😀}\n# ours\n- {name: b}\n\n# about b\nb: [1,\n 2]\n",
    "at the end": "a: {b: 1}\nroutes:\n  - name: x\n\n# the end\n",
    "at the beginning, marked": "\ufeffroutes:\n- {name: x}\nb: 2\n",
    "with the line ends of Windows": "a: 1\r\nroutes:\r\n  - {name: x}\r\n\r\nb: 2\r\n",
    "on one line": "a: 1\nroutes: [{name: x}]\nb: 2\n",
    "beside what only looks like them": "x: |\n  routes:\n   - y\nroutes:\n  - z\n...\n",
    "with a line that YAML alone breaks": 'a: "1\u20282"\nroutes:\n  - z\nb: "\u2029"\n',
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_not_routes_stays_as_it_is(name: str) -> None:
    """Octet for octet, whatever stands around them; and the same text gives the same file."""
    raw = FILES[name].encode()
    block = block_of(raw)
    assert block.text.lstrip().startswith("routes:")
    assert block.replaced(block.text) == raw
    changed = block.replaced(NEW.replace("\n", "\r\n"))
    before, after = block.before.encode(), block.after.encode()
    assert changed.startswith(before)
    assert changed.endswith(after)
    middle = changed[len(before) : len(changed) - len(after)].decode()
    assert same(middle, NEW)
    assert ("\r\n" in middle) is ("\r\n" in block.text)
    assert block_of(changed).after == block.after


def test_the_shipped_file_can_be_changed() -> None:
    """What comes first when a site copies it."""
    raw = (shipped() / "gateway.yaml").read_bytes()
    block = block_of(raw)
    assert block.replaced(block.text) == raw
    assert raw.decode().splitlines()[block.line - 1] == "routes:"


@pytest.mark.parametrize(
    "file",
    [
        "{a: 1, routes: []}",
        "a: 1",
        "  a: 1\n  routes: 2",
        "? routes\n: 1",
        "routes: 1\nroutes: 2",
        "- routes",
        "routes: [",
        "[" * 100_000,
        "",
    ],
)
def test_routes_that_do_not_stand_alone_are_left_alone(file: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ConfigError):
        block_of(file.encode())


@pytest.mark.parametrize(
    ("text", "alone"),
    [
        (NEW, True),
        ("routes: []\nadapters: []\n", False),
        ("adapters: []\n", False),
        ("- x\n", False),
        ("routes: [", True),  # the check tells what is wrong with it
        ("[" * 100_000, True),
    ],
)
def test_nothing_but_routes_is_taken(text: str, alone: bool) -> None:
    """Whoever may change routes changes nothing else."""
    assert only_routes(text) is alone


def test_the_same_text_is_the_same_whatever_its_line_ends() -> None:
    """A browser sends others than the file has."""
    assert plain("routes:\r\n- a\r\n\r\n") == "routes:\n- a\n"
    assert same("routes:\n- a", "routes:\r\n- a\r\n\r\n")
    assert not same("routes:\n- a", "routes:\n- b")
