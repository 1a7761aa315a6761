"""The judge's rulebook: an operator's lexicon files, compiled once into one automaton.

`load` returns a value that never changes; a reload makes another. ``docs/reference/lexicon.md``
describes the files, `gateway.judge.clauses` and `gateway.judge.assess` use what is compiled here.
"""

import hashlib
from collections.abc import Mapping
from enum import Enum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind
from msgspec import structs

from gateway.judge.lexicon import Node, files, parse, spellings
from normalizer.errors import ConfigError
from normalizer.schema import Domain, RequestType, Service, Value
from normalizer.text import fold

_SECTIONS = frozenset(
    {"settings", "lists", "kinds", "happenings", "signs", "frames", "types", "domains"}
)
_TIERS = frozenset({"always", "certain", "likely", "possible", "hint"})
_LABEL_TIERS = frozenset({"certain", "likely", "possible", "hint"})
_AGAINST = frozenset({"all", "much", "some", "little"})
_SERVICES = frozenset(Service)
_DOMAINS = frozenset(Domain)
_TYPES = frozenset(RequestType)
_WEAKER = {
    "always": "certain",
    "certain": "likely",
    "likely": "possible",
    "possible": "hint",
    "hint": "hint",
}
_REARMS = frozenset({"sentence", "text"})
_LEVELS = frozenset({"emergency", "urgent"})


class Role(Enum):
    """What a matched phrase is to the judge."""

    HAPPENING = "happening"  #: something that needs a service
    SIGN = "sign"  #: speaks for a happening nearby: a victim, a call for help, now
    FRAME = "frame"  #: speaks against a happening: past, hypothetical, a drill …
    MASK = "mask"  #: only looks like a happening: 火锅, 水深火热
    TYPE = "type"
    DOMAIN = "domain"


class Reach(Enum):
    """Which happenings a frame speaks against."""

    PHRASE = "phrase"  #: those inside the phrase itself
    NEXT = "next"  #: the one right behind the phrase
    CLAUSE = "clause"  #: those of its clause
    ONWARD = "onward"  #: those of its clause and of the rest of its sentence
    SENTENCE = "sentence"  #: those of its sentence
    TEXT = "text"  #: all


class Sense(Value, frozen=True, kw_only=True):
    """What one phrase means where it occurs."""

    role: Role
    name: str  #: kind, sign, frame, request type or domain
    weight: float  #: for the claim; for a frame and a mask, against it
    tier: str = ""
    reach: Reach = Reach.PHRASE
    opens: bool = False  #: starts a new clause
    rearms: str = ""  #: sentence or text: which frames no longer reach what follows
    only: frozenset[str] = frozenset()  #: the kinds that a frame speaks against; empty for all
    rule: str = ""  #: as named in the evidence


class Chain(Value, frozen=True, kw_only=True):
    """A phrase with ``…``: met when all its parts follow each other."""

    parts: int
    sense: Sense
    across: Sense  #: where a comma stands between the parts: one tier weaker


class Pattern(Value, frozen=True, kw_only=True):
    """What one string of the automaton stands for."""

    signals: tuple[Sense, ...]  #: happenings, signs, frames, masks
    types: tuple[Sense, ...]
    domains: tuple[Sense, ...]
    firsts: tuple[int, ...]  #: the chains it begins, as indexes into `Rulebook.chains`
    nexts: Mapping[int, tuple[int, ...]]  #: the chains it goes on with, and its places in each
    starts_word: bool  #: first character is an ASCII letter or digit: no such may precede
    ends_word: bool  #: last character likewise
    word: bool  #: either


class Kind(Value, frozen=True, kw_only=True):
    """A kind of happening and who must come."""

    name: str
    label: str
    level: str  #: emergency or urgent
    services: tuple[Service, ...]
    also: Mapping[str, tuple[Service, ...]]  #: by kind or sign found beside it
    domain: Domain | None
    rank: float  #: the highest among those found names the incident
    counts_as: str | None  #: the sign it is to other kinds, e.g. injured


