"""A client of Open311 of another make: georeport, from PyPI, in a Python of its own.

It wants an older xmltodict than the gateway's, so it is installed apart.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_SCRIPT = HERE / "open311_client.py"


class Open311Client:
    """Asks a gateway; a package that cannot be installed fails the test that asks.

    Args:
        scratch: Where it is installed unless `tools/install-peers` has.
        root: The address of the interface.
    """

    def __init__(self, scratch: Path, root: str) -> None:
        self._root = root
        own = HERE / ".venv" / "bin" / "python"
        self._python = own if own.exists() else _install(scratch / "venv")

    def ask(self, do: str, form: str = "json", **asked: Any) -> Any:
        """Return what the client read."""
        return self._told({"do": do, "form": form, "with": asked})

    def post(
        self,
        fields: Mapping[str, str],
        form: str = "json",
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Send a request; return the status, the type and the parsed body of the answer."""
        question = {"do": "post", "form": form, "with": fields, "headers": headers or {}}
        return dict(self._told(question))

    def _told(self, question: Mapping[str, Any]) -> Any:
        done = subprocess.run(
            [self._python, _SCRIPT],
            input=json.dumps({**question, "root": self._root}) + "\n",
            capture_output=True,
            check=False,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def _install(venv: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", venv], check=True, timeout=120)
    python = venv / "bin" / "python"
    lock = HERE / "requirements.lock"
    words = ["-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", lock]
    subprocess.run([python, *words], check=True, capture_output=True, timeout=120)
    return python
