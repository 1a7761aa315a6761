"""Processes that all want an access token at once.

``python -m tests.channels.wechat.token_child URL FOLDER COUNT`` exits with the number of those that
failed. They are forks of one, which has imported everything: only the start-up is shared.
"""

import asyncio
import os
import sys
from pathlib import Path

from channels.base import Message
from channels.wechat.api import Api
from channels.wechat.messenger import WeChatMessenger
from channels.wechat.settings import WeChatSettings
from gateway.shared import FileShared


async def send(url: str, folder: str, go: int) -> None:
    """Send one message once the others are ready, too."""
    section = {
        "name": "oa",
        "app_id": "wx5823bf96d3bd56c7",
        "app_secret": "the-secret-of-the-account",
        "token": "t",
        "api_base": url,
    }
    settings = WeChatSettings.model_validate(section)
    messenger = WeChatMessenger(settings, Api(settings))
    messenger.share(FileShared(Path(folder)))
    await messenger.open()
    os.read(go, 1)
    await messenger.send("oCitizen", Message(key=str(os.getpid()), text="您好"))
    await messenger.close()


def main(url: str, folder: str, count: str) -> int:
    """Return how many processes failed."""
    go, start = os.pipe()
    children = []
    for _ in range(int(count)):
        child = os.fork()
        if child == 0:
            os.close(start)
            failed = 1
            try:
                asyncio.run(send(url, folder, go))
                failed = 0
            finally:
                os._exit(failed)  # a fork must not end as its parent would
        children.append(child)
    os.write(start, b"g" * len(children))
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
