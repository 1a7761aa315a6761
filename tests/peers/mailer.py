"""npm's nodemailer: composes mails and signs them by DKIM."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.peers.script import NodeScript


class NodeMailer(NodeScript):
    """Composes mails with the npm package ``nodemailer``."""

    def __init__(self, scratch: Path) -> None:
        super().__init__("mailer.cjs", ("nodemailer",), scratch)

    def compose(self, questions: Sequence[Mapping[str, Any]]) -> list[bytes]:
        """Return the octets of mails, see the script."""
        return [base64.b64decode(answer["raw"]) for answer in self.ask(questions)]
