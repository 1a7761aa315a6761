"""Telephones behind a message centre that speaks SMPP 3.4."""

from collections import defaultdict

from channels.sms.pieces import split_header
from channels.sms.segments import segments
from channels.sms.smpp import UDHI, Frame, ShortMessage, short_message_of
from channels.sms.text import decode
from gateway.loopback import HOST
from gateway.peers.centre import Centre
from gateway.peers.waiting import Waiting

#: References of long messages, which a telephone counts up: one octet.
_REFERENCES = 256


class Telephones:
    """Citizens who send text messages to one number and read what comes back.

    Args:
        number: Of the hotline.
        host: Where the centre listens.
        port: Likewise; 0: any that is free.
    """

    def __init__(self, number: str, host: str = HOST, port: int = 0) -> None:
        self.centre = Centre(took=self._arrived, host=host, port=port)
        self._number = number
        self._parts: dict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        self._newest: dict[str, str] = {}
        self._waiting = Waiting()
        self._reference = 0

    async def exchange(self, telephone: str, text: str, within_s: float) -> str:
        """Send a text as a telephone cuts it; return the next one that comes back, or empty."""
        return await self._waiting.answer(telephone, lambda: self._send(telephone, text), within_s)

    def inbox(self, telephone: str) -> str:
        """Return the newest text that a telephone has whole; empty: none."""
        return self._newest.get(telephone, "")

    def _send(self, telephone: str, text: str) -> None:
        self._reference = (self._reference + 1) % _REFERENCES
        for segment in segments(text, self._reference):
            self.centre.deliver(
                ShortMessage(
                    source=telephone,
                    source_ton=1,
                    destination=self._number,
                    coding=segment.coding,
                    esm_class=UDHI if segment.udhi else 0,
                    octets=segment.octets,
                )
            )

    def _arrived(self, came: Frame) -> None:
        """Put a part of a message together with the others, as a telephone does."""
        message = short_message_of(came.body)
        part, octets = None, message.octets
        if message.esm_class & UDHI:
            part, octets = split_header(octets)
        telephone, words = message.destination, decode(octets, message.coding).text
        if part is not None:
            parts = self._parts[telephone, part.reference]
            parts[part.place] = words
            if len(parts) < part.total:
                return
            words = "".join(parts[place] for place in sorted(parts))
            del self._parts[telephone, part.reference]
        self._newest[telephone] = words
        self._waiting.came(telephone, words)
