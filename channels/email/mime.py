"""A mail's tree to its text and its files, whatever its shape.

The tree is the standard library's (compat32: the other policies parse headers for milliseconds
and seconds); everything that is decoded, named and judged is decided here.

Sources: RFC 2045, 2046 (MIME), RFC 1847 (signed, encrypted), RFC 8551 (S/MIME).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message

from channels.email import htmltext, tnef
from channels.email.charset import decode, decode_words, from_base64
from channels.email.headers import parameters
from channels.email.parsed import File

#: Octets of a mail that are read.
MAIL_OCTETS = 30 * 1024 * 1024
#: Lines that may part something: beyond them the mail is read as if it ended there.
BOUNDARIES = 3000
PARTS = 1000
DEPTH = 20
#: Octets of text of one part, of which there may be many.
TEXT_OCTETS = 4 * 1024 * 1024
#: Code points of the text of a mail inside a mail that are taken into the outer one's.
INNER = 20_000
_ENDINGS = {
    "message/rfc822": ".eml",
    "text/calendar": ".ics",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/gif": ".gif",
    "audio/amr": ".amr",
    "video/mp4": ".mp4",
    "application/pdf": ".pdf",
    "text/html": ".html",
    "text/plain": ".txt",
}
_WORDS = frozenset(("text/plain", "text/html", "text/enriched", "text/richtext"))
_DATA = bytes.fromhex("06092a864886f70d010701")  # RFC 5652 §4: id-data


@dataclass
class Tree:
    """What was found so far."""

    texts: list[str] = field(default_factory=list)  #: with the marks of `htmltext`
    files: list[File] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    #: What of it may be the citizen's words and could not be read.
    problems: list[str] = field(default_factory=list)
    inner: list[str] = field(default_factory=list)  #: texts of mails inside
    outlook: list[tnef.Hidden] = field(default_factory=list)
    parts: int = 0
    report: Message | None = None


@dataclass(frozen=True)
class Limits:
    """How many files, and how large."""

    most_files: int
    file_octets: int


def trimmed(raw: bytes) -> tuple[bytes, list[str]]:
    """Return what of a mail is read, within the caps, and what was left out of the reading."""
    problems = []
    if len(raw) > MAIL_OCTETS:
        raw = raw[:MAIL_OCTETS]
        problems.append("too large: read as far as 30 MB")
    if raw.count(b"\n--") > BOUNDARIES:
        at = -1
        for _ in range(BOUNDARIES):
            at = raw.find(b"\n--", at + 1)
        raw = raw[:at]
        problems.append("too many parts: read as far as the 3000th border")
    return raw, problems


def parse(raw: bytes) -> Message:
    """Return the tree. Raises `RecursionError` where it is nested beyond all reason."""
    return message_from_bytes(raw)


def gather(message: Message, limits: Limits) -> Tree:
    """Return the texts and files of a tree."""
    tree = Tree()
    _walk(message, tree, limits, 0)
    if not any(text.strip() for text in tree.texts):
        _of_outlook(tree)
    return tree


def _of_outlook(tree: Tree) -> None:
    """Take the text that stands in Outlook's own form only."""
    for each in tree.outlook:
        page = _page(each.page, None, tree) if each.page else ""
        if text := htmltext.unmarked(each.text) or page:
            tree.texts.append(text)
        elif each.rich:
            tree.problems.append("a text in RTF only")


def kind_of(part: Message) -> tuple[str, dict[str, str]]:
    """Return a part's media type and its parameters; text/plain where it tells none."""
    value = _field(part, "content-type")
    kind, given = parameters(value) if value else ("text/plain", {})
    return (kind if "/" in kind else "text/plain"), given


def _field(part: Message, name: str) -> bytes:
    for key, value in part.raw_items():
        if key.lower() == name:
            return str(value).encode("utf-8", "surrogateescape")
    return b""


