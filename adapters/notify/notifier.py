"""Calls people outside by whichever channel can speak to them.

The notifier knows the messenger protocol only; which channel brings one is the configuration's
matter. What no channel can send stays in the outbox, alarmed, until one can or it becomes a dead
letter: a rung of a ladder is never silently skipped.
"""

from collections.abc import Mapping

import msgspec

from adapters.base import Item
from channels.base import Message, Messenger
from normalizer.errors import TryLater


class _Data(msgspec.Struct):
    to: str
    text: str
    in_reply_to: str | None = None


class _Event(msgspec.Struct):
    data: _Data


class Notifier:
    """Adapter of every ``notify:<kind>`` and ``answer:<kind>:<account>``.

    Args:
        messengers: By destination. ``notify:sms`` alarms a duty phone by any account of a kind;
            ``answer:webhook:weibo`` answers a citizen by the account they wrote to.
    """

    def __init__(self, messengers: Mapping[str, Messenger]) -> None:
        self._messengers = messengers

    async def open(self) -> None:
        """Make every messenger ready."""
        for messenger in set(self._messengers.values()):
            await messenger.open()

    async def close(self) -> None:
        """Let go of connections."""
        for messenger in set(self._messengers.values()):
            await messenger.close()

    async def deliver(self, item: Item) -> None:
        """Return once the carrier took the message.

        Raises:
            TryLater: The carrier did not take it, or no configured channel can send there.
            Gone: The carrier wants nothing more.
        """
        way = item.destination
        if way.startswith("notify:"):  # notify:sms:119-2 is another number's queue, by the same way
            way = ":".join(way.split(":", 2)[:2])
        messenger = self._messengers.get(way)
        if messenger is None:
            raise TryLater("no configured channel can send there")
        data = msgspec.json.decode(item.body, type=_Event).data
        message = Message(
            key=item.id,
            text=data.text,
            urgent=item.urgent,
            number=item.subject if item.type.startswith("hotline.answer.") else None,
            in_reply_to=data.in_reply_to,
        )
        await messenger.send(data.to, message)
