"""Address phrases in a text: roads, estates, buildings, landmarks, where they begin and end.

Chinese has no word boundaries, so a phrase is found from its back: a word that ends names of
places (路, 小区, 医院) is looked for, and the name is read leftwards until a word that no name
holds (在, 的, 我). What follows a name (12号, 3栋2单元501, 与…交叉口, 对面) is read forwards.
All offsets are code points of the folded text.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, MatchKind

from normalizer.placewords import (
    AT_HALLS,
    BEFORE,
    BUILDING,
    DIVISION,
    ENDINGS,
    ESTATE,
    GENERIC,
    HORSES,
    JOINTS,
    LANDMARK,
    LEADS,
    NUMBERED,
    OF_A_DIVISION,
    ONE_CHARACTER,
    ONE_OF_A_CITY,
    ROAD,
    RUNS_ON,
    SKIPPED,
    STOPS,
    TOWN,
)


class Part(NamedTuple):
    """One named thing of an address."""

    start: int
    end: int  #: where the name ends
    tail: int  #: where that ends which follows it: number, building, side
    kind: str


class Phrase(NamedTuple):
    """Parts that stand together."""

    start: int
    end: int
    parts: tuple[Part, ...]
    weight: float  #: how much it tells; the heaviest phrase of a text is its place


_KINDS = tuple(
    (kind, ending) for kind, endings in (*ENDINGS.items(), ("", SKIPPED)) for ending in endings
)
_AUTOMATON = AhoCorasick(
    [ending for _, ending in _KINDS], matchkind=MatchKind.LeftmostLongest, store_patterns=False
)
NUMERAL = "(?:[0-9]{1,5}|[一二三四五六七八九十百]{1,4})"
#: A road's number after its kind: 国道107线, 高速g3.
_ROAD_NUMBER = re.compile("[gs]?[0-9]{1,4}线?")
#: A building's number before its word: 锦绣江南3栋.
_BUILDING_NUMBER = re.compile(rf"第?[a-z]?{NUMERAL}$")
_UNIT = r"号(?=楼[下上顶]|门[口前外])|号楼|号院|号线|号门|号口|号|栋|幢|座|单元|层|楼|室|弄|组|队|期|区|排|门|房|段|公里|米|\#楼?"
# What may follow a name, any number of times.
_TAIL = re.compile(
    rf"""
    (?:(?:[ ·-]?|,(?=[a-z]?{NUMERAL}(?:号楼|栋|幢|座|单元|室|\#)))(?:
      [a-z]?[0-9]{{1,4}}[a-z]?(?:-[0-9]{{1,4}}){{1,3}}[a-z]?(?:室|号|房)?(?![0-9])
      |第?[a-z]?{NUMERAL}(?:-[0-9]+)?[a-z]?(?:{_UNIT})(?:[a-z](?![a-z]))?
      |(?<=[元栋幢楼座层号])[a-z]?[0-9]{{3,4}}(?![0-9]|[元块人年个米])
      |[a-z][0-9]{{0,3}}(?:座|区|栋|幢|口|馆|楼)
      |k[0-9]{{1,4}}(?:\+[0-9]{{1,3}})?(?:米|处|公里)?
      |(?:[东南西北]{{1,2}}|中)(?:侧|边|面|门|口|角|段|头|端|区|首|院|路口|广场|[0-9]{{1,4}}米)
      |(?:往|向)?[\u4e00-\u9fff]{{2,4}}方向
      |交叉路口|交叉口|交汇处|交汇口|交界处|交口|十字路口|丁字路口|路口|红绿灯|路段|沿线|站(?![着在了起不立出])
      |附近|斜对面|对面|旁边|旁(?!若)|边上|隔壁|大门|正门|后门|前门|门口|门前|门外|楼下|楼上|楼顶|桥下|桥上|桥头|桥底
      |底下|后面|前面|院内|地下室|地下车库|地下停车场|停车场|车库|出站口|出口|入口|匝道|站台|下穿
      |(?<=[米口里])处
    ))+
    """,
    re.VERBOSE,
)
#: Numbers that stand without a name: 3号楼2单元, 7栋501, K843+200.
_BARE = re.compile(
    rf"(?<![0-9a-z])(?:[a-z]?{NUMERAL}(?:号楼|栋|幢)|[0-9]{{1,4}}(?:-[0-9]{{1,4}}){{2,3}}(?=室|号|房)"
    r"|k[0-9]{1,4}\+[0-9]{1,3})"
)
_TAIL_BEGINS = frozenset(
    " ,·-0123456789abcdefghijklmnopqrstuvwxyz一二三四五六七八九十百第东南西北中往向交十丁路红沿站附斜对旁边隔大正后前门楼桥底"
    "院地停车出入匝下处",
)
_LEADS = re.compile(
    f"(?:{'|'.join(sorted(LEADS, key=len, reverse=True))}"
    "|[0-9一二三四五六七八九十两]+(?:号线|[点年月日时分号半])|[0-9]{5,})+"
)
_LEAD_BEGINS = frozenset("0123456789一二三四五六七八九十两" + "".join(word[0] for word in LEADS))
#: Before a place that someone is only bound for.
_BOUND = frozenset("去往到开回")
_DIGIT = re.compile("[0-9一二三四五六七八九十百]")
#: Code points of the longest name by kind; a longer reading found no beginning and is dropped.
_LONGEST = {ROAD: 7, ESTATE: 8, LANDMARK: 10, TOWN: 4, BUILDING: 8}
_READ = 11
_WEIGHTS = {ROAD: 2.0, ESTATE: 2.0, LANDMARK: 1.5, TOWN: 1.0, DIVISION: 1.0, BUILDING: 1.5}


def parts(folded: str, fixed: Iterable[Part] = ()) -> list[Part]:
    """Every named part in order, with the divisions given in ``fixed`` among them.

    ``fixed`` is in order; the ends of their tails are found here.
    """
    found: list[Part] = []
    waiting = list(fixed)
    for index, at, end in _AUTOMATON.find_matches_as_indexes(folded):
        while waiting and waiting[0].start < end:
            _add_fixed(folded, waiting.pop(0), found)
        kind, ending = _KINDS[index]
        part = _part(folded, at, kind, ending, found)
        if part is not None:
            if found and found[-1].start == part.start:
                found.pop()
            found.append(part)
    for part in waiting:
        _add_fixed(folded, part, found)
    return found


def _add_fixed(folded: str, part: Part, found: list[Part]) -> None:
    if not found or part.start >= found[-1].tail:
        found.append(part._replace(tail=_tail(folded, part.end)))


def _tail(folded: str, end: int) -> int:
    if folded[end : end + 1] in _TAIL_BEGINS or "方向" in folded[end + 2 : end + 6]:
        tail = _TAIL.match(folded, end)
        if tail:
            return tail.end()
    return end


def _part(folded: str, at: int, kind: str, ending: str, found: list[Part]) -> Part | None:
    last = found[-1] if found else None
    floor = last.tail if last else 0
    if at < floor or not _ends_name(folded, at, kind, ending):
        return None
    kind = kind or ROAD  # of the words that name no place only the 马路 of 洗马路 comes so far
    end = at + len(ending)
    if last is not None and at == last.end:
        return _extended(folded, last, end, kind, ending)
    if kind == BUILDING:
        return _numbered_building(folded, at, floor)
    number = _ROAD_NUMBER.match(folded, end) if ending in NUMBERED else None
    start = _name_start(folded, at, floor)
    if kind == TOWN:
        start = max(start, *(folded.rfind(above, start, at - 1) + 1 for above in "省市县区州旗"))
    of_division = last is not None and last.kind == DIVISION and start == floor
    if number is not None:
        end = number.end()
    elif not (
        _is_name(folded[start:at], kind, ending, 1 if of_division else 2)
        or _needs_no_name(folded, start, end, ending)
    ):
        return None
    return Part(start, end, _tail(folded, end), kind)


def _ends_name(folded: str, at: int, kind: str, ending: str) -> bool:
    if kind in {ESTATE, LANDMARK}:
        return not folded.startswith(RUNS_ON, at + len(ending))
    return kind != "" or (ending == "马路" and folded[at - 1 : at] in HORSES)


def _extended(folded: str, last: Part, end: int, kind: str, ending: str) -> Part | None:
    """人民路小学 is one name; so is 埇桥区政府, but a division's mere 学校 names none."""
    if kind == BUILDING or (last.kind in {DIVISION, TOWN} and ending not in OF_A_DIVISION):
        return None
    return Part(last.start, end, _tail(folded, end), kind)


def _numbered_building(folded: str, at: int, floor: int) -> Part | None:
    """锦绣江南3栋: an estate whose name has no ending of its own."""
    start = _name_start(folded, at, floor)
    number = _BUILDING_NUMBER.search(folded, start, at)
    if number is None or not _is_name(folded[start : number.start()], BUILDING, "", 2):
        return None
    return Part(start, number.start(), _tail(folded, number.start()), ESTATE)


def _name_start(folded: str, at: int, floor: int) -> int:
    start = at
    lowest = max(floor, at - _READ)
    while start > lowest:
        char = folded[start - 1]
        if not char.isalnum() or (char in STOPS and not _is_surname(folded, start - 1)):
            break
        start -= 1
    if 0 < floor == start < at and folded[start] == "和":
        return start + 1  # 光明路和解放路: after a name, 和 joins another
    if folded[start] in _LEAD_BEGINS:
        lead = _LEADS.match(folded, start, at)
        if lead is not None:
            return lead.end()
    return start


def _is_surname(folded: str, index: int) -> bool:
    """于 begins names (于庄) unless it belongs to a word before it (位于, 关于)."""
    return folded[index] == "于" and (
        index == 0 or folded[index - 1] not in "位关由对处居属落至低高等鉴终"
    )


def _is_name(name: str, kind: str, ending: str, least: int) -> bool:
    """Whether the reading before an ending names a place; ``least`` is its shortest length."""
    if not name or name in GENERIC or len(name) > _LONGEST[kind]:
        return False
    if name.isascii():
        return ending in NUMBERED or (kind in {ESTATE, LANDMARK} and not name.isdigit())
    if ending == "政府":
        return len(name) > 1 and name[-1] in "省市区县镇乡"
    if kind == ROAD and name[-1].isdigit():
        return False  # 公交122路 is a bus
    return len(name) >= least or ending in ONE_CHARACTER


def _needs_no_name(folded: str, start: int, end: int, ending: str) -> bool:
    """A city has one 火车站; 市政府 is a place where someone stands before it."""
    if ending == "政府":
        return end - start == 3 and folded[start] in "市区县" and folded.startswith(AT_HALLS, end)
    alone = end - start == len(ending) and ending in ONE_OF_A_CITY
    return alone and not folded.startswith("方向", end) and folded[start - 1 : start] not in _BOUND


def phrases(folded: str, found: list[Part]) -> list[Phrase]:
    """The parts joined where they stand together, in order."""
    result: list[Phrase] = []
    group: list[Part] = []
    for part in found:
        if group and folded[group[-1].tail : part.start] not in JOINTS:
            result.append(_phrase(folded, group))
            group = []
        group.append(part)
    if group:
        result.append(_phrase(folded, group))
    return result


def _phrase(folded: str, group: list[Part]) -> Phrase:
    start, end = group[0].start, group[-1].tail
    weight = sum(_WEIGHTS[part.kind] for part in group if part.kind != DIVISION)
    if any(part.kind == DIVISION for part in group):
        weight += _WEIGHTS[DIVISION]  # once: 从泗县到灵璧县 tells no more than either
    if any(_DIGIT.search(folded, part.end, part.tail) for part in group):
        weight += 2
    if folded.endswith(BEFORE, 0, start):
        weight += 1.5
    return Phrase(start, end, tuple(group), weight)


def building(folded: str) -> Phrase | None:
    """The first building or kilometre mark that is named by its number alone."""
    if not ("栋" in folded or "号楼" in folded or "-" in folded or "+" in folded or "幢" in folded):
        return None
    bare = _BARE.search(folded)
    if bare is None:
        return None
    part = Part(bare.start(), bare.end(), _tail(folded, bare.end()), BUILDING)
    return Phrase(part.start, part.tail, (part,), _WEIGHTS[BUILDING])
