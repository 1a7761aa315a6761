"""The two ports of speech: text out of sound, and sound out of text."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from normalizer.schema import Value


class Words(Value, frozen=True, kw_only=True):
    """What a recognizer understood so far."""

    text: str  #: of the whole call
    final: bool = False  #: it will not change any more


class Listening(Protocol):
    """One call that is being listened to."""

    def put(self, alaw: bytes) -> None:
        """Take sound, A-law of 8,000 samples a second; never waits."""
        ...

    def end(self) -> None:
        """Take note that no more sound comes."""
        ...

    def words(self) -> AsyncIterator[Words]:
        """Yield what is understood, again with every change, until it is final or the end.

        Raises nothing: where the recognizer fails, the words end without a final one.
        """
        ...


class SpeechToText(Protocol):
    """A recognizer."""

    def listen(self, call: str) -> Listening:
        """Return a session for one call."""
        ...


class TextToSpeech(Protocol):
    """A voice that renders prompts."""

    @property
    def name(self) -> str:
        """What tells voices apart: prompts of another voice are rendered anew."""
        ...

    async def render(self, text: str, into: Path) -> None:
        """Write ``text`` as a WAV file of linear samples, mono or not, at any rate.

        Raises:
            OSError: The voice is missing or failed.
        """
        ...
