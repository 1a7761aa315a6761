"""Sections of text channels: what each protocol needs, and that nothing secret shows."""

from typing import Any

import pytest
from pydantic import ValidationError

from channels.sms.channel import Texting, plugin
from channels.sms.cloud import CloudPushes

SMPP = {
    "kind": "sms", "name": "mobile", "protocol": "smpp", "number": "106912345",
    "host": "127.0.0.1", "port": 2775, "user": "u", "password": "p-of-the-carrier",
}  # fmt: skip
CMPP = {**SMPP, "protocol": "cmpp"}
HTTP = {
    "kind": "sms", "name": "ali", "protocol": "http", "number": "10691", "provider": "aliyun",
    "secret": "0123456789abcdef",
}  # fmt: skip


def without(section: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in section.items() if k != key}


@pytest.mark.parametrize(
    ("section", "kind"), [(SMPP, Texting), (CMPP, Texting), (HTTP, CloudPushes)]
)
def test_each_protocol_has_its_channel(section: dict[str, Any], kind: type) -> None:
    """The sections of the contract are channels of their kind."""
    assert isinstance(plugin.open(section), kind)


@pytest.mark.parametrize("version", [2.0, "2.0", 3.0, "3.0"])
def test_a_version_may_look_like_a_number(version: object) -> None:
    """YAML reads 2.0 as a number."""
    assert plugin.check({**CMPP, "version": version}).version == str(version)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        (without(SMPP, "port"), "needs port"),
        (without(CMPP, "password"), "needs password"),
        (without(HTTP, "provider"), "needs provider"),
        (without(HTTP, "secret"), "needs secret"),
        ({**SMPP, "secret": "0123456789abcdef"}, "secret has no meaning"),
        ({**SMPP, "version": 3.0}, "version has no meaning"),
        ({**HTTP, "host": "x"}, "host has no meaning"),
        ({**HTTP, "secret": "short"}, "16 letters"),
        ({**HTTP, "secret": "a/b/0123456789abcdef"}, "16 letters"),
        ({**HTTP, "sources": "nowhere"}, "IP address"),
        ({**SMPP, "quiet_hours": "22-8"}, "two times of day"),
        ({**SMPP, "quiet_hours": "22:00-24:00"}, "two times of day"),
        ({**SMPP, "name": "../x"}, "pattern"),
        ({**SMPP, "protocol": "aliyun"}, "smpp"),
        ({**SMPP, "speed": 9}, "Extra inputs"),
    ],
)
def test_what_is_wrong_is_told(section: dict[str, Any], message: str) -> None:
    """A key too many, too few or of a wrong form is an error that says what to do."""
    with pytest.raises(ValidationError, match=message):
        plugin.check(section)


def test_secrets_show_nowhere() -> None:
    """Neither settings nor channels print a password."""
    for section in (SMPP, CMPP, HTTP):
        settings = plugin.check(section)
        shown = f"{settings!r} {plugin.build(settings)!r}"
        assert "p-of-the-carrier" not in shown
        assert "0123456789abcdef" not in shown


def test_a_channel_tells_its_trouble() -> None:
    """Until the carrier has let it in, an operator reads why."""
    channel = plugin.open(SMPP)
    assert isinstance(channel, Texting)
    assert channel.trouble() == "not connected yet"
