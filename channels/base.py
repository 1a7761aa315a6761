"""What a channel is to the rest: values in and out, and three small protocols."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from normalizer.schema import Attachment, Inbound, RequestType, Service, Status, Urgency, Value


class Request(Value, frozen=True, kw_only=True):
    """An HTTP push, free of any server's types."""

    method: str
    headers: Mapping[str, str]  #: names in lower case
    body: bytes
    fields: Mapping[str, str] | None = None  #: of a form; None where the body is not one
    attachments: tuple[Attachment, ...] = ()  #: files of a form, stored already
    query: Mapping[str, str] = {}
    path_secret: str | None = None
    remote: str = ""


class Reply(Value, frozen=True, kw_only=True):
    """What is answered to a push."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"


class Receipt(Value, frozen=True, kw_only=True):
    """What accepting a message came to, told only after it was durable."""

    number: str  #: empty where a command was answered that belongs to no ticket
    query_code: str
    duplicate: bool
    status: Status
    urgency: Urgency
    services: tuple[Service, ...]
    type: RequestType
    received_at: datetime  #: in the instance's time zone
    message: str  #: what the citizen should read
    incidents: tuple[str, ...] = ()
    #: `message` was stored with the ticket and goes out by the channel's messenger by itself. Where
    #: not, the channel tells the citizen in its reply, or has nobody to tell.
    answered: bool = False


#: All that a channel ever knows of the gateway. Raises `StoreError` when nothing was stored and
#: `Conflict` when the key was used with other content.
Accept = Callable[[Inbound], Awaitable[Receipt]]


class Webhook(Protocol):
    """A channel that is pushed to over HTTP: three pure functions."""

    def authenticate(self, request: Request, now: datetime) -> None:
        """Return if the push is genuine, else raise `Unauthorized`."""
        ...

    def parse(self, request: Request, now: datetime) -> Sequence[Inbound]:
        """Return what was sent. Raises `Malformed`, `Oversized` or `Ignored`."""
        ...

    def files(self, request: Request) -> Sequence[bytes]:
        """Return the contents of the files inside the push, to be kept before it is accepted.

        Each belongs to the attachment of `parse` that has its SHA-256. Raises as `parse` does.
        """
        ...

    def reply(self, request: Request, receipts: Sequence[Receipt]) -> Reply:
        """Return the answer that the carrier expects once every message is durable."""
        ...


class Listener(Protocol):
    """A channel that owns a socket or a session."""

    async def run(self, accept: Accept) -> None:
        """Serve until cancelled."""
        ...


class Message(Value, frozen=True, kw_only=True):
    """What is to be told to somebody by a channel."""

    key: str  #: the same on every try
    text: str
    title: str | None = None
    urgent: bool = False  #: an alarm: own lane, no quiet hours
    number: str | None = None  #: of the ticket that it is about
    in_reply_to: str | None = None  #: the carrier's id of the message that it answers


class Messenger(Protocol):
    """The way out of a two-way channel."""

    async def open(self) -> None:
        """Make ready to send; must not fail because the carrier is away."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

    async def send(self, to: str, message: Message) -> str:
        """Send and return the carrier's id of it. Raises `TryLater` or `Gone`."""
        ...
