"""What a ``kind: email`` section says."""

import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from channels.email.claims import OURS
from channels.tls import client_context, server_context
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
    tls: Tls = "none"  #: other than none: nothing is taken before the connection is encrypted
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


class SenderCheck(Section):
    """How SPF, DKIM and DMARC are found out here."""

    #: ``address`` or ``address:port``; empty: the machine's.
    nameservers: tuple[str, ...] = ()
    #: Of our own servers: the first address that is in none of them handed the mail to us.
    networks: tuple[str, ...] = OURS
    timeout: Duration = timedelta(seconds=20)  #: of one mail

    @field_validator("nameservers")
    @classmethod
    def _servers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            host, _, port = each.rpartition(":") if each.count(":") == 1 else (each, "", "53")
            ip_address(host)
            if not port.isdecimal() or not 0 < int(port) < 65536:
                raise ValueError("a port from 1 to 65535")
        return value

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            ip_network(each)
        return value


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
    #: Where the relay in front says nothing of SPF, DKIM and DMARC they are found out here.
    check_sender: SenderCheck | None = None
    #: Authorities whose certificates are believed, as PEM; None: the machine's.
    ca: Path | None = None
    certificate: Path | None = None  #: what ``listen`` shows, as PEM
    certificate_key: Path | None = None  #: its key; None: it stands in the same file
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

    @field_validator("ca")
    @classmethod
    def _authorities(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                client_context(value, verify=True)
            except OSError as error:
                raise ValueError(f"no authorities are read from it: {error.strerror}") from None
        return value

    @model_validator(mode="after")
    def _certified(self) -> Self:
        wanted = self.listen is not None and self.listen.tls != "none"
        if wanted and self.certificate is None:
            raise ValueError("listen.tls needs certificate")
        if self.certificate is not None:
            try:
                server_context(self.certificate, self.certificate_key)
            except OSError as error:
                raise ValueError(f"certificate cannot be used: {error.strerror}") from None
        return self

    @model_validator(mode="after")
    def _some_way_in(self) -> Self:
        if self.imap is None and self.listen is None:
            raise ValueError("give imap, listen or both: else no mail comes in")
        return self

    @property
    def domain(self) -> str:
        """What stands behind the @ of our address."""
        return self.address.rpartition("@")[2].lower()
