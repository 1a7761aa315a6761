"""What a mail says, as values: the border between the worker that reads and the gateway."""

from datetime import datetime
from enum import StrEnum

from normalizer.schema import Value


class Kind(StrEnum):
    """What sort of sender speaks."""

    LETTER = "letter"  #: a person, as far as anybody can tell
    MACHINE = "machine"  #: a list, a form's mailer, a no-reply address: a ticket, never answered
    RESPONSE = "response"  #: an automatic answer to something of ours: no ticket
    REPORT = "report"  #: a delivery report or a bounce: no ticket
    OWN = "own"  #: what we sent ourselves: no ticket


class File(Value, frozen=True, kw_only=True):
    """An attachment."""

    name: str
    content: bytes


class Delivery(Value, frozen=True, kw_only=True):
    """What a delivery report says of one of our mails."""

    message_id: str  #: ours, without brackets
    action: str  #: failed, delayed, delivered, relayed, expanded, or displayed of a read receipt
    status: str | None  #: RFC 3463, e.g. 5.1.1
    recipient: str | None
    reason: str | None  #: the other server's words, shortened


class Mail(Value, frozen=True, kw_only=True):
    """A mail, understood as far as it could be."""

    kind: Kind
    why: str = ""  #: what `kind` rests on
    message_id: str | None = None  #: without brackets
    digest: str  #: of the content without what relays add
    sender: str  #: address of the From field, lower case; empty where there is none
    sender_name: str | None = None
    return_path: str | None = None  #: of the Return-Path field; empty is the null one
    called: str | None = None  #: address of ours that it was sent to, as its fields tell
    subject: str = ""
    text: str = ""  #: the citizen's own words
    full: str = ""  #: with the quoted past
    cites: tuple[str, ...] = ()  #: message ids of In-Reply-To and References, nearest first
    sent_at: datetime | None = None
    files: tuple[File, ...] = ()
    left_out: tuple[str, ...] = ()  #: names of files beyond the limits; the whole mail is kept
    problems: tuple[str, ...] = ()  #: what could not be read
    undecodable: bool = False  #: a human must look at the raw mail
    authentication: str | None = None  #: what the trusted relay found
    delivery: Delivery | None = None


class Envelope(Value, frozen=True, kw_only=True):
    """What is known of a mail beside its octets."""

    sender: str | None = None  #: of the envelope; empty: the null one; None: not known
    recipients: tuple[str, ...] = ()
    peer: str | None = None  #: address of the server that handed it over
    helo: str | None = None  #: the name that it gave


class Job(Value, frozen=True, kw_only=True):
    """A mail to be understood."""

    raw: bytes
    address: str  #: ours
    relay: str | None = None  #: whose Authentication-Results are believed
    null_sender: bool = False  #: the envelope had no sender
    most_files: int = 20
    file_octets: int = 10 * 1024 * 1024
