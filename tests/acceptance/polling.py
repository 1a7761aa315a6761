"""Waiting for what a process of its own does: bounded, and quick to see it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

_STEP_S = 0.02


async def eventually(
    ask: Callable[[], Awaitable[T | None]], what: str, within_s: float = 15.0
) -> T:
    """Return the first answer of ``ask`` that is true.

    Raises:
        AssertionError: it was not within the time; ``what`` says what was awaited.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                if found := await ask():
                    return found
                await asyncio.sleep(_STEP_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s} s: {what}") from None
