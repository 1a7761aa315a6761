"""Messages on a stream, each beginning with its own length, and their fields, as SMPP and CMPP have them."""

from collections.abc import Iterator

from normalizer.errors import Malformed


class Stream:
    """Cuts a stream into messages, head included.

    Args:
        field: The name of the length in the protocol, for errors.
        least: Octets of a head, the shortest message.
        most: Octets of the longest message that can be.
    """

    def __init__(self, field: str, least: int, most: int) -> None:
        self._field = field
        self._least = least
        self._most = most
        self._held = bytearray()

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Yield every message that is whole now.

        Raises:
            Malformed: A length that cannot be; nothing behind it can be found any more.
        """
        self._held += octets
        at = 0
        try:
            while len(self._held) - at >= 4:
                length = int.from_bytes(self._held[at : at + 4], "big")
                if not self._least <= length <= self._most:
                    can_be = f"{self._least} to {self._most} can be"
                    raise Malformed(self._field, f"{length} octets; {can_be}")
                if len(self._held) - at < length:
                    return
                at += length
                yield bytes(self._held[at - length : at])
        finally:
            del self._held[:at]  # once: each time would move all that is behind


class Reader:
    """Reads a body field by field, from its beginning."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def octets(self, name: str, size: int) -> bytes:
        """Return so many octets. Raises `Malformed`."""
        found = self._body[self._at : self._at + size]
        if len(found) < size:
            raise Malformed(name, "the message ends before it")
        self._at += size
        return found
