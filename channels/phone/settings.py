"""What a ``kind: phone`` section says."""

from datetime import time, timedelta
from ipaddress import AddressValueError, IPv4Address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from channels.phone.dialogue import PURPOSES, SEATS, load
from config.settings import Duration, Section, as_list
from normalizer.errors import ConfigError


def _ipv4(value: str) -> str:
    try:
        return str(IPv4Address(value))
    except AddressValueError:
        raise ValueError("an IPv4 address of this machine; e.g. 10.0.0.5") from None


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("an IP address or network; e.g. 10.0.0.0/24") from None


Address = Annotated[str, AfterValidator(_ipv4)]
Network = Annotated[str, AfterValidator(_network)]
Port = Annotated[int, Field(ge=1, le=65535)]
SipUri = Annotated[str, Field(pattern=r"^(sips?|tel):[^\s<>\"]+$")]


class Recognizer(Section):
    """A speech recognizer that speaks FunASR's WebSocket protocol."""

    url: str = Field(pattern=r"^wss?://[^\s/]+(/\S*)?$")
    #: Words that the recognizer should expect: places, units, local names.
    hot_words: tuple[str, ...] = ()
    #: How long its last words are waited for once a call has ended.
    finish_within: Duration = timedelta(seconds=5)


class CallBack(Section):
    """Which calls are made by ourselves, and when."""

    ratings: bool = True  #: ask citizens to rate the answer of their ticket
    broken_off: bool = True  #: call back who was cut off before they said anything
    tries: int = Field(default=3, ge=1, le=3)
    pause: Duration = timedelta(minutes=30)  #: between two tries
    ring: Duration = timedelta(seconds=40)
    quiet_hours: str = "21:00-08:00"  #: in which no citizen is called

    @field_validator("quiet_hours")
    @classmethod
    def _span(cls, value: str) -> str:
        begins, dash, ends = value.partition("-")
        try:
            same = time.fromisoformat(begins) == time.fromisoformat(ends)
        except ValueError:
            same = True
        if not dash or same:
            raise ValueError("a span of the day; e.g. 21:00-08:00")
        return value


class PhoneSettings(Section):
    """A ``kind: phone`` section."""

    kind: Literal["phone"] = "phone"
    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")
    server: str = Field(min_length=1)  #: host of the registrar, trunk or PBX
    port: Port = 5060
    user: str = Field(min_length=1, pattern=r"^[^\s@<>\";]+$")
    password: SecretStr = SecretStr("")
    #: False: a trunk that knows us by our address and wants no registration.
    registration: bool = True
    expires: Duration = timedelta(seconds=120)  #: of a registration, as asked
    local_host: Address = "127.0.0.1"
    local_port: Port = 5070
    rtp_ports: tuple[Port, Port] = (20000, 20400)  #: first and last
    #: From where SIP is taken; empty: from ``server`` alone.
    sources: Annotated[tuple[Network, ...], BeforeValidator(as_list)] = ()
    seats: SipUri | None = None
    #: Where desks are called: 110, 119 …
    desks: dict[Annotated[str, Field(pattern=r"^[0-9]{2,6}$")], SipUri] = {}
    #: By the network's REFER, by a bridge of ours, or by a bridge where REFER is not taken.
    put_through: Literal["auto", "refer", "bridge"] = "auto"
    workers: int = Field(default=1, ge=1, le=16)  #: processes, each with a port and its calls
    max_calls: int = Field(default=100, ge=1, le=500)  #: of one worker
    ring: Duration = timedelta(0)  #: before a call is answered
    longest: Duration = timedelta(minutes=20)
    no_media: Duration = timedelta(seconds=30)  #: of no sound at all, after which a call ends
    loud: int = Field(default=4, ge=1, le=255)  #: of 255, from where sound counts as speech
    folder: Path | None = None  #: of recordings and prompts; None: ``var/phone/<name>``
    dialogue: Path | None = None  #: a table of one's own
    recordings: Path | None = None  #: folder of NAME.wav that stand for rendered prompts
    recognizer: Recognizer | None = None
    call_back: CallBack | None = None  #: None: we call nobody
    #: How long a worker whose gateway is gone goes on answering.
    alone: Duration = timedelta(hours=12)
    area_code: str | None = Field(default=None, pattern=r"^0[0-9]{2,3}$")

    @field_validator("rtp_ports")
    @classmethod
    def _range(cls, value: tuple[int, int]) -> tuple[int, int]:
        if value[1] - value[0] < 1:
            raise ValueError("the first and the last port of a range; two ports a call")
        return value

    @field_validator("dialogue")
    @classmethod
    def _sound(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                load(value.read_text("utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"it cannot be read: {type(error).__name__}") from None
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return value

    @model_validator(mode="after")
    def _room(self) -> Self:
        room = self.calls_each
        if room < 1:
            raise ValueError("rtp_ports: two ports a call, and each worker needs one call at least")
        last = self.local_port + self.workers - 1
        if last > 65535:
            raise ValueError("local_port: each worker takes the next port, and there is none left")
        if self.local_port <= self.rtp_ports[1] and self.rtp_ports[0] <= last:
            raise ValueError("local_port: the workers' ports lie within rtp_ports; part them")
        if room < self.max_calls:
            # A call that finds no port would be refused though there is room for it.
            object.__setattr__(self, "max_calls", room)
        return self

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.call_back is not None and self.dialogue is not None:
            lacking = PURPOSES - set(load(self.dialogue.read_text("utf-8")).outgoing)
            if lacking:
                raise ValueError(f"dialogue: outgoing: {', '.join(sorted(lacking))}: is missing")
        return self

    @property
    def quiet_hours(self) -> str | None:
        """In which no citizen is called."""
        return self.call_back.quiet_hours if self.call_back is not None else None

    @property
    def calls_each(self) -> int:
        """For how many calls one worker has ports."""
        first, last = self.rtp_ports
        return (last - first + 1) // 2 // self.workers

    @property
    def places(self) -> dict[str, str]:
        """Where callers can be put through to."""
        return {**self.desks, **({SEATS: self.seats} if self.seats else {})}

    @property
    def home(self) -> Path:
        """The folder of recordings and prompts."""
        return self.folder if self.folder is not None else Path("var/phone") / self.name
