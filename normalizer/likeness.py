"""How far two places are one, to join the reports of one happening.

Compared are what tells places apart: roads and house numbers, estates and buildings, landmarks,
kilometres of a highway, divisions and coordinates. How a citizen wrote them (3栋 or 三号楼, with or
without the district) does not count.
"""

import math
import re

from normalizer import address
from normalizer.address import NUMERAL
from normalizer.numeral import read_numeral
from normalizer.placewords import ROAD
from normalizer.schema import Place, Value
from normalizer.text import fold

#: Metres within which two positions may be of one happening: the error of a telephone's position
#: and the distance from which a fire is watched.
NEAR_M = 300.0
#: Metres beyond which equal names are of different things.
FAR_M = 3000.0
_EARTH_M = 6_371_000.0
#: House numbers this close are next door.
_NEXT_DOOR = 6
#: Kilometre marks this close are one place on a highway.
_NEAR_KM = 1.0

_BUILDING = re.compile(rf"第?([a-z]?)({NUMERAL})([a-z]?)(?:号楼|栋|幢|座)")
_LETTERED = re.compile("([a-z])(?:座|栋|幢|区|馆)")
_HYPHENS = re.compile("([a-z]?[0-9]{1,4})-[0-9]")
_HOUSE = re.compile(rf"({NUMERAL})(?:号(?!楼|线|门|口|院内)|弄)")
_KILOMETRE = re.compile(rf"k([0-9]{{1,4}})(?:\+([0-9]{{1,3}}))?|({NUMERAL})公里")
#: 107国道, g107国道 and 国道107线 are one road.
_NUMBERED_ROAD = re.compile(
    "([0-9]{1,4})(国道|省道|县道|高速)|(国道|省道|县道|高速)[gsx]?([0-9]{1,4})"
)
_NOT_NAME = re.compile("[^0-9a-z\u4e00-\u9fff]+")


class Spot(Value, frozen=True, kw_only=True):
    """What a place's text tells, in comparable form."""

    words: str = ""  #: all of it, without punctuation
    roads: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()  #: estates and landmarks
    house: int | None = None  #: number on its road
    building: str | None = None  #: within its estate
    km: float | None = None  #: of its highway


def same_place(a: Place, b: Place) -> float:
    """How far two places are one: 1 for certainly, 0 for certainly not or nothing to tell by.

    From 0.7 on, reports of one kind within minutes of each other may be taken for one happening.
    What only one of the two tells neither joins nor parts them. Pure; about 20 microseconds.
    """
    apart = _metres(a, b)
    if apart is None:
        return _by_words(a, b)
    if apart <= NEAR_M:
        return max(_by_words(a, b), 1.0 - 0.3 * apart / NEAR_M)
    words = _by_words(a, b)
    return words if apart <= FAR_M else min(words, 0.3)


def _by_words(a: Place, b: Place) -> float:
    if _differ(a.province, b.province) or _differ(a.city, b.city):
        return 0.0
    if _differ(a.district, b.district):
        return 0.0
    if not a.text or not b.text:
        return _by_division(a, b)
    one, other = spot(a), spot(b)
    if not _has_names(one) or not _has_names(other):
        return 0.9 if one.words == other.words and one.building else _by_division(a, b)
    return max(_by_names(one, other), _by_roads(one, other), _by_text(one, other))


def _by_division(a: Place, b: Place) -> float:
    for one, other, likeness in (
        (a.street, b.street, 0.4),
        (a.district, b.district, 0.3),
        (a.city, b.city, 0.1),
    ):
        if one and other:
            return likeness if one == other else 0.0
    return 0.0


def _has_names(told: Spot) -> bool:
    return bool(told.roads or told.names or told.km is not None)


def _by_names(one: Spot, other: Spot) -> float:
    """By estates and landmarks, then by the building within."""
    if not _share(one.names, other.names):
        return 0.0
    if one.building and other.building:
        return 1.0 if one.building == other.building else 0.4
    return 0.9


def _by_roads(one: Spot, other: Spot) -> float:
    shared = {road for road in one.roads if any(_alike(road, name) for name in other.roads)}
    if not shared or _part_by_number(one, other):
        return 0.1 if shared else 0.0
    crossings = len(one.roads) > 1 and len(other.roads) > 1
    if crossings and len(shared) < 2:
        return 0.3  # two junctions on one road
    if one.names and other.names:
        return 0.3  # two estates on one road
    exact = crossings or _both(one.house, other.house) or _both(one.km, other.km)
    return 1.0 if exact else 0.8


def _part_by_number(one: Spot, other: Spot) -> bool:
    if one.house is not None and other.house is not None:
        return abs(one.house - other.house) > _NEXT_DOOR
    if one.km is not None and other.km is not None:
        return abs(one.km - other.km) > _NEAR_KM
    return False


def _by_text(one: Spot, other: Spot) -> float:
    """By one phrase holding the other, unless a number parts them."""
    short, long = sorted((one.words, other.words), key=len)
    if len(short) < 3 or short not in long or _part_by_number(one, other):
        return 0.0
    if one.building and other.building and one.building != other.building:
        return 0.4
    return 0.9


def spot(place: Place) -> Spot:
    """What a place's text tells below its divisions, in comparable form."""
    folded = _without_divisions(place)
    roads, names = set[str](), set[str]()
    for part in address.parts(folded):
        name = _NOT_NAME.sub("", folded[part.start : part.end])
        numbered = _NUMBERED_ROAD.search(name)
        if numbered:
            name = f"{numbered[2] or numbered[3]}{numbered[1] or numbered[4]}"
        (roads if part.kind == ROAD else names).add(name)
    house = _HOUSE.search(folded)
    return Spot(
        words=_NOT_NAME.sub("", _BUILDING.sub(_one_word, folded)),
        roads=frozenset(roads),
        names=frozenset(names),
        house=read_numeral(house[1]) if house and roads else None,
        building=_building(folded),
        km=_kilometre(folded),
    )


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


def _both(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other and one != other)


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
