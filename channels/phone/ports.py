"""What the telephone needs of the gateway beside `Accept`, and what it tells of itself."""

from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from normalizer.schema import Service


class Keep(Protocol):
    """Keeps a file."""

    async def __call__(
        self, chunks: bytes | AsyncIterable[bytes], limit: int = ...
    ) -> tuple[str, int]:
        """Return the SHA-256 and the octets of a file that is on the disk now.

        Raises:
            Oversized: It has more than ``limit`` octets.
            StoreError: The disk refused.
        """
        ...


class Judge(Protocol):
    """Judges words while they are being spoken."""

    def __call__(self, text: str) -> tuple[Service, ...] | None:
        """Return the services that an emergency needs; None: it is none so far."""
        ...


class Pop(Protocol):
    """Shows a call at the place that it is about to ring at."""

    def __call__(self, desk: str, call: Mapping[str, Any]) -> None:
        """Show it on the pages of a desk that are open; ``seats`` is a desk, too."""
        ...


class Ratings(Protocol):
    """Takes what citizens think of the answers of their tickets."""

    def scale(self) -> tuple[str, ...]:
        """Return the ratings that the region knows, best first."""
        ...

    async def rate(self, number: str, rating: str, key: str) -> None:
        """Put a rating on a ticket, once; one that cannot be rated any more is left as it is.

        Raises:
            StoreError: Nothing was written.
        """
        ...


@dataclass(frozen=True, slots=True)
class Lent:
    """What the gateway lends to a telephone line."""

    keep: Keep
    judge: Judge
    pop: Pop
    ratings: Ratings
    #: The instant itself, or the end of the span of quiet hours that it falls in.
    quiet: Callable[[str, datetime], datetime]


class Equipped(Protocol):
    """A listener that the gateway lends all of it."""

    def equip(self, lent: Lent) -> None:
        """Take it, before the listener runs."""
        ...


class Reporting(Protocol):
    """A listener that knows whether messages can come in."""

    def trouble(self) -> str | None:
        """Return why none can; None: they can."""
        ...

    def weakness(self) -> str | None:
        """Return what does not work while messages come in all the same; None: nothing."""
        ...
