"""The reference library of Standard Webhooks under Node.js."""

from pathlib import Path

from tests.peers.script import NodeScript


class NodeWebhooks(NodeScript):
    """Signs and verifies with the npm package ``standardwebhooks``."""

    def __init__(self, scratch: Path) -> None:
        super().__init__("webhooks.cjs", ("standardwebhooks",), scratch)
