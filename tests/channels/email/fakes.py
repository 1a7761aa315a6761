"""What the channel is given in its tests: a ledger of tickets, a registry, a messenger."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from channels.base import Message, Receipt
from channels.testing import Ledger
from normalizer.errors import StoreError
from normalizer.schema import Attachment, Inbound


@dataclass
class FakeRegistry:
    """Keeps everything in memory."""

    secret: bytes = b"a secret of the instance"
    files: dict[str, bytes] = field(default_factory=dict)
    aside: list[tuple[str, bytes, str, bool]] = field(default_factory=list)
    notes: dict[tuple[str, str], tuple[str, Mapping[str, object]]] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    letters: dict[str, int] = field(default_factory=dict)
    retold: list[tuple[str, str, Sequence[str]]] = field(default_factory=list)
    broken: bool = False

    def _work(self) -> None:
        if self.broken:
            raise StoreError("the disk is full")

    async def keep(self, name: str, content: bytes, place: int) -> Attachment:
        """Keep a file."""
        self._work()
        digest = hashlib.sha256(content).hexdigest()
        self.files[digest] = content
        kind = "application/octet-stream"
        return Attachment(
            id=str(place), name=name, media_type=kind, bytes=len(content), sha256=digest
        )

    async def set_aside(
        self, account: str, key: str, raw: bytes, reason: str, *, held: bool
    ) -> None:
        """Keep a mail."""
        del account
        self._work()
        self.aside.append((key, raw, reason, held))

    async def note(
        self, number: str, event: str, text: str, data: Mapping[str, object], key: str
    ) -> bool:
        """Put an event on a ticket."""
        del text
        self._work()
        if number not in self.threads:
            return False
        self.notes.setdefault((number, key), (event, data))
        return True

    async def thread_of(self, number: str) -> str | None:
        """Return whose a ticket is."""
        self._work()
        return self.threads.get(number)

    async def letters_of(self, account: str, thread: str) -> int:
        """Return how many mails of an address were taken lately."""
        del account
        self._work()
        return self.letters.get(thread, 0)

    async def retell(self, number: str, key: str, ways: Sequence[str]) -> bool:
        """Tell by another way."""
        self.retold.append((number, key, ways))
        return True


@dataclass
class FakeMessenger:
    """Remembers what it was to send."""

    sent: list[tuple[str, Message]] = field(default_factory=list)

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, to: str, message: Message) -> str:
        """Remember."""
        self.sent.append((to, message))
        return "<1@city.example>"


@dataclass
class Tickets(Ledger):
    """A ledger whose tickets are answered by themselves, as the gateway's are."""

    taken: list[Inbound] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)

    async def accept(self, inbound: Inbound) -> Receipt:
        """Return the receipt of a ticket."""
        receipt = await super().accept(inbound)
        if not receipt.duplicate:
            self.taken.append(inbound)
        answered = inbound.acknowledge and not receipt.duplicate
        return msgspec.structs.replace(receipt, **{"answered": answered, **self.changes})
