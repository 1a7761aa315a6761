"""What a page is made of, and the rules that every page of ours keeps."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
        "path",
        "rect",
    ]
)
Attributes = dict[str, str]


@dataclass
class Page(HTMLParser):
    """A parsed page."""

    source: str
    elements: list[tuple[str, Attributes]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Parse the page."""
        super().__init__()
        self._open: list[str] = []
        self.feed(self.source)
        self.close()
        self.problems += [f"<{tag}> is never closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.problems.append(f"<{tag}> has an attribute twice: {names}")
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of the embedded drawing."""
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Check that elements are closed in order."""
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes something else")

    def handle_data(self, data: str) -> None:
        """Note the text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """All text, white space folded."""
        return " ".join(" ".join(self.texts).split())

    def all(self, tag: str, **attributes: str) -> list[Attributes]:
        """Return the attributes of every element that matches."""
        return [
            has
            for name, has in self.elements
            if name == tag and all(has.get(k.rstrip("_")) == v for k, v in attributes.items())
        ]

    def value(self, name: str) -> str:
        """Return the value of the one input of this name."""
        (found,) = self.all("input", name=name)
        return found.get("value", "")


def broken_rules(page: Page) -> list[str]:
    """Return every rule that the page breaks; see WCAG 2.2 1.3.1, 2.4.1, 2.4.2, 3.1.1, 4.1.2."""
    ids = [has["id"] for _, has in page.elements if "id" in has]
    found = list(page.problems)
    found += [f"id {i!r} is not unique" for i in set(ids) if ids.count(i) > 1]
    found += [f"{n} <h1>" for n in (len(page.all("h1")),) if n != 1]
    found += _unlabelled(page, ids)
    for tag, has in page.elements:
        found += [f"<{tag}> points to {i!r}, which is not there" for i in _pointed(tag, has, ids)]
        if "style" in has or any(name.startswith("on") for name in has):
            found.append(f"<{tag}> has inline style or script")
        found += [f"<{tag}> leads elsewhere: {address}" for address in _elsewhere(has)]
    if not page.all("html")[0].get("lang"):
        found.append("no language")
    if page.all("main", id="main") == [] or page.all("a", href="#main") == []:
        found.append("no way to skip to the main part")
    return found


def _pointed(tag: str, has: Attributes, ids: list[str]) -> list[str]:
    """Return the ids that an element points to and that are not there."""
    pointed = has.get("aria-describedby", "").split() + has.get("aria-labelledby", "").split()
    if has.get("href", "").startswith("#"):
        pointed.append(has["href"][1:])
    if tag == "label":
        pointed.append(has.get("for", "nothing"))
    return [i for i in pointed if i not in ids]


def _elsewhere(has: Attributes) -> list[str]:
    """Return addresses that leave this site."""
    addresses = [has[name] for name in ("src", "href", "action", "formaction") if name in has]
    return [a for a in addresses if not a.startswith("tel:") and a[:1] not in ("/", "#", "?")]


def _unlabelled(page: Page, ids: list[str]) -> list[str]:
    labelled = {has.get("for") for has in page.all("label")}
    controls = [has for tag, has in page.elements if tag in ("input", "textarea", "select")]
    return [
        f"input {has.get('name')!r} has no label"
        for has in controls
        if has.get("type") != "hidden" and has.get("id") not in labelled & set(ids)
    ]
