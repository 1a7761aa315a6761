"""What a citizen makes of an answer."""

import asyncio
import re
import time
from collections.abc import Callable

from gateway.demo.story import PATIENCE_S, Scene, Sent

_NUMBER = re.compile(r"\b\d{8}-\d{6,}-\d\b", re.ASCII)
_CODE = re.compile(r"查询码 ([0-9A-Z]{6,})", re.ASCII)
_LOOK_S = 0.002


def number_in(text: str) -> str:
    """Return the first ticket number in a text, empty where there is none."""
    found = _NUMBER.search(text)
    return found.group() if found else ""


def code_in(text: str) -> str:
    """Return the query code that an answer gives, empty where it gives none."""
    found = _CODE.search(text)
    return found.group(1) if found else ""


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
