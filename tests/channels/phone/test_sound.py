"""What callers hear: in time, as it was rendered, whatever else goes on."""

import asyncio
import re
import struct
from array import array
from math import log10
from pathlib import Path

from channels.phone.g711 import RATE, alaw_to_pcm
from channels.phone.voice import Espeak, resample
from channels.phone.wav import read_wav
from tests.channels.phone.caller import Caller, calling, status
from tests.channels.phone.lines import Line, brisk, line, mute, noise, settings, until
from tests.channels.phone.sipp import sipp


async def packets(caller: Caller, number: int) -> list[tuple[float, bytes]]:
    """Return so many packets, each with when it came."""
    loop = asyncio.get_running_loop()
    got: list[tuple[float, bytes]] = []
    async with asyncio.timeout(number / 50 + 10):
        while len(got) < number:
            data = await caller.sound.got.get()
            got.append((loop.time(), data))
    return got


def per_second(came: list[float]) -> float:
    """Return the packets a second of a stream, as the straight line through all arrivals tells.

    One late arrival, as a busy machine brings, bends it by next to nothing.
    """
    count = len(came)
    middle_n, middle_t = (count - 1) / 2, sum(came) / count
    above = sum((n - middle_n) * (t - middle_t) for n, t in enumerate(came))
    below = sum((n - middle_n) ** 2 for n in range(count))
    return below / above


async def test_fifty_packets_a_second_are_sent(tmp_path: Path) -> None:
    """50.00 a second within 0.02, over ten seconds: nothing drifts against the caller's clock."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path))
    async with line(section) as up, calling(up.at) as caller:
        await caller.call()
        came = [at for at, _ in await packets(caller, 500)]
        await caller.bye()
        await up.ticket(caller)
    assert abs(per_second(came) - 50.0) <= 0.02


async def test_a_prompt_is_heard_as_it_was_spoken(tmp_path: Path) -> None:
    """Decoded as A-law it is 30 dB above its difference from the recorded file."""
    spoken = tmp_path / "recorded"
    spoken.mkdir()
    await Espeak().render("您好，请说话。", tmp_path / "voice.wav")
    voice = read_wav((tmp_path / "voice.wav").read_bytes())
    source = resample(array("h", voice.data), voice.rate)
    (spoken / "greeting.wav").write_bytes(_wav(source))
    section = settings(tmp_path / "line", dialogue=brisk(tmp_path), recordings=spoken)
    async with line(section) as up, calling(up.at) as caller:
        await until((up.settings.home / "prompts" / "greeting.alaw").exists)
        await caller.call()
        got = await packets(caller, len(source) // 160 + 10)
        await caller.bye()
        await up.ticket(caller)
    heard = array("h", alaw_to_pcm(b"".join(data[12:] for _, data in got)))
    assert _snr(source, heard) >= 30.0


def _wav(samples: "array[int]") -> bytes:
    data = samples.tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    whole = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def _snr(source: "array[int]", heard: "array[int]") -> float:
    """Return the decibels at the place where the source begins, a whole packet from the start."""
    best = -100.0
    for begins in range(0, len(heard) - len(source) + 1, 160):
        off = sum(
            (one - other) ** 2
            for one, other in zip(source, heard[begins : begins + len(source)], strict=True)
        )
        best = max(best, 10 * log10(sum(s * s for s in source) / max(off, 1)))
    return best


async def test_options_are_answered_under_load(tmp_path: Path) -> None:
    """While twenty calls a second are set up, every OPTIONS gets its 200 within a second."""
    (tmp_path / "sound.alaw").write_bytes(noise(0.2))
    async with line(settings(tmp_path / "line", dialogue=mute(tmp_path))) as up:
        options = ("-d", "300", "-m", "60", "-r", "20")
        load = asyncio.create_task(sipp(up.at, "talk", tmp_path, *options))
        asked = await _asking(up, load)
        code, said = await load
        assert code == 0, said[-2000:]
        assert len(asked) >= 10
        assert set(asked) == {200}
        await up.office.until(lambda: len(up.office.calls) == 60, 20)


async def _asking(up: Line, load: "asyncio.Task[tuple[int, str]]") -> list[int]:
    answers = []
    while not load.done():
        async with calling(up.at) as probe:
            probe.send(probe.request("OPTIONS"))
            answer = await probe.final(1.0)
            assert re.search(rb"^Allow: .*INVITE", answer, re.MULTILINE)
            answers.append(status(answer))
        await asyncio.sleep(0.1)
    return answers
