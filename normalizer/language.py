"""The language of a text by its script: no model, a few microseconds."""

import re
from functools import cache

from normalizer.text import scripts

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
_WORD = re.compile("[A-Za-z]+")
#: Letters of any other script; whether there is one decides if there is anything to count.
_OTHER = re.compile(
    "[\xc0-\xd6\xd8-\xf6\xf8-\u02af\u0370-\u1cff\u1e00-\u1fff\u3041-\u3096\u30a1-\u30fa"
    "\u3131-\u318e\ua000-\ua48c\uac00-\ud7a3\ufb50-\ufdfb\ufe70-\ufefc]"
)
#: Scripts that one language alone of those spoken to a hotline is written in.
_SCRIPTS = {
    "bo": re.compile("[\u0f00-\u0fff]"),
    "mn": re.compile("[\u1800-\u18af]"),
    "ii": re.compile("[\ua000-\ua48c]"),
    "ko": re.compile("[\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3]"),
    "ja": re.compile("[\u3041-\u3096\u30a1-\u30fa]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "arabic": re.compile("[\u0621-\u06d5\ufb50-\ufdfb\ufe70-\ufefc]"),
    "cyrillic": re.compile("[\u0400-\u052f]"),
}
#: Letters that Uyghur has and Arabic has not (ۆ ۈ ې ە ڭ ۋ), also as presentation forms.
_UYGHUR = re.compile("[\u06c6\u06c8\u06d0\u06d5\u06ad\u06cb\ufbd3-\ufbe7]")
#: The high hamza of Kazakh in Arabic script, which shares Uyghur's other letters.
_KAZAKH = re.compile("[\u0674-\u0678]")
_MONGOLIAN_CYRILLIC = re.compile("[ӨөҮү]")
_KAZAKH_CYRILLIC = re.compile("[ӘәҒғҚқҢңҰұҺһ]")
_RUSSIAN = re.compile("[ЫыЭэЁё]")
#: Without one of these, Latin letters may be pinyin or any language.
_ENGLISH = frozenset(
    [
        *("the", "a", "an", "is", "are", "was", "am", "i", "my", "we", "our", "you", "he", "she"),
        *("it", "this", "that", "there", "to", "of", "in", "on", "at", "and", "not", "no", "for"),
        *("please", "help", "fire", "police", "ambulance", "hello", "have", "has", "can", "what"),
        *("when", "where", "how", "who", "why", "water", "accident", "thanks", "with", "from"),
    ]
)
#: What is neither sign nor Chinese: letters of ASCII, or anything in other ranges.
_UNFAMILIAR = re.compile("[^\x00-@\\[-`{-\x7f\u2000-\u2bff\u3000-\u303f\u4e00-\u9fff\uff00-\uff65]")


def detect(text: str) -> str | None:
    """Return the BCP 47 tag of the language that most of ``text`` is in, None when unknown.

    Chinese is ``zh-Hant`` if more characters are of traditional writing only than of simplified
    only, else ``zh-Hans``; what both write alike is ``zh-Hans``. Scripts that several languages
    share are told by letters of one of them, or not at all.
    """
    if text.isascii():
        return "en" if _is_english(text) else None
    if _UNFAMILIAR.search(text) is None:
        return _of_chinese(text)
    return _of_letters(text) if _OTHER.search(text) is None else _of_mixed(text)


def _is_english(text: str) -> bool:
    return any(word in _ENGLISH for word in _WORD.findall(text.lower()))


def _of_letters(text: str) -> str | None:
    """Return the language of a text in Han and Latin letters."""
    # A Chinese character says about as much as a word of letters.
    if len(_HAN.findall(text)) < len(_WORD.findall(text)):
        return "en" if _is_english(text) else None
    return _of_chinese(text)


def _of_chinese(text: str) -> str | None:
    if _HAN.search(text) is None:
        return None
    if scripts().traditional.search(text) is None:
        return "zh-Hans"
    simplified, traditional = _only()
    balance = sum((letter in traditional) - (letter in simplified) for letter in text)
    return "zh-Hant" if balance > 0 else "zh-Hans"


@cache
def _only() -> tuple[frozenset[str], frozenset[str]]:
    """Return the characters of simplified writing only and those of traditional only.

    GB 2312 and Big5 hold the everyday characters of each: 乾, 著 and 於 are in both, as are 后,
    里 and 台.
    """
    han = "".join(map(chr, range(0x4E00, 0xA000)))
    simplified, traditional = (
        frozenset(han.encode(charset, "ignore").decode(charset)) for charset in ("gb2312", "big5")
    )
    return simplified - traditional, frozenset(scripts().simplified) - simplified


def _of_mixed(text: str) -> str | None:
    counts = {name: len(script.findall(text)) for name, script in _SCRIPTS.items()}
    han = len(_HAN.findall(text))
    words = len(_WORD.findall(text))
    most = max(counts, key=lambda name: counts[name])
    # Japanese is kana between Han; a shop's の makes no Japanese of a Chinese sentence.
    if counts[most] == 0 or counts[most] * (4 if most == "ja" else 1) < han:
        return _of_letters(text)
    if counts[most] < words:
        return "en" if _is_english(text) else None
    return _of_script(most, text)


def _of_script(script: str, text: str) -> str | None:
    if script == "arabic":
        if _KAZAKH.search(text):
            return "kk"
        return "ug" if _UYGHUR.search(text) else None
    if script == "cyrillic":
        return _of_cyrillic(text)
    return script


def _of_cyrillic(text: str) -> str | None:
    if _KAZAKH_CYRILLIC.search(text):
        return "kk"
    if _MONGOLIAN_CYRILLIC.search(text):
        return "mn"
    return "ru" if _RUSSIAN.search(text) else None
