"""A carrier's message centre that speaks SMPP 3.4, and the telephones behind it."""

import time
from collections.abc import Mapping

from gateway.demo.reading import sent
from gateway.demo.story import PATIENCE_S, Scene, Sent
from gateway.loopback import HOST
from gateway.peers.telephones import Telephones

_NUMBER = "106912345"


class Sms:
    """Citizens who send text messages."""

    name = "sms"

    def __init__(self) -> None:
        self._telephones = Telephones(_NUMBER)

    async def start(self) -> Mapping[str, object] | None:
        """Listen, and return the account's section."""
        await self._telephones.centre.__aenter__()
        return {
            "kind": "sms",
            "name": "mobile",
            "protocol": "smpp",
            "number": _NUMBER,
            "host": HOST,
            "port": self._telephones.centre.port,
            "user": "demo",
            "password": "demo",
        }

    async def meet(self, gateway: str) -> None:
        """Return once the gateway has bound."""
        del gateway
        await self._telephones.centre.bound()

    async def play(self, scene: Scene) -> Sent:
        """Deliver a text as a telephone cuts it, and wait for the one that comes back."""
        began = time.perf_counter()
        answer = await self._telephones.exchange(scene.by, scene.text, PATIENCE_S)
        return sent(scene, began, answer)

    async def stop(self) -> None:
        """Listen no more."""
        await self._telephones.centre.__aexit__()

    def inbox(self, telephone: str) -> str:
        """Return what a telephone shows of its newest message."""
        return self._telephones.inbox(telephone)
