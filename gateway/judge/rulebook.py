"""The judge's rulebook: an operator's lexicon files, compiled once into one automaton.

`load` returns a value that never changes; a reload makes another. ``docs/reference/lexicon.md``
describes the files, `gateway.judge.clauses` and `gateway.judge.assess` use what is compiled here.
"""

import hashlib
from collections.abc import Iterable, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from ahocorasick_rs import AhoCorasick
from msgspec import structs

from gateway.judge.automaton import automaton
from gateway.judge.chains import Chain, Part, chain, part
from gateway.judge.lexicon import Node, files, parse, spellings
from gateway.judge.model import Model
from gateway.judge.model import load as load_model
from gateway.judge.terms import (
    ANCHOR,
    DOMAIN,
    ONE,
    SIGNAL,
    TYPE,
    UNIT,
    Act,
    Kind,
    Labels,
    Reach,
    Role,
    Sense,
    Settings,
    packed,
)
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
_KIND = frozenset(Kind.__struct_fields__) - {"name"}
_FLAGS = ("generic", "unnamed", "careful", "calm")
_REARMS = frozenset({"sentence", "text"})
_LEVELS = frozenset({"emergency", "urgent"})


class Rulebook(Value, frozen=True, kw_only=True):
    """Everything that `gateway.judge.assess.assess` knows."""

    version: str  #: 12 hex digits of the SHA-256 over all files, ``+`` and the model's version
    settings: Settings
    kinds: Mapping[str, Kind]
    automaton: AhoCorasick
    alarming: AhoCorasick  #: of phrases that name a happening plainly, for a quick look
    codes: bytes  #: by pattern, in the automaton's order: what it is to a scan
    acts: tuple[Act, ...]  #: likewise
    chains: tuple[Chain, ...]
    words: int  #: from this pattern on, each begins or ends with an ASCII letter or digit
    types: Labels
    domains: Labels
    plain: Mapping[Service, Kind]  #: by service, its least telling kind
    model: Model | None
    alone: Mapping[str, Sense]  #: whole messages, without punctuation


def load(folder: Path | None, model: Path | None = None) -> Rulebook:
    """Return the compiled rulebook of a folder, of the packaged lexicons for None.

    Args:
        folder: Of the lexicon files.
        model: The model's file. None: the packaged one beside the packaged lexicons, else none.

    Raises:
        ConfigError: ``FILE:LINE: what`` of the first mistake.
    """
    source: Traversable = folder or resources.files("config") / "lexicons"
    if folder is None and model is None:
        model = shipped_model()
    digest = hashlib.sha256()
    sections: dict[str, list[Node]] = {name: [] for name in _SECTIONS}
    for name, data in files(source):
        digest.update(hashlib.sha256(data).digest())
        root = parse(name, data)
        if root is not None:
            for section, node in root.fields(_SECTIONS).items():
                sections[section].append(node)
    return _Compiler(sections).rulebook(digest.hexdigest()[:12], load_model(model))


def shipped_model() -> Path:
    """Return where the packaged model is."""
    return Path(str(resources.files("config") / "models" / "judge.model"))


