# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker works with, made of what it was told on its standard input."""

import logging
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_network
from pathlib import Path

import msgspec

from channels.phone.dialogue import GAP, RING, TONE
from channels.phone.g711 import ALAW_SILENCE, RATE, pcm_to_alaw
from channels.phone.link import WorkerSettings

log = logging.getLogger(__name__)

#: A beep that says: speak now. 440 Hz for 300 ms.
_BEEP_HZ, _BEEP_S = 440, 0.3
_GAP_S = 0.35
_RING_HZ, _RING_S, _RING_EVERY_S = 450, 1.0, 5.0


def read(text: bytes) -> WorkerSettings:
    """Return the settings. Raises `msgspec.MsgspecError`."""
    return msgspec.json.decode(text, type=WorkerSettings)


def resolved(host: str, port: int) -> tuple[str, int] | None:
    """Return the address of a host, as far as it can be resolved."""
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)
    except OSError:
        return None
    address = found[0][4]
    return str(address[0]), int(address[1])


class Prompts:
    """Pieces of sound by name, A-law; the gateway may still be rendering some of them.

    Args:
        folder: Where they are, ``NAME.alaw``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pieces = {TONE: _beep(), GAP: _silence(_GAP_S), RING: _ringing()}

    def sound(self, names: Iterable[str]) -> bytes:
        """Return pieces one behind the other; one that is missing is left out and told."""
        return b"".join(self._piece(name) for name in names)

    def _piece(self, name: str) -> bytes:
        if name not in self._pieces:
            try:
                self._pieces[name] = (self._folder / f"{name}.alaw").read_bytes()
            except OSError as error:
                why = error.strerror
                log.error("prompt.missing", extra={"prompt": name, "why": why})  # noqa: TRY400 - the error says all
                return b""
        return self._pieces[name]


def _beep() -> bytes:
    return _tone(_BEEP_HZ, _BEEP_S)


def _ringing() -> bytes:
    """Return what a caller hears whose call rings elsewhere: one second of five (GB/T 3380)."""
    return _tone(_RING_HZ, _RING_S) + _silence(_RING_EVERY_S - _RING_S)


def _silence(seconds: float) -> bytes:
    return bytes([ALAW_SILENCE]) * int(RATE * seconds)


def _tone(hertz: int, seconds: float) -> bytes:
    """Return a tone made of a parabola for each half wave: as good as a sine for a beep."""
    half = RATE / hertz / 2
    samples = []
    for at in range(int(RATE * seconds)):
        wave, place = divmod(at / half, 1.0)
        level = int(32_000 * place * (1 - place))
        samples.append(level if int(wave) % 2 == 0 else -level)
    return pcm_to_alaw(b"".join(level.to_bytes(2, "little", signed=True) for level in samples))


class Doors:
    """Who may send us SIP."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks: list[IPv4Network | IPv6Network] = [ip_network(n) for n in networks]
        self._known: dict[str, bool] = {}

    def open(self, host: str) -> bool:
        """Return whether messages of this address are read."""
        if host not in self._known:
            if len(self._known) > 4096:  # forged addresses must not fill our memory
                self._known.clear()
            address = IPv4Address(host)
            self._known[host] = any(address in network for network in self._networks)
        return self._known[host]
