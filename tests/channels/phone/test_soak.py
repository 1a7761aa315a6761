"""Longer runs: many calls at once, and many one after the other."""

import logging
from pathlib import Path

import pytest

from channels.phone.g711 import ALAW_SILENCE
from gateway.bench import phone as proc
from tests.channels.phone.lines import Line, line, mute, noise, ports, settings, until
from tests.channels.phone.registrar import registrar_of
from tests.channels.phone.sipp import sipp

log = logging.getLogger(__name__)
pytestmark = pytest.mark.slow
SILENCE = bytes([ALAW_SILENCE])


class Process(proc.Process):
    """The worker's process."""

    def __init__(self, up: Line) -> None:
        pid = up.listener.supervisors[0].running()
        assert pid is not None
        super().__init__(pid)

    @property
    def files(self) -> int:
        """Open."""
        return len(list((self.proc / "fd").iterdir()))

    @property
    def threads(self) -> int:
        """That run."""
        return len(list((self.proc / "task").iterdir()))


async def test_soak_a_hundred_calls_at_once(tmp_path: Path) -> None:
    """A minute each: every recording is whole but for a thousandth, on half a processor."""
    seconds = 60
    sound = noise(seconds, seed=11)
    (tmp_path / "sound.alaw").write_bytes(sound)
    first = ports(202)
    section = settings(
        tmp_path / "line",
        dialogue=mute(tmp_path),
        local_port=first,
        rtp_ports=[first + 2, first + 201],
        max_calls=100,
    )
    async with line(section) as up:
        worker = Process(up)
        before = worker.spent_s
        options = ("-d", str(seconds * 1000 + 500), "-m", "100", "-r", "20", "-l", "100")
        code, said = await sipp(up.at, "talk", tmp_path, *options, within_s=seconds + 60)
        used = worker.spent_s - before
        memory = worker.octets / 1e6
        assert code == 0, said[-2000:]
        await up.office.until(lambda: len(up.office.calls) == 100, 60)
        await up.emptied(30)
    short = sum(len(sound) - len(up.office.sound(c).rstrip(SILENCE)) for c in up.office.calls)
    for call in up.office.calls:
        recorded = up.office.sound(call).rstrip(SILENCE)
        assert sound.startswith(recorded)
    log.info("100 calls: %.3f of a processor, %.0f MB, %d short", used / seconds, memory, short)
    assert used / seconds < 0.5
    assert short <= 100 * len(sound) / 1000


async def test_soak_ten_thousand_short_calls(tmp_path: Path) -> None:
    """Twenty a second over registrations of ten seconds: every one a ticket, and nothing grows."""
    (tmp_path / "sound.alaw").write_bytes(noise(0.2))
    first = ports(202)
    async with registrar_of(tmp_path, qop=False, expires=10) as registrar:
        section = settings(
            tmp_path / "line",
            dialogue=mute(tmp_path),
            local_port=first,
            rtp_ports=[first + 2, first + 201],
            server=registrar[0],
            port=registrar[1],
            registration=True,
            password="secret",
        )
        async with line(section) as up:
            await until(lambda: up.listener.trouble() is None)
            worker, parts = Process(up), []
            for part in range(1, 11):
                before = worker.spent_s
                options = ("-d", "300", "-r", "20", "-m", "1000")
                code, said = await sipp(registrar, "talk", tmp_path, *options, within_s=120)
                assert code == 0, said[-2000:]
                await up.office.until(lambda n=part: len(up.office.calls) == 1000 * n, 60)
                await up.emptied(30)
                parts.append((worker.spent_s - before, worker.octets, worker.threads, worker.files))
                log.info("part %d: %.2f s, %.0f MB", part, parts[-1][0], parts[-1][1] / 1e6)
    spent, octets, threads, files = zip(*parts, strict=True)
    assert len({c.key for c in up.office.calls}) == 10_000
    assert len(set(threads)) == 1
    assert max(files) <= files[0] + 2
    assert octets[-1] < octets[1] * 1.2
    assert spent[-1] < spent[1] * 1.5
