"""Octets to text, whatever the sender's declaration says.

Chinese mail says ``gb2312`` and holds GBK or GB 18030, says nothing, or says the wrong thing. A
declaration is the first guess; what the text looks like under it decides.

Sources: WHATWG Encoding Standard §4.2 (labels: gb2312 is GBK, GBK is decoded as GB 18030);
RFC 2047 §2 and §6.2 (encoded words); RFC 2231 §5 (language suffix of a charset).
"""

import binascii
import codecs
import re
from functools import lru_cache

from normalizer.schema import Value

_GB = "gb18030"
_BIG5 = "big5hkscs"
#: What senders write, in lower case, and how Python calls the superset that it is safe to read as.
_ALIASES = {
    **dict.fromkeys(
        [
            "gb2312",
            "gbk",
            "x-gbk",
            "cp936",
            "ms936",
            "936",
            "cn-gb",
            "gb_2312-80",
            "gb2312-80",
            "euc-cn",
            "x-euc-cn",
            "gb18030",
            "gb-18030",
            "gb18030-2000",
            "chinese",
            "csgb2312",
            "iso-ir-58",
            "windows-936",
            "x-cp20936",
            "gb",
        ],
        _GB,
    ),
    **dict.fromkeys(
        ("big5", "big-5", "cn-big5", "x-x-big5", "x-big5", "cp950", "big5-hkscs"), _BIG5
    ),
    **dict.fromkeys(("utf8", "utf-8", "utf8mb4", "unicode-1-1-utf-8", "utf_8", "x-utf-8"), "utf-8"),
    **dict.fromkeys(("unicode-1-1-utf-7", "utf-7", "utf7", "x-unicode-2-0-utf-7"), "utf-7"),
    **dict.fromkeys(("hz-gb-2312", "hz"), "hz"),
    **dict.fromkeys(("ks_c_5601-1987", "ks_c_5601", "euc-kr", "korean"), "cp949"),
    **dict.fromkeys(("shift_jis", "shift-jis", "x-sjis"), "cp932"),
    **dict.fromkeys(("unicode", "utf-16", "utf16", "ucs-2", "iso-10646-ucs-2"), "utf-16"),
}
#: Declarations that senders put without thinking: they mean "I do not know".
_EMPTY = frozenset(
    [
        "us-ascii",
        "ascii",
        "ansi_x3.4-1968",
        "iso-8859-1",
        "latin1",
        "latin-1",
        "windows-1252",
        "cp1252",
        "unknown-8bit",
        "x-unknown",
        "unknown",
        "binary",
        "8bit",
        "7bit",
        "default",
        "_iso-2022-jp$esc",
    ]
)
#: Charsets whose octets are all ASCII although their text is not.
_SEVEN_BIT = ("utf-7", "hz", "iso2022_jp", "iso2022_kr", "utf-16", "utf-16-le", "utf-16-be")
#: Charsets of two octets a character that nobody declares by mistake.
_ELSEWHERE = frozenset(("cp949", "cp932", "euc_jp", "johab"))
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"\x84\x31\x95\x33", _GB),  # U+FEFF in GB 18030
)
_CJK = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_LATIN_WORD = re.compile(
    "[A-Za-z][\u00c0-\u00ff]{1,2}(?![\u0080-\uffff])|(?<![\u0080-\uffff])[\u00c0-\u00ff][a-z]"
)
#: Characters that are looked at to tell how a text reads.
_SAMPLE = 2000
#: Below this a text reads like nothing.
_PLAUSIBLE = 0.35


class Decoded(Value, frozen=True, kw_only=True):
    """Text, and whether it reads like one."""

    text: str
    sure: bool = True


@lru_cache(maxsize=1024)
def codec_of(declared: str | None) -> str | None:
    """Return Python's name of the charset to read a declaration as; None: it says nothing."""
    if not declared:
        return None
    name = declared.strip(" \"'\t\r\n;").lower().partition("*")[0]
    if name in _EMPTY or name.startswith(("x-user", "iso-8859-1 ")):
        return None
    if name in _ALIASES:
        return _ALIASES[name]
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError):
        return None
    # "base64" and its like are codecs too, but none of text.
    return found.name if getattr(found, "_is_text_encoding", True) else None


def decode(octets: bytes, declared: str | None = None) -> Decoded:
    """Return the text of octets whose charset is declared rightly, wrongly or not at all."""
    codec = codec_of(declared)
    if octets.isascii() and codec not in _SEVEN_BIT:
        return Decoded(text=octets.decode("ascii"))
    return _decoded(octets, codec)


