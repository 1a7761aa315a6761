"""Citizens who have written and wait for what comes back."""

import asyncio
from collections.abc import Callable


class Waiting:
    """Whom an answer goes to, by the name that a channel knows citizens by."""

    def __init__(self) -> None:
        self._futures: dict[str, asyncio.Future[str]] = {}

    async def answer(self, who: str, act: Callable[[], None], within_s: float) -> str:
        """Return the first answer to a citizen after ``act``; empty: none came in time."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._futures[who] = future
        try:
            act()
            async with asyncio.timeout(within_s):
                return await future
        except TimeoutError:
            return ""
        finally:
            if self._futures.get(who) is future:
                del self._futures[who]

    def came(self, who: str, words: str) -> None:
        """Give an answer to whoever waits for it."""
        future = self._futures.get(who)
        if future is not None and not future.done():
            future.set_result(words)
