"""What is understood of one call, while it goes on and after."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from channels.phone.link import Call, CallBegan
from channels.phone.speech import Listening


class Hearing:
    """One call's words.

    Args:
        session: The recognizer's.
        began: What is known of the call; None of one that is over.
    """

    def __init__(self, session: Listening, began: CallBegan | None) -> None:
        self._session = session
        self._began = began
        self._over = asyncio.Event()
        self._final = False
        self.text = ""
        self.alarmed = False
        self.task: asyncio.Task[None] | None = None  #: that follows it

    def put(self, sound: bytes) -> None:
        """Take sound."""
        self._session.put(sound)

    def close(self) -> None:
        """Take note that nothing more is wanted: a server that goes on is left."""
        self._session.end()
        if self.task is not None:
            self.task.cancel()

    async def changes(self) -> AsyncIterator[str]:
        """Yield all words again with every change."""
        try:
            async for words in self._session.words():
                self._final = words.final
                if words.text != self.text:
                    self.text = words.text
                    yield self.text
        finally:
            self._over.set()

    async def follow(self) -> None:
        """Take words until there are no more."""
        async for _ in self.changes():
            pass

    async def finished(self, within_s: float) -> bool:
        """Return whether the words are final, once the sound has ended; waits for them."""
        self._session.end()
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._over.wait()
        return self._final

    def call(self) -> Call:
        """Return what is known of a call that goes on."""
        if self._began is None:
            raise ValueError("a call that is over")
        began = self._began
        return Call(
            id=began.id,
            call_id=began.call_id,
            from_tag=began.from_tag,
            caller=began.caller,
            called=began.called,
            number=began.number,
            answered_at=began.at,
            spoke=True,
        )