def _decoded(octets: bytes, codec: str | None) -> Decoded:
    for mark, name in _BOMS:
        if octets.startswith(mark):
            return Decoded(text=octets[len(mark) :].decode(name, "replace"))
    if codec in _SEVEN_BIT:
        seven = _strictly(octets, codec)
        if seven is not None:
            return Decoded(text=seven)
    if octets.isascii():
        return Decoded(text=octets.decode("ascii"))
    unicode = _strictly(octets, "utf-8")
    if unicode is not None and (codec in {None, "utf-8"} or _CJK.search(unicode)):
        return Decoded(text=unicode)
    if codec in _ELSEWHERE and (foreign := _strictly(octets, codec)) is not None:
        return Decoded(text=foreign)
    return _best(octets, codec)


def _strictly(octets: bytes, codec: str) -> str | None:
    try:
        return octets.decode(codec)
    except (UnicodeError, LookupError):
        return None


def _best(octets: bytes, codec: str | None) -> Decoded:
    """Return the reading that looks most like a text; the declared one is believed a little more."""
    best, found = -9.0, ""
    for name in dict.fromkeys((codec or _GB, _GB, "utf-8", _BIG5, "cp1252")):
        text = octets.decode(name, "replace")
        score = _score(text, latin=name == "cp1252")
        if name == codec:
            score += 0.25 if name in {_GB, _BIG5, "utf-8"} else 0.6
        elif name == _GB:
            score += 0.1
        if score > best:
            best, found = score, text
    return Decoded(text=found, sure=best >= _PLAUSIBLE)


def _score(text: str, *, latin: bool) -> float:
    """Return how much the characters beyond ASCII look like a text, at most 1."""
    strange = "".join(_NOT_ASCII.findall(text[: _SAMPLE * 4]))[:_SAMPLE]
    if not strange:
        return 0.0
    if latin:
        good = sum(len(word) - 1 for word in _LATIN_WORD.findall(text[: _SAMPLE * 4]))
        return 0.95 * min(1.0, good / len(strange))
    return sum(map(_worth, strange)) / len(strange)


@lru_cache(maxsize=8192)
def _worth(character: str) -> float:
    code = ord(character)
    if 0x4E00 <= code <= 0x9FFF:
        return 1.0 if _is_common(character) else 0.3
    if code == 0xFFFD or 0xE000 <= code <= 0xF8FF:
        return -2.0
    if 0x80 <= code < 0xA0:
        return -1.0
    if 0x3000 <= code <= 0x3020 or 0xFF00 <= code <= 0xFF5E or 0x2010 <= code <= 0x2030:
        return 0.8
    return 0.6 if code > 0x1F000 else 0.2


def _is_common(character: str) -> bool:
    """Return whether a character is of the first, common level of GB 2312 or of Big5."""
    gb = character.encode("gb2312", "ignore")
    if gb and 0xB0 <= gb[0] <= 0xD7:
        return True
    big5 = character.encode("big5", "ignore")
    return bool(big5) and 0xA4 <= big5[0] <= 0xC6


# Transfer encodings of header words ------------------------------------------------------------

_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*)*)\?=")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")


def from_base64(text: bytes) -> bytes:
    """Return what base64 stands for, of which padding or the end may be missing."""
    clean = _NOT_BASE64.sub(b"", text)
    if len(clean) % 4 == 1:
        clean = clean[:-1]
    return binascii.a2b_base64(clean + b"=" * (-len(clean) % 4))


def _from_q(text: bytes) -> bytes:
    return _HEX.sub(lambda found: bytes([int(found[1], 16)]), text.replace(b"_", b" "))


def unfold(value: bytes) -> bytes:
    """Return a header's value on one line."""
    return re.sub(rb"\r?\n[ \t]?", b" ", value).strip() if b"\n" in value else value.strip()


def decode_words(value: bytes) -> str:
    """Return a header's value as text: encoded words and raw octets of any charset.

    Neighbouring words of one charset are joined before they are decoded, because many senders cut
    inside a character (RFC 2047 §5 forbids it).
    """
    value = unfold(value)
    if b"=?" not in value:
        return decode(value).text
    parts: list[str] = []
    run: list[tuple[str, bytes, bytes]] = []
    end = 0
    for found in _WORD.finditer(value):
        between = value[end : found.start()]
        charset = found[1].decode("ascii", "replace")
        joins = bool(run) and not between.strip()
        if not joins or codec_of(charset) != codec_of(run[-1][0]):
            parts.append(_decode_run(run))
            run = []
        if not joins:
            parts.append(decode(between).text)
        run.append((charset, found[2].upper(), found[3]))
        end = found.end()
    parts.append(_decode_run(run))
    parts.append(decode(value[end:]).text)
    return "".join(parts)


def _decode_run(run: list[tuple[str, bytes, bytes]]) -> str:
    if not run:
        return ""
    texts = [text.rstrip(b"= ") for _, _, text in run]
    all_base64 = all(kind == b"B" for _, kind, _ in run)
    if all_base64 and any(len(text) % 4 == 1 for text in texts[:-1]):
        octets = from_base64(b"".join(texts))  # cut inside a group of four
    else:
        octets = b"".join(
            from_base64(text) if kind == b"B" else _from_q(text) for _, kind, text in run
        )
    return decode(octets, run[0][0]).text
