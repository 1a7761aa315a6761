"""A citizen's words in two forms: `normalize_text` to be read and stored, `fold` to be matched.

What NFKC (Unicode Standard Annex 15) would spoil stays as it was written:

- CJK compatibility ideographs, which NFKC and even NFC replace by another shape: they occur in
  personal names. The matching form unifies them.
- Emoji with a compatibility mapping: NFKC turns the sign for "secret" into a plain character.
- Circled, superscript and fraction digits: NFKC would join them to a neighbouring number, so that
  ``10①`` reads ``101`` and ``㎡13800138000`` hides a phone number.
- Spacing accents: NFKC makes them a space and a loose accent.
"""

import re
import unicodedata
from functools import cache

import opencc

from normalizer.schema import Value

#: Characters that NFKC leaves alone, no control among them and composing with nothing: most texts
#: hold only these once the common full-width marks are narrow.
_UNUSUAL = re.compile(
    "[^ -~\t\n·×÷—‘’“”、。《》「」『』【】〇\u4e00-\u9fff\ufe0f"
    "\U0001f300-\U0001faff\U00020000-\U0002ebef\U00030000-\U000323af]"
)
_BREAKS = re.compile("\r\n?|[\v\f\x85\u2028\u2029]")
#: C0 and C1 controls; soft hyphen, zero-width and bidirectional marks, which hide words or show
#: them in another order than the judge reads them; annotation anchors; noncharacters; tag
#: characters unless they spell a flag.
_INVISIBLE = re.compile(
    "(\U0001f3f4[\U000e0020-\U000e007f]+)|"
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f"
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(1 << 16, 17 << 16, 1 << 16)
    )
    + "]"
)
#: A joiner that joins neither emoji nor letters of a script that shapes (Arabic, Indic, Tibetan,
#: Mongolian): between Chinese characters it only hides a word.
_LOOSE_JOINER = re.compile(
    "(?<![\u0600-\u08ff\u0900-\u0fff\u1000-\u109f\u1780-\u18af\ufb50-\ufdff\ufe70-\ufefe"
    "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]"
)
_KEPT = re.compile(
    "(["
    "\xa8\xaf\xb4\xb8\u02d8-\u02dd\u037a\u0384\u0385\u1fbd\u1fbf-\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf"
    "\u1fed\u1fee\u1ffd\u1ffe\u2017\u203e\u309b\u309c\ufe49-\ufe4c\uffe3"  # spacing accents
    "\ufdfa\ufdfb"  # whole sentences in one sign: a text would grow eighteenfold
    "\u203c\u2049\u2122\u2139\u24c2\u3297\u3299\U0001f200-\U0001f265"  # emoji
    "\xb2\xb3\xb9\xbc-\xbe\u2070-\u2079\u2080-\u2089\u2150-\u215f\u2189"  # small digits
    "\u2460-\u2473\u2488-\u249b\u24ea\u3251-\u325f\u32b1-\u32bf\U0001f100-\U0001f10a"  # circled
    "\uf900-\ufaff\U0002f800-\U0002fa1f"  # compatibility ideographs
    "]+)"
)
#: Square units whose NFKC form ends in a plain digit.
_UNITS = {
    "㎟": "mm²",
    "㎠": "cm²",
    "㎡": "m²",
    "㎢": "km²",
    "㎣": "mm³",
    "㎤": "cm³",
    "㎥": "m³",
    "㎦": "km³",
}
#: Radicals that PDF files put for the characters they stand for; NFKC lacks these.
#: Source: EquivalentUnifiedIdeograph.txt of the Unicode Character Database.
_RADICALS = (
    "⺠⻁⻄⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻬⻮⻰",
    "民虎西见角贝车长门青韦页风飞食马骨鬼鱼鸟卤麦黄齐齿龙",
)
_SPELLED = str.maketrans({**_UNITS, **dict(zip(*_RADICALS, strict=True))})
_WIDE = re.compile("[" + "".join([*_UNITS, _RADICALS[0]]) + "]")
_SPACES = re.compile("[ \t\n]+")


def normalize_text(original: str) -> str:
    r"""Return ``original`` in NFKC, free of what cannot be seen, with tidy spaces.

    Lines end in ``\n``; at most one empty line follows another; no line begins or ends in space.
    Half a surrogate pair becomes U+FFFD, so the result can always be written as UTF-8. What the
    module's docstring names is exempt from NFKC. The result is a fixed point of this function.
    """
    # Ten searches in C cost 1.5 us where NFKC of the whole costs 11.
    text = (
        original.replace("，", ",")
        .replace("！", "!")
        .replace("？", "?")
        .replace("：", ":")
        .replace("；", ";")
        .replace("（", "(")
        .replace("）", ")")
        .replace("…", "...")
        .replace("～", "~")
        .replace("\u3000", " ")
    )
    if _UNUSUAL.search(text):
        text = _compose(_visible(text))
    if "\n" in text or "  " in text or "\t" in text:
        text = _SPACES.sub(_one_space, text)
    return text.strip(" \t\n")


