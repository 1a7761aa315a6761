"""A line whose network dies: operators of a gateway in its own process are told, once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.office import BackOffice
from tests.acceptance.polling import eventually
from tests.acceptance.process import write_config
from tests.acceptance.signing import PARTNER_SECRET
from tests.acceptance.world import World, opened
from tests.channels.email.sink import Sink
from tests.channels.phone.lines import ports
from tests.channels.phone.registrar import registrar_of
from tests.channels.phone.test_gateway import section
from tests.channels.sms.test_gateway import answers
from tests.peers.smsc import NODE, Smsc

NUMBER, ADDRESS = "8613800138000", "duty@city.example"
DOWN_FOR_S = 1
#: Longer than a look and the time to be down for.
QUIET_S = 1.7


class Operators:
    """Everybody who is told: a telephone, a mailbox and a monitoring system."""

    def __init__(self, centre: Smsc, mailbox: Sink, monitor: BackOffice) -> None:
        self.centre = centre
        self.mailbox = mailbox
        self.monitor = monitor

    @property
    def alarms(self) -> dict[str, Any]:
        """The sections of a configuration by which they are told."""
        ladder = [
            {"to": "sms", "number": f"+{NUMBER}"},
            {"to": "email", "address": ADDRESS},
            {"to": "webhook", "url": self.monitor.url, "secret": PARTNER_SECRET},
        ]
        return {"down_for": f"{DOWN_FOR_S}s", "ladder": ladder}

    @property
    def channels(self) -> list[dict[str, Any]]:
        """The channels that reach them."""
        text = {"kind": "sms", "name": "mobile", "protocol": "smpp", "number": "106912345",
                "host": "127.0.0.1", "port": self.centre.port, "user": "hotline",
                "password": "secret"}  # fmt: skip
        mail = {"kind": "email", "name": "mailbox", "address": "12345@city.example",
                "listen": {"host": "127.0.0.1", "port": 0},
                "outgoing": {"host": "127.0.0.1", "port": self.mailbox.port}}  # fmt: skip
        return [text, mail]

    def told(self) -> list[list[str]]:
        """Return what each has been told, in a word each."""
        words = {"故障告警": "raised", "故障未恢复": "repeated", "故障恢复": "cleared"}
        said = [
            answers(self.centre, NUMBER),
            [str(got.message["subject"]) for got in self.mailbox.got],
        ]
        by_text = [[words[text.split("】")[1].split("：")[0]] for text in each] for each in said]
        return [*by_text, [push.type.rpartition(".")[2] for push in self.monitor.taken]]

    async def until(self, *words: str) -> None:
        """Return once each has been told exactly this."""

        async def all_told() -> bool | None:
            return self.told() == [list(words)] * 3 or None

        await eventually(all_told, f"{words}, not {self.told()}", 20)


@asynccontextmanager
async def operators() -> AsyncIterator[Operators]:
    """Give operators who can be reached."""
    async with Smsc(NODE) as centre:
        mailbox, monitor = await Sink().start(), await BackOffice(PARTNER_SECRET, "/alerts").start()
        yield Operators(centre, mailbox, monitor)
        await monitor.stop()
        await mailbox.stop()
    assert monitor.forged == []


async def line_is(world: World, state: str) -> None:
    """Return once ``/readyz`` tells this state of the line, and the carriers are there."""

    async def told() -> bool | None:
        answer = await world.citizen.get("/readyz")
        channels = answer.json["channels"]
        others = all(
            part["state"] == "ok" for name, part in channels.items() if "phone" not in name
        )
        return (others and channels["phone:trunk"]["state"] == state) or None

    await eventually(told, f"the line is {state}", 20)


@pytest.mark.beside
async def test_a_line_that_dies_and_comes_back_is_told_once(tmp_path: Path) -> None:
    """One alarm and one all-clear by each way; ``kill -9`` between them tells nobody again."""
    port = ports(1)
    line = section(tmp_path, port=port, registration=True, password="secret")
    async with operators() as staff, AsyncExitStack() as network:
        await network.enter_async_context(registrar_of(tmp_path, qop=False, expires=2, port=port))
        channels = [{"kind": "web", "name": "portal"}, line, *staff.channels]
        async with opened(tmp_path, channels=channels) as world:
            await line_is(world, "ok")
            # Only now: how long all begins takes on a busy machine is not what is tested.
            write_config(world.gateway.config, world.settings | {"alarms": staff.alarms})
            world.gateway.signal(signal.SIGHUP)
            await network.aclose()  # the network dies
            await staff.until("raised")
            await line_is(world, "down")
            (push,) = staff.monitor.taken
            assert (push.subject, push.event["data"]["alarm"]["state"]) == (
                "channels/phone:trunk",
                "down",
            )
            await world.gateway.kill()
            await world.gateway.start()
            await asyncio.sleep(QUIET_S)
            assert staff.told() == [["raised"]] * 3
            async with registrar_of(tmp_path, qop=False, expires=2, port=port):
                await staff.until("raised", "cleared")
                await asyncio.sleep(QUIET_S / 2)
                assert staff.told() == [["raised", "cleared"]] * 3
