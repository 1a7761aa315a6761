"""Where a matter is: the divisions and the address phrase that a text tells.

Nothing is made up. A name that stands for several divisions is left open unless the instance's
own city, or a greater division that the text names, decides. The instance's city is assumed only
where the text tells a place and is silent about the city.
"""

import re
from typing import NamedTuple

from normalizer import address
from normalizer.address import Part, Phrase
from normalizer.gazetteer import (
    Entry,
    Gazetteer,
    Mention,
    city_of,
    covers,
    district_of,
    province_of,
)
from normalizer.likeness import same_place
from normalizer.placewords import (
    ACROSS,
    ANOTHER_NAME,
    BEFORE,
    BOUNDARY,
    CONTINUED,
    DIVISION,
    NOT_A_PLACE,
    ORDINARY,
    TOWN,
    WEAK,
)
from normalizer.schema import Place
from normalizer.text import fold

__all__ = ["Gazetteer", "find_place", "locate", "same_place"]

#: A road named after a division: 南京路, 北京东路, 长安大街.
_ROAD = re.compile(
    "[东西南北中一二三四五六]{0,2}(?:支?路|街(?!道)|大道|大街|巷|胡同|环线|道(?!路))"
)
#: A firm that bears the name of a division somewhere.
_FIRM = re.compile("[^,.。;；!?\\s在的]{0,16}?(?:公司|集团|银行|股份)")
_GOING_TO = ("开往", "前往", "去往", "飞往", "驶往", "发往", "前去", "飞", "赴")
_FROM_OR_TO = frozenset("去从往")
#: 祁县镇 is a town, not the county of 祁县.
_VILLAGE = ("镇", "乡", "村")
#: Names of divisions that are looked at, to bound the work on a text of nothing else.
_MOST_NAMES = 300
#: What may stand between a greater and a lesser division: 宿州市,埇桥区.
_LINKS = frozenset(("", " ", ",", "·", "-", "的", "/"))


class Chain(NamedTuple):
    """Names of divisions that stand together, the greater first."""

    start: int
    end: int
    codes: tuple[str, ...]  #: every division that it can mean
    town: str | None


def find_place(text: str, folded: str, gazetteer: Gazetteer, home: str) -> Place:
    """Where the text says the matter is; empty where it says nothing.

    Args:
        text: Normalized text; ``Place.text`` is a slice of it.
        folded: `normalizer.text.fold` of ``text``: same length.
        gazetteer: With the towns of ``home``, so that 朱仙庄镇 tells the district.
        home: Adcode of the instance's city.
    """
    chains = _chains(folded, gazetteer, home)
    phrase = _heaviest(folded, chains, home)
    if phrase is None and not chains:
        return Place()
    literal = text[phrase.start : phrase.end].strip(" ,·-") if phrase else None
    return _place(literal or None, _street(folded, phrase), chains, phrase, gazetteer, home)


def locate(address_text: str, gazetteer: Gazetteer, home: str) -> Place:
    """Where an address is that a citizen gave as such: the whole is place text.

    Empty for an empty address.
    """
    literal = address_text.strip()
    if not literal:
        return Place()
    folded = fold(literal)
    chains = _chains(folded, gazetteer, home, announced=True)
    phrase = _heaviest(folded, chains, home)
    return _place(literal, _street(folded, phrase), chains, phrase, gazetteer, home)


def _heaviest(folded: str, chains: list[Chain], home: str) -> Phrase | None:
    found = address.parts(
        folded, [Part(chain.start, chain.end, chain.end, DIVISION) for chain in chains]
    )
    if not found:
        return address.building(folded)
    own = {chain.start for chain in chains if _has_own(chain, home)}

    def weigh(phrase: Phrase) -> float:
        return phrase.weight + (0.5 if any(part.start in own for part in phrase.parts) else 0.0)

    joined = address.phrases(folded, found)
    best = joined[0] if len(joined) == 1 else max(joined, key=weigh)
    bare = address.building(folded) if best.weight <= 1.0 else None
    return bare or best


def _street(folded: str, phrase: Phrase | None) -> str | None:
    """The town that the phrase tells outside its divisions."""
    for part in phrase.parts if phrase else ():
        if part.kind == TOWN:
            return folded[part.start : part.end]
    return None


def _place(
    literal: str | None,
    street: str | None,
    chains: list[Chain],
    phrase: Phrase | None,
    gazetteer: Gazetteer,
    home: str,
) -> Place:
    own = home if gazetteer.name(home) else (city_of(home) or province_of(home))
    chain = _chosen(chains, phrase, own)
    code = _settled(chain, chains, own) if chain else own
    if code and chain and city_of(code) is None and covers(code, own):
        code = own  # 安徽省人民路: silent about the city
    if chain and chain.town:
        street = chain.town
    if code is None:
        return Place(text=literal, street=street)
    code = _deepened(code, chains)
    province, city, district = province_of(code), city_of(code), district_of(code)
    return Place(
        text=literal,
        province=gazetteer.name(province),
        city=gazetteer.name(city),
        district=gazetteer.name(district),
        street=street,
        adcode=code,
    )


def _chosen(chains: list[Chain], phrase: Phrase | None, home: str) -> Chain | None:
    """The chain in the phrase, else one of the instance's own city, else the first."""
    for chain in chains:
        if phrase and phrase.start <= chain.start < phrase.end:
            return chain
    own = [chain for chain in chains if _has_own(chain, home)]
    if own and len({chain.codes for chain in own}) > 1:
        return None  # from one district to another: only the city is certain
    group = own or chains
    return group[0] if group else None


