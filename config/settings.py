"""The settings of an instance (contract section 2), one frozen model a section.

The sections of channels and adapters stay raw mappings here: only their plug-ins know what
belongs in them, and ``config`` never imports a plug-in.
"""

import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    field_validator,
)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(value: object) -> object:
    """Turn ``30s``, ``5m``, ``2h`` or ``3d`` into a timedelta; other values pass unchanged."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,6})([smhd])", value, re.ASCII)
    if found is None:
        raise ValueError("a duration is a number and one of s, m, h, d: 30s, 5m, 2h, 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _lasting(value: timedelta) -> timedelta:
    if value < timedelta(seconds=1):
        raise ValueError("at least 1s")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
#: A duration of something that takes its time.
Span = Annotated[Duration, AfterValidator(_lasting)]


def as_list(value: object) -> object:
    """Let one value stand for a list of one."""
    return value if isinstance(value, (list, tuple)) else (value,)


def _secrets(value: object) -> object:
    """Let one secret stand for a list of one, and none for none."""
    return None if value is None else as_list(value)


#: Text that says something.
Word = Annotated[str, Field(min_length=1)]

#: One value or a list of them; an empty list could never hold and is an error.
OneOrMany = Annotated[tuple[Word, ...], BeforeValidator(as_list), Field(min_length=1)]


class Section(BaseModel):
    """A part of the configuration: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __copy__(self) -> Self:
        """Return a copy without cached properties, which an update may make wrong."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied


class Instance(Section):
    """Who runs this gateway."""

    name: Word = "12345"
    #: Name of the rule pack, ``regions/<region>.yaml``; letters, digits, ``-`` and ``_``.
    region: str = Field(default="suzhou", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    timezone: str = "Asia/Shanghai"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("not a time zone of the IANA database; e.g. Asia/Shanghai") from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)


class Http(Section):
    """Where the HTTP side listens."""

    host: Word = "127.0.0.1"
    port: int = Field(default=8345, ge=0, le=65535)  #: 0: any free one
    #: What citizens' clients and the back office call us; the ``source`` of every event.
    public_url: str = "http://127.0.0.1:8345"
    #: Addresses or networks of reverse proxies whose X-Forwarded-For is believed.
    trusted_proxies: tuple[str, ...] = ()

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", value):
            raise ValueError(
                "an absolute http or https URL without query; e.g. https://12345.example"
            )
        return value.rstrip("/")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError("an IP address or network; e.g. 10.0.0.0/8") from None
        return value


#: How the address of the embedded store begins.
SQLITE = "sqlite:///"


class StoreAt(Section):
    """Where the store is."""

    #: ``sqlite:///PATH`` (PATH relative to the file it stands in, ``sqlite:////PATH`` absolute)
    #: or ``postgresql://user:pw@host/db``. Not shown in reprs: it may hold a password.
    url: str = Field(default="sqlite:///var/gateway.db", repr=False)
    #: Of this gateway alone: what is written down beside the store. Relative to the file it stands in.
    #: Without it SQLite's own folder, with PostgreSQL ``var``.
    folder: Path | None = None
    #: Of all gateways on the store: citizens' files. Without it ``attachments`` in `folder`.
    attachments: Path | None = None

    @property
    def beside(self) -> Path:
        """The folder of this gateway."""
        if self.folder is not None:
            return self.folder
        path = self.url.removeprefix(SQLITE).partition("?")[0]
        return Path("var") if path == self.url.partition("?")[0] else Path(path).parent

    @property
    def files(self) -> Path:
        """The folder of citizens' files."""
        return self.attachments or self.beside / "attachments"

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if not re.match(r"sqlite:///.|postgres(ql)?://.", value):
            raise ValueError("sqlite:///PATH or postgresql://user:pw@host/db")
        return value


class QueueAt(Section):
    """Where the liaison queues are."""

    #: ``embedded:`` or ``redis://host:port/db``. Not shown in reprs: it may hold a password.
    url: str = Field(default="embedded:", repr=False)

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "embedded:" and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("embedded: or redis://host:port/db")
        return value


class ReadingBy(Section):
    """Who reads what arrives: normalizes, judges and routes it."""

    #: A process of its own, for a machine with two cores or more; False: the gateway's own.
    process: bool = False


