"""A recognizer that speaks FunASR's WebSocket protocol, two passes, as a streaming client.

Source: FunASR, runtime/docs/websocket_protocol.md: a first text frame of settings, sound as binary
frames of 16-bit samples, a last text frame that ends the speech; the server answers with the words
of a piece as it goes (``2pass-online``) and corrected once it ends (``2pass-offline``).
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec

from channels.phone.g711 import RATE, alaw_to_pcm
from channels.phone.settings import Recognizer
from channels.phone.speech import Words

log = logging.getLogger(__name__)

_CONNECT_S = 3.0
#: Octets of A-law in one frame: 0.6 s, the chunk of the streaming models.
_FRAME = RATE * 6 // 10
#: How far recognition may fall behind before a call's sound is no longer fed: a minute.
_MOST_BEHIND = 60 * RATE
_MOST_WORDS = 20_000


class Answer(msgspec.Struct):
    """What the server says; what else it tells is passed over."""

    text: str = ""
    mode: str = ""
    is_final: bool = False


_answer = msgspec.json.Decoder(Answer, strict=False)


class FunAsr:
    """A server that may be away: then calls have no words, and nothing else happens."""

    def __init__(self, settings: Recognizer) -> None:
        self._settings = settings

    def listen(self, call: str) -> "Session":
        """Return a session for one call."""
        return Session(self._settings, call)


class Transcript:
    """Words as they grow: pieces that are settled, and the one that is being spoken."""

    def __init__(self) -> None:
        self._settled = ""
        self._growing = ""

    def take(self, answer: Answer) -> str:
        """Return all words, a message of the server later."""
        if answer.mode == "2pass-online":
            self._growing += answer.text
        else:  # offline, or the corrected second pass
            self._settled += answer.text
            self._growing = ""
        return (self._settled + self._growing)[:_MOST_WORDS]


class Session:
    """One call on its way through the recognizer."""

    def __init__(self, settings: Recognizer, call: str) -> None:
        self._settings = settings
        self._call = call
        self._sound: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._behind = 0
        self._ended = False

    def put(self, alaw: bytes) -> None:
        """Take sound; what is too far behind is left out and the recording has it."""
        if self._behind + len(alaw) <= _MOST_BEHIND and not self._ended:
            self._behind += len(alaw)
            self._sound.put_nowait(alaw)

    def end(self) -> None:
        """Take note that no more sound comes."""
        if not self._ended:
            self._ended = True
            self._sound.put_nowait(None)

    async def words(self) -> AsyncIterator[Words]:
        """Yield what is understood; without a final one where the server fails."""
        timeout = aiohttp.ClientTimeout(total=None, connect=_CONNECT_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
                session.ws_connect(
                    self._settings.url, protocols=("binary",), max_msg_size=1 << 20
                ) as socket,
            ):
                feeding = asyncio.create_task(self._feed(socket))
                try:
                    async for words in _understood(socket):
                        yield words
                finally:
                    feeding.cancel()
                    await asyncio.gather(feeding, return_exceptions=True)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.warning("recognizer.failed", extra={"why": type(error).__name__})

    async def _feed(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await socket.send_str(json.dumps(self._first(), ensure_ascii=False))
        held = b""
        while (sound := await self._sound.get()) is not None:
            self._behind -= len(sound)
            held += sound
            if len(held) >= _FRAME:
                await socket.send_bytes(alaw_to_pcm(held))
                held = b""
        if held:
            await socket.send_bytes(alaw_to_pcm(held))
        await socket.send_str(json.dumps({"is_speaking": False}))

    def _first(self) -> dict[str, Any]:
        hot = dict.fromkeys(self._settings.hot_words, 20)
        return {
            "mode": "2pass",
            "wav_name": self._call,
            "is_speaking": True,
            "wav_format": "pcm",
            "audio_fs": RATE,
            "chunk_size": [5, 10, 5],
            "hotwords": json.dumps(hot, ensure_ascii=False) if hot else "",
            "itn": True,
        }


async def _understood(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[Words]:
    transcript = Transcript()
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.TEXT:
            continue
        try:
            answer = _answer.decode(message.data)
        except msgspec.MsgspecError:
            log.warning("recognizer.strange")
            continue
        yield Words(text=transcript.take(answer), final=answer.is_final)
        if answer.is_final:
            return
