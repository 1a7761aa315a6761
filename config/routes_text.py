"""The ``routes:`` of a configuration file as text: found, and replaced with the rest left as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from config.document import read
from normalizer.errors import ConfigError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEY = "routes"
#: Some editors begin a file in UTF-8 with it; no place in the text counts it.
_MARK = "\ufeff"
#: Lines behind the routes that are not theirs: blank ones, comments at the margin, the document's end.
_NOT_OURS = ("#", "...")


@dataclass(frozen=True, slots=True)
class Block:
    """Where the routes stand in a file."""

    before: str
    text: str  #: from ``routes:`` on, with line ends as in the file
    after: str

    @property
    def line(self) -> int:
        """The line on which they begin; 1 is the first."""
        return self.before.count("\n") + 1

    def replaced(self, text: str) -> bytes:
        """Return the file with other routes; every other octet stays."""
        plain = text.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"
        ends = "\r\n" if "\r\n" in self.text else "\n"
        return (self.before + plain.replace("\n", ends) + self.after).encode()


def same(one: str, other: str) -> bool:
    """Return whether two texts of routes are the same but for line ends and lines around them."""
    return plain(one) == plain(other)


def plain(text: str) -> str:
    """Return a text of routes with the line ends that are stored."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n") + "\n"


def block_of(raw: bytes) -> Block:
    """Return the routes of a file.

    Raises:
        ConfigError: They do not stand on lines of their own, so they cannot be replaced alone.
    """
    try:
        whole = raw.decode("utf-8")
        mark, text = whole[: whole.startswith(_MARK)], whole.removeprefix(_MARK)
        keys = list(_keys_of(text))
    except (UnicodeDecodeError, yaml.YAMLError):
        raise ConfigError("the file is not YAML in UTF-8; mend it on the machine") from None
    names = [name for name, _ in keys]
    if names.count(_KEY) != 1:
        raise ConfigError("the file has no routes: of its own; write them there first")
    at = names.index(_KEY)
    begin = keys[at][1]
    end = keys[at + 1][1] if at + 1 < len(keys) else len(text)
    end = _without_tail(text, begin, end)
    return Block(before=mark + text[:begin], text=text[begin:end], after=text[end:])


def only_routes(text: str) -> bool:
    """Return whether a text is ``routes:`` and nothing else, as far as it is YAML.

    Whatever else is wrong with it, the check of the whole file says so with its line.
    """
    document = read(Path(_KEY), raw=text.encode(errors="replace"))
    return bool(document.problems) or (
        isinstance(document.data, dict) and list(document.data) == [_KEY]
    )


def _keys_of(text: str) -> Iterator[tuple[str, int]]:
    """Yield each key at the top of a file and where its line begins. By events: never deeper."""
    depth, is_key = 0, True
    for event in yaml.parse(text, Loader=_LOADER):
        if depth == 1 and isinstance(event, yaml.NodeEvent):
            if is_key and event.start_mark is not None:
                yield getattr(event, "value", ""), _start(event.start_mark.index, text)
            is_key = not is_key
        if isinstance(event, yaml.CollectionStartEvent):
            if depth == 0 and (not isinstance(event, yaml.MappingStartEvent) or event.flow_style):
                raise ConfigError("the file is not a mapping of lines; write each key on its own")
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _start(index: int, text: str) -> int:
    """Return where a key's line begins."""
    line = text.rfind("\n", 0, index) + 1
    if line != index:
        raise ConfigError("each key of the file must begin at the start of its line")
    return line


def _without_tail(text: str, begin: int, end: int) -> int:
    """Return the end of the routes, without what stands behind them at the margin."""
    while True:
        line = text.rfind("\n", begin, end - 1) + 1
        last = text[line:end]
        if line <= begin or not (not last.strip() or last.startswith(_NOT_OURS)):
            return end
        end = line
