"""Processes that all want an access token at once.

``python -m tests.channels.wechat.token_child URL WHERE COUNT``, WHERE they share it being a folder or a
PostgreSQL database, has each of them send one message,
prints a line, and for each line on its standard input has each send one more; at its end it exits
with the number of messages that failed. They are forks of one, which has imported everything: only the
start-up is shared.
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
from gateway.store.postgres import PostgresStore
from normalizer.errors import DeliveryError


async def send(url: str, where: str, go: int, done: int) -> None:
    """Send one message whenever all others are told to, too."""
    section = {
        "name": "oa",
        "app_id": "wx5823bf96d3bd56c7",
        "app_secret": "the-secret-of-the-account",
        "token": "t",
        "api_base": url,
    }
    settings = WeChatSettings.model_validate(section)
    messenger = WeChatMessenger(settings, Api(settings))
    store = PostgresStore(where) if where.startswith("postgresql:") else None
    if store is not None:
        await store.open()
    messenger.share(store or FileShared(Path(where)))
    await messenger.open()
    number = 0
    while os.read(go, 1) == b"g":
        number += 1
        message = Message(key=f"{os.getpid()}-{number}", text="您好")
        try:
            await messenger.send("oCitizen", message)
        except DeliveryError:
            os.write(done, b"f")
        else:
            os.write(done, b"d")
    await messenger.close()
    if store is not None:
        await store.close()


def fork(url: str, where: str, done: int) -> int:
    """Return where a process that sends is told to."""
    go, start = os.pipe()
    if os.fork():
        os.close(go)
        return start
    try:
        asyncio.run(send(url, where, go, done))
    finally:
        os._exit(0)  # a fork must not end as its parent would


def main(url: str, where: str, count: str) -> int:
    """Return how many messages failed."""
    ended, done = os.pipe()
    starts = [fork(url, where, done) for _ in range(int(count))]
    failed = 0
    while True:
        for start in starts:
            os.write(start, b"g")
        failed += [os.read(ended, 1) for _ in starts].count(b"f")
        sys.stdout.write("sent\n")
        sys.stdout.flush()
        if not sys.stdin.readline():
            break
    for start in starts:
        os.write(start, b"q")
    for _ in starts:
        os.wait()
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
