"""Citizens at the HTTP side: an app that sends JSON, and a form with a photograph."""

import secrets
import time
from collections.abc import Mapping

import aiohttp

from gateway.demo.reading import sent
from gateway.demo.story import Scene, Sent
from gateway.peers.portal import Told, by_form, by_json


class Web:
    """Citizens whose app sends JSON."""

    name = "web"

    def __init__(self) -> None:
        self._gateway = ""

    async def start(self) -> Mapping[str, object] | None:
        """Return the section of the citizens' side."""
        return {"kind": "web", "name": "portal"}

    async def meet(self, gateway: str) -> None:
        """Take the address."""
        self._gateway = gateway

    async def play(self, scene: Scene) -> Sent:
        """Send, under a key by which a repeat would be known."""
        fields, key = {"text": scene.text, **scene.more}, secrets.token_hex(16)
        began = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            return seen(scene, began, await by_json(session, self._gateway, fields, key))

    async def stop(self) -> None:
        """Let go of nothing."""


class Form(Web):
    """Citizens who fill in the form, some with a photograph."""

    name = "form"

    async def start(self) -> Mapping[str, object] | None:
        """Return nothing: the form is a part of the citizens' side."""
        return None

    async def play(self, scene: Scene) -> Sent:
        """Send as a browser does."""
        fields = {"text": scene.text, **scene.more}
        began = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            told = await by_form(session, self._gateway, fields, photo=scene.photo)
        return seen(scene, began, told)


def seen(scene: Scene, began: float, told: Told) -> Sent:
    """Return a scene whose citizen has this answer now."""
    if not told.number:
        return sent(scene, began, f"HTTP {told.status}")
    return sent(scene, began, told.words, told.number)
