"""An independent telephone calls: SIPp against a real worker."""

from pathlib import Path

import pytest

from channels.phone.g711 import ALAW_SILENCE
from tests.channels.phone.lines import line, mute, noise, settings
from tests.channels.phone.sipp import sipp


@pytest.mark.beside
async def test_what_sipp_plays_is_recorded_sample_by_sample(tmp_path: Path) -> None:
    """Five calls at once: each recording is the played file, nothing missing, nothing inserted."""
    sound = noise(2, seed=9)
    (tmp_path / "sound.alaw").write_bytes(sound)
    async with line(settings(tmp_path / "line", dialogue=mute(tmp_path))) as up:
        options = ("-d", "2400", "-m", "5", "-r", "10")
        code, said = await sipp(up.at, "talk", tmp_path, *options)
        assert code == 0, said[-2000:]
        await up.office.until(lambda: len(up.office.calls) == 5)
    for call in up.office.calls:
        recorded = up.office.sound(call).rstrip(bytes([ALAW_SILENCE]))
        assert recorded == sound[: len(recorded)]
        assert len(recorded) >= len(sound) - 160
        assert call.called == "12345"


@pytest.mark.beside
async def test_calls_that_sipp_cancels_make_no_ticket(tmp_path: Path) -> None:
    """Ten callers give up while it rings: 487 each, no ticket, nothing left on the disk."""
    async with line(settings(tmp_path / "line", ring="5s")) as up:
        code, said = await sipp(up.at, "cancel", tmp_path, "-m", "10", "-r", "10")
        assert code == 0, said[-2000:]
        assert up.office.calls == []
        assert up.left() == []


async def test_twenty_set_ups_a_second_are_all_answered(tmp_path: Path) -> None:
    """Forty short calls in two seconds: every one is answered and a ticket."""
    (tmp_path / "sound.alaw").write_bytes(noise(0.2))
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    async with line(section) as up:
        options = ("-d", "300", "-m", "40", "-r", "20")
        code, said = await sipp(up.at, "talk", tmp_path, *options)
        assert code == 0, said[-2000:]
        await up.office.until(lambda: len(up.office.calls) == 40, 20)
        await up.emptied()
    assert len({c.key for c in up.office.calls}) == 40
