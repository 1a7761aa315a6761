"""Prompts as files: rendered by a voice or recorded by a human, kept as A-law, made once.

A prompt is found again by the voice's name and its text, so that a changed sentence is rendered
anew and nothing else is.
"""

import asyncio
import hashlib
import logging
from array import array
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources.abc import Traversable
from math import cos, gcd, pi, sin
from operator import mul
from pathlib import Path

from channels.phone.g711 import RATE, alaw_to_pcm, pcm_to_alaw, ulaw_to_pcm
from channels.phone.speech import TextToSpeech
from channels.phone.wav import read_wav

log = logging.getLogger(__name__)

#: Taps of the filter on each side of a sample, in samples of the lower rate.
_SIDE = 5
_RENDER_S = 30.0
_PCM, _ALAW, _ULAW = 1, 6, 7


#: The voice of the prompts that are shipped: rendered by tools/render-prompts, before a release.
SHIPPED_VOICE = "kokoro-82m jf_alpha 0.95"


def kept_name(name: str, content: bytes) -> str:
    """Return the file of a prompt: found again by what it was made of."""
    return f"{name}-{hashlib.sha256(content).hexdigest()[:16]}.sound"


def _made_of(voice: str, text: str) -> bytes:
    return f"{voice}\n{text}".encode()


class Espeak:
    """espeak-ng: the voice that every Debian has. Clear enough to test with, not to be proud of.

    It speaks sentences of a site's own, and nothing of the shipped dialogue.
    """

    name = "espeak-ng cmn 210"

    def __init__(self, program: str = "espeak-ng") -> None:
        self._program = program

    async def render(self, text: str, into: Path) -> None:
        """Write ``text`` as a WAV file. Raises `OSError` where the program is missing or fails."""
        process = await asyncio.create_subprocess_exec(
            self._program,
            "-v",
            "cmn",
            "-s",
            "210",
            "-w",
            str(into),
            "--",
            text,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(_RENDER_S):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise OSError("the voice took too long") from None
        if code:
            raise OSError(f"the voice failed with code {code}")


class Prompts:
    """The rendered prompts of one dialogue.

    Args:
        folder: Where they are kept.
        voice: Who speaks them.
        recorded: A folder of ``NAME.wav`` that a human spoke; they are taken first.
        shipped: A folder of prompts that were rendered before; they are taken next.
    """

    def __init__(
        self,
        folder: Path,
        voice: TextToSpeech,
        recorded: Path | None = None,
        shipped: Traversable | None = None,
    ) -> None:
        self._folder = folder
        self._voice = voice
        self._recorded = recorded
        self._shipped = shipped

    async def make(self, texts: Mapping[str, str]) -> list[str]:
        """Return the names of prompts that could not be made; the others are in the folder."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        missing = []
        for name, text in texts.items():
            try:
                await self._one(name, text)
            except (OSError, ValueError) as error:
                missing.append(name)
                log.error("prompt.failed", extra={"prompt": name, "why": str(error)})  # noqa: TRY400 - the error says all
        return missing

    async def _one(self, name: str, text: str) -> None:
        spoken = self._recorded / f"{name}.wav" if self._recorded else None
        ready = None
        if spoken is not None and spoken.is_file():
            content = await asyncio.to_thread(spoken.read_bytes)
        else:
            spoken = None
            ready = await asyncio.to_thread(self._ready, name, text)
            content = _made_of(self._voice.name if ready is None else SHIPPED_VOICE, text)
        kept = self._folder / kept_name(name, content)
        if not kept.is_file():
            if ready is None:
                wav = content if spoken is not None else await self._render(name, text)
                ready = await asyncio.to_thread(to_alaw, wav)
            draft = kept.with_suffix(".tmp")
            draft.write_bytes(ready)
            draft.replace(kept)
        await asyncio.to_thread(self._name, kept, name)

    def _ready(self, name: str, text: str) -> bytes | None:
        """Return the sound of a sentence that was rendered before a release; None: it was not."""
        if self._shipped is None:
            return None
        found = self._shipped / kept_name(name, _made_of(SHIPPED_VOICE, text))
        return found.read_bytes() if found.is_file() else None

    async def _render(self, name: str, text: str) -> bytes:
        rendered = self._folder / f"{name}.wav.tmp"
        try:
            await self._voice.render(text, rendered)
            return await asyncio.to_thread(rendered.read_bytes)
        finally:
            rendered.unlink(missing_ok=True)

    def _name(self, kept: Path, name: str) -> None:
        """Put the prompt where the worker looks for it."""
        target = self._folder / f"{name}.alaw"
        draft = target.with_suffix(".new")
        draft.unlink(missing_ok=True)
        draft.symlink_to(kept.name)
        draft.replace(target)


def to_alaw(wav: bytes) -> bytes:
    """Return the sound of a WAV file as A-law, 8,000 samples a second, the first channel of it.

    Raises:
        ValueError: It is none, or of a format that is not read.
    """
    found = read_wav(wav)
    if found.format == _ALAW and found.rate == RATE and found.channels == 1:
        return found.data
    if found.format in (_ALAW, _ULAW):
        samples = (alaw_to_pcm if found.format == _ALAW else ulaw_to_pcm)(found.data)
    elif found.format == _PCM and found.bits == 16:
        samples = found.data
    else:
        raise ValueError("a WAV file of 16-bit linear samples or of G.711")
    pcm = array("h", samples[: len(samples) & ~1])[:: found.channels]
    return pcm_to_alaw(resample(pcm, found.rate).tobytes())


def resample(samples: "array[int]", rate: int) -> "array[int]":
    """Return the same sound at 8,000 samples a second, nothing above 4 kHz folded down.

    Raises:
        ValueError: The rate is none.
    """
    if not 4_000 <= rate <= 192_000:
        raise ValueError("a rate between 4,000 and 192,000 samples a second")
    if rate == RATE:
        return samples
    common = gcd(rate, RATE)
    up, down = RATE // common, rate // common
    phases = _filter(up, down)
    reach = len(phases[0])
    padded = [0] * (reach // 2) + list(samples) + [0] * reach
    made = array("h")
    for at in range(len(samples) * up // down):
        whole, phase = divmod(at * down, up)
        value = sum(map(mul, phases[phase], padded[whole : whole + reach]))
        made.append(max(-32768, min(32767, round(value))))
    return made


@lru_cache(maxsize=4)
def _filter(up: int, down: int) -> tuple[tuple[float, ...], ...]:
    """Return a windowed sinc for every phase between two samples; each sums up to 1."""
    width = max(1.0, down / up)  # of one sample of the lower rate, in samples of the given
    reach = 2 * int(_SIDE * width) + 1
    phases = []
    for phase in range(up):
        taps = []
        for tap in range(reach):
            away = (tap - reach // 2 - phase / up) / width
            window = 0.5 + 0.5 * cos(pi * min(1.0, abs(away) / _SIDE))
            taps.append(window * (1.0 if away == 0 else sin(pi * away) / (pi * away)))
        whole = sum(taps)
        phases.append(tuple(tap / whole for tap in taps))
    return tuple(phases)
