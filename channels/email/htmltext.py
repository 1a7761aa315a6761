"""HTML to the text that a reader sees, with what is quoted in it told apart.

Nothing is loaded and nothing is rendered. One pass over the tags; the worker's time limit stands
behind it.
"""

import html
import re

#: Code points of HTML that are read.
LONGEST = 4_000_000
#: Private marks that stand around what is quoted; taken out again before anybody sees the text.
QUOTE_BEGINS, QUOTE_ENDS, QUOTE_TO_END = "\ue000", "\ue001", "\ue002"
_MARKS = re.compile(f"[{QUOTE_BEGINS}{QUOTE_ENDS}{QUOTE_TO_END}]")
_TOKEN = re.compile(
    r"<!--.{0,200000}?-->|<(/?)([A-Za-z][A-Za-z0-9:]{0,30})([^<>]{0,20000})>|<[!?][^<>]{0,2000}>",
    re.DOTALL,
)
_UNSEEN = frozenset(("script", "style", "title", "head", "template", "noscript", "object", "xml"))
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "tr",
        "table",
        "ul",
        "ol",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "section",
        "article",
        "header",
        "footer",
        "blockquote",
        "dl",
        "dt",
        "dd",
        "form",
        "fieldset",
        "center",
        "hr",
    ]
)
#: Containers of the quoted past by client: NetEase, 139, Gmail, Yahoo, Proton, Apple, Thunderbird.
_QUOTES = re.compile(
    r"isReplyContent|ntes-mailmaster-quote|reply139content|mailcontent_origbody"
    r"|(?:class\s*=\s*[\"']?[^\"'>]*\b(?:gmail_quote|yahoo_quoted|moz-cite-prefix|protonmail_quote|qmbox_quote|tutanota_quote))"
    r"|type\s*=\s*[\"']?cite",
    re.IGNORECASE,
)
#: What stands before a past that is no element of its own: Outlook, NetEase's card.
_REST = re.compile(
    r"id\s*=\s*[\"']?(?:x_)*(?:divRplyFwdMsg|appendonsend|divNeteaseMailCard|OLK_SRC_BODY_SECTION|mail-editor-reference-message-container|origbody)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"[ \t\r\n\f\u00a0]+")
_META = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.\-]{2,40})", re.IGNORECASE
)


def charset_of(octets: bytes) -> str | None:
    """Return the charset that a page declares itself."""
    found = _META.search(octets[:4096])
    return found[1].decode("ascii") if found else None


class _Reader:
    """Collects the text between the tags."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self._skip: str | None = None
        self._depths: list[tuple[str, int]] = []  # open quotes: element and its nesting
        self._to_end = False

    def text(self, text: str) -> None:
        if self._skip is None and text:
            self.parts.append(_SPACE.sub(" ", html.unescape(_MARKS.sub("", text))))

    def tag(self, name: str, attributes: str, *, closing: bool) -> None:
        if self._skip is not None:
            if closing and name == self._skip:
                self._skip = None
            return
        if closing:
            self._close(name)
        else:
            self._open(name, attributes)

    def _open(self, name: str, attributes: str) -> None:
        if name in _UNSEEN:
            self._skip = None if attributes.endswith("/") else name
            return
        if name in {"br", "li"} or name in _BLOCKS:
            self.parts.append("\n- " if name == "li" else "\n")
        elif name in {"td", "th"}:
            self.parts.append(" ")
        if not self._to_end and attributes:
            self._quote(name, attributes)
        elif self._depths and self._depths[-1][0] == name:
            self._depths[-1] = (name, self._depths[-1][1] + 1)

    def _quote(self, name: str, attributes: str) -> None:
        if _REST.search(attributes):
            self.parts.append(QUOTE_TO_END)
            self._to_end = True
        elif not self._depths and _QUOTES.search(attributes):
            self.parts.append(QUOTE_BEGINS)
            self._depths.append((name, 1))
        elif self._depths and self._depths[-1][0] == name and not attributes.endswith("/"):
            self._depths[-1] = (name, self._depths[-1][1] + 1)

    def _close(self, name: str) -> None:
        if self._depths and self._depths[-1][0] == name:
            depth = self._depths[-1][1] - 1
            self._depths[-1] = (name, depth)
            if depth == 0:
                self._depths.pop()
                self.parts.append(QUOTE_ENDS)
        if name in _BLOCKS:
            self.parts.append("\n")


def to_text(page: str) -> str:
    """Return a page's text with private marks around what is quoted, see `marked`."""
    reader, end = _Reader(), 0
    page = page[:LONGEST]
    for found in _TOKEN.finditer(page):
        reader.text(page[end : found.start()])
        if found[2]:
            reader.tag(found[2].lower(), found[3], closing=bool(found[1]))
        end = found.end()
    reader.text(page[end:])
    lines = (line.strip(" ") for line in "".join(reader.parts).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def unmarked(text: str) -> str:
    """Return a text without the private marks."""
    return _MARKS.sub("", text)


def without_quotes(text: str) -> str:
    """Return a marked text without what is quoted in it."""
    text = text.partition(QUOTE_TO_END)[0]
    text = re.sub(f"{QUOTE_BEGINS}[^{QUOTE_ENDS}]*(?:{QUOTE_ENDS}|$)", "\n", text)
    return unmarked(text)
