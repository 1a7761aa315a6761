"""The embedded liaison queue: items of each desk, to whoever in this process listens.

The store is the durable truth; a listener that comes late, or that is dropped because it does
not keep up, reads the open incidents there and listens again.
"""

import asyncio
from collections import deque
from collections.abc import Callable

from adapters.base import Item

#: Items that wait for one listener before it is dropped.
BOUND = 256
_PREFIX = "liaison:"


class Overrun(Exception):
    """The listener did not keep up and was dropped: read the open incidents and listen again."""


class Listening:
    """One listener's queue."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._overrun = False

    @property
    def overrun(self) -> bool:
        """Whether the listener was dropped."""
        return self._overrun

    def put(self, item: Item) -> None:
        """Queue an item, or drop the listener if it is `BOUND` items behind."""
        if len(self._items) >= BOUND:
            self._items.clear()
            self._overrun = True
        else:
            self._items.append(item)
        self._wake.set()

    async def get(self) -> Item:
        """Return the next item, in the order of publication.

        Raises:
            Overrun: The listener was dropped.
        """
        while True:
            if self._overrun:
                raise Overrun
            if self._items:
                return self._items.popleft()
            self._wake.clear()
            await self._wake.wait()


class EmbeddedQueue:
    """Adapter of every ``liaison:<desk>`` where no other queue is configured."""

    def __init__(self, arrived: Callable[[Item], None] = lambda _: None) -> None:
        """Make an empty queue.

        Args:
            arrived: Told of each item, whoever listens.
        """
        self._arrived = arrived
        self._listeners: dict[str, set[Listening]] = {}

    async def open(self) -> None:
        """Nothing is needed."""

    async def close(self) -> None:
        """Let go of the listeners."""
        self._listeners.clear()

    def listen(self, desk: str) -> Listening:
        """Return a queue of all items for a desk from now on; give it back with `leave`."""
        listening = Listening()
        self._listeners.setdefault(desk, set()).add(listening)
        return listening

    def is_read(self, destination: str) -> bool:
        """Return whether anybody reads the items for a destination; of no desk's: yes."""
        desk = destination.removeprefix(_PREFIX)
        return desk == destination or desk in self._listeners

    def leave(self, desk: str, listening: Listening) -> None:
        """Stop listening."""
        listeners = self._listeners.get(desk, set())
        listeners.discard(listening)
        if not listeners:
            self._listeners.pop(desk, None)

    async def deliver(self, item: Item) -> None:
        """Hand the item to each listener of its desk; it has arrived even if none is there."""
        self._arrived(item)
        desk = item.destination.removeprefix(_PREFIX)
        for listening in tuple(self._listeners.get(desk, ())):
            listening.put(item)
            if listening.overrun:
                self.leave(desk, listening)
