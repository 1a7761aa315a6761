"""A site's folder with a configuration that is right."""

from collections.abc import Callable
from pathlib import Path

import pytest

GOOD = """\
instance: {name: 试验, region: suzhou}
store: {url: "sqlite:///var/gateway.db"}
channels:
  - {kind: web, name: portal}
adapters:
  - {kind: backoffice, name: backoffice, url: "http://127.0.0.1:9000/", secret: whsec_eA==}
routes:
  - {name: rest, send: {to: backoffice}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes a site's ``gateway.yaml`` and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "gateway.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def good() -> str:
    """Return a small configuration that is right."""
    return GOOD
