"""Reading YAML so that every value knows its line and every mistake is named at once.

Scalars are text unless they are written plainly as ``null``, ``true`` or ``false``: the settings
models turn text into numbers where they want numbers. So ``12345``, ``0557``, ``+86138…``, ``2.0``
and ``08:00`` stay what was written, and YAML 1.1's octal, sexagesimal and yes/no traps are shut.
"""

import os
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

#: From the top of a document to a value: keys and list positions.
ValuePath = tuple[str | int, ...]

#: Largest file read, values after aliases are expanded, and depth: no honest file comes near.
MAX_BYTES = 1 << 20
MAX_VALUES = 100_000
MAX_DEPTH = 40
#: Largest file taken by ``${file:PATH}``.
MAX_SECRET_BYTES = 1 << 16

_CONSTANTS: Mapping[str, object] = {"": None, "~": None} | {
    form: value
    for word, value in (("null", None), ("true", True), ("false", False))
    for form in (word, word.capitalize(), word.upper())
}
_TEXT_TAG = "tag:yaml.org,2002:str"
_TAGS = (_TEXT_TAG, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map")
#: ``$$``, ``${…}`` or an unclosed ``${``.
_TAKEN = re.compile(r"\$\$|\$\{([^{}]*)\}|\$\{")
_QUOTED = re.compile(r"'([^']*)'")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # chosen at run time
    """The safe loader without implicit types: every plain scalar is text."""

    yaml_implicit_resolvers: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong in a file that an operator writes."""

    file: str
    line: int  #: 1 is the first
    path: str  #: ``path.to.key``; empty when the whole document is meant
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.path or '(document)'}: {self.message}"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's values, where each was written, and what is wrong with it so far."""

    file: str
    data: Any = field(default=None, repr=False)
    lines: Mapping[ValuePath, int] = field(default_factory=dict, repr=False)
    problems: tuple[Problem, ...] = ()
    #: Values taken from the environment and from files, and what was written under keys that
    #: name secrets: no message may hold them.
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    def line(self, path: ValuePath) -> int:
        """Return the line of a value, or of the nearest value around it."""
        for length in range(len(path), -1, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return line
        return 1

    def problem(self, path: ValuePath, message: str) -> Problem:
        """Return a problem at a value; secrets that stand in the message are blotted out."""
        for secret in self.secrets:
            message = message.replace(secret, "***")
        return Problem(self.file, self.line(path), dotted(path), message)


def dotted(path: ValuePath) -> str:
    """Return ``path.to.key``; positions in lists count from 0."""
    return ".".join(map(str, path))


def read(
    path: Path, environ: Mapping[str, str] | None = None, raw: bytes | None = None
) -> Document:
    """Return a YAML file's document; mistakes are among its problems, nothing is raised.

    Args:
        path: The file, in UTF-8.
        environ: Where ``${NAME}`` is looked up; None leaves ``${…}`` and ``$$`` as they stand.
        raw: What would be in the file; None: what is.
    """
    file = str(path)
    if raw is None:
        try:
            raw = path.read_bytes()
        except OSError as error:
            return _broken(file, 1, f"cannot be read: {error.strerror}")
    if len(raw) > MAX_BYTES:
        return _broken(file, 1, f"larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return _broken(file, line, "not UTF-8: save the file in UTF-8")
    return _parse(file, text, None if environ is None else _Taker(path.parent, environ))


def _broken(file: str, line: int, message: str) -> Document:
    return Document(file, problems=(Problem(file, line, "", message),))


def _parse(file: str, text: str, taker: "_Taker | None") -> Document:
    try:
        if (line := _too_deep(text)) is not None:
            return _broken(file, line, f"nested more than {MAX_DEPTH} deep")
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        return _broken(file, *_syntax(error, text))
    builder = _Builder(file, taker)
    data = builder.build(node, ()) if node is not None else None
    return Document(file, data, builder.lines, tuple(builder.problems), frozenset(builder.secrets))


def _too_deep(text: str) -> int | None:
    """Return the line where nesting goes too deep, before anything recursive sees the file."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                return _line(event.start_mark)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _line(mark: Any) -> int:
    """Return the line of a parser's mark, which counts from 0."""
    return 1 if mark is None else int(mark.line) + 1


def _short(quoted: re.Match[str]) -> str:
    return quoted[0] if len(quoted[1]) <= 1 else "…"


def _syntax(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Return line and message of a syntax error, without any of the file's words."""
    if isinstance(error, yaml.MarkedYAMLError):
        line = _line(error.problem_mark or error.context_mark)
        problem = str(error.problem or "cannot be read")
        if "alias" in problem or "tag" in problem:
            return line, "text that begins with * & or ! must stand in quotes"
        if "\\t" in problem or problem.endswith("'\t' that cannot start any token"):
            return line, "a tab: YAML is indented with spaces"
        if "another document" in problem:
            return line, "a second document (---): one file is one document"
        hint = ""
        if "${" in (text.splitlines()[line - 1 : line] or [""])[0]:
            hint = "; inside {…} and […], ${NAME} must stand in quotes"
        # What stands in quotes is the file's own text once it is longer than one character.
        return line, "not YAML: " + _QUOTED.sub(_short, problem) + hint
    position = getattr(error, "position", 0)
    return text.count("\n", 0, position) + 1, "holds a control character that YAML does not allow"


class _Taker:
    """Replaces ``${NAME}``, ``${file:PATH}`` and ``$$`` in a text."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._environ = environ

    def take(self, text: str) -> tuple[str, list[str], list[str]]:
        """Return the text with everything put in, what was put in, and what is wrong."""
        taken: list[str] = []
        wrong: list[str] = []

        def put(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            value, complaint = self._value(found[1])
            if complaint:
                wrong.append(complaint)
            else:
                taken.append(value)
            return value

        return _TAKEN.sub(put, text), taken, wrong

    def _value(self, name: str | None) -> tuple[str, str]:
        if name and name.startswith("file:"):
            return self._file(name.removeprefix("file:").strip())
        if name is None or not _NAME.fullmatch(name):
            return "", "write ${NAME} or ${file:PATH}; $$ stands for one dollar sign"
        value = self._environ.get(name)
        if value is None:
            return "", f"the environment variable {name} is not set"
        return value, ""

    def _file(self, name: str) -> tuple[str, str]:
        path = self._folder / name
        try:
            raw = path.read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            return "", f"the file {name} cannot be read: {reason}"
        if len(raw) > MAX_SECRET_BYTES:
            return "", f"the file {name} is larger than {MAX_SECRET_BYTES} bytes"
        try:
            return raw.decode().rstrip("\r\n"), ""
        except UnicodeDecodeError:
            return "", f"the file {name} is not UTF-8"


class _Builder:
    """Turns YAML nodes into values and notes each one's line."""

    def __init__(self, file: str, taker: _Taker | None) -> None:
        self._file = file
        self._taker = taker
        self._open: set[int] = set()
        self._values = 0
        self.lines: dict[ValuePath, int] = {}
        self.problems: list[Problem] = []
        self.secrets: set[str] = set()

    def build(self, node: yaml.Node, path: ValuePath) -> Any:
        """Return the node's value."""
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._values += 1
        if self._values > MAX_VALUES or id(node) in self._open:
            return self._once(line, f"more than {MAX_VALUES} values once aliases are expanded")
        if node.tag not in _TAGS:
            return self._wrong(line, path, "text that begins with ! must stand in quotes")
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        self._open.add(id(node))
        value = (
            self._mapping(node, path)
            if isinstance(node, yaml.MappingNode)
            else [self.build(item, (*path, at)) for at, item in enumerate(node.value)]
        )
        self._open.discard(id(node))
        return value

    def _wrong(self, line: int, path: ValuePath, message: str) -> None:
        self.problems.append(Problem(self._file, line, dotted(path), message))

    def _once(self, line: int, message: str) -> None:
        if not any(each.message == message for each in self.problems):
            self._wrong(line, (), message)

    def _scalar(self, node: yaml.ScalarNode, path: ValuePath) -> Any:
        text: str = node.value
        if not node.style and text in _CONSTANTS:
            return _CONSTANTS[text]
        if self._taker is None:
            return text
        value, taken, wrong = self._taker.take(text)
        # One or two characters would blot out half of every message.
        self.secrets.update(each for each in taken if len(each) > 2)
        for complaint in wrong:
            self._wrong(self.lines[path], path, complaint)
        if path and _secret(path[-1]) and len(value) > 2:
            self.secrets.add(value)
        return value

    def _mapping(self, node: yaml.MappingNode, path: ValuePath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(line, path, "a key must be a word")
                continue
            key: str = key_node.value
            here = (*path, key)
            if key in built:
                first = self.lines[here]
                self._wrong(line, here, f"the key is there twice, first on line {first}")
                continue
            if key == "<<" and not key_node.style:
                self._wrong(line, here, "merge keys are not supported: write the keys out")
                continue
            self.lines[here] = line
            built[key] = self.build(value_node, here)
        return built


def _secret(key: Hashable) -> bool:
    """Return whether a key's name says that its value is a secret."""
    return bool(re.search(r"secret|password|token|key|passwd", str(key), re.IGNORECASE))


def environment() -> Mapping[str, str]:
    """Return this process's environment variables."""
    return os.environ
