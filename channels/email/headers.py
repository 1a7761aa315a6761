"""Header fields: found without a parser, read without believing them.

Sources: RFC 5322 §2.2 (fields) and §3.4 (addresses); RFC 2045 §5.1 and RFC 2231 §3 and §4
(parameters).
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from channels.email.charset import decode, decode_words, unfold

#: Octets of a header block that are read; the rest of it is left in the raw mail.
HEADER_OCTETS = 64 * 1024
#: Octets of one field that are read.
FIELD_OCTETS = 16 * 1024
_FIELDS = 500
_PARAMETERS = 100
_END = re.compile(rb"\r?\n\r?\n|\r\r")
_FIELD = re.compile(rb"^([!-9;-~]{1,76})[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.MULTILINE)
_ANGLE = re.compile(r"<\s*([^<>\s@]{1,320}@[^<>\s@]{1,255}|)\s*>")
_BARE = re.compile(r"[^\s<>,;:\"()\[\]]{1,64}@[^\s<>,;:\"()\[\]@]{1,255}")
_IDS = re.compile(r"<([^<>\s]{1,250})>")

Field = tuple[str, bytes]


def split(raw: bytes) -> tuple[bytes, bytes]:
    """Return the header block and the body of a mail; a mail without blank line is all header."""
    if raw.startswith((b"\n", b"\r\n")):
        return b"", raw.lstrip(b"\r\n")
    found = _END.search(raw)
    return (raw, b"") if found is None else (raw[: found.start()], raw[found.end() :])


def fields(block: bytes) -> list[Field]:
    """Return the fields of a header block in their order, names in lower case, within the caps."""
    found = []
    for match in _FIELD.finditer(block[:HEADER_OCTETS]):
        found.append((match[1].decode("ascii").lower(), match[2][:FIELD_OCTETS]))
        if len(found) >= _FIELDS:
            break
    return found


def first(found: Iterable[Field], name: str) -> bytes:
    """Return the value of the first field of a name, unfolded; empty where there is none."""
    for key, value in found:
        if key == name:
            return unfold(value)
    return b""


def every(found: Iterable[Field], name: str) -> list[bytes]:
    """Return the values of all fields of a name, unfolded."""
    return [unfold(value) for key, value in found if key == name]


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """Return the word before the parameters, in lower case, and the parameters as text.

    Values may be RFC 2231, encoded words, raw octets of any charset, quoted or not.
    """
    pieces = _pieces(unfold(value)[:FIELD_OCTETS])
    main = pieces[0].strip().lower().decode("ascii", "replace") if pieces else ""
    plain: dict[str, bytes] = {}
    extended: dict[str, list[tuple[int, bool, bytes]]] = {}
    for piece in pieces[1 : _PARAMETERS + 1]:
        name, _, text = piece.partition(b"=")
        key = name.strip().lower().decode("ascii", "replace")
        text = _unquoted(text.strip())
        match = re.fullmatch(r"([^*]+)(?:\*(\d{1,3}))?(\*?)", key)
        if match is None or "*" not in key:
            plain.setdefault(key, text)
        else:
            number = int(match[2] or 0)
            extended.setdefault(match[1], []).append((number, bool(match[3]), text))
    values = {key: _plain(text) for key, text in plain.items()}
    return main, values | {key: _extended(parts) for key, parts in extended.items()}


def _pieces(value: bytes) -> list[bytes]:
    """Return what semicolons outside of quotes part; a lone quote does not swallow the rest."""
    if b'"' not in value:
        return value.split(b";")
    found = re.findall(rb'((?:"(?:[^"\\]|\\.)*"|[^;])*)(?:;|$)', value)
    return [piece for piece in found if piece.strip()]


def _unquoted(text: bytes) -> bytes:
    if len(text) >= 2 and text.startswith(b'"') and text.endswith(b'"'):
        # The second octet of a character in GBK or Big5 may be a backslash.
        return re.sub(rb'(?<![\x81-\xfe])\\(["\\])', rb"\1", text[1:-1])
    return text.strip(b'"')


def _plain(text: bytes) -> str:
    if b"=?" in text:
        return decode_words(text)
    if re.search(rb"(?:%[0-9A-Fa-f]{2}){2}", text):
        octets = unquote_to_bytes(text)
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError:
            return decode(text).text
    return decode(text).text


def _extended(parts: list[tuple[int, bool, bytes]]) -> str:
    parts.sort(key=lambda part: part[0])
    charset, octets = None, b""
    for place, (_, percent, text) in enumerate(parts):
        content = text
        if percent:
            if place == 0 and content.count(b"'") >= 2:
                declared, _, content = content.split(b"'", 2)
                charset = declared.decode("ascii", "replace")
            content = unquote_to_bytes(content)
        octets += content
    return decode_words(octets) if b"=?" in octets else decode(octets, charset).text


def address(value: bytes) -> tuple[str, str]:
    """Return the display name and the address of the first mailbox of a field; empty if none.

    The display name is never taken for an address while there is one in angle brackets:
    ``"110@police.example" <x@y.example>`` is x.
    """
    text = decode_words(value)[:8000]
    angles = _ANGLE.findall(text)
    if angles:
        name = text[: text.find("<")].strip(" \t\"'")
        return name, next((a for a in angles if a), "")
    found = _BARE.search(text)
    if found is None:
        return text.strip(), ""
    rest = (text[: found.start()] + text[found.end() :]).strip(" \t\"'()")
    return rest, found[0]


def normal_address(text: str) -> str:
    """Return an address as a conversation is known by; empty for what is none."""
    text = text.strip().strip("<>")
    if "@" not in text or any(c.isspace() or ord(c) < 32 for c in text) or len(text) > 320:
        return ""
    return text.lower()


def ids(value: bytes) -> tuple[str, ...]:
    """Return the message ids of a field without their brackets."""
    text = value.decode("utf-8", "replace")
    found = _IDS.findall(text)
    # As long as those in brackets at most: it is looked up by an index.
    return tuple(found) or tuple(w[:250] for w in text.split()[:1] if "@" in w)


def sent_at(value: bytes) -> datetime | None:
    """Return the instant of a Date field; None where it cannot be read."""
    try:
        at = parsedate_to_datetime(value.decode("ascii", "replace"))
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def authentication(found: Sequence[Field], relay: str | None) -> str | None:
    """Return what the trusted relay found of SPF, DKIM and DMARC; None where it said nothing.

    Fields of any other name are the sender's own claims. Source: RFC 8601 §2.2 and §5; the
    topmost field is the one that was added last.
    """
    if not relay:
        return None
    for value in every(found, "authentication-results"):
        said, _, results = value.decode("utf-8", "replace").partition(";")
        if said.split("/")[0].split()[:1] == [relay]:
            return " ".join(results.split())[:1000]
    return None
