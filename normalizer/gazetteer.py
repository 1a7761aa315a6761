"""The administrative divisions of China and where a text mentions them.

The data are packaged: ``data/divisions.txt`` (down to the county) and ``data/towns.txt``
(subdistricts, towns and townships), both by code of GB/T 2260-2007. Town names repeat all over
the country, so only those of the instance's own city are looked for.
"""

from importlib.resources import files
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from normalizer.text import fold

#: Cities that are provinces: their counties stand directly below them.
MUNICIPALITIES = ("11", "12", "31", "50")
#: Special administrative regions: no city between region and district.
REGIONS = ("81", "82")


class Entry(NamedTuple):
    """What one name stands for."""

    name: str
    codes: tuple[str, ...]  #: every division of that name, six digits
    short: bool = False  #: without the word for what it is: 宿州 for 宿州市
    town: bool = False  #: a subdistrict, town or township; ``codes`` are then its counties


class Mention(NamedTuple):
    """Where a text holds a name of a division, in code points of the folded text."""

    start: int
    end: int
    entry: Entry


class Gazetteer:
    """Every division's name and code, ready to be looked for in one pass over a text.

    Never changes after it was made, so one may serve all requests.
    """

    __slots__ = ("_automaton", "_found", "_names")

    def __init__(self, divisions: list[list[str]], towns: list[list[str]]) -> None:
        """Rows as the files in ``data`` hold them, split at the blanks."""
        named: dict[str, list[str] | Entry] = {row[0]: row for row in divisions}
        for entry in _towns(towns):
            named.setdefault(fold(entry.name), entry)
        self._names = {
            code: name
            for name, kind, codes in divisions
            if kind == "f"
            for code in codes.split(",")
        }
        self._found = tuple(named.values())
        self._automaton = AhoCorasick(
            list(named), matchkind=MatchKind.LeftmostLongest, store_patterns=False
        )

    @classmethod
    def load(cls, home: str | None = None) -> "Gazetteer":
        """The packaged data; with ``home`` (an adcode) also the towns of that city.

        Takes about 30 ms and 3 MB.
        """
        data = files("normalizer") / "data"
        divisions = _rows((data / "divisions.txt").read_text(encoding="utf-8"))
        towns: list[list[str]] = []
        if home:
            towns = _rows((data / "towns.txt").read_text(encoding="utf-8"), below(home))
        return cls(divisions, towns)

    def name(self, code: str | None) -> str | None:
        """The official name that a six-digit code stands for."""
        return self._names.get(code) if code else None

    def mentions(self, folded: str) -> list[Mention]:
        """Every name in the text, leftmost and longest first, none overlapping another."""
        return [
            Mention(start, end, _entry(self._found[index]))
            for index, start, end in self._automaton.find_matches_as_indexes(folded)
        ]


def province_of(code: str) -> str:
    """Code of the province that a division lies in or is."""
    return code[:2] + "0000"


def city_of(code: str) -> str | None:
    """Code of the city that a division lies in or is; None for a province or a region's district.

    A municipality is its own city. A county that the province administers directly, as 仙桃市
    (429004), is a city of its own.
    """
    if code[:2] in MUNICIPALITIES:
        return province_of(code)
    if code[2:] == "0000" or code[:2] in REGIONS:
        return None
    if code[2:4] == "90":
        return code if code[4:] != "00" else None
    return code[:4] + "00"


def district_of(code: str) -> str | None:
    """The code itself where it is a county's; None where it is a city's or province's."""
    return code if code[4:] != "00" and code[2:4] != "90" else None


def below(code: str) -> str:
    """What the codes begin with of all that lies in the division."""
    if code[2:4] == "90" and code[4:] != "00":
        return code
    if code[:2] in MUNICIPALITIES or code[2:] == "0000":
        return code[:2]
    return code[:4]


def covers(whole: str, part: str) -> bool:
    """Whether the division ``part`` lies in ``whole`` or is it."""
    return part == whole or (district_of(whole) is None and part.startswith(below(whole)))


def _rows(text: str, prefix: str = "") -> list[list[str]]:
    return [
        line.split(" ")
        for line in text.split("\n")
        if line and line.startswith(prefix) and not line.startswith("#")
    ]


def _entry(found: list[str] | Entry) -> Entry:
    # Made when it is met: six thousand at the start would double the time to load.
    if isinstance(found, Entry):
        return found
    name, kind, codes = found
    return Entry(name, tuple(codes.split(",")), short=kind == "s")


def _towns(rows: list[list[str]]) -> list[Entry]:
    counties: dict[str, list[str]] = {}
    for code, *names in rows:
        for name in names:
            counties.setdefault(name, []).append(code)
    return [Entry(name, tuple(codes), town=True) for name, codes in counties.items()]
