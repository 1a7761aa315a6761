"""A mailbox whose server hangs, and all that must not wait for it."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.polling import eventually
from tests.acceptance.world import opened
from tests.channels.email.servers import Dovecot, open_folder
from tests.channels.email.test_gateway import FLOOD
from tests.channels.email.test_mailbox import Make, letter, reading
from tests.channels.email.vectors.building import mail

__all__ = ["reading"]


class Silent:
    """A server that takes connections and never says a word; the kernel answers for it."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])


@pytest.fixture
def silent() -> Iterator[Silent]:
    server = Silent()
    yield server
    server.socket.close()


def _section(name: str, imap: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "email", "name": name, "address": f"{name}@city.example", "imap": imap}


async def test_a_hung_mailbox_delays_nobody(tmp_path: Path, silent: Silent) -> None:
    """Another mailbox is read, the web takes requests, and the gateway ends in order."""
    with open_folder() as folder:
        dovecot = await Dovecot(folder).start()
        hung = dovecot.settings(port=silent.port, timeout="1h")
        channels = [
            {"kind": "web", "name": "p"},
            _section("hung", hung),
            _section("lively", dovecot.settings()),
        ]
        try:
            async with opened(tmp_path, channels=channels) as world:
                dovecot.put(b"Return-Path: <f@qq.example>\r\n" + mail(FLOOD.encode()))

                async def raised() -> bool:
                    return bool(await world.incidents("119"))

                await eventually(raised, "an incident at 119", 15)
                answer = await world.citizen.post("/api/v1/requests", json={"text": "路灯不亮"})
                assert answer.status == 201
                world.gateway.signal(signal.SIGTERM)
                assert await world.gateway.ended() == 0
        finally:
            dovecot.stop(now=True)


async def test_a_server_that_stops_answering(reading: Make) -> None:
    """Its processes are halted in the middle of a session: that is found out, and outlived."""
    with open_folder() as folder:
        dovecot = await Dovecot(folder).start()
        dovecot.put(letter(1))
        read = reading(dovecot.settings(timeout="1s"))
        await read.has(1)
        assert dovecot.process is not None
        os.killpg(dovecot.process.pid, signal.SIGSTOP)
        try:
            dovecot.put(letter(2))

            async def noticed() -> str | None:
                return read.mailbox.trouble

            trouble = await eventually(noticed, "a trouble", 15)
            assert "timed out" in trouble
        finally:
            os.killpg(dovecot.process.pid, signal.SIGCONT)
        await read.has(2)
        assert max(read.taken.values()) == 1
        assert read.mailbox.trouble is None
        dovecot.stop(now=True)