def _walk(part: Message, tree: Tree, limits: Limits, depth: int) -> None:
    tree.parts += 1
    if tree.parts > PARTS or depth > DEPTH:
        if "nested or parted too much" not in tree.problems:
            tree.problems.append("nested or parted too much")
        return
    kind, given = kind_of(part)
    if kind == "message/rfc822" or (kind == "message/global" and part.is_multipart()):
        _inner(part, tree, limits, depth)
    elif part.is_multipart():
        _multipart(part, kind, tree, limits, depth)
    elif kind in {"application/pkcs7-mime", "application/x-pkcs7-mime"}:
        _opaque(part, given, tree, limits, depth)
    elif _is_words(part, kind, given):
        text = _text(part, kind, given, tree)
        if text.strip():
            tree.texts.append(text)
    else:
        _file(tree, limits, _name(part, kind, given), _content(part))


def _multipart(part: Message, kind: str, tree: Tree, limits: Limits, depth: int) -> None:
    children = list(_children(part))
    if kind == "multipart/alternative":
        _alternative(children, tree, limits, depth)
        return
    if kind == "multipart/encrypted":
        tree.problems.append("encrypted")
    if kind == "multipart/report":
        tree.report = part
    for child in children:
        _walk(child, tree, limits, depth + 1)


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (child for child in payload if isinstance(child, Message))


def _alternative(children: list[Message], tree: Tree, limits: Limits, depth: int) -> None:
    """Take the form of the text that says most: some clients put a stub beside the page."""
    found: list[tuple[int, Tree]] = []
    for child in children:
        branch = Tree(parts=tree.parts)
        _walk(child, branch, limits, depth + 1)
        tree.parts = branch.parts
        length = len("".join(htmltext.unmarked(text) for text in branch.texts).split())
        words = len("".join("".join(branch.texts).split()))
        found.append((words if length else 0, branch))
    best = _chosen(found)
    for _, branch in found:
        if branch is best:
            tree.texts += branch.texts
            tree.inner += branch.inner
            tree.problems += branch.problems
        tree.outlook += branch.outlook
        room = max(0, limits.most_files - len(tree.files))
        tree.files += branch.files[:room]
        tree.left_out += [*(file.name for file in branch.files[room:]), *branch.left_out]


def _chosen(found: list[tuple[int, Tree]]) -> Tree | None:
    most = max((words for words, _ in found), default=0)
    good = [tree for words, tree in found if words * 2 >= most and not tree.problems]
    return next(iter([*good, *(tree for _, tree in found)]), None)


def _inner(part: Message, tree: Tree, limits: Limits, depth: int) -> None:
    """Keep a mail inside a mail as a file, and let its words be read: they may be the matter."""
    raw = _inner_octets(part)
    inside = parse(raw)
    head = {key.lower(): str(value) for key, value in inside.raw_items()}
    subject = decode_subject(head.get("subject", ""))
    _keep(tree, limits, f"{subject[:60].strip() or 'mail'}.eml", raw)
    branch = Tree(parts=tree.parts)
    _walk(inside, branch, Limits(0, 0), depth + 1)
    tree.parts = branch.parts
    words = htmltext.unmarked("\n".join((*branch.texts, *branch.inner))).strip()
    tree.inner.append(f"{subject}\n{words}".strip()[:INNER])


def decode_subject(value: str) -> str:
    """Return a subject that the standard library's parser left as it was."""
    return decode_words(value.encode("utf-8", "surrogateescape"))


def _inner_octets(part: Message) -> bytes:
    payload = part.get_payload()
    inside = payload[0] if isinstance(payload, list) and payload else payload
    raw = inside.as_bytes() if isinstance(inside, Message) else _content(part)
    if _field(part, "content-transfer-encoding").strip().lower() == b"base64":
        # RFC 2046 §5.2.1 forbids it, some send it. The parser took the base64 for a mail.
        return from_base64(raw)
    return raw


def _opaque(part: Message, given: dict[str, str], tree: Tree, limits: Limits, depth: int) -> None:
    """Read what S/MIME signed with the content inside; encrypted content stays shut."""
    content = _content(part)
    _keep(tree, limits, _name(part, "application/pkcs7-mime", given) or "smime.p7m", content)
    inside = signed_content(content)
    if inside is None:
        tree.problems.append("encrypted")
        return
    _walk(parse(inside), tree, limits, depth + 1)


