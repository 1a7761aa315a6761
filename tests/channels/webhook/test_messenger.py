"""Answers to a partner's citizens."""

from collections.abc import AsyncIterator

import pytest
import standardwebhooks

from channels.base import Message
from channels.webhook.channel import plugin
from channels.webhook.messenger import PartnerMessenger
from normalizer.errors import Gone, TryLater
from tests.channels.webhook.cases import SECRET
from tests.peers.backoffice import Answer, BackOfficePeer

MESSAGE = Message(key="0199a000-1", text="您的诉求已受理。")


@pytest.fixture
async def peer() -> AsyncIterator[BackOfficePeer]:
    peer = await BackOfficePeer().start()
    yield peer
    await peer.stop()


@pytest.fixture
async def messenger(peer: BackOfficePeer) -> AsyncIterator[PartnerMessenger]:
    section = {"kind": "webhook", "name": "weibo", "secret": SECRET, "reply_url": peer.url}
    messenger = PartnerMessenger(plugin.check(section))
    await messenger.open()
    yield messenger
    await messenger.close()


async def test_an_answer_is_posted_signed(
    peer: BackOfficePeer, messenger: PartnerMessenger
) -> None:
    """The partner can verify it, and sees for whom it is."""
    assert await messenger.send("u-77", MESSAGE) == "0199a000-1"
    (push,) = peer.taken
    told = standardwebhooks.Webhook(SECRET).verify(push.body, dict(push.headers))
    assert told == {"id": "0199a000-1", "to": "u-77", "text": "您的诉求已受理。"}


async def test_what_was_not_taken_is_to_be_sent_later(
    peer: BackOfficePeer, messenger: PartnerMessenger
) -> None:
    """Every failure is `TryLater`, 410 is `Gone`."""
    for answer in (Answer(500), Answer(302, {"Location": "/"}), Answer(written=b"HTTP")):
        peer.answer = lambda _push, answer=answer: answer  # type: ignore[misc]
        with pytest.raises(TryLater):
            await messenger.send("u-77", MESSAGE)
    peer.answer = lambda _push: Answer(410)
    with pytest.raises(Gone):
        await messenger.send("u-77", MESSAGE)
    await peer.stop()
    with pytest.raises(TryLater):
        await messenger.send("u-77", MESSAGE)
    await messenger.close()
    with pytest.raises(TryLater):
        await messenger.send("u-77", MESSAGE)


def test_without_an_address_there_is_no_messenger() -> None:
    """``reply_url: null`` says that the partner takes no answers."""
    with pytest.raises(ValueError, match="reply_url"):
        PartnerMessenger(plugin.check({"kind": "webhook", "name": "weibo", "secret": SECRET}))