class _Compiler:
    """Collects the phrases of all files; used once."""

    def __init__(self, sections: Mapping[str, list[Node]]) -> None:
        self._sections = sections
        #: By role, then by string; happenings, signs, frames and masks share one table.
        self._senses: dict[Role, dict[str, list[Sense]]] = {
            role: {} for role in (Role.HAPPENING, Role.TYPE, Role.DOMAIN)
        }
        self._anchors: dict[str, list[int]] = {}
        self._chains: list[Chain] = []
        self._alone: dict[str, Sense] = {}
        self._settings = self._read_settings()
        self._lists = self._read_lists()
        self._kinds = self._read_kinds()

    def rulebook(self, version: str, model: Model | None) -> Rulebook:
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
        strings = self._strings()
        if not strings:
            raise ConfigError("lexicon:1: holds no phrase")
        return Rulebook(
            version=f"{version}+{model.version}" if model else version,
            settings=self._settings,
            kinds=self._kinds,
            automaton=automaton(strings),
            alarming=automaton(self._alarming()),
            codes=bytes(self._code(string) for string in strings),
            acts=tuple(self._act(string) for string in strings),
            chains=tuple(self._chains),
            words=sum(not _word(string) for string in strings),
            types=self._labels(Role.TYPE, strings, RequestType, model),
            domains=self._labels(Role.DOMAIN, strings, Domain, model),
            alone=self._alone,
            plain=self._plain(),
            model=model,
        )

    def _plain(self) -> dict[Service, Kind]:
        """Return for each service the kind that tells least, to name what only the model found."""
        kinds = sorted(self._kinds.values(), key=lambda kind: -kind.rank)
        return {kind.services[0]: kind for kind in kinds if kind.level == "emergency"}

    def _strings(self) -> tuple[str, ...]:
        """Return all strings, once each, those that are whole words last."""
        found = dict.fromkeys(string for table in self._senses.values() for string in table)
        found.update(dict.fromkeys(self._anchors))
        return tuple(sorted(found, key=_word))

    def _alarming(self) -> list[str]:
        """Return the strings that name a happening so plainly that a human would have to look."""
        least, shared = self._settings.doubt, self._senses[Role.HAPPENING].items()
        return [one for one, senses in shared if any(sense.alarms(least) for sense in senses)]

    def _act(self, string: str) -> Act:
        places = dict.fromkeys(self._anchors.get(string, ()))
        late = {Role.SIGN, Role.FRAME, Role.MASK}
        return (
            tuple(self._senses[Role.HAPPENING].get(string, ())),
            tuple(place for place in places if self._chains[place].sense.role not in late),
            tuple(place for place in places if self._chains[place].sense.role in late),
        )

    def _code(self, string: str) -> int:
        senses = self._senses
        return (
            SIGNAL * (string in senses[Role.HAPPENING])
            + ANCHOR * (string in self._anchors)
            + DOMAIN * (string in senses[Role.DOMAIN])
            + TYPE * (string in senses[Role.TYPE])
        )

    def _labels(
        self, role: Role, strings: tuple[str, ...], names: Iterable[str], model: Model | None
    ) -> Labels:
        settings = self._settings
        is_type = role is Role.TYPE
        factor = settings.title_type if is_type else settings.title_domain
        share = settings.model_type if is_type else settings.model_domain
        if model and model.taught_by_site(role.value):
            share = 0.0
        order = {str(name): place for place, name in enumerate(names)}
        senses: tuple[dict[int, Sense], ...] = tuple({} for _ in order)
        phrases = [self._senses[role].get(string, ()) for string in strings]
        phrases.extend([c.sense] if c.sense.role is role else () for c in self._chains)
        for index, phrase in enumerate(phrases):
            for sense in phrase:
                senses[order[sense.name]].setdefault(index, sense)
        return Labels(
            names=tuple(order),
            numbers=tuple(
                packed({order[sense.name]: sense.weight for sense in phrase}) for phrase in phrases
            ),
            senses=senses,
            extra=max(0, round((factor - 1) * ONE)),
            share=share / (UNIT * ONE),
            lead=settings.model_lead,
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
        fields = node.fields(frozenset({"weight", "opens", "rearms", "today", "phrases"}))
        weight = fields["weight"].one_of(_TIERS, "weight") if "weight" in fields else "hint"
        sense = Sense(
            role=Role.SIGN,
            name=name,
            weight=0.0 if weight == "always" else self._tier(weight),
            opens="opens" in fields and fields["opens"].switch(),
            rearms=fields["rearms"].one_of(_REARMS, "reach") if "rearms" in fields else "",
            today="today" in fields and fields["today"].switch(),
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
            self._chain([part(one) for one in parts], sense)
            return
        table = self._senses.get(sense.role, self._senses[Role.HAPPENING])
        for string in parts[0]:
            senses = table.setdefault(string, [])
            if sense not in senses:
                senses.append(sense)

    def _chain(self, parts: list[Part], sense: Sense) -> None:
        made = chain(parts, sense, self._weaker(sense))
        for string in sorted(made.parts[made.anchor].spellings):
            self._anchors.setdefault(string, []).append(len(self._chains))
        self._chains.append(made)

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
    fields = node.fields(_KIND)
    for needed in ("label", "services"):
        if needed not in fields:
            node.fail(f"kind {name!r} needs `{needed}:`")
    also = fields["also"].entries() if "also" in fields else ()
    domain = fields["domain"].one_of(_DOMAINS, "domain") if "domain" in fields else None
    level = fields["level"].one_of(_LEVELS, "level") if "level" in fields else "emergency"
    services = _services(fields["services"])
    if level == "emergency" and not services:
        fields["services"].fail(f"kind {name!r} is an emergency and needs at least one service")
    return Kind(
        name=name,
        label=fields["label"].word(),
        level=level,
        services=services,
        also={beside: _services(value) for beside, value in also},
        domain=Domain(domain) if domain else None,
        rank=fields["rank"].number() if "rank" in fields else 0.0,
        counts_as=fields["counts_as"].word() if "counts_as" in fields else None,
        **{flag: flag in fields and fields[flag].switch() for flag in _FLAGS},
    )


def _services(node: Node) -> tuple[Service, ...]:
    return tuple(Service(item.one_of(_SERVICES, "service")) for item in node.items())


def _word(string: str) -> bool:
    """Tell whether a string is found as a whole word only."""
    return any(one.isascii() and one.isalnum() for one in (string[0], string[-1]))
