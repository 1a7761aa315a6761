"""What a ``kind: email`` section says."""

import re
from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from config.settings import Duration, Section

Tls = Literal["implicit", "starttls", "none"]
_ADDRESS = r"^[^@\s<>\"]{1,64}@[^@\s<>\"]{1,255}$"


class ImapAt(Section):
    """The mailbox that citizens write to."""

    host: str = Field(min_length=1)
    port: int = Field(default=993, ge=1, le=65535)
    tls: Tls = "implicit"
    verify: bool = True  #: whether the server's certificate must be valid
    user: str
    password: SecretStr
    folder: str = Field(default="INBOX", min_length=1)
    #: A mail that is a ticket is moved there; None: it stays and is marked.
    move_to: str | None = None
    #: How often to look where the server cannot push, and to ask where it can whether it is there.
    poll: Duration = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=30)  #: after which a silent server is left


class ListenAt(Section):
    """Where a mail server of ours hands mails over."""

    protocol: Literal["smtp", "lmtp"] = "smtp"
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(ge=0, le=65535)  #: 0: any free one
    connections: int = Field(default=100, ge=1)  #: at once; further ones are told 421


class OutgoingAt(Section):
    """The server that sends our mails."""

    host: str = Field(min_length=1)
    port: int = Field(default=25, ge=1, le=65535)
    tls: Tls = "none"
    verify: bool = True
    user: str | None = None
    password: SecretStr | None = None
    timeout: Duration = timedelta(seconds=30)


class EmailSettings(Section):
    """A ``kind: email`` section."""

    kind: Literal["email"] = "email"
    name: str = Field(default="mailbox", min_length=1, max_length=64)
    address: str = Field(pattern=_ADDRESS)  #: the hotline's own
    sender_name: str = Field(default="12345", max_length=60)  #: stands before it in our mails
    imap: ImapAt | None = None
    listen: ListenAt | None = None
    outgoing: OutgoingAt | None = None
    #: Name by which the relay in front signs ``Authentication-Results``; it must strip others'.
    trusted_relay: str | None = None
    most_files: int = Field(default=20, ge=0, le=100)
    #: How a citizen is told what their mailbox does not take, in this order.
    fallback: tuple[Literal["sms", "callback"], ...] = ()
    #: A program that looks at each file on its standard input; its exit code other than 0 keeps
    #: the file out of the ticket. The whole mail stays in the store.
    scan: tuple[str, ...] = ()
    quiet_hours: str | None = None  #: ``22:00-08:00``: no notices then; acknowledgements always

    @field_validator("quiet_hours")
    @classmethod
    def _span(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(
            r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value
        ):
            raise ValueError("a span of time; e.g. 22:00-08:00")
        return value

    @model_validator(mode="after")
    def _some_way_in(self) -> Self:
        if self.imap is None and self.listen is None:
            raise ValueError("give imap, listen or both: else no mail comes in")
        return self

    @property
    def domain(self) -> str:
        """What stands behind the @ of our address."""
        return self.address.rpartition("@")[2].lower()
