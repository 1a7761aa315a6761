"""What goes wrong between us and a carrier, with both message centres written by others."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from channels.base import Message
from tests.channels.sms.world import (
    QUICK_ENOUGH,
    Gateway,
    Hand,
    message,
    parts,
    running,
    texting,
    until,
)
from tests.peers.smsc import NODE, PERL, Smsc


@pytest.fixture(params=[NODE, PERL], ids=["node", "perl"])
async def smsc(request: pytest.FixtureRequest) -> AsyncIterator[Smsc]:
    command: Sequence[str] = request.param
    async with Smsc(command) as centre:
        yield centre


def text_of(sent: dict[str, Any]) -> str:
    """Return the text of a message of one segment, which one of the centres tells as octets."""
    return sent["text"] if "text" in sent else bytes.fromhex(sent["hex"]).decode("utf-16-be")


async def test_ten_long_messages_survive_a_restart_in_their_middle(
    smsc: Smsc, tmp_path: Path
) -> None:
    """Interleaved and reversed, half before and half after a restart: ten right texts."""
    texts = [f"第{n}位市民：" + f"{n}号楼停水了，" * 30 for n in range(10)]
    long = [parts(str(n), text, n % 3, f"86138001380{n:02}") for n, text in enumerate(texts)]
    order = [piece for same in zip(*(reversed(p) for p in long), strict=True) for piece in same]
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(*order[:17])
        await smsc.wait("answered", 17)
    assert gateway.tickets == []
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(*order[17:])
        await gateway.until(10)
        await smsc.wait("answered", len(order))
    assert sorted(gateway.texts) == sorted(texts)


async def test_a_repeat_after_a_lost_answer_is_the_same_ticket(smsc: Smsc, tmp_path: Path) -> None:
    """The link breaks under our answers, hours pass, the centre repeats: no second ticket."""
    gateway, hand = Gateway(), Hand()
    long = "煤气味很重，" * 30
    pieces = parts("l", long, 5, "8613800138001")
    slow = QUICK_ENOUGH
    async with running(texting(smsc.port, tmp_path, slow, hand), gateway):
        smsc.deliver(message(1, "路灯不亮"), *pieces)
        await smsc.wait("answered", 1 + len(pieces))
    hand.ahead_s = 7200  # the process ended before the centre can have shown that it knows
    async with running(texting(smsc.port, tmp_path, slow, hand), gateway):
        smsc.deliver(message(2, "路灯不亮"), *pieces)
        await smsc.wait("answered", 2 * (1 + len(pieces)))
    assert sorted(gateway.texts) == sorted(["路灯不亮", long])
    assert gateway.calls == 4


async def test_half_a_pdu_and_a_reset_lose_nothing(smsc: Smsc, tmp_path: Path) -> None:
    """The connection is reset in the middle of a PDU; what the centre has is delivered after."""
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway) as channel:
        await smsc.wait("bind")
        smsc.tell("raw", hex="000000400000000500")
        smsc.tell("reset")
        smsc.deliver(message(1, "路灯不亮"))
        await gateway.until(1)
        assert channel.link.sessions == 2
    assert gateway.texts == ["路灯不亮"]


async def test_a_silent_centre_is_left_and_found_again(smsc: Smsc, tmp_path: Path) -> None:
    """A half-open link is noticed by its missing heartbeats; the next one works."""
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway) as channel:
        await smsc.wait("bind")
        await smsc.set(silent=True)
        await until(lambda: "heartbeats" in channel.link.why)
        await smsc.set(silent=False)
        smsc.deliver(message(1, "路灯不亮"))
        await gateway.until(1)


async def test_too_fast_is_heeded_and_the_message_sent(smsc: Smsc, tmp_path: Path) -> None:
    """Throttled twice, a message goes out once; a reply to it names the carrier's id."""
    await smsc.set(throttle=2)
    channel = texting(smsc.port, tmp_path)
    async with running(channel, Gateway()):
        await smsc.wait("bind")
        given = await channel.messenger.send("+8613800138000", Message(key="m", text="已受理"))
    (sent,) = smsc.of("submit")
    assert (given, text_of(sent), sent["coding"]) == ("1", "已受理", 8)
    assert sent["to"] == "8613800138000"


async def test_a_wrong_password_is_tried_again_slowly(smsc: Smsc, tmp_path: Path) -> None:
    """A refused login is no busy loop, and the right password gets in later."""
    await smsc.set(password="other")
    gateway = Gateway()
    channel = texting(smsc.port, tmp_path)
    async with running(channel, gateway):
        await smsc.wait("bind", 2)
        assert not channel.link.up
        assert "refused" in channel.link.why
        await smsc.set(password="secret")
        smsc.deliver(message(1, "路灯不亮"))
        await gateway.until(1)
    assert len(smsc.of("bind")) <= 12
