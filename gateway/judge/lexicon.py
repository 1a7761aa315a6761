"""Lexicon files: YAML that an operator edits, read with the line of every mistake.

`docs/reference/lexicon.md` describes the files. This module knows their notation and nothing of
what the words are used for.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from typing import NoReturn

import yaml

from normalizer.errors import ConfigError
from normalizer.text import fold

#: So many spellings one phrase may stand for, before it is more likely a slip than a wish.
MAX_SPELLINGS = 3000
#: ``(a|b)`` is a choice, ``<name>`` a word list; everything else stands for itself.
_PIECE = re.compile(r"\(([^()<>]*)\)|<([^()<>]*)>|([^()<>]+)|(.)")
_ELLIPSIS = re.compile(r"…+|\.{3,}")


class _Loader(yaml.CSafeLoader):
    """Builds nodes only: words such as ``no`` and ``110`` stay words."""


@dataclass(frozen=True, slots=True)
class Node:
    """A YAML node that knows its place in the files."""

    file: str
    yaml: yaml.Node

    def fail(self, what: str) -> NoReturn:
        """Raise `ConfigError` as ``FILE:LINE: what``."""
        raise ConfigError(f"{self.file}:{self.yaml.start_mark.line + 1}: {what}")

    def entries(self) -> Iterator[tuple[str, "Node"]]:
        """Yield the entries of a mapping. Raises `ConfigError` if it is none or a key repeats."""
        if not isinstance(self.yaml, yaml.MappingNode):
            self.fail("expected entries of the form `name: value`")
        seen: set[str] = set()
        for key, value in self.yaml.value:
            name = Node(self.file, key).word()
            if name in seen:
                Node(self.file, key).fail(f"{name!r} stands here twice")
            seen.add(name)
            yield name, Node(self.file, value)

    def fields(self, allowed: frozenset[str]) -> "dict[str, Node]":
        """Return a mapping's entries. Raises `ConfigError` on a key that is not allowed."""
        found = {}
        for name, node in self.entries():
            if name not in allowed:
                node.fail(f"unknown key {name!r}; known are {', '.join(sorted(allowed))}")
            found[name] = node
        return found

    def items(self) -> "list[Node]":
        """Return the items of a list. Raises `ConfigError` if it is none."""
        if not isinstance(self.yaml, yaml.SequenceNode):
            self.fail("expected a list: [one, two]")
        return [Node(self.file, item) for item in self.yaml.value]

    def word(self) -> str:
        """Return a single value as written. Raises `ConfigError` if it is empty or none."""
        if not isinstance(self.yaml, yaml.ScalarNode) or not self.yaml.value.strip():
            self.fail("expected a word")
        return str(self.yaml.value)

    def number(self) -> float:
        """Return a number of at least 0. Raises `ConfigError`."""
        word = self.word()
        try:
            value = float(word)
        except ValueError:
            value = -1.0
        if not 0 <= value < 1000:
            self.fail(f"expected a number from 0 to 1000, not {word!r}")
        return value

    def switch(self) -> bool:
        """Return ``yes`` or ``no`` as a truth value. Raises `ConfigError`."""
        word = self.word().lower()
        if word not in {"yes", "no", "true", "false"}:
            self.fail(f"expected yes or no, not {word!r}")
        return word in {"yes", "true"}

    def one_of(self, allowed: frozenset[str], what: str) -> str:
        """Return a word that must be one of ``allowed``. Raises `ConfigError`."""
        word = self.word()
        if word not in allowed:
            self.fail(f"unknown {what} {word!r}; known are {', '.join(sorted(allowed))}")
        return word


def parse(name: str, data: bytes) -> Node | None:
    """Return the root of a YAML file, None if it is empty. Raises `ConfigError` with its line."""
    try:
        root = yaml.compose(data.decode("utf-8"), Loader=_Loader)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{name}:{line}: not UTF-8; save the file as UTF-8") from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not YAML: {error.problem}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}:1: not YAML: a character that YAML forbids") from error
    return None if root is None else Node(name, root)


def files(folder: Traversable) -> list[tuple[str, bytes]]:
    """Return name and content of every ``.yaml`` file, by name. Raises `ConfigError` if none."""
    try:
        found = [
            (str(item), item.read_bytes())
            for item in sorted(folder.iterdir(), key=lambda item: item.name)
            if item.name.endswith(".yaml")
        ]
    except OSError as error:
        raise ConfigError(f"{folder}:1: cannot be read: {error.strerror}") from error
    if not found:
        raise ConfigError(f"{folder}:1: holds no lexicon; expected files that end in .yaml")
    return found


def spellings(node: Node, lists: dict[str, list[str]]) -> list[list[str]]:
    """Return what a phrase stands for: for each part between ``…`` its spellings, folded.

    Raises:
        ConfigError: A bracket is open, a list is unknown, or the phrase stands for too much.
    """
    phrase = fold(node.word())
    parts = [_choices(node, part.strip(), lists) for part in _ELLIPSIS.split(phrase)]
    if not all(spelling for part in parts for spelling in part):
        node.fail(f"{phrase!r}: a part may be empty; each needs at least one character")
    return parts


def _choices(node: Node, part: str, lists: dict[str, list[str]]) -> list[str]:
    pieces: list[list[str]] = []
    for choice, name, literal, stray in _PIECE.findall(part):
        if stray or (not choice and not name and not literal):
            node.fail(f"{part!r}: a bracket without its partner; write (a|b) or <list>")
        if name and name not in lists:
            node.fail(f"{part!r}: unknown list <{name}>; known are {', '.join(sorted(lists))}")
        pieces.append([literal] if literal else lists[name] if name else choice.split("|"))
    count = 1
    for piece in pieces:
        count *= len(piece)
    if count > MAX_SPELLINGS:
        node.fail(f"{part!r} stands for {count} spellings; at most {MAX_SPELLINGS}: split it")
    return ["".join(piece) for piece in itertools.product(*pieces)]