def signed_content(der: bytes) -> bytes | None:
    """Return the content of a CMS SignedData; None where there is none to be read.

    Source: RFC 5652 §5.2 (EncapsulatedContentInfo); X.690 §8.7 (octet strings, in pieces too).
    """
    at = der.find(_DATA)
    if at < 0:
        return None
    at += len(_DATA)
    _, at = _length(der, at)  # [0] EXPLICIT
    pieces, end = b"", len(der)
    if der[at : at + 1] == b"\x24":  # constructed, of pieces
        size, at = _length(der, at)
        end = len(der) if size is None else at + size
    while at < end and der[at : at + 1] == b"\x04":
        size, at = _length(der, at)
        pieces += der[at : at + (size or 0)]
        at += size or 0
    return pieces or None


def _length(der: bytes, at: int) -> tuple[int | None, int]:
    """Return the length of the value whose tag is at ``at``, and where the value begins."""
    if at + 1 >= len(der):
        return 0, len(der)
    size = der[at + 1]
    if size == 0x80:
        return None, at + 2
    if size < 0x80:
        return size, at + 2
    count = size & 0x7F
    return int.from_bytes(der[at + 2 : at + 2 + min(count, 8)], "big"), at + 2 + count


def _is_words(part: Message, kind: str, given: dict[str, str]) -> bool:
    if kind.startswith("multipart/"):
        return True  # told to have parts, and no border in it
    if kind not in _WORDS:
        return False
    disposition, options = parameters(_field(part, "content-disposition"))
    named = options.get("filename") or given.get("name")
    return disposition != "attachment" and not (named and disposition != "inline")


def _text(part: Message, kind: str, given: dict[str, str], tree: Tree) -> str:
    octets = _content(part)
    if len(octets) > TEXT_OCTETS:
        octets = octets[:TEXT_OCTETS]
        tree.problems.append("a text beyond 4 MB: read as far as that")
    declared = given.get("charset")
    if kind == "text/html":
        return _page(octets, declared, tree)
    return htmltext.unmarked(_decoded(octets, declared, tree))


def _page(octets: bytes, declared: str | None, tree: Tree) -> str:
    charset = htmltext.charset_of(octets) or declared
    return htmltext.to_text(_decoded(octets, charset, tree))


def _decoded(octets: bytes, charset: str | None, tree: Tree) -> str:
    decoded = decode(octets, charset)
    if not decoded.sure:
        tree.problems.append("a text of unknown charset")
    return decoded.text


def _content(part: Message) -> bytes:
    encoding = _field(part, "content-transfer-encoding").strip().lower().partition(b";")[0]
    payload = part.get_payload()
    if isinstance(payload, list):
        return part.as_bytes()
    text = str(payload or "").encode("utf-8", "surrogateescape")
    if encoding == b"base64":
        return from_base64(text)
    decoded = part.get_payload(decode=True)
    return decoded if isinstance(decoded, bytes) else text


def _name(part: Message, kind: str, given: dict[str, str]) -> str:
    _, options = parameters(_field(part, "content-disposition"))
    name = options.get("filename") or given.get("name") or ""
    name = re.sub(r"[\r\n\x00]+", "", name).strip()
    return name or f"{kind.partition('/')[0]}{_ENDINGS.get(kind, '')}"


def _file(tree: Tree, limits: Limits, name: str, content: bytes) -> None:
    """Keep a file; of Outlook's wrapper what is inside, if anything is."""
    if not tnef.is_tnef(content):
        _keep(tree, limits, name, content)
        return
    inside = tnef.hidden(content)
    tree.outlook.append(inside)
    for each in inside.files or [(name, content)]:
        _keep(tree, limits, *each)


def _keep(tree: Tree, limits: Limits, name: str, content: bytes) -> None:
    if len(tree.files) >= limits.most_files or len(content) > limits.file_octets:
        tree.left_out.append(name)
    else:
        tree.files.append(File(name=name, content=content))
