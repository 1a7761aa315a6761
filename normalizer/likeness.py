"""How far two places are one, to join the reports of one happening.

Compared are what tells places apart: roads and house numbers, estates and buildings, landmarks,
kilometres of a highway, divisions and coordinates. How a citizen wrote them (3栋 or 三号楼, with or
without the district) does not count.
"""

import math
import re
from functools import lru_cache

from normalizer import address
from normalizer.address import NUMERAL
from normalizer.numeral import read_numeral
from normalizer.placewords import ROAD
from normalizer.schema import Place, Value
from normalizer.text import fold

#: Metres within which two positions may be of one happening: the error of a telephone's position
#: and the distance from which a fire is watched.
NEAR_M = 300.0
#: Metres beyond which positions without names are two places, and beyond which names do not help.
APART_M = 1000.0
FAR_M = 3000.0
#: Likenesses. From 0.8 on two places are one, below 0.3 they are two; between, who can say.
_ONE_DOOR, _ONE_NAME, _NEIGHBOURS, _ONE_ROAD = 1.0, 0.9, 0.85, 0.8
_TWO_BUILDINGS, _UNKNOWN, _TWO_NAMES, _TWO_NUMBERS = 0.4, 0.3, 0.2, 0.1
_EARTH_M = 6_371_000.0
#: Places whose parsing is remembered: each new report is held against the same open ones.
_SPOTS = 8192
#: House numbers this close are next door.
_NEXT_DOOR = 6
#: Kilometre marks this close are one place on a highway.
_NEAR_KM = 1.0

_BUILDING = re.compile(rf"第?([a-z]?)({NUMERAL})([a-z]?)(?:号楼|栋|幢|座)")
_LETTERED = re.compile("([a-z])(?:座|栋|幢|区|馆)")
_HYPHENS = re.compile("([a-z]?[0-9]{1,4})-[0-9]")
_UNIT = re.compile(f"({NUMERAL})单元|[0-9]-([0-9]{{1,2}})-[0-9]{{3,4}}")
_ROOM = re.compile("(?:[元栋幢座层楼]|-)([0-9]{3,4})(?![0-9-])")
_HOUSE = re.compile(rf"({NUMERAL})(?:号(?!楼|线|门|口|院内)|弄)")
_KILOMETRE = re.compile(rf"k([0-9]{{1,4}})(?:\+([0-9]{{1,3}}))?|({NUMERAL})公里")
_NUMBERED_ROAD = re.compile(
    "([0-9]{1,4})(国道|省道|县道|高速)|(国道|省道|县道|高速)[gsx]?([0-9]{1,4})"
)
_NUMERALS = frozenset("一二三四五六七八九十百")
_NOT_NAME = re.compile("[^0-9a-z\u4e00-\u9fff]+")


class Spot(Value, frozen=True, kw_only=True):
    """What a place's text tells, in comparable form."""

    words: str = ""  #: all of it, without punctuation
    roads: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  #: estates and landmarks
    house: int | None = None  #: number on its road
    building: str | None = None  #: within its estate
    unit: int | None = None  #: within its building
    room: str | None = None
    km: float | None = None  #: of its highway


def same_place(a: Place, b: Place) -> float:
    """How far two places are one, from 0 (two for certain) to 1 (one door for certain).

    From 0.8 on they may be taken for one, below 0.3 for two; between, what the two tell cannot be
    compared, as a road and an estate, or nothing and anything. Symmetric and pure.
    """
    words, apart = _by_words(a, b), _metres(a, b)
    if apart is None:
        return _UNKNOWN if words is None else words
    if words == _TWO_BUILDINGS:
        return words  # two buildings of one estate are near each other and yet two
    if apart <= NEAR_M:
        near = _ONE_NAME - (_ONE_NAME - _ONE_ROAD) * apart / NEAR_M
        return max(near, words or 0.0)
    if words is None:
        return _UNKNOWN if apart <= APART_M else _TWO_NUMBERS
    return words if apart <= FAR_M else min(words, _TWO_NUMBERS)


def _by_words(a: Place, b: Place) -> float | None:
    """The likeness by what was said; None where that cannot be compared."""
    if any(_differ(*pair) for pair in _divisions(a, b)):
        return 0.0
    if not a.text or not b.text:
        return None
    one, other = spot(a), spot(b)
    if one.names and other.names and _share(one.names, other.names):
        return _in_one_name(one, other)
    if one.roads and other.roads:
        return _on_roads(one, other)
    if one.names and other.names:
        return _TWO_NAMES
    return _by_text(one, other)


def _divisions(a: Place, b: Place) -> tuple[tuple[str | None, str | None], ...]:
    return (a.province, b.province), (a.city, b.city), (a.district, b.district)


def _in_one_name(one: Spot, other: Spot) -> float:
    """Within one estate or landmark: the building decides, then the door."""
    if _differ(one.building, other.building):
        return _TWO_BUILDINGS
    if _differ(one.unit, other.unit) or _differ(one.room, other.room):
        return _NEIGHBOURS
    told_alike = (one.unit, one.room) == (other.unit, other.room)
    if one.building and other.building and (told_alike or (one.room and other.room)):
        return _ONE_DOOR
    return _ONE_NAME


