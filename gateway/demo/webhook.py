"""A partner platform that signs what its users wrote (Standard Webhooks)."""

import secrets
import time
from collections.abc import Mapping

import aiohttp

from gateway.clock import SystemClock
from gateway.demo.peers import new_secret
from gateway.demo.story import Scene, Sent
from gateway.demo.web import seen
from gateway.peers.portal import by_push


class Partner:
    """Users of a partner platform."""

    name = "webhook"

    def __init__(self) -> None:
        self._secret = new_secret()
        self._gateway = ""

    async def start(self) -> Mapping[str, object] | None:
        """Return the partner's section."""
        return {"kind": "webhook", "name": "partner", "secret": self._secret}

    async def meet(self, gateway: str) -> None:
        """Take the address."""
        self._gateway = gateway

    async def play(self, scene: Scene) -> Sent:
        """Push one message, signed."""
        id_ = secrets.token_hex(12)
        message = {"id": id_, "from": f"u-{id_[:8]}", "text": scene.text, **scene.more}
        url = f"{self._gateway}/channels/webhook/partner"
        began = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            told = await by_push(session, url, self._secret, message, SystemClock().now())
        return seen(scene, began, told)

    async def stop(self) -> None:
        """Let go of nothing."""
