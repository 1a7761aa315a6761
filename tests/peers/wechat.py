"""WeChat's envelope by two libraries under Node.js."""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def _installed(scratch: Path) -> Path:
    """Return a folder that holds the script and its packages.

    A missing Node.js or package fails the test that asks; nothing is skipped.
    """
    if (HERE / "node_modules" / "@wecom").is_dir() and (
        HERE / "node_modules/wechat-crypto"
    ).is_dir():
        return HERE
    for name in ("package.json", "package-lock.json", "wechat.cjs"):
        shutil.copy(HERE / name, scratch / name)
    subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=scratch,
        check=True,
        capture_output=True,
        timeout=120,
    )
    return scratch


class NodeWeChat:
    """Seals and opens with the npm packages ``wechat-crypto`` and ``@wecom/crypto``."""

    def __init__(self, scratch: Path) -> None:
        self._folder = _installed(scratch)

    def ask(self, questions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return the answer to each question, see ``wechat.cjs``."""
        done = subprocess.run(
            ["node", "wechat.cjs"],
            cwd=self._folder,
            input="".join(json.dumps(q) + "\n" for q in questions),
            capture_output=True,
            check=True,
            text=True,
            encoding="utf-8",
            timeout=60,
        )
        return [json.loads(line) for line in done.stdout.splitlines()]
