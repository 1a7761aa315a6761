"""Messages to people outside."""

from datetime import UTC, datetime

import msgspec
import pytest

from adapters.base import Item
from adapters.notify.notifier import Notifier
from channels.base import Message
from normalizer.errors import TryLater


class Phone:
    """A messenger that remembers what it sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.opened = 0

    async def open(self) -> None:
        """Count openings."""
        self.opened += 1

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, to: str, message: Message) -> str:
        """Remember."""
        self.sent.append((to, message))
        return message.key


def _item(destination: str) -> Item:
    return Item(
        id="e1",
        destination=destination,
        type="hotline.emergency.escalated",
        subject="i1",
        time=datetime(2026, 11, 23, tzinfo=UTC),
        urgent=True,
        body=msgspec.json.encode({"data": {"to": "+8613800138000", "text": "请立即处理"}}),
    )


async def test_an_alarm_is_sent_by_its_channel() -> None:
    """The messenger of the destination gets number, text, key and urgency."""
    phone = Phone()
    notifier = Notifier({"notify:sms": phone, "answer:sms:mobile": phone})
    await notifier.open()
    await notifier.deliver(_item("notify:sms"))
    assert phone.sent == [
        (
            "+8613800138000",
            Message(key="e1", text="请立即处理", urgent=True, kind="hotline.emergency.escalated"),
        ),
    ]
    assert phone.opened == 1


async def test_an_alarm_without_a_channel_is_never_dropped() -> None:
    """Where no channel can send, the delivery stays due."""
    with pytest.raises(TryLater, match="no configured channel"):
        await Notifier({}).deliver(_item("notify:phone"))
