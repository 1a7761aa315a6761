"""A real registrar and proxy: Kamailio between SIPp and the line."""

from pathlib import Path

import pytest

from channels.phone.g711 import ALAW_SILENCE
from tests.channels.phone.lines import line, mute, noise, settings, until
from tests.channels.phone.registrar import registrar_of
from tests.channels.phone.sipp import sipp


@pytest.mark.parametrize("qop", [False, True])
@pytest.mark.beside
async def test_the_line_registers_and_is_called_through_the_proxy(
    tmp_path: Path, *, qop: bool
) -> None:
    """Digest with and without qop, routes both ways, and a registration that outlives its grant."""
    sound = noise(1, seed=5)
    (tmp_path / "sound.alaw").write_bytes(sound)
    async with registrar_of(tmp_path, qop=qop, expires=2) as registrar:
        section = settings(
            tmp_path / "line",
            dialogue=mute(tmp_path),
            server=registrar[0],
            port=registrar[1],
            registration=True,
            password="secret",
        )
        async with line(section) as up:
            await until(lambda: up.listener.trouble() is None)
            # Three calls over four seconds: the grant of two ends in between.
            calls = 3 if qop else 1
            options = ("-d", "1100", "-m", str(calls), "-r", "1", "-rp", "1500")
            code, said = await sipp(registrar, "talk", tmp_path, *options)
            assert code == 0, said[-2000:]
            await up.office.until(lambda: len(up.office.calls) == calls)
    for call in up.office.calls:
        recorded = up.office.sound(call).rstrip(bytes([ALAW_SILENCE]))
        assert sound.startswith(recorded)
        assert len(recorded) >= len(sound) - 160


@pytest.mark.beside
async def test_a_wrong_password_is_a_line_that_is_down(tmp_path: Path) -> None:
    """The line says why no calls come in, and does not hammer the registrar."""
    async with registrar_of(tmp_path, qop=False, expires=30) as registrar:
        section = settings(
            tmp_path / "line",
            server=registrar[0],
            port=registrar[1],
            registration=True,
            password="wrong",
        )
        async with line(section) as up:
            await until(lambda: up.listener.trouble() == "not registered at 127.0.0.1")