def storable(text: str) -> str:
    """Return ``text`` with surrogate pairs joined and lone halves as U+FFFD; else unchanged."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _visible(text: str) -> str:
    text = _BREAKS.sub("\n", storable(text))
    return _INVISIBLE.sub(lambda found: found[1] or "", text)


def _compose(text: str) -> str:
    if _WIDE.search(text):
        text = text.translate(_SPELLED)
    text = _nfkc(text)
    if "\u200c" in text or "\u200d" in text:
        # Composed first: what stands before the joiner decides whether it stays.
        text = _nfkc(_LOOSE_JOINER.sub("", text))
    return text


def _nfkc(text: str) -> str:
    if unicodedata.is_normalized("NFKC", text):
        return text
    # Every second piece is one that the pattern's group captured.
    pieces = _KEPT.split(text)
    pieces[::2] = [unicodedata.normalize("NFKC", piece) for piece in pieces[::2]]
    return "".join(pieces)


def _one_space(run: re.Match[str]) -> str:
    lines = run[0].count("\n")
    if lines:
        return "\n\n" if lines > 1 else "\n"
    return "\t" if "\t" in run[0] else " "


# Matching form --------------------------------------------------------------------------------

_HAN = (range(0x3400, 0x4DC0), range(0x4E00, 0xA000))
_COMPATIBLE = (range(0xF900, 0xFB00), range(0x2F800, 0x2FA1E))
#: Variants of Hong Kong and Taiwan that OpenCC's plain t2s leaves; its hk2s and tw2s know them.
_VARIANTS = dict(zip("敍枱粧糭衞衹簷", "叙台妆粽卫只檐", strict=True))
#: 著 for 着 as Taiwan and Hong Kong write it, unless the word has 著 in simplified writing too.
_ZHE = re.compile("(?<![原显顯卓論论專专名編编巨土合昭譯译])著(?![名作称稱述书書录錄者])")


class Scripts(Value, frozen=True, kw_only=True):
    """What tells traditional from simplified writing."""

    traditional: re.Pattern[str]  #: one character that simplified writing has not
    unified: dict[int, str]  #: code point to the one that OpenCC can read, for `str.translate`
    simplified: dict[str, str]  #: traditional character to its simplified one
    converter: opencc.OpenCC


@cache
def scripts() -> Scripts:
    """Return the tables, built from OpenCC's data on the first call (about 50 ms)."""
    converter = opencc.OpenCC("t2s")
    unified = {ord(key): value for key, value in _VARIANTS.items()}
    for code in (code for block in _COMPATIBLE for code in block):
        plain = unicodedata.normalize("NFKC", chr(code))
        if plain != chr(code):
            unified[code] = plain
    letters = [chr(code) for block in _HAN for code in block]
    # One a line: neighbours must not be taken for a phrase.
    pairs = zip(letters, converter.convert("\n".join(letters)).split("\n"), strict=True)
    simplified = {letter: simple for letter, simple in pairs if letter != simple}
    marks = "".join(simplified) + "".join(_VARIANTS) + "著"
    # Astral planes as ranges: single astral members make the search a hundred times slower.
    pattern = re.compile(f"[{marks}\uf900-\ufaff\U00020000-\U000323af]")
    return Scripts(traditional=pattern, unified=unified, simplified=simplified, converter=converter)


def fold(text: str) -> str:
    """Return the matching form: simplified characters, lower case, as many code points as ``text``.

    Offsets into the result are offsets into ``text``. Traditional phrases are converted as such
    (瞭解 to 了解, but 瞭望 unchanged) where that keeps the length, else character by character.
    """
    if text.isascii():
        return text.lower()
    if scripts().traditional.search(text):
        text = _simplify(text)
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    # U+0130 alone grows by lowering: its dot becomes a code point of its own.
    return "".join([letter.lower()[0] for letter in text])


def _simplify(text: str) -> str:
    tables = scripts()
    text = _ZHE.sub("着", text.translate(tables.unified))
    try:
        simple: str = tables.converter.convert(text)
    except UnicodeEncodeError:
        simple = ""  # half a surrogate pair; OpenCC reads UTF-8
    if len(simple) == len(text):
        return simple
    return "".join([tables.simplified.get(letter, letter) for letter in text])
