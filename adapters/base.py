"""What an adapter is to the rest."""

from datetime import datetime
from typing import Protocol

from normalizer.schema import Value


class Item(Value, frozen=True, kw_only=True):
    """One item to deliver, complete."""

    id: str  #: the CloudEvent's id: the idempotency key, the same on every try
    destination: str
    type: str
    subject: str
    time: datetime
    urgent: bool  #: of the emergency lane
    body: bytes  #: the CloudEvent as JSON, the same on every try


class Adapter(Protocol):
    """A way out."""

    async def open(self) -> None:
        """Make ready to deliver; must not fail because the other side is away."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

    async def deliver(self, item: Item) -> None:
        """Return once the other side has taken the item, else raise `TryLater` or `Gone`."""
        ...