class Settings(Value, frozen=True, kw_only=True):
    """The numbers of the judge; each may be set under ``settings`` in a lexicon file."""

    emergency: float = 1.0  #: weight from which a happening is an emergency
    doubt: float = 0.6  #: weight from which a human must look
    reach: int = 60  #: characters that a sign or frame reaches
    gap: int = 10  #: characters that ``…`` may stand for
    always: float = 1.0
    certain: float = 1.0
    likely: float = 0.7
    possible: float = 0.45
    hint: float = 0.2
    all: float = 9.0
    much: float = 0.7
    some: float = 0.4
    little: float = 0.2
    brief: int = 60  #: characters below which a text is brief
    brief_bonus: float = 0.1  #: emergencies are told briefly
    long: int = 160  #: characters above which a text is long
    long_malus: float = 0.3  #: letters tell of much that is over
    title_type: float = 4.0  #: factor for request types named in the title: it mostly says so
    title_domain: float = 2.0  #: likewise for domains


class Rulebook(Value, frozen=True, kw_only=True):
    """Everything that `gateway.judge.assess.assess` knows."""

    version: str  #: first 12 hex digits of the SHA-256 over all files
    settings: Settings
    kinds: Mapping[str, Kind]
    automaton: AhoCorasick
    patterns: tuple[Pattern, ...]  #: in the automaton's order
    chains: tuple[Chain, ...]
    alone: Mapping[str, Sense]  #: whole messages, without punctuation


def load(folder: Path | None) -> Rulebook:
    """Return the compiled rulebook of a folder, of the packaged lexicons for None.

    Raises:
        ConfigError: ``FILE:LINE: what`` of the first mistake.
    """
    source: Traversable = folder or resources.files("config") / "lexicons"
    digest = hashlib.sha256()
    sections: dict[str, list[Node]] = {name: [] for name in _SECTIONS}
    for name, data in files(source):
        digest.update(hashlib.sha256(data).digest())
        root = parse(name, data)
        if root is not None:
            for section, node in root.fields(_SECTIONS).items():
                sections[section].append(node)
    return _Compiler(sections).rulebook(digest.hexdigest()[:12])