class Reached(Section):
    """Somebody outside."""

    number: str | None = Field(default=None, pattern=r"^\+?[0-9]{3,15}$")  #: for sms and phone
    address: str | None = Field(default=None, pattern=r"^[^@\s]+@[^@\s]+$")  #: for email


class Rung(Reached):
    """One step of a ladder: whom to call ``after`` an incident was raised."""

    after: Duration  #: counted from the moment the incident was raised
    to: Literal["desk", "sms", "phone", "email", "duty"]


class Desk(Section):
    """A liaison desk."""

    label: str | None = None
    #: Without one the desk's interface answers loopback only, and takes no answer without it.
    token: SecretStr | None = None
    ack_within: Span = timedelta(seconds=30)
    ladder: tuple[Rung, ...] = ()  #: empty: the desk at once, then ``duty``
    #: A text or call of the ladder that could not be sent for so long is given up: later ones
    #: follow, and a phone that comes back must not ring for what is long over.
    alarms_for: Span = timedelta(minutes=5)

    @field_validator("token")
    @classmethod
    def _filled(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().strip():
            raise ValueError("an empty token lets everybody in: set one or leave the key out")
        return value


class Cards(Section):
    """When a unit is shown a card."""

    #: Share of a limit that is left when the yellow one is shown; red is shown when it is over.
    near: float = Field(default=0.25, gt=0, lt=1)


class AlarmRung(Reached):
    """Whom to tell that a part of the gateway is down."""

    after: Duration = timedelta()  #: counted from the moment at which it is told at all
    to: Literal["sms", "phone", "email", "webhook"]
    url: str | None = None  #: for webhook
    #: For webhook, ``whsec_<base64>``; a list while it is replaced.
    secret: Annotated[tuple[SecretStr, ...] | None, BeforeValidator(_secrets)] = None


class Alarms(Section):
    """Which operators are told what does not work, and when."""

    #: How long a part is down before anybody is told, and well again before that is told.
    down_for: Span = timedelta(seconds=30)
    repeat: Span = timedelta(hours=1)  #: while it stays down
    ladder: tuple[AlarmRung, ...] = Field(min_length=1)


class When(Section):
    """Conditions of a route; all that are named must hold, any value of a list will do."""

    channel: OneOrMany | None = None  #: kind of channel
    account: OneOrMany | None = None  #: name of a configured channel
    called: OneOrMany | None = None  #: number the citizen dialled or wrote to
    type: OneOrMany | None = None
    domain: OneOrMany | None = None
    urgency: OneOrMany | None = None
    place: OneOrMany | None = None  #: adcode, its first digits, or a name within the place
    requester: OneOrMany | None = None  #: person or enterprise
    text: OneOrMany | None = None  #: words in the text, or ``/regular expression/``
    hours: OneOrMany | None = None  #: ``08:00-18:00``, ``workdays``, ``holidays``, or both joined

    def named(self) -> dict[str, tuple[str, ...]]:
        """Return the conditions that are named, in the order of the contract."""
        fields = type(self).model_fields
        return {name: values for name in fields if (values := getattr(self, name)) is not None}


class Send(Section):
    """Where a route leads."""

    to: Word  #: name of an adapter
    unit: Word | None = None  #: None: the region's rule pack decides
    assist: tuple[Word, ...] = ()


class Route(Section):
    """One row of the routing table."""

    name: Word
    when: When | None = None
    send: Send


class Settings(Section):
    """The whole configuration. Channel and adapter sections stay raw: their plug-in checks them."""

    instance: Instance = Instance()
    http: Http = Http()
    store: StoreAt = StoreAt()
    queue: QueueAt = QueueAt()
    reading: ReadingBy = ReadingBy()
    #: Not shown in reprs, as the raw sections hold passwords.
    channels: tuple[dict[str, Any], ...] = Field(default=(), repr=False)
    adapters: tuple[dict[str, Any], ...] = Field(default=(), repr=False)
    liaison: dict[str, Desk] = {}  #: by service: 110, 119 … gas, heat, and ``duty``
    cards: Cards = Cards()
    alarms: Alarms | None = None
    routes: tuple[Route, ...] = Field(min_length=1)
