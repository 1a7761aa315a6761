"""The telephone channel: what a ``kind: phone`` section builds."""

import hashlib
import os
import re
import socket
import tempfile
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from channels.base import Listener
from channels.phone.codec import Account
from channels.phone.dialogue import Dialogue, load
from channels.phone.funasr import FunAsr
from channels.phone.link import WorkerSettings
from channels.phone.listener import PhoneLine
from channels.phone.settings import PhoneSettings
from channels.phone.voice import Espeak, Prompts
from config.plugin import Plugin
from normalizer.errors import ConfigError

#: Octets of a local socket's path that every system takes. Source: unix(7), ``sun_path``.
_SOCKET_PATH = 100


def socket_path(folder: Path) -> Path:
    """Return where the local socket is: in the line's folder, or in a short one of its own."""
    path = folder / "gateway.sock"
    if len(os.fsencode(path)) <= _SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"phone-{os.getuid()}-{name}" / "gateway.sock"


def dialogue_text(settings: PhoneSettings) -> str:
    """Return the dialogue's table as YAML. Raises `ConfigError`."""
    if settings.dialogue is None:
        return files("channels.phone").joinpath("data/dialogue.yaml").read_text("utf-8")
    try:
        return settings.dialogue.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"phone: dialogue: {settings.dialogue}: {error}") from None


def worker_settings(settings: PhoneSettings, dialogue: str) -> tuple[WorkerSettings, ...]:
    """Return what each worker is told."""
    return tuple(_worker(settings, dialogue, number) for number in range(settings.workers))


def _worker(settings: PhoneSettings, dialogue: str, number: int) -> WorkerSettings:
    """Return what the worker of this number is told, the first being 0."""
    home = settings.home.absolute()
    share = 2 * settings.calls_each
    first = settings.rtp_ports[0] + number * share
    return WorkerSettings(
        server=settings.server,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        register=settings.registration,
        expires_s=int(settings.expires.total_seconds()),
        local_host=settings.local_host,
        local_port=settings.local_port + number,
        rtp_ports=(first, first + share - 1),
        allow=(
            settings.local_host,
            *(settings.sources or _addresses(settings.server)),
            *(host for uri in settings.places.values() for host in _named(uri)),
        ),
        places=settings.places,
        put_through=settings.put_through,
        max_calls=settings.max_calls,
        ring_s=settings.ring.total_seconds(),
        longest_s=settings.longest.total_seconds(),
        no_media_s=settings.no_media.total_seconds(),
        loud=settings.loud,
        spool=str(home / (f"calls-{number + 1}" if number else "calls")),
        socket=str(socket_path(home)),
        prompts=str(home / "prompts"),
        dialogue=dialogue,
        alone_s=settings.alone.total_seconds(),
        # A registrar that is told so tries one after the other, and does not ring at all of them.
        priority=round(1.0 - number / 20, 2),
    )


def _addresses(server: str) -> tuple[str, ...]:
    """Return the addresses of the server; none where it cannot be resolved now."""
    try:
        found = socket.getaddrinfo(server, None, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return ()
    return tuple(sorted({str(each[4][0]) for each in found}))


def _named(uri: str) -> tuple[str, ...]:
    """Return the address that a URI names, if it names one: who is called there may answer us."""
    found = re.search(r"(?:@|^sips?:)([0-9]{1,3}(?:\.[0-9]{1,3}){3})(?=[:;?]|$)", uri)
    return (found[1],) if found else ()


def line(settings: PhoneSettings) -> PhoneLine:
    """Return the line of a section. Raises `ConfigError`."""
    text = dialogue_text(settings)
    dialogue: Dialogue = load(text)
    recognizer = settings.recognizer
    folder = settings.home.absolute() / "prompts"
    made = PhoneLine(
        Account(name=settings.name, area_code=settings.area_code),
        worker_settings(settings, text),
        Prompts(
            folder,
            Espeak(),
            settings.recordings,
            files("channels.phone").joinpath("data/prompts"),
        ),
        dict(dialogue.prompts),
        FunAsr(recognizer) if recognizer is not None else None,
        recognizer.finish_within.total_seconds() if recognizer is not None else 0.0,
    )
    if settings.call_back is not None:
        made.make_calls(settings.call_back)
    return made


def _build(settings: PhoneSettings) -> Listener:
    if find_spec("pyVoIP") is None:  # looked for, never imported: the worker alone does that
        raise ConfigError("phone: the worker needs pyVoIP: pip install 'intake-gateway[phone]'")
    return line(settings)


plugin: Plugin[PhoneSettings, Listener] = Plugin("phone", PhoneSettings, _build)
