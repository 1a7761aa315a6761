"""What a citizen makes of an answer."""

import asyncio
import time
from collections.abc import Callable

from gateway.demo.story import PATIENCE_S, Scene, Sent
from gateway.peers.answers import number_in

_LOOK_S = 0.002


def sent(scene: Scene, began: float, answer: str, number: str = "") -> Sent:
    """Return a scene whose citizen has an answer now."""
    return Sent(scene, number or number_in(answer), answer, began, time.perf_counter())


async def waited(holds: Callable[[], bool], within_s: float = PATIENCE_S) -> bool:
    """Return whether something has come true in this time."""
    until = time.perf_counter() + within_s
    while not holds():
        if time.perf_counter() > until:
            return False
        await asyncio.sleep(_LOOK_S)
    return True
