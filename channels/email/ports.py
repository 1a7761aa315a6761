"""What the mail channel asks of the gateway beside accepting."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from normalizer.schema import Attachment


class Registry(Protocol):
    """Where files, refusals and remarks are kept."""

    #: Of this instance, for ids that nobody else can make.
    secret: bytes

    async def keep(self, name: str, content: bytes, place: int) -> Attachment:
        """Return a file that is on the disk now. Raises `StoreError`."""
        ...

    async def set_aside(
        self, account: str, key: str, raw: bytes, reason: str, *, held: bool
    ) -> None:
        """Return once a mail that is no ticket is kept whole.

        Args:
            account: Name of the channel.
            key: A repeat of it changes nothing.
            raw: The mail.
            reason: Why.
            held: An operator must look at it.

        Raises:
            StoreError: Nothing was written.
        """
        ...

    async def note(
        self, number: str, event: str, text: str, data: Mapping[str, object], key: str
    ) -> bool:
        """Return whether the ticket is known; the event is on it, once for each key then.

        Raises:
            StoreError: Nothing was written.
        """
        ...

    async def thread_of(self, number: str) -> str | None:
        """Return the address that a ticket came from; None where it is not known.

        Raises:
            StoreError: The store did not answer.
        """
        ...

    async def letters_of(self, account: str, thread: str) -> int:
        """Return how many mails of an address were taken in the last hour.

        Raises:
            StoreError: The store did not answer.
        """
        ...

    async def retell(self, number: str, key: str, ways: Sequence[str]) -> bool:
        """Return whether what could not be delivered by mail is told by another way.

        Args:
            number: Of the ticket.
            key: Of the delivery that bounced.
            ways: In their order: ``sms``, ``callback``.

        Raises:
            StoreError: Nothing was written.
        """
        ...


class Entrusting(Protocol):
    """A channel or messenger that works with the registry."""

    def entrust(self, registry: Registry) -> None:
        """Take it; called once, before anything else."""
        ...
