"""Calls people outside by whichever channel can speak to them.

The notifier knows the messenger protocol only; which channel brings one is the configuration's
matter. What no channel can send stays in the outbox, alarmed, until one can or it becomes a dead
letter: a rung of a ladder is never silently skipped.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from adapters.base import Item
from channels.base import Message, Messenger
from normalizer.errors import TryLater, Unreachable

#: Has somebody telephoned: number of the ticket, key of the task, what to tell.
CallBack = Callable[[str, str, str], Awaitable[None]]

#: Types of what is said by machine to what a citizen has just sent.
_AT_ONCE = frozenset(("hotline.answer.received", "hotline.answer.added"))


class _Requester(msgspec.Struct):
    phone: str | None = None


class _Ticket(msgspec.Struct):
    requester: _Requester


class _Data(msgspec.Struct):
    to: str
    text: str
    in_reply_to: str | None = None
    ticket: _Ticket | None = None


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
        self._call_back: CallBack | None = None

    def telephone_by(self, call_back: CallBack) -> None:
        """Have citizens telephoned by this where a channel's settings name ``callback``."""
        self._call_back = call_back

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
            Unreachable: This citizen cannot be told, by the channel's other ways neither.
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
            kind=item.type,
            number=item.subject if item.type.startswith("hotline.answer.") else None,
            in_reply_to=data.in_reply_to,
            acknowledges=item.type in _AT_ONCE,
        )
        try:
            await messenger.send(data.to, message)
        except Unreachable:
            if not await self._told_otherwise(getattr(messenger, "fallback", ()), data, message):
                raise

    async def _told_otherwise(self, ways: Sequence[str], data: _Data, message: Message) -> bool:
        """Return whether a citizen was told by one of the ways that the channel's settings name."""
        if message.number is None:  # an alarm, which has a ladder of its own
            return False
        for way in ways:
            phone = data.ticket.requester.phone if data.ticket else None
            messenger = self._messengers.get(f"notify:{way}")
            if way == "callback" and self._call_back is not None:
                await self._call_back(message.number, message.key, message.text)
                return True
            if messenger is not None and phone is not None:
                try:
                    await messenger.send(phone, message)
                except Unreachable:
                    continue
                return True
        return False
