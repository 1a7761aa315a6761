"""Phrases with ``…``: parts that follow each other in one sentence, a few characters apart.

The automaton looks for one part of each phrase only, the one least likely to stand in a text, its
anchor; the others are looked for around it. 我…血 costs nothing in a text without 血.
"""

from collections.abc import Sequence

from gateway.judge.terms import Sense
from normalizer.schema import Value

#: What ends a sentence: no phrase goes across.
ENDS = frozenset("。！？；;!?\n")
#: Characters so common that an anchor is better without them.
_COMMON = frozenset(
    "的一是了我不在人有他这上们来到时大地为子中你说生着就那和要她出也得里后以会家可下而过天去能对小多"
    "然于心么之都好看起没成只还用第样道想作开门水车电打头手楼路点两几快把被给跑死"
)
#: Words as common as some characters.
_COMMON_WORDS = frozenset(
    [
        "孩子",
        "小孩",
        "老人",
        "现在",
        "有人",
        "突然",
        "电话",
        "进行",
        "都是",
        "自己",
        "今天",
        "明天",
        "发生",
        "严重",
        "电梯",
        "燃气",
        "煤气",
        "救援",
        "两个",
        "几个",
        "房子",
        "导致",
        "没有",
        "我们",
        "他们",
        "一个",
        "一直",
        "已经",
        "时候",
        "什么",
        "问题",
        "消防",
        "整个",
        "属于",
        "手机",
        "组织",
        "刚才",
        "司机",
    ]
)


class Part(Value, frozen=True, kw_only=True):
    """One part of a phrase and how to find it quickly."""

    spellings: frozenset[str]
    lengths: tuple[int, ...]
    firsts: frozenset[str]  #: first characters of the spellings
    lasts: frozenset[str]


class Chain(Value, frozen=True, kw_only=True):
    """A phrase with ``…``: met when all its parts follow each other."""

    parts: tuple[Part, ...]
    anchor: int  #: which part the automaton looks for
    #: One of these characters stands soon before the anchor, of those soon behind; empty for none.
    around: tuple[frozenset[str], frozenset[str]]
    sense: Sense
    across: Sense  #: where a comma stands between the parts: one tier weaker


def part(spellings: Sequence[str]) -> Part:
    """Return the part that any of the spellings makes; one that holds another adds nothing."""
    least = set(spellings)
    if len({len(one) for one in least}) > 1:
        least -= {one for one in least if any(other in one for other in least - {one})}
    return Part(
        spellings=frozenset(least),
        lengths=tuple(sorted({len(one) for one in least})),
        firsts=frozenset(one[0] for one in least),
        lasts=frozenset(one[-1] for one in least),
    )


def chain(parts: Sequence[Part], sense: Sense, across: Sense) -> Chain:
    """Return the phrase of these parts, anchored at the one least likely to stand in a text."""
    place = min(range(len(parts)), key=lambda at: _rate(parts[at]))
    return Chain(
        parts=tuple(parts),
        anchor=place,
        around=(
            parts[place - 1].lasts if place else frozenset(),
            parts[place + 1].firsts if place + 1 < len(parts) else frozenset(),
        ),
        sense=sense,
        across=across,
    )


def follow(chain: Chain, text: str, start: int, end: int, gap: int) -> tuple[int, int, int] | None:
    """Return where a phrase starts, its last part starts and it ends, None where it is not.

    Args:
        chain: The phrase.
        text: Folded.
        start: Where its anchor stands.
        end: Where that ends.
        gap: Most characters between two parts.
    """
    parts, place = chain.parts, chain.anchor
    last = (start, end)
    if place + 1 < len(parts):
        onward = _onward(parts, place + 1, text, end, gap)
        if onward is None:
            return None
        last = onward
    first = start
    if place:
        first = _back(parts, place - 1, text, start, gap)
        if first < 0:
            return None
    return first, last[0], last[1]


def _onward(
    parts: Sequence[Part], place: int, text: str, end: int, gap: int
) -> tuple[int, int] | None:
    """Return start and end of the last part if all from ``place`` on follow ``end``."""
    sought = parts[place]
    for at in range(end, min(end + gap + 1, len(text))):
        if text[at] in sought.firsts:
            for last in [at + length for length in sought.lengths]:
                if text[at:last] in sought.spellings and (
                    found := _ahead(parts, place, text, (at, last), gap)
                ):
                    return found
        if text[at] in ENDS:
            break
    return None


def _ahead(
    parts: Sequence[Part], place: int, text: str, span: tuple[int, int], gap: int
) -> tuple[int, int] | None:
    return span if place + 1 == len(parts) else _onward(parts, place + 1, text, span[1], gap)


def _back(parts: Sequence[Part], place: int, text: str, start: int, gap: int) -> int:
    """Return the start of the first part if all up to ``place`` stand before ``start``, else -1."""
    sought = parts[place]
    for end in range(start, max(start - gap - 1, 0), -1):
        if text[end - 1] in sought.lasts:
            for at in [end - length for length in sought.lengths if length <= end]:
                if text[at:end] in sought.spellings:
                    first = _back(parts, place - 1, text, at, gap) if place else at
                    if first >= 0:
                        return first
        if text[end - 1] in ENDS:
            break
    return -1


def _rate(one: Part) -> float:
    """Return roughly how often a part stands at a place of a text."""
    rate = 0.0
    for spelling in one.spellings:
        if spelling in _COMMON_WORDS:
            rate += 0.002
            continue
        chance = 1.0
        for character in spelling:
            chance *= 0.01 if character in _COMMON else 0.001
        rate += chance
    return rate
