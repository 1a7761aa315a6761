"""A carrier's message centre that speaks SMPP 3.4, and the telephones behind it."""

import time
from collections import defaultdict
from collections.abc import Mapping

from channels.sms.pieces import split_header
from channels.sms.segments import segments
from channels.sms.smpp import UDHI, Frame, ShortMessage, short_message_of
from channels.sms.text import decode
from gateway.bench.centre import Centre
from gateway.demo.reading import sent, waited
from gateway.demo.story import Scene, Sent
from gateway.loopback import HOST

_NUMBER = "106912345"
_REFERENCE = 77


class Sms:
    """Citizens who send text messages."""

    name = "sms"

    def __init__(self) -> None:
        self._centre = Centre(took=self._arrived)
        self._parts: dict[str, dict[int, str]] = defaultdict(dict)
        self._totals: dict[str, int] = {}

    async def start(self) -> Mapping[str, object] | None:
        """Listen, and return the account's section."""
        await self._centre.__aenter__()
        return {
            "kind": "sms",
            "name": "mobile",
            "protocol": "smpp",
            "number": _NUMBER,
            "host": HOST,
            "port": self._centre.port,
            "user": "demo",
            "password": "demo",
        }

    async def meet(self, gateway: str) -> None:
        """Return once the gateway has bound."""
        del gateway
        await self._centre.bound()

    async def play(self, scene: Scene) -> Sent:
        """Deliver a text as a telephone cuts it, and wait for the one that comes back."""
        self._parts.pop(scene.by, None)
        began = time.perf_counter()
        for segment in segments(scene.text, _REFERENCE):
            self._centre.deliver(
                ShortMessage(
                    source=scene.by,
                    source_ton=1,
                    destination=_NUMBER,
                    coding=segment.coding,
                    esm_class=UDHI if segment.udhi else 0,
                    octets=segment.octets,
                )
            )
        await waited(lambda: self._whole(scene.by))
        return sent(scene, began, self.inbox(scene.by))

    async def stop(self) -> None:
        """Listen no more."""
        await self._centre.__aexit__()

    def inbox(self, telephone: str) -> str:
        """Return what a telephone shows of its newest message, as far as it has come."""
        parts = self._parts.get(telephone, {})
        return "".join(parts[place] for place in sorted(parts))

    def _whole(self, telephone: str) -> bool:
        return len(self._parts[telephone]) == self._totals.get(telephone, 1)

    def _arrived(self, came: Frame) -> None:
        """Put a part of a message together with the others, as a telephone does."""
        message = short_message_of(came.body)
        part, octets = None, message.octets
        if message.esm_class & UDHI:
            part, octets = split_header(octets)
        telephone = message.destination
        self._totals[telephone] = part.total if part else 1
        place = part.place if part else 1
        self._parts[telephone][place] = decode(octets, message.coding).text
