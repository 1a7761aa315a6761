"""Where simulated citizens write to, as addresses: the scheme names the protocol."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from channels.wechat.simulator.pusher import Account
from gateway.simulate.ends import Chat, Cloud, End, Mail, Partner, Portal, Texts
from normalizer.errors import ConfigError

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_SMTP_PORT, _SMPP_PORT = 25, 2775

FORMS: Final = """\
http://HOST:PORT                              web: app, form and Open311 by turns
webhook+http://SECRET@HOST:PORT/NAME          a partner platform
aliyun+http://SECRET@HOST:PORT/NAME           text messages pushed over HTTP
wechat+http://APP_ID:TOKEN@HOST:PORT/NAME?encoding_aes_key=KEY
smtp://HOST:PORT/ADDRESS?answers=HOST:PORT    mail; the gateway's outgoing server is listened for
smpp://HOST:PORT/NUMBER                       a message centre that the gateway binds to
https:// likewise; a secret may be ${NAME}, from the environment"""


def end_of(url: str) -> End:
    """Return the end that writes to an address.

    Raises:
        ConfigError: It is none of `FORMS`.
    """
    scheme = url.partition("://")[0]
    build = _ENDS.get(scheme)
    if build is None:
        raise ConfigError(f"--to: no scheme of ours; known are:\n{FORMS}")
    try:
        parts = urlsplit(url)
        name = f"{scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}"
    except ValueError:
        raise ConfigError(f"--to {scheme}://…: not an address with a host and a port") from None
    if not parts.hostname:
        raise ConfigError(f"--to {scheme}://…: the host is missing")
    return build(name + unquote(parts.path).rstrip("/"), parts)


def _portal(name: str, parts: SplitResult) -> End:
    return Portal(name, _base(parts))


def _partner(name: str, parts: SplitResult) -> End:
    return Partner(name, _base(parts), _needed(name, parts, "NAME"), _secret(name, parts.username))


def _cloud(name: str, parts: SplitResult) -> End:
    return Cloud(name, _base(parts), _needed(name, parts, "NAME"), _secret(name, parts.username))


def _chat(name: str, parts: SplitResult) -> End:
    key = _query(parts).get("encoding_aes_key", "")
    account = Account(
        app_id=_secret(name, parts.username),
        token=_secret(name, parts.password),
        encoding_aes_key=_secret(name, key) if key else "",
        mode="encrypted" if key else "plain",
    )
    try:
        return Chat(name, _base(parts), _needed(name, parts, "NAME"), account)
    except ValueError:
        raise ConfigError(f"{name}: encoding_aes_key: not 43 characters of base64") from None


def _mail(name: str, parts: SplitResult) -> End:
    answers = _query(parts).get("answers")
    address = _needed(name, parts, "ADDRESS")
    if "@" not in address:
        raise ConfigError(f"{name}: the hotline's address is missing, e.g. /12345@city.example")
    listen = None if answers is None else _endpoint(name, answers)
    return Mail(name, _at(parts, _SMTP_PORT), address, listen)


def _texts(name: str, parts: SplitResult) -> End:
    return Texts(name, _at(parts, _SMPP_PORT), _needed(name, parts, "NUMBER"))


_ENDS: Mapping[str, Callable[[str, SplitResult], End]] = {
    **dict.fromkeys(("http", "https"), _portal),
    **dict.fromkeys(("webhook+http", "webhook+https"), _partner),
    **dict.fromkeys(("aliyun+http", "aliyun+https"), _cloud),
    **dict.fromkeys(("wechat+http", "wechat+https"), _chat),
    "smtp": _mail,
    "smpp": _texts,
}


def _base(parts: SplitResult) -> str:
    """Return the gateway's HTTP side, without whatever stands before the host."""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme.rpartition('+')[2]}://{host}{port}"


def _at(parts: SplitResult, port: int) -> tuple[str, int]:
    return parts.hostname or "", parts.port or port


def _endpoint(name: str, text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f"{name}: answers: expected HOST:PORT")
    return host, int(port)


def _needed(name: str, parts: SplitResult, what: str) -> str:
    found = unquote(parts.path).strip("/")
    if not found or "/" in found:
        raise ConfigError(f"{name}: expected one name behind the host: /{what}")
    return found


def _secret(name: str, text: str | None) -> str:
    """Return what stands before the host, with a variable of the environment put in."""
    variable = _VARIABLE.fullmatch(unquote(text or ""))
    if variable is None:
        if not text:
            raise ConfigError(f"{name}: what stands before the host's @ is missing")
        return unquote(text)
    value = os.environ.get(variable[1])
    if not value:
        raise ConfigError(f"{name}: the environment has no variable {variable[1]}")
    return value


def _query(parts: SplitResult) -> dict[str, str]:
    return {key: values[-1] for key, values in parse_qs(parts.query).items()}
