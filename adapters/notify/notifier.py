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

_PREFIX = "notify:"


class _Data(msgspec.Struct):
    to: str
    text: str


class _Event(msgspec.Struct):
    data: _Data


class Notifier:
    """Adapter of every ``notify:<kind>``.

    Args:
        messengers: By kind: sms, phone, email.
    """

    def __init__(self, messengers: Mapping[str, Messenger]) -> None:
        self._messengers = messengers

    async def open(self) -> None:
        """Nothing is needed: the channels own their connections."""

    async def close(self) -> None:
        """Nothing is held."""

    async def deliver(self, item: Item) -> None:
        """Return once the carrier took the message.

        Raises:
            TryLater: The carrier did not take it, or no channel of this kind can send.
        """
        kind = item.destination.removeprefix(_PREFIX)
        messenger = self._messengers.get(kind)
        if messenger is None:
            raise TryLater(f"no configured channel can send by {kind}")
        data = msgspec.json.decode(item.body, type=_Event).data
        await messenger.send(data.to, Message(key=item.id, text=data.text, urgent=item.urgent))
