"""What a ``kind: sms`` section says."""

import re
import ssl
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from channels.sms.tls import client_context
from config.settings import Duration, Section, Word, as_list

#: Octets of randomness, as characters, below which a path is guessable.
_SECRET_LENGTH = 16
#: What each protocol needs, and what makes sense with it alone.
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "smpp": ("host", "port", "user", "password"),
        "cmpp": ("host", "port", "user", "password"),
        "http": ("provider", "secret"),
    }
)
_ONLY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "host": ("smpp", "cmpp"),
        "port": ("smpp", "cmpp"),
        "user": ("smpp", "cmpp"),
        "password": ("smpp", "cmpp"),
        "tls": ("smpp", "cmpp"),
        "verify": ("smpp", "cmpp"),
        "ca": ("smpp", "cmpp"),
        "certificate": ("smpp", "cmpp"),
        "certificate_key": ("smpp", "cmpp"),
        "system_type": ("smpp",),
        "alphabet": ("smpp",),
        "version": ("cmpp",),
        "service_id": ("cmpp",),
        "provider": ("http",),
        "secret": ("http",),
        "sources": ("http",),
    }
)


class SmsSettings(Section):
    """A ``kind: sms`` section; which keys it has depends on ``protocol``."""

    kind: Literal["sms"] = "sms"
    name: str = Field(pattern=r"^[\w.-]{1,64}$")
    protocol: Literal["smpp", "cmpp", "http"]
    number: Word  #: what citizens write to, and what answers come from
    # smpp and cmpp
    host: Word | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    user: Word | None = None  #: system_id, or SP_Id of CMPP
    password: SecretStr | None = None
    tls: Literal["implicit", "none"] = "none"
    verify: bool = True  #: whether the carrier's certificate must be valid
    ca: Path | None = None  #: PEM file of who may have signed it; None: whom the system trusts
    certificate: Path | None = None  #: PEM file of our own
    certificate_key: Path | None = None  #: its key; None: it stands in the same file
    heartbeat: Duration = timedelta(seconds=30)
    answer_within: Duration = timedelta(seconds=10)
    window: int = Field(default=10, ge=1, le=1000)  #: messages of ours without an answer
    combine_for: Duration = timedelta(minutes=2)  #: how long a missing part is waited for
    most_segments: int = Field(default=8, ge=1, le=255)  #: of one answer; longer ones are cut
    receipts: bool = True  #: ask what became of what we sent
    #: ``22:00-08:00``: when citizens are told nothing unasked.
    quiet_hours: str | None = None
    # smpp
    system_type: str = ""
    alphabet: Literal["gsm7", "ascii", "latin1"] = "gsm7"  #: what data coding 0 means
    # cmpp
    version: Literal["2.0", "3.0"] = "3.0"
    service_id: str = Field(default="", max_length=10)
    # http
    provider: Literal["aliyun", "tencent"] | None = None
    secret: SecretStr | None = None  #: last part of the address
    #: Addresses or networks that may push.
    sources: Annotated[tuple[str, ...], BeforeValidator(as_list)] = ()

    @field_validator("version", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        """Let YAML's number 3.0 be what it looks like."""
        return str(value) if isinstance(value, float) else value

    @field_validator("quiet_hours")
    @classmethod
    def _span(cls, value: str | None) -> str | None:
        hour = r"([01][0-9]|2[0-3]):[0-5][0-9]"
        if value is not None and re.fullmatch(f"{hour}-{hour}", value) is None:
            raise ValueError("two times of day; e.g. 22:00-08:00")
        return value

    @field_validator("secret")
    @classmethod
    def _unguessable(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and (
            len(value.get_secret_value()) < _SECRET_LENGTH
            or re.fullmatch(r"[\w.~-]+", value.get_secret_value(), re.ASCII) is None
        ):
            raise ValueError(
                f"at least {_SECRET_LENGTH} letters, digits, '-', '_', '.' or '~', made at random"
            )
        return value

    @field_validator("sources")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            try:
                ip_network(each, strict=False)
            except ValueError:
                raise ValueError("an IP address or network; e.g. 10.0.0.0/8") from None
        return value

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        for key in _NEEDS[self.protocol]:
            if getattr(self, key) is None:
                raise ValueError(f"protocol: {self.protocol} needs {key}")
        for key, protocols in _ONLY.items():
            if key in self.model_fields_set and self.protocol not in protocols:
                raise ValueError(f"{key} has no meaning with protocol: {self.protocol}")
        self.secured()
        return self

    def secured(self) -> ssl.SSLContext | None:
        """Return what secures the connection to the carrier; None where nothing does.

        Raises:
            ValueError: A file that is named is not what it should be, or is named in vain.
        """
        if self.tls == "none":
            for key in ("ca", "certificate", "certificate_key"):
                if getattr(self, key) is not None:
                    raise ValueError(f"{key} has no meaning without tls: implicit")
            return None
        if self.certificate_key is not None and self.certificate is None:
            raise ValueError("certificate_key has no meaning without certificate")
        return client_context(
            verify=self.verify,
            ca=self.ca,
            certificate=self.certificate,
            certificate_key=self.certificate_key,
        )