class _Compiler:
    """Collects the phrases of all files; used once."""

    def __init__(self, sections: Mapping[str, list[Node]]) -> None:
        self._sections = sections
        self._signals: dict[str, list[Sense]] = {}
        self._types: dict[str, list[Sense]] = {}
        self._domains: dict[str, list[Sense]] = {}
        self._parts: dict[str, list[tuple[int, int]]] = {}
        self._chains: list[Chain] = []
        self._alone: dict[str, Sense] = {}
        self._settings = self._read_settings()
        self._lists = self._read_lists()
        self._kinds = self._read_kinds()

    def rulebook(self, version: str) -> Rulebook:
        for section, read in (
            ("happenings", self._happening),
            ("signs", self._sign),
            ("frames", self._frame),
            ("types", self._type),
            ("domains", self._domain),
        ):
            for name, node in self._all(section):
                read(name, node)
        self._check_names()
        strings = tuple(dict.fromkeys((*self._signals, *self._types, *self._domains, *self._parts)))
        if not strings:
            raise ConfigError("lexicon:1: holds no phrase")
        return Rulebook(
            version=version,
            settings=self._settings,
            kinds=self._kinds,
            automaton=AhoCorasick(
                strings,
                matchkind=MatchKind.Standard,
                store_patterns=False,
                implementation=Implementation.ContiguousNFA,
            ),
            patterns=tuple(self._pattern(string) for string in strings),
            chains=tuple(self._chains),
            alone=self._alone,
        )

    def _check_names(self) -> None:
        """Raise `ConfigError` if a kind names another kind or sign that does not exist."""
        known = set(self._kinds) | {name for name, _ in self._all("signs")}
        for name, node in self._all("kinds"):
            kind = self._kinds[name]
            for other in (*kind.also, kind.counts_as):
                if other is not None and other not in known:
                    node.fail(f"kind {name!r} names {other!r}, which is neither a kind nor a sign")

    def _all(self, section: str) -> list[tuple[str, Node]]:
        return [entry for node in self._sections[section] for entry in node.entries()]

    def _read_settings(self) -> Settings:
        fields = Settings.__struct_fields__
        found: dict[str, float] = {}
        for section in self._sections["settings"]:
            for name, node in section.fields(frozenset(fields)).items():
                number = node.number()
                whole = isinstance(getattr(Settings(), name), int)
                found[name] = int(number) if whole else number
        return Settings(**found)  # type: ignore[arg-type] # whole numbers where they belong

    def _read_lists(self) -> dict[str, list[str]]:
        lists: dict[str, list[str]] = {}
        for name, node in self._all("lists"):
            if name in lists:
                node.fail(f"list {name!r} stands in another file too")
            lists[fold(name)] = [fold(item.word()) for item in node.items()]
        return lists

    def _read_kinds(self) -> dict[str, Kind]:
        kinds: dict[str, Kind] = {}
        for name, node in self._all("kinds"):
            if name in kinds:
                node.fail(f"kind {name!r} stands in another file too")
            kinds[name] = _kind(name, node)
        return kinds

    def _pattern(self, string: str) -> Pattern:
        parts = dict.fromkeys(self._parts.get(string, ()))
        nexts: dict[int, tuple[int, ...]] = {}
        for chain, place in parts:
            if place:
                nexts[chain] = (*nexts.get(chain, ()), place)
        starts, ends = _ascii_word(string[0]), _ascii_word(string[-1])
        return Pattern(
            signals=tuple(self._signals.get(string, ())),
            types=tuple(self._types.get(string, ())),
            domains=tuple(self._domains.get(string, ())),
            firsts=tuple(chain for chain, place in parts if not place),
            nexts=nexts,
            starts_word=starts,
            ends_word=ends,
            word=starts or ends,
        )

    def _happening(self, name: str, node: Node) -> None:
        if name not in self._kinds:
            node.fail(f"unknown kind {name!r}; known are {', '.join(sorted(self._kinds))}")
        for tier, phrases in node.fields(_TIERS | {"alone"}).items():
            weight = 1.0 if tier == "alone" else self._tier(tier)
            sense = Sense(
                role=Role.HAPPENING, name=name, weight=weight, tier=tier, rule=f"{name}.{tier}"
            )
            for item in phrases.items():
                if tier == "alone":
                    self._alone.update((one, sense) for [one] in _whole(item, self._lists))
                else:
                    self._add(item, sense)

    def _sign(self, name: str, node: Node) -> None:
        fields = node.fields(frozenset({"weight", "opens", "rearms", "phrases"}))
        weight = fields["weight"].one_of(_TIERS, "weight") if "weight" in fields else "hint"
        sense = Sense(
            role=Role.SIGN,
            name=name,
            weight=0.0 if weight == "always" else self._tier(weight),
            opens="opens" in fields and fields["opens"].switch(),
            rearms=fields["rearms"].one_of(_REARMS, "reach") if "rearms" in fields else "",
            rule=f"sign.{name}",
        )
        self._phrases(node, fields, sense)

    def _frame(self, name: str, node: Node) -> None:
        fields = node.fields(frozenset({"against", "reach", "only", "phrases"}))
        for needed in ("against", "reach"):
            if needed not in fields:
                node.fail(f"frame {name!r} needs `{needed}:`")
        reach = Reach(fields["reach"].one_of(frozenset(one.value for one in Reach), "reach"))
        against = fields["against"].one_of(_AGAINST, "strength")
        sense = Sense(
            role=Role.MASK if reach is Reach.PHRASE else Role.FRAME,
            name=name,
            weight=float(getattr(self._settings, against)),
            tier=against,
            reach=reach,
            only=self._only(fields.get("only")),
            rule=f"frame.{name}",
        )
        self._phrases(node, fields, sense)

    def _only(self, node: Node | None) -> frozenset[str]:
        if node is None:
            return frozenset()
        return frozenset(item.one_of(frozenset(self._kinds), "kind") for item in node.items())

    def _phrases(self, node: Node, fields: Mapping[str, Node], sense: Sense) -> None:
        if "phrases" not in fields:
            node.fail(f"{sense.name!r} needs `phrases: [...]`")
        for item in fields["phrases"].items():
            self._add(item, sense)

    def _type(self, name: str, node: Node) -> None:
        if name not in _TYPES:
            node.fail(f"unknown request type {name!r}; known are {', '.join(sorted(_TYPES))}")
        self._label(Role.TYPE, name, node)

    def _domain(self, name: str, node: Node) -> None:
        if name not in _DOMAINS:
            node.fail(f"unknown domain {name!r}; known are {', '.join(sorted(_DOMAINS))}")
        self._label(Role.DOMAIN, name, node)

    def _label(self, role: Role, name: str, node: Node) -> None:
        for tier, phrases in node.fields(_LABEL_TIERS).items():
            rule = f"{role.value}.{name}"
            sense = Sense(role=role, name=name, weight=self._tier(tier), tier=tier, rule=rule)
            for item in phrases.items():
                self._add(item, sense)

    def _tier(self, tier: str) -> float:
        return float(getattr(self._settings, tier))

    def _add(self, item: Node, sense: Sense) -> None:
        parts = spellings(item, self._lists)
        if len(parts) > 1:
            for place, part in enumerate(parts):
                for string in part:
                    self._parts.setdefault(string, []).append((len(self._chains), place))
            across = self._weaker(sense)
            self._chains.append(Chain(parts=len(parts), sense=sense, across=across))
            return
        tables = {Role.TYPE: self._types, Role.DOMAIN: self._domains}
        table = tables.get(sense.role, self._signals)
        for string in parts[0]:
            senses = table.setdefault(string, [])
            if sense not in senses:
                senses.append(sense)

    def _weaker(self, sense: Sense) -> Sense:
        if sense.role is not Role.HAPPENING:
            return sense
        tier = _WEAKER[sense.tier]
        return structs.replace(sense, tier=tier, weight=self._tier(tier))


