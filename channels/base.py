"""What a channel is to the rest: values in and out, and three small protocols."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
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


class MediaRef(Value, frozen=True, kw_only=True):
    """A picture or sound that the carrier keeps for a while, to be fetched from it."""

    id: str  #: the carrier's
    kind: str  #: the carrier's word for it: image, voice, video …
    key: str  #: of the message that it belongs to


class Shaking(Protocol):
    """A webhook whose carrier asks by GET whether the address is ours."""

    def handshake(self, request: Request, now: datetime) -> Reply:
        """Return the answer that shows it. Raises `Unauthorized` or `Malformed`."""
        ...


class Prompt(Webhook, Protocol):
    """A webhook whose carrier hangs up before a slow store is done.

    What is not durable by then is written down beside the store and answered later, see
    `gateway.late`.
    """

    reply_within_s: float  #: counted from the arrival of the push

    def fits(self, receipts: Sequence[Receipt]) -> bool:
        """Return whether the reply can hold what the receipts say."""
        ...

    def late(self, request: Request) -> Reply:
        """Return the reply that keeps the carrier from repeating; the answer follows."""
        ...


class Fetching(Protocol):
    """A channel whose pushes name pictures and sounds instead of holding them."""

    def media(self, inbound: Inbound) -> Sequence[MediaRef]:
        """Return what is to be fetched for a message once it is a ticket."""
        ...


class Fetcher(Protocol):
    """Who gets media from the carrier."""

    async def fetch(self, ref: MediaRef) -> AsyncIterator[bytes]:
        """Return the content in parts. Raises `TryLater`, or `Unreachable` where it is no more."""
        ...


class Keeping(Protocol):
    """A channel that must know something after a crash that no ticket holds yet."""

    def keep_in(self, folder: Path) -> None:
        """Keep it in this folder, beside the store; called once, before anything else."""
        ...


class Recalling(Protocol):
    """A channel whose carrier names no messages, and that may forget in a crash what it handed over."""

    def recall(self, taken: Callable[[Inbound], Awaitable[Sequence[datetime]]]) -> None:
        """Take what tells when words equal to a message's were taken in its conversation.

        The beginning of the message's key, up to its last colon, is the same for equal words.
        """
        ...


class Heeding(Protocol):
    """A channel that may make a message wait, unless it sounds like an emergency."""

    def heed(self, urgent: Callable[[str], bool]) -> None:
        """Take what tells how a text sounds; called once, before anything else."""
        ...


class Following(Protocol):
    """A channel whose carrier tells what became of the messages that it sent."""

    def follow(self, tell: Callable[[str, bool, str], Awaitable[None]]) -> None:
        """Take who is told a message's key, whether it arrived, and the carrier's word for it."""
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
    kind: str = ""  #: type of the delivery that brings it: ``hotline.answer.answered`` …
    in_reply_to: str | None = None  #: the carrier's id of the message that it answers
    acknowledges: bool = False  #: said by machine, at once, to what the citizen has just sent


class Entry(Value, frozen=True, kw_only=True):
    """What lies under a name in what all nodes share."""

    value: bytes
    version: int  #: 1, 2, 3 …


class Shared(Protocol):
    """A few small values that all nodes of an instance see: tokens, cursors."""

    async def shared(self, name: str) -> Entry | None:
        """Return what lies under a name. Raises `StoreError`."""
        ...

    async def swap(self, name: str, value: bytes, version: int) -> bool:
        """Put a value where this version lies (0: nothing), with the next version.

        Returns:
            False where another version lies there; nothing is written then.

        Raises:
            StoreError: Nothing was written.
        """
        ...


class Sharing(Protocol):
    """A channel or messenger that works with what all nodes share."""

    def share(self, shared: Shared) -> None:
        """Take it; called once, before anything else."""
        ...


class Messenger(Protocol):
    """The way out of a two-way channel."""

    async def open(self) -> None:
        """Make ready to send; must not fail because the carrier is away."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

    async def send(self, to: str, message: Message) -> str:
        """Send and return the carrier's id of it. Raises `TryLater`, `Unreachable` or `Gone`."""
        ...
