"""The documentation: every page found, every sample right, every command real."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from config.load import load
from gateway import plugins
from gateway.cli import _parser
from gateway.configcheck import problems
from tests.meta.tree import DOCS, ROOT, files, page

README = ("README.md", "README.zh.md")
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
#: Secrets that the samples take from the environment.
SECRET = "whsec_c2FtcGxlLXNhbXBsZS1zYW1wbGUtc2FtcGxl"
#: What a sample of a part leaves out.
HEAD = "channels:\n  - {kind: web, name: portal}\n"
BACK_OFFICE = f"""\
adapters:
  - {{kind: backoffice, name: backoffice, url: "http://127.0.0.1:9000/events", secret: {SECRET}}}
"""
ROUTES = "routes:\n  - {name: rest, send: {to: backoffice}}\n"


def nav(entries: list[Any]) -> Iterator[str]:
    """Yield the pages of a navigation."""
    for entry in entries:
        for value in entry.values() if isinstance(entry, dict) else [entry]:
            if isinstance(value, list):
                yield from nav(value)
            else:
                yield value


def test_every_page_is_in_the_navigation_and_every_entry_is_a_page() -> None:
    """Nobody has to guess an address, and no entry leads nowhere."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    entries = list(nav(yaml.safe_load(text)["nav"]))
    assert sorted(entries) == PAGES


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8") if name in README else page(name)


def blocks(name: str, language: str) -> list[str]:
    """Return the blocks of code of a page in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(name), re.MULTILINE | re.DOTALL)


SAMPLES = [
    pytest.param(block, id=f"{name}-{n}")
    for name in (*README, *PAGES)
    for n, block in enumerate(blocks(name, "yaml"))
    if re.match(r"instance|http|store|queue|channels|adapters|liaison|cards|routes", block)
]


def whole(sample: str) -> str:
    """Return a sample with the parts that every configuration needs."""
    keys = set(re.findall(r"^(\w+):", sample, re.MULTILINE))
    text = sample
    text += HEAD if "channels" not in keys else ""
    text += BACK_OFFICE if "adapters" not in keys else ""
    text += ROUTES if "routes" not in keys else ""
    return text


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_of_a_configuration_passes_the_check(
    sample: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reader copies is a configuration that can be served."""
    for name in re.findall(r"\$\{(\w+)\}", sample):
        monkeypatch.setenv(name, SECRET)
    path = tmp_path / "gateway.yaml"
    path.write_text(whole(sample), encoding="utf-8")
    loaded = load(path)
    installed = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    assert [str(problem) for problem in problems(loaded, *installed)] == []


def test_samples_are_found() -> None:
    """The quickstart and the guides have configurations among those that are checked."""
    found = {str(sample.id).rsplit("-", 1)[0] for sample in SAMPLES}
    assert {"quickstart.md", "how-to/routes.md", "reference/channel-web.md"} <= found


def lines(name: str) -> Iterator[str]:
    """Yield the commands of a page's shell samples, continued lines joined."""
    for block in blocks(name, "sh"):
        yield from block.replace("\\\n", " ").splitlines()


COMMANDS = [
    pytest.param(line.strip(), id=f"{name}-{n}")
    for name in (*README, *PAGES)
    for n, line in enumerate(lines(name))
    if re.match(r"\s*gateway\s", line)
]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_documentation_is_understood(line: str) -> None:
    """What a reader types is a command with flags that exist."""
    words = shlex.split(line, comments=True)[1:]
    assert _parser().parse_args(words).command == words[0]


def test_commands_are_found() -> None:
    """The quickstart's and the README's commands are among those that are checked."""
    assert {"quickstart.md", "README.md"} <= {str(c.id).rsplit("-", 1)[0] for c in COMMANDS}


def targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))


@pytest.mark.parametrize("name", [*README, "CONTRIBUTING.md", *(f"docs/{p}" for p in PAGES)])
def test_a_chore_that_is_named_exists(name: str) -> None:
    """``make`` knows every target that a page names."""
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
    assert named - targets() == set()


def test_every_chore_says_what_it_does() -> None:
    """``make help`` shows every target, and each is phony."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    told = set(re.findall(r"^([a-z-]+):.*## \w", makefile, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    assert told == set(phony[1].split()) == targets()


@pytest.mark.parametrize(
    "name",
    sorted(
        p.relative_to(ROOT).as_posix()
        for p in (*files("docs", suffix=".md"), *(ROOT / r for r in README))
    ),
)
def test_a_link_within_the_project_leads_somewhere(name: str) -> None:
    """Links between files of the repository are not broken; mkdocs checks those within docs."""
    here = (ROOT / name).parent
    text = re.sub(
        r"^```.*?^```",
        "",
        (ROOT / name).read_text(encoding="utf-8"),
        flags=re.MULTILINE | re.DOTALL,
    )
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
    assert [link for link in links if not (here / link).exists()] == []


def test_the_two_readmes_show_the_same_commands() -> None:
    """A reader of either language types the same."""

    def shown(name: str) -> list[str]:
        return [re.sub(r"\s*#.*", "", line) for line in lines(name)]

    assert shown("README.md") == shown("README.zh.md")
