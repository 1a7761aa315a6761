"""The settings of an instance (contract section 2), one frozen model a section."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, field_validator

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_duration(value: object) -> object:
    """Turn ``30s``, ``5m``, ``2h`` or ``3d`` into a timedelta; other values pass unchanged."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"(\d{1,9})([smhd])", value)
    if found is None:
        raise ValueError("a duration is a number and one of s, m, h, d: 30s, 5m, 2h, 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


def as_list(value: object) -> object:
    """Let one value stand for a list of one."""
    return value if isinstance(value, (list, tuple)) else (value,)


OneOrMany = Annotated[tuple[str, ...], BeforeValidator(as_list)]


class Section(BaseModel):
    """A part of the configuration: frozen, unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Instance(Section):
    """Who runs this gateway."""

    name: str = "12345"
    region: str = "suzhou"  #: name of the rule pack
    timezone: str = "Asia/Shanghai"

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("not a time zone of the IANA database; e.g. Asia/Shanghai") from None
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)


class Http(Section):
    """Where the HTTP side listens."""

    host: str = "127.0.0.1"
    port: int = Field(default=8345, ge=0, le=65535)  #: 0: any free one
    public_url: str = "http://127.0.0.1:8345"
    #: Addresses of reverse proxies whose X-Forwarded-For is believed.
    trusted_proxies: tuple[str, ...] = ()


class StoreAt(Section):
    """Where the store is."""

    url: str = "sqlite:///var/gateway.db"


class QueueAt(Section):
    """Where the liaison queues are."""

    url: str = "embedded:"

    @field_validator("url")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "embedded:" and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("embedded: or redis://host:port/db")
        return value


class Rung(Section):
    """One step of a ladder: whom to call ``after`` an incident was raised."""

    after: Duration
    to: Literal["desk", "sms", "phone", "email", "duty"]
    number: str | None = None  #: E.164, for sms and phone
    address: str | None = None  #: for email


class Desk(Section):
    """A liaison desk."""

    label: str | None = None
    token: SecretStr | None = None
    ack_within: Duration = timedelta(seconds=30)
    ladder: tuple[Rung, ...] = ()


class When(Section):
    """Conditions of a route; all that are named must hold."""

    channel: OneOrMany | None = None
    account: OneOrMany | None = None
    called: OneOrMany | None = None
    type: OneOrMany | None = None
    domain: OneOrMany | None = None
    urgency: OneOrMany | None = None
    place: OneOrMany | None = None
    requester: OneOrMany | None = None
    text: OneOrMany | None = None
    hours: OneOrMany | None = None


class Send(Section):
    """Where a route leads."""

    to: str
    unit: str | None = None
    assist: tuple[str, ...] = ()


class Route(Section):
    """One row of the routing table."""

    name: str
    when: When | None = None
    send: Send


class Settings(Section):
    """The whole configuration. Channel and adapter sections stay raw: their plug-in checks them."""

    instance: Instance = Instance()
    http: Http = Http()
    store: StoreAt = StoreAt()
    queue: QueueAt = QueueAt()
    channels: tuple[dict[str, Any], ...] = ()
    adapters: tuple[dict[str, Any], ...] = ()
    liaison: dict[str, Desk] = {}
    routes: tuple[Route, ...]