def _has_own(chain: Chain, home: str) -> bool:
    return any(_is_own(code, home) for code in chain.codes)


def _settled(chain: Chain, chains: list[Chain], home: str) -> str | None:
    """The one division that a chain means; None where that stays open."""
    codes = chain.codes
    for narrowed in (
        codes,
        [code for code in codes if _is_own(code, home)],
        [code for code in codes if _is_below_another(code, chain, chains)],
    ):
        if len(narrowed) == 1:
            return narrowed[0]
    greatest = min(codes, key=lambda code: (district_of(code) is not None, city_of(code) or ""))
    if all(covers(greatest, code) for code in codes):
        return greatest  # 吉林 is at least in the province
    cities = {city_of(code) for code in codes}
    return cities.pop() if len(cities) == 1 else None


def _is_below_another(code: str, chain: Chain, chains: list[Chain]) -> bool:
    return any(
        len(other.codes) == 1 and covers(other.codes[0], code)
        for other in chains
        if other is not chain
    )


def _deepened(code: str, chains: list[Chain]) -> str:
    """The one district of the same city that the text names elsewhere."""
    if district_of(code) is not None:
        return code
    deeper = {
        chain.codes[0]
        for chain in chains
        if len(chain.codes) == 1 and district_of(chain.codes[0]) and covers(code, chain.codes[0])
    }
    return deeper.pop() if len(deeper) == 1 else code


def _is_own(code: str, home: str) -> bool:
    """Whether a division lies in the instance's city."""
    return covers(city_of(home) or home, code)


def _chains(folded: str, gazetteer: Gazetteer, home: str, announced: bool = False) -> list[Chain]:
    chains: list[Chain] = []
    for mention in gazetteer.mentions(folded)[:_MOST_NAMES]:
        last = chains[-1] if chains else None
        if last is not None and folded[last.end : mention.start] in _LINKS:
            joined = _joined(folded, last, mention)
            if joined is not None:
                chains[-1] = joined
                continue
        if _stands_alone(folded, mention, home, announced):
            entry = mention.entry
            town = entry.name if entry.town else None
            codes = _likely(entry, home)
            chains.append(Chain(mention.start, mention.end, codes, town))
    return chains


def _likely(entry: Entry, home: str) -> tuple[str, ...]:
    """河南 is the province, not the county of that short name, except for its neighbours."""
    if not entry.short or len(entry.codes) == 1:
        return entry.codes
    return (
        tuple(code for code in entry.codes if not district_of(code) or _is_own(code, home))
        or entry.codes
    )


def _joined(folded: str, last: Chain, mention: Mention) -> Chain | None:
    """The chain with a lesser division at its end; None where that is not in it."""
    entry = mention.entry
    codes = tuple(
        code
        for code in entry.codes
        if any(covers(whole, code) and (whole != code or entry.town) for whole in last.codes)
    )
    if not codes or last.town or folded.endswith(entry.name, last.start, last.end):
        return None
    if entry.short and _is_part_of_name(folded, mention):
        return None
    return Chain(last.start, mention.end, codes, entry.name if entry.town else None)


def _stands_alone(folded: str, mention: Mention, home: str, announced: bool) -> bool:
    """Whether a name without a greater one before it names a division."""
    start, _, entry = mention
    if entry.town:
        return True
    own = any(_is_own(code, home) or covers(code, home) for code in entry.codes)
    if _is_elsewhere(folded, mention, own):
        return False
    bounded = announced or _begins_word(folded, start)
    if entry.short:
        return _is_short_name(folded, mention, own, bounded)
    if entry.name in WEAK:
        return own and bounded
    return bounded or (len(entry.name) > 2 and (own or not _is_county(entry)))


def _is_short_name(folded: str, mention: Mention, own: bool, bounded: bool) -> bool:
    name = mention.entry.name
    if name in ORDINARY or _is_part_of_name(folded, mention):
        return False
    if folded.startswith(CONTINUED.get(name, "\0"), mention.end):
        return False
    if not own and _is_county(mention.entry):
        return False
    return bounded or (own and name not in ACROSS)


def _is_county(entry: Entry) -> bool:
    """Whether every division of the name is below the prefecture: 昆山, 白沙."""
    return all(code[4:] != "00" for code in entry.codes)


def _begins_word(folded: str, start: int) -> bool:
    before = folded[start - 1 : start]
    return (
        before in BOUNDARY
        or not "\u4e00" <= before <= "\u9fff"
        or folded.endswith(BEFORE, 0, start)
    )


def _is_part_of_name(folded: str, mention: Mention) -> bool:
    """和平小区, 长安镇, 南京路: the name of something else."""
    return folded.startswith(ANOTHER_NAME, mention.end) or _is_road(folded, mention)


def _is_road(folded: str, mention: Mention) -> bool:
    return _ROAD.match(folded, mention.end) is not None


def _is_elsewhere(folded: str, mention: Mention, own: bool) -> bool:
    """Whether the name tells a road, a dish, whence someone is or where something goes."""
    start, end, _ = mention
    if folded.startswith(NOT_A_PLACE, end) and not folded.startswith("人民", end):
        return True
    if _is_road(folded, mention) or (end - start == 2 and folded.startswith(_VILLAGE, end)):
        return True
    return not own and (
        folded[start - 1 : start] in _FROM_OR_TO
        or folded.endswith(_GOING_TO, 0, start)
        or _FIRM.match(folded, end) is not None
    )