def _on_roads(one: Spot, other: Spot) -> float:
    shared = {road for road in one.roads if any(_alike(road, name) for name in other.roads)}
    if not shared:
        return _TWO_NAMES
    gap = _gap(one, other)
    if gap is not None:
        return _ONE_DOOR if gap == 0 else _NEIGHBOURS if gap <= 1 else _TWO_NUMBERS
    crossings = len(one.roads) > 1 and len(other.roads) > 1
    if crossings:
        return _ONE_DOOR if len(shared) > 1 else _TWO_NAMES
    if one.names and other.names:
        return _TWO_NAMES
    return _ONE_NAME if one.words == other.words else _ONE_ROAD


def _gap(one: Spot, other: Spot) -> float | None:
    """How far two numbers on one road are from each other; up to 1 is next door."""
    if one.house is not None and other.house is not None:
        return abs(one.house - other.house) / _NEXT_DOOR
    if one.km is not None and other.km is not None:
        return abs(one.km - other.km) / _NEAR_KM
    return None


def _by_text(one: Spot, other: Spot) -> float | None:
    """By one phrase holding the other: 3号楼 and 3栋, 老粮站 and 老粮站后面."""
    short, long = sorted((one.words, other.words), key=len)
    if one.building and other.building and one.building != other.building:
        return _TWO_NAMES
    if short == long and len(short) > 1:
        return _ONE_NAME
    if len(short) > 2 and short in long and _gap(one, other) in {None, 0.0}:
        return _ONE_NAME
    return None


@lru_cache(maxsize=_SPOTS)
def spot(place: Place) -> Spot:
    """What a place's text tells below its divisions, in comparable form."""
    folded = _without_divisions(place)
    roads, names = set[str](), set[str]()
    for part in address.parts(folded):
        name = _plain(folded[part.start : part.end])
        if part.kind == ROAD:
            roads.add(_road(name))
        else:
            names.add(name)
    if not any(char.isdigit() or char in _NUMERALS for char in folded):
        return Spot(words=_plain(folded), roads=frozenset(roads), names=frozenset(names))
    house, unit, room = _HOUSE.search(folded), _UNIT.search(folded), _ROOM.search(folded)
    return Spot(
        words=_plain(_BUILDING.sub(_one_word, folded)),
        roads=frozenset(roads),
        names=frozenset(names),
        house=read_numeral(house[1]) if house and roads else None,
        building=_building(folded),
        unit=read_numeral(unit[1] or unit[2]) if unit else None,
        room=room[1] if room else None,
        km=_kilometre(folded),
    )


def _plain(text: str) -> str:
    return text if text.isalnum() else _NOT_NAME.sub("", text)


def _road(name: str) -> str:
    """107国道, g107国道 and 国道107线 are one road."""
    found = _NUMBERED_ROAD.search(name) if "道" in name or "高速" in name else None
    return f"{found[2] or found[3]}{found[1] or found[4]}" if found else name


def _without_divisions(place: Place) -> str:
    """The folded text without the divisions at its beginning, in full or in short."""
    folded = fold(place.text or "")
    for name in (place.province, place.city, place.district, place.street):
        if name and folded.startswith(name):
            folded = folded[len(name) :]
        elif name and len(name) > 2 and folded.startswith(name[:-1]):
            folded = folded[len(name) - 1 :]
    return folded


def _building(folded: str) -> str | None:
    found = _BUILDING.search(folded)
    if found:
        return _one_word(found).removesuffix("栋")
    other = _HYPHENS.search(folded) or _LETTERED.search(folded)
    return other[1] if other else None


def _one_word(found: re.Match[str]) -> str:
    """3号楼, 三栋 and 第3幢 alike."""
    return f"{found[1]}{read_numeral(found[2])}{found[3]}栋"


def _kilometre(folded: str) -> float | None:
    found = _KILOMETRE.search(folded)
    if found is None:
        return None
    if found[1]:
        return int(found[1]) + int(found[2] or 0) / 1000
    number = read_numeral(found[3])
    return None if number is None else float(number)


def _share(one: frozenset[str], other: frozenset[str]) -> bool:
    return any(_alike(a, b) for a in one for b in other)


def _alike(one: str, other: str) -> bool:
    """Whether two names are one, as 汴河小区 and 埇桥区汴河小区 are."""
    return (
        one == other
        or (min(len(one), len(other)) > 2 and one.endswith(other))
        or (len(one) > 2 and other.endswith(one))
    )


def _differ(one: str | float | None, other: str | float | None) -> bool:
    return one is not None and other is not None and one != other


def _metres(a: Place, b: Place) -> float | None:
    """The distance along the surface (haversine); None where a position is unknown."""
    if a.latitude is None or a.longitude is None or b.latitude is None or b.longitude is None:
        return None
    north, other = math.radians(a.latitude), math.radians(b.latitude)
    east = math.radians(b.longitude - a.longitude)
    part = (
        math.sin((other - north) / 2) ** 2
        + math.cos(north) * math.cos(other) * math.sin(east / 2) ** 2
    )
    return 2 * _EARTH_M * math.asin(min(1.0, math.sqrt(part)))
