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
    short: bool  #: without its generic word, e.g. 宿州 for 宿州市
    town: bool  #: a subdistrict, town or township; ``codes`` are then its counties


class Mention(NamedTuple):
    """Where a text holds a name of a division, in code points of the folded text."""

    start: int
    end: int
    entry: Entry


class Gazetteer:
    """Every division's name and code, ready to be looked for in one pass over a text.

    Never changes after it was made, so one may serve all requests.
    """

    __slots__ = ("_automaton", "_entries", "_names")

    def __init__(self, divisions: list[list[str]], towns: list[list[str]]) -> None:
        """Every row holds a code and names; a division's official name is its first."""
        self._names = {row[0]: row[1] for row in divisions}
        self._entries = _entries(divisions, towns)
        patterns = [entry.name for entry in self._entries]
        self._automaton = AhoCorasick(
            patterns, matchkind=MatchKind.LeftmostLongest, store_patterns=False
        )

    @classmethod
    def load(cls, home: str | None = None) -> "Gazetteer":
        """The packaged data; with ``home`` (an adcode) also the towns of that city.

        Takes about 40 ms and 3 MB. Names are folded, since texts are searched folded.
        """
        data = files("normalizer") / "data"
        rows = _rows((data / "divisions.txt").read_text(encoding="utf-8"))
        towns: list[list[str]] = []
        if home:
            towns = _rows((data / "towns.txt").read_text(encoding="utf-8"), below(home))
        return cls(rows, towns)

    def name(self, code: str | None) -> str | None:
        """The official name that a six-digit code stands for."""
        return self._names.get(code) if code else None

    def mentions(self, folded: str) -> list[Mention]:
        """Every name in the text, leftmost and longest first, none overlapping another."""
        entries = self._entries
        return [
            Mention(start, end, entries[index])
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
        if line.startswith(prefix) and line and not line.startswith("#")
    ]


def _entries(divisions: list[list[str]], towns: list[list[str]]) -> tuple[Entry, ...]:
    full: dict[str, list[str]] = {}
    short: dict[str, list[str]] = {}
    below_county: dict[str, list[str]] = {}
    for code, name, *others in _folded(divisions):
        full.setdefault(name, []).append(code)
        for other in others:
            # 琼中县 is as good as the long name; 宿州 is not a name that ends in its kind
            named = full if len(other) > 2 and other[-1] in "县州" else short
            named.setdefault(other, []).append(code)
    for code, *found in _folded(towns):
        for name in found:
            below_county.setdefault(name, []).append(code)
    found_short = [name for name in short if name not in full]
    found_towns = [name for name in below_county if name not in full and name not in short]
    return (
        *(Entry(name, tuple(codes), False, False) for name, codes in full.items()),
        *(Entry(name, tuple(short[name]), True, False) for name in found_short),
        *(Entry(name, tuple(below_county[name]), False, True) for name in found_towns),
    )


def _folded(rows: list[list[str]]) -> list[list[str]]:
    # one call for all: folding keeps every offset, and with it every blank and line end
    text = fold("\n".join(" ".join(row) for row in rows))
    return [line.split(" ") for line in text.split("\n") if line]
