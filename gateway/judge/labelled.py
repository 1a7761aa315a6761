"""A site's own labelled texts: JSONL lines, with the place of every mistake and none of its words.

`docs/reference/training-texts.md` describes the lines.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from gateway.judge.corpus import Corpus, Example, several
from gateway.judge.lexicon import Node, parse
from normalizer.errors import ConfigError
from normalizer.schema import LABELS, Domain, RequestType, Service, Value
from normalizer.text import fold, normalize_text

_SERVICES = frozenset(Service)

#: By a label as a site writes it, ours: the first is learned, any is right.
Names = Mapping[str, tuple[Any, ...]]


class Labels(Value, frozen=True, kw_only=True):
    """What a site calls types and domains."""

    type: Names
    domain: Names


def labels(path: Path | None = None) -> Labels:
    """Return our names and Chinese labels, and a site's own from a file.

    The file holds ``domain:`` and ``type:``, each with ``its word: our name`` or a list of ours.

    Raises:
        ConfigError: ``FILE:LINE: what``.
    """
    found = {"type": _ours(RequestType), "domain": _ours(Domain)}
    if path is not None:
        try:
            root = parse(str(path), path.read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}:1: cannot be read: {error.strerror}") from error
        if root is not None:
            for name, node in root.fields(frozenset(found)).items():
                found[name] |= _theirs(node, RequestType if name == "type" else Domain, name)
    return Labels(type=found["type"], domain=found["domain"])


def _ours(known: Any) -> dict[str, tuple[Any, ...]]:
    return {word: (member,) for member in known for word in (str(member), LABELS[member])}


def _theirs(node: Node, known: Any, what: str) -> dict[str, tuple[Any, ...]]:
    allowed = frozenset(known)
    return {
        word: tuple(known(item.one_of(allowed, what)) for item in several(value))
        for word, value in node.entries()
    }


def lines(path: Path, names: Labels) -> Corpus:
    """Return the labelled lines of a JSONL file.

    A line is ``{"text", "title"?, "is_emergency"?, "services"?, "type"?, "domain"?}``; types and
    domains by any of ``names``. ``seed``, ``style``, ``category`` and ``unclear`` are read
    where they are there; other keys are left alone.

    Raises:
        ConfigError: ``FILE:LINE: what`` of the first mistake; it quotes no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}:1: cannot be read: {error.strerror}") from error
    examples = [
        _Line(f"{path}:{at}", path.name, raw).example(names)
        for at, raw in enumerate(data.split(b"\n"), 1)
        if raw.strip()
    ]
    if not examples:
        raise ConfigError(f"{path}:1: holds no labelled line")
    return Corpus(examples=tuple(examples), digest=hashlib.sha256(data).hexdigest())


class _Line:
    """Reads one line."""

    def __init__(self, where: str, file: str, raw: bytes) -> None:
        self._where = where
        self._file = file
        try:
            row = json.loads(raw.decode("utf-8-sig"))
        except UnicodeDecodeError:
            self._fail("not UTF-8")
        except (ValueError, RecursionError):
            self._fail("not a JSON object")
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            self._fail('a line is a JSON object with a string "text"')
        self._row: dict[str, Any] = row

    def _fail(self, what: str) -> NoReturn:
        raise ConfigError(f"{self._where}: {what}")

    def example(self, names: Labels) -> Example:
        """Return the line as an example."""
        row = self._row
        text = normalize_text(row["text"])
        category = self._string("category") or ""
        services = self._services()
        types, domains = self._label("type", names.type), self._label("domain", names.domain)
        return Example(
            text=text,
            where=self._where,
            # Repeats of one text are one situation.
            seed=self._string("seed") or hashlib.sha256(fold(text).encode()).hexdigest()[:16],
            file=self._file,
            title=self._string("title"),
            emergency=self._flag("is_emergency"),
            unclear=bool(self._flag("unclear")),
            services=services,
            type=types[0] if types else None,
            domain=domains[0] if domains else None,
            also=(*types[1:], *domains[1:]),
            kind=category,
            style=self._string("style") or "",
        )

    def _string(self, name: str) -> str | None:
        value = self._row.get(name)
        if not isinstance(value, str | None):
            self._fail(f'"{name}" is a string')
        return value or None

    def _flag(self, name: str) -> bool | None:
        value = self._row.get(name)
        if not isinstance(value, bool | None):
            self._fail(f'"{name}" is true, false or null')
        return value

    def _services(self) -> tuple[Service, ...] | None:
        value = self._row.get("services")
        if value is None:
            return None
        if not isinstance(value, list) or not _SERVICES.issuperset(map(str, value)):
            self._fail(f'"services" is a list of {", ".join(sorted(_SERVICES))}')
        return tuple(Service(item) for item in value)

    def _label(self, name: str, names: Names) -> tuple[Any, ...]:
        word = self._string(name)
        if word is not None and word not in names:
            ours = sorted({str(member) for members in names.values() for member in members})
            self._fail(
                f"unknown {name} {word!r}; known are {', '.join(ours)}; --labels FILE maps others"
            )
        return names[word] if word is not None else ()
