"""Writing that hides its words from a reader by machine: spaced out, or characters taken apart.

着 火 了 and 救*命*啊 are read as 着火了 and 救命啊, 扌丁人 as 打人. Next to no text is written so; the
others cost two searches. What speech recognition mishears is left to the model, which was taught it.
"""

import re
from collections.abc import Sequence

#: What people put between the characters of a word. A comma or 、 makes a list.
_BETWEEN = " .*-_·"
#: At least three characters with one or two such signs between each two.
_SPACED = re.compile(r"(?:[一-鿿][ .*\-_·]{1,2}){2,}[一-鿿](?![一-鿿])")
_SIGNS = re.compile(r"[ .*\-_·]+")
#: Halves of characters that stand alone in no other writing, with what they make of their neighbour.
_HALVES = {
    "扌丁": "打",
    "扌仓": "抢",
    "扌甬": "捅",
    "扌安": "按",
    "扌白": "拍",
    "扌立": "拉",
    "扌圭": "挂",
    "扌卬": "抑",
    "亻也": "他",
    "亻尔": "你",
    "亻门": "们",
    "亻立": "位",
    "亻木": "休",
    "氵弱": "溺",
    "氵工": "江",
    "氵可": "河",
    "氵荒": "流",
    "讠兆": "逃",
    "辶兆": "逃",
    "辶自": "追",
    "疒丙": "病",
    "疒甬": "痛",
    "疒冬": "疼",
    "忄白": "怕",
    "忄夬": "快",
    "犭句": "狗",
}
_HALF = re.compile("[" + "".join({pair[0] for pair in _HALVES}) + "]")
_PAIR = re.compile("|".join(_HALVES))


def joined(folded: str) -> tuple[str, Sequence[int] | None]:
    """Return a text with what was taken apart put together, and where its characters stood.

    The second part is None where nothing was taken apart: offsets are then those of the text. Else
    it holds for each character of the result its offset in ``folded``, and that text's length.
    """
    spaced = sum([folded.count(sign) for sign in _BETWEEN]) > 1 and _SPACED.search(folded)
    if not spaced and not _HALF.search(folded):
        return folded, None
    kept: list[str] = []
    places: list[int] = []
    at = 0
    for first, last, text in _changes(folded):
        kept.append(folded[at:first])
        places.extend(range(at, first))
        kept.append(text)
        places.extend([first] * len(text))
        at = last
    kept.append(folded[at:])
    places.extend(range(at, len(folded) + 1))
    return "".join(kept), places


def _changes(folded: str) -> list[tuple[int, int, str]]:
    """Return the spans to replace and by what, in the order of the text."""
    found = [
        (sign.start(), sign.end(), "")
        for run in _SPACED.finditer(folded)
        for sign in _SIGNS.finditer(folded, run.start(), run.end())
    ]
    found.extend((pair.start(), pair.end(), _HALVES[pair[0]]) for pair in _PAIR.finditer(folded))
    return sorted(found)