def _whole(item: Node, lists: dict[str, list[str]]) -> list[tuple[str]]:
    parts = spellings(item, lists)
    if len(parts) > 1:
        item.fail("a whole message cannot have `…`")
    return [(string,) for string in parts[0]]


def _kind(name: str, node: Node) -> Kind:
    fields = node.fields(
        frozenset({"label", "level", "services", "also", "domain", "rank", "counts_as"})
    )
    for needed in ("label", "services"):
        if needed not in fields:
            node.fail(f"kind {name!r} needs `{needed}:`")
    also = fields["also"].entries() if "also" in fields else ()
    domain = fields["domain"].one_of(_DOMAINS, "domain") if "domain" in fields else None
    return Kind(
        name=name,
        label=fields["label"].word(),
        level=fields["level"].one_of(_LEVELS, "level") if "level" in fields else "emergency",
        services=_services(fields["services"]),
        also={beside: _services(value) for beside, value in also},
        domain=Domain(domain) if domain else None,
        rank=fields["rank"].number() if "rank" in fields else 0.0,
        counts_as=fields["counts_as"].word() if "counts_as" in fields else None,
    )


def _services(node: Node) -> tuple[Service, ...]:
    return tuple(Service(item.one_of(_SERVICES, "service")) for item in node.items())


def _ascii_word(character: str) -> bool:
    return character.isascii() and character.isalnum()
