"""Against another message centre written by others: Perl's Net::SMPP."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.base import Message
from tests.channels.sms.world import Gateway, message, parts, running, texting
from tests.peers.smsc import PERL, Smsc


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with Smsc(PERL) as centre:
        yield centre


async def test_messages_and_parts_arrive(smsc: Smsc, tmp_path: Path) -> None:
    """A short text and a long one in parts, 16-bit references, come as they were written."""
    gateway, long = Gateway(), "汴河路中段的路灯坏了三盏。" * 12
    async with running(texting(smsc.port, tmp_path), gateway):
        pieces = parts("l", long, 300, "8613800138001", wide=True)
        smsc.deliver(message(1, "井盖没了"), *reversed(pieces))
        await gateway.until(2)
        answers = await smsc.wait("answered", 1 + len(pieces))
    assert sorted(gateway.texts) == sorted(["井盖没了", long])
    assert {a["status"] for a in answers} == {0}


async def test_what_we_send_arrives_in_parts(smsc: Smsc, tmp_path: Path) -> None:
    """A long answer is parts of 67 characters with one reference, an emoji never cut in two."""
    text = "您的诉求已受理。" * 8 + "路😱" + "尽快" * 30
    channel = texting(smsc.port, tmp_path)
    async with running(channel, Gateway()):
        await smsc.wait("bind")
        first = await channel.messenger.send("+8613800138000", Message(key="m1", text=text))
        sent = await smsc.wait("submit", 2)
    assert first == "1"
    assert {s["to"] for s in sent} == {"8613800138000"}
    assert {s["coding"] for s in sent} == {8}
    assert {s["esm"] for s in sent} == {0x40}
    heads = [bytes.fromhex(s["hex"])[:6] for s in sent]
    assert [h[4:] for h in heads] == [bytes([2, 1]), bytes([2, 2])]
    assert heads[0][:4] == heads[1][:4]
    assert heads[0][:3] == bytes([5, 0, 3])
    bodies = [bytes.fromhex(s["hex"])[6:] for s in sent]
    assert "".join(b.decode("utf-16-be") for b in bodies) == text
    assert max(map(len, bodies)) <= 134
