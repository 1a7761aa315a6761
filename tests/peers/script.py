"""Scripts for Node.js beside this file, with the packages that the lock file names."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


class NodeScript:
    """Answers questions with packages from npm, a line of JSON each.

    A missing Node.js or package fails the test that asks; nothing is skipped.

    Args:
        name: Of the script.
        packages: That it needs, as their folders under ``node_modules`` are named.
        scratch: Where they are installed unless they are installed here.
    """

    def __init__(self, name: str, packages: Sequence[str], scratch: Path) -> None:
        self._name = name
        installed = all((HERE / "node_modules" / package).is_dir() for package in packages)
        self._folder = HERE if installed else self._install(scratch)

    def _install(self, scratch: Path) -> Path:
        for name in ("package.json", "package-lock.json", self._name):
            shutil.copy(HERE / name, scratch / name)
        subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=scratch,
            check=True,
            capture_output=True,
            timeout=120,
        )
        return scratch

    def ask(self, questions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the answer to each question, see the script."""
        done = subprocess.run(
            ["node", self._name],
            cwd=self._folder,
            input="".join(json.dumps(q) + "\n" for q in questions),
            capture_output=True,
            check=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]
