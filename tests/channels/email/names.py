"""A name server on the loopback interface, for tests of SPF, DKIM and DMARC."""

import asyncio
from typing import Self

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from dns.rdatatype import RdataType


class Names(asyncio.DatagramProtocol):
    """Answers from a table; a name that is not in it does not exist.

    Args:
        table: Records by name and kind, as a zone file has them.
    """

    def __init__(self, table: dict[tuple[str, str], list[str]]) -> None:
        self.table = table
        self.silent = False
        self.asked: list[str] = []
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> Self:
        """Listen."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        self.port = int(transport.get_extra_info("sockname")[1])
        return self

    def stop(self) -> None:
        """Listen no more."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        if self.silent or self._transport is None:
            return
        question = dns.message.from_wire(data)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.AA | dns.flags.RA
        asked = question.question[0]
        name, kind = (
            asked.name.to_text(omit_final_dot=True).lower(),
            RdataType.to_text(asked.rdtype),
        )
        self.asked.append(name)
        found = self.table.get((name, kind))
        if found is not None:
            answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *found))
        elif not any(each == name for each, _ in self.table):
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)


def text(content: str) -> list[str]:
    """Return a text record, cut into strings of 255 octets as DNS wants them."""
    pieces = [content[at : at + 255] for at in range(0, len(content), 255)]
    return [" ".join(f'"{piece}"' for piece in pieces)]
