"""A browser without script: reads a page's form and submits it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import aiohttp

from tests.acceptance.http import Answer, Client


@dataclass
class Form:
    """A form as the page gives it."""

    action: str
    method: str
    enctype: str
    values: dict[str, str] = field(default_factory=dict)  #: what is sent if nothing is entered
    names: set[str] = field(default_factory=set)
    files: list[str] = field(default_factory=list)  #: names of the file inputs


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.scripts = 0
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(
                Form(
                    given.get("action", ""),
                    given.get("method", "get").lower(),
                    given.get("enctype", "application/x-www-form-urlencoded"),
                )
            )
        elif self.forms and tag in {"input", "textarea", "select", "option"}:
            self._field(tag, given)

    def _field(self, tag: str, given: dict[str, str]) -> None:
        form = self.forms[-1]
        if tag == "option":
            if self._select and ("selected" in given or self._select not in form.values):
                form.values[self._select] = given.get("value", "")
            return
        name, kind = given.get("name", ""), given.get("type", "text")
        self._select = name if tag == "select" else None
        if not name or kind in {"submit", "button", "image"}:
            return
        form.names.add(name)
        if kind == "file":
            form.files.append(name)
        elif kind in {"checkbox", "radio"}:
            if "checked" in given:
                form.values[name] = given.get("value", "on")
        elif tag != "select":
            form.values[name] = given.get("value", "")


def forms(html: str) -> list[Form]:
    """Return the forms of a page."""
    reader = _Reader()
    reader.feed(html)
    return reader.forms


async def submit(
    client: Client, page: Answer, form: Form, entered: dict[str, str], upload: bytes | None = None
) -> Answer:
    """Send a form as a browser does, and follow where it leads."""
    assert set(entered) <= form.names, form.names
    target = urljoin(page.url, form.action)
    path = urlsplit(target).path
    values = form.values | entered
    if form.method == "get":
        return await client.get(path, params=values)
    if form.enctype != "multipart/form-data":
        return await client.post(path, data=values)
    body = aiohttp.FormData(values, default_to_multipart=True)
    for name in form.files:
        # An empty file input is sent as a part without a name (HTML, multipart encoding).
        content, filename = (upload, "现场.png") if upload else (b"", "")
        body.add_field(name, content, filename=filename, content_type="application/octet-stream")
    return await client.post(path, data=body)
