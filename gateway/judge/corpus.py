"""Labelled texts: the seeds, YAML files that a person reads and extends, with the line of every mistake.

`docs/reference/training-texts.md` describes them; `gateway.judge.labelled` reads a site's lines. A seed is one situation told by several
people; its texts share `Example.seed`, so that cross-validation never learns from one telling
and is tested on another.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml

from gateway.judge.lexicon import Node, parse
from normalizer.errors import ConfigError
from normalizer.schema import (
    EMERGENCY_SERVICES,
    Domain,
    RequestType,
    Service,
    Value,
)
from normalizer.text import fold, normalize_text

#: How a text is written or said: the keys of ``says``.
STYLES = frozenset(
    {
        *("plain", "speech", "dialect", "typo", "trad", "emoji", "short", "long", "mixed"),
        *("indirect", "official", "english"),
    }
)
#: Why a text with the same words is no emergency: the keys of ``twins``.
REASONS = frozenset(
    {
        *("past", "hypothetical", "question", "complaint", "drill", "resolved", "negated"),
        *("figurative", "fiction", "news", "selling", "suggestion", "facility", "offer"),
        *("medical", "numbers"),
    }
)
#: What a citizen wants who writes for such a reason.
_TYPES = {
    "question": RequestType.CONSULTATION,
    "complaint": RequestType.COMPLAINT,
    "suggestion": RequestType.SUGGESTION,
}
_KEYS = frozenset(
    {"seed", "kind", "services", "says", "twins", "unclear", "domain", "type", "title"}
)
_SERVICES = frozenset(Service)
_DOMAINS = frozenset(Domain)
_REQUESTS = frozenset(RequestType)


class Example(Value, frozen=True, kw_only=True):
    """One text and what is known of it; None where nobody said."""

    text: str  #: normalized
    where: str  #: ``FILE:LINE``
    seed: str  #: the situation; texts of one never stand on both sides of a split
    file: str = ""  #: the file's name
    title: str | None = None
    emergency: bool | None = None
    unclear: bool = False  #: people dispute it: a human must look
    services: tuple[Service, ...] | None = None  #: the one most needed first
    type: RequestType | None = None
    domain: Domain | None = None
    #: Right as well, where a site's own label stands for several of ours.
    also: tuple[RequestType | Domain, ...] = ()
    kind: str = ""  #: of the happening, or of what only sounds like one
    style: str = ""
    reason: str = ""  #: why it is no emergency though it sounds like one

    @property
    def words(self) -> str:
        """The title and the text as the judge reads them, in the matching form."""
        return fold(f"{self.title}\n{self.text}" if self.title else self.text)


class Corpus(Value, frozen=True, kw_only=True):
    """Labelled texts and the digest of the files that they came from."""

    examples: tuple[Example, ...]
    digest: str  #: SHA-256 in hex over the files' names and bytes


def together(parts: Sequence[Corpus]) -> Corpus:
    """Return several corpora as one."""
    digests = "".join(part.digest for part in parts)
    whole = hashlib.sha256(digests.encode()).hexdigest()
    return Corpus(
        examples=tuple(example for part in parts for example in part.examples),
        digest=parts[0].digest if len(parts) == 1 else whole,
    )


def shipped(folder: Traversable | None = None) -> Corpus:
    """Return the seeds of a folder, of the packaged ``config/training`` for None.

    Raises:
        ConfigError: ``FILE:LINE: what`` of the first mistake, among them a seed that has the name
            of another and a text that stands there twice.
    """
    source = folder or resources.files("config") / "training"
    digest = hashlib.sha256()
    examples: list[Example] = []
    names: dict[str, str] = {}
    for item in _yaml_files(source):
        data = item.read_bytes()
        digest.update(item.name.encode() + b"\0" + hashlib.sha256(data).digest())
        root = parse(str(item), data)
        if root is not None:
            for node in root.items():
                seed = _Seed(node, item.name)
                if (at := names.setdefault(seed.name, seed.where)) != seed.where:
                    node.fail(f"seed {seed.name!r} stands at {at} already")
                examples.extend(seed.examples())
    _no_text_twice(examples)
    return Corpus(examples=tuple(examples), digest=digest.hexdigest())


def _yaml_files(folder: Traversable) -> list[Traversable]:
    try:
        found = [item for item in folder.iterdir() if item.name.endswith(".yaml")]
    except OSError as error:
        raise ConfigError(f"{folder}:1: cannot be read: {error.strerror}") from error
    if not found:
        raise ConfigError(f"{folder}:1: holds no seeds; expected files that end in .yaml")
    return sorted(found, key=lambda item: item.name)


def _no_text_twice(examples: Iterable[Example]) -> None:
    texts: dict[str, str] = {}
    for example in examples:
        at = texts.setdefault(example.words, example.where)
        if at != example.where:
            raise ConfigError(f"{example.where}: the same text stands at {at}")


class _Seed:
    """Reads one seed."""

    def __init__(self, node: Node, file: str) -> None:
        self._fields = node.fields(_KEYS)
        self._file = file
        self._node = node
        if "seed" not in self._fields or not {"says", "twins"} & set(self._fields):
            node.fail("a seed needs `seed: name` and texts under `says:` or `twins:`")
        self.name = self._word("seed")
        self.where = _where(node)
        self._kind = self._word("kind")
        self._unclear = "unclear" in self._fields and self._fields["unclear"].switch()
        self._ordinary = "domain" in self._fields or "type" in self._fields
        if not self._ordinary and "says" in self._fields and not self._unclear:
            self._need_services()

    def _word(self, name: str) -> str:
        return self._fields[name].word() if name in self._fields else ""

    def _need_services(self) -> None:
        if "services" not in self._fields:
            self._node.fail(
                f"seed {self.name!r}: an emergency needs `services:`, an ordinary letter"
                " `domain:` and `type:`, a disputed text `unclear: true`"
            )

    def examples(self) -> Iterator[Example]:
        """Yield the seed's texts."""
        fields = self._fields
        services = tuple(
            Service(item.one_of(_SERVICES, "service"))
            for item in (fields["services"].items() if "services" in fields else ())
        )
        grave = not self._ordinary or bool(services)
        grave = grave and any(service in EMERGENCY_SERVICES for service in services)
        label = {
            "domain": self._label("domain", Domain, _DOMAINS),
            "type": self._label("type", RequestType, _REQUESTS),
            "title": self._word("title") or None,
        }
        if "says" in fields:
            told = None if self._unclear else grave
            called = services if told else None if told is None else ()
            for style, node in _texts(fields["says"], STYLES, "style"):
                yield self._one(node, style=style, emergency=told, services=called, **label)
        if "twins" in fields:
            for reason, node in _texts(fields["twins"], REASONS, "reason"):
                wanted = label | {"type": _TYPES.get(reason, label["type"])}
                yield self._one(node, reason=reason, emergency=False, services=(), **wanted)

    def _label(self, name: str, known: Any, allowed: frozenset[str]) -> Any:
        node = self._fields.get(name)
        return known(node.one_of(allowed, name)) if node else None

    def _one(self, node: Node, **fields: Any) -> Example:
        text = node.word()
        return Example(
            text=normalize_text(text),
            where=_where(node),
            seed=self.name,
            file=self._file,
            kind=self._kind,
            unclear=self._unclear and not fields.get("reason"),
            **fields,
        )


def _where(node: Node) -> str:
    return f"{node.file}:{node.yaml.start_mark.line + 1}"


def _texts(node: Node, allowed: frozenset[str], what: str) -> Iterator[tuple[str, Node]]:
    """Yield each key of ``says`` or ``twins`` with each of its texts: one, or a list."""
    for name, value in node.entries():
        if name not in allowed:
            value.fail(f"unknown {what} {name!r}; known are {', '.join(sorted(allowed))}")
        for item in several(value):
            yield name, item


def several(node: Node) -> list[Node]:
    """Return the items of a list, or a single value as the only one."""
    return node.items() if isinstance(node.yaml, yaml.SequenceNode) else [node]
