"""Where things stand in the source tree."""

import ast
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGES = ("gateway", "channels", "normalizer", "adapters", "config")
#: Made by tools, or somebody else's.
_LEFT_OUT = {"__pycache__", "node_modules", ".venv", "site", "build", "dist"}


@cache
def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def files(*folders: str, suffix: str = "") -> Iterator[Path]:
    """Yield the files below folders of the project."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob(f"*{suffix}")):
            if path.is_file() and not _LEFT_OUT.intersection(path.relative_to(ROOT).parts):
                yield path


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Return the name, relative to the root, and the syntax of every module of the packages."""
    return tuple(
        (path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8")))
        for path in files(*PACKAGES, suffix=".py")
    )


def page(name: str) -> str:
    """Return the text of a page of the documentation."""
    return (DOCS / name).read_text(encoding="utf-8")


def code(text: str) -> str:
    """Return everything on a page that is set as code, a line each."""
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join([*re.findall(r"`([^`\n]+)`", prose), *blocks])


def says(text: str, name: str) -> bool:
    """Return whether a page shows a name as code, as a word of its own."""
    return bool(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code(text)))
