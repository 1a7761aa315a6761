"""Citizens at the HTTP side: an app that sends JSON, and a form with a photograph."""

import secrets
import time
from collections.abc import Mapping

import aiohttp

from gateway.demo.photo import PHOTO
from gateway.demo.reading import sent
from gateway.demo.story import Scene, Sent


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
        key = {"Idempotency-Key": secrets.token_hex(16)}
        return await self._sent(scene, json={"text": scene.text, **scene.more}, headers=key)

    async def stop(self) -> None:
        """Let go of nothing."""

    async def _sent(self, scene: Scene, **request: object) -> Sent:
        url = f"{self._gateway}/api/v1/requests"
        async with aiohttp.ClientSession() as session:
            began = time.perf_counter()
            async with session.post(url, **request) as answer:  # type: ignore[arg-type]  # aiohttp's own keywords
                document = await answer.json(content_type=None)
        if answer.status != 201:
            return sent(scene, began, f"HTTP {answer.status}")
        return sent(scene, began, document["message"], document["number"])


class Form(Web):
    """Citizens who fill in the form, some with a photograph."""

    name = "form"

    async def start(self) -> Mapping[str, object] | None:
        """Return nothing: the form is a part of the citizens' side."""
        return None

    async def play(self, scene: Scene) -> Sent:
        """Send as a browser does."""
        form = aiohttp.FormData()
        for name, value in {"text": scene.text, **scene.more}.items():
            form.add_field(name, value)
        if scene.photo:
            form.add_field("files", PHOTO, filename=scene.photo, content_type="image/jpeg")
        return await self._sent(scene, data=form)
