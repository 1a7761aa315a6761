"""WeChat's envelope by two libraries under Node.js."""

from pathlib import Path

from tests.peers.script import NodeScript


class NodeWeChat(NodeScript):
    """Seals and opens with the npm packages ``wechat-crypto`` and ``@wecom/crypto``."""

    def __init__(self, scratch: Path) -> None:
        super().__init__("wechat.cjs", ("@wecom", "wechat-crypto"), scratch)
