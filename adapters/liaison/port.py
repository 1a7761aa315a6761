"""What a liaison queue asks of the gateway."""

from collections.abc import AsyncIterator, Collection
from typing import Protocol

from adapters.base import Item
from adapters.liaison.answers import StreamAnswer
from normalizer.schema import Value


class Mention(Value, frozen=True, kw_only=True):
    """An event that a stream must hold."""

    destination: str
    id: str  #: of the event
    incident: str


class Gateway(Protocol):
    """What the queue asks of the gateway."""

    def open_events(self) -> AsyncIterator[Mention]:
        """Yield what the desks' streams must hold of each open incident, oldest incident first."""
        ...

    async def item(self, mention: Mention) -> Item | None:
        """Return the item of an event, None if it cannot be told any more."""
        ...

    async def still_open(self, incidents: Collection[str]) -> set[str]:
        """Return those of the incidents that are open."""
        ...

    async def answered(self, answer: StreamAnswer) -> None:
        """Return once the answer is durable or known to change nothing. Raises `StoreError`."""
        ...

    async def unreadable(self, entry: str, raw: bytes, reason: str) -> None:
        """Keep an entry that nobody understands. Raises `StoreError`."""
        ...
