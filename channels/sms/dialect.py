"""What a session speaks, free of any one protocol. Sans-io.

A dialect turns octets into these values and back; the session knows nothing else. SGIP and SMGP
would be further ones.
"""

from collections.abc import Iterator
from datetime import datetime
from enum import Enum
from typing import Protocol, TypeAlias

from channels.sms.pieces import Piece
from channels.sms.receipts import DeliveryReport
from channels.sms.segments import Segment
from normalizer.schema import Value


class Result(Enum):
    """What the carrier says to something that we asked of it."""

    OK = "ok"
    THROTTLED = "throttled"  #: too fast: a pause, then again
    LATER = "later"
    NEVER = "never"  #: this message, to this number, will not be taken


class Outcome(Value, frozen=True, kw_only=True):
    """The carrier's answer to a request of ours."""

    result: Result
    code: int = 0  #: the protocol's own
    message_id: str = ""


class Outgoing(Value, frozen=True, kw_only=True):
    """One message to be sent."""

    to: str  #: E.164 or the carrier's own form
    segment: Segment
    urgent: bool = False
    validity: str = ""


class Answered(Value, frozen=True, kw_only=True):
    """The carrier answered a request of ours."""

    sequence: int
    outcome: Outcome


class Came(Value, frozen=True, kw_only=True):
    """A citizen's piece came; one of the two answers must be given."""

    piece: Piece
    taken: bytes
    later: bytes  #: asks the carrier to repeat it


class Told(Value, frozen=True, kw_only=True):
    """The carrier tells of a message that we sent."""

    report: DeliveryReport
    reply: bytes


class Asked(Value, frozen=True, kw_only=True):
    """The carrier wants an answer that needs no thought."""

    reply: bytes
    closing: bool = False  #: it ends the session
    unknown: int | None = None  #: the command, where it is none that we know


Event: TypeAlias = Answered | Came | Told | Asked


class Dialect(Protocol):
    """One connection's protocol."""

    def login(self, sequence: int, now: datetime) -> bytes:
        """Return the request that opens a session."""
        ...

    def feed(self, octets: bytes) -> Iterator[Event]:
        """Yield what came. Raises `Malformed` where the stream cannot be followed any more."""
        ...

    def heartbeat(self, sequence: int) -> bytes:
        """Return the request that asks whether the other side lives."""
        ...

    def goodbye(self, sequence: int) -> bytes:
        """Return the request that ends a session."""
        ...

    def submit(self, sequence: int, outgoing: Outgoing) -> bytes:
        """Return the request that sends a message."""
        ...
