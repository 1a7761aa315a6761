"""A partner platform that signs what its users wrote (Standard Webhooks)."""

import json
import secrets
import time
from collections.abc import Mapping

import aiohttp

from channels.webhook.codec import key_of, signed_headers
from gateway.clock import SystemClock
from gateway.demo.peers import new_secret
from gateway.demo.reading import sent
from gateway.demo.story import Scene, Sent


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
        body = json.dumps(message).encode()
        headers = signed_headers((key_of(self._secret),), id_, SystemClock().now(), body)
        headers["Content-Type"] = "application/json"
        url = f"{self._gateway}/channels/webhook/partner"
        async with aiohttp.ClientSession() as session:
            began = time.perf_counter()
            async with session.post(url, data=body, headers=headers) as answer:
                document = await answer.json(content_type=None)
        if answer.status != 202:
            return sent(scene, began, f"HTTP {answer.status}")
        return sent(scene, began, document["message"], document["number"])

    async def stop(self) -> None:
        """Let go of nothing."""
