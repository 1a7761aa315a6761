"""Turns at the loop: a few short messages are read in each round, so that none waits for all.

Reading a message takes a fraction of a millisecond; sixty that arrive together take many. Between
two turns the loop looks at its sockets again, and an emergency that has just arrived needs no turn.
"""

import asyncio
from collections import deque

#: Messages read in one round of the loop.
IN_A_ROUND = 4


class Turns:
    """Gives out turns in order of asking. Used on one event loop.

    Args:
        in_a_round: Turns given in one round of the loop.
    """

    def __init__(self, in_a_round: int = IN_A_ROUND) -> None:
        self._in_a_round = in_a_round
        self._left = in_a_round
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._counting = False  #: the end of this round will be noticed

    def take(self) -> bool:
        """Return whether a turn of this round was left, and take it."""
        if not self._left:
            return False
        self._left -= 1
        self._count()
        return True

    async def wait(self) -> None:
        """Return when it is this asker's turn."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._count()
        await future

    def _count(self) -> None:
        if not self._counting:
            self._counting = True
            asyncio.get_running_loop().call_soon(self._next_round)

    def _next_round(self) -> None:
        self._counting = False
        self._left = self._in_a_round
        while self._left and self._waiting:
            future = self._waiting.popleft()
            if not future.done():  # else its asker was cancelled
                future.set_result(None)
                self._left -= 1
        if self._waiting or self._left < self._in_a_round:
            self._count()
