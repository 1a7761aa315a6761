"""A citizen's telephone: calls over SIP, says something, and hears the ticket's number begin."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from channels.phone.simulator.telephone import Refused, Telephone, free_ports, murmur
from gateway.demo.peers import LoopbackOffice
from gateway.demo.reading import sent, waited
from gateway.demo.story import Lacking, Scene, Sent
from normalizer.schema import Value

#: Ports of the demonstration's line: one for SIP, and two for each of two calls.
_PORTS = 6
_CALLER = "13900001234"
#: How long the line may take to come up, and the number to be spoken.
_UP_S, _NUMBER_S = 20.0, 6.0


class Called(Value, frozen=True, kw_only=True):
    """A call that was placed."""

    call_id: str  #: `channel.message_id` of its ticket
    caller: str
    said_at: float  #: monotonic seconds at which all was said
    heard_s: float  #: seconds of sound that came from the line


class Phone:
    """A citizen who calls.

    Args:
        office: Where the call's ticket arrives: the number is spoken to the caller, not written.
    """

    name = "phone"

    def __init__(self, office: LoopbackOffice) -> None:
        self._office = office
        self._folder = Path(tempfile.gettempdir())
        self._port = 0

    async def start(self) -> Mapping[str, object] | None:
        """Return the section of a line on free ports; it is the gateway that answers calls."""
        if find_spec("pyVoIP") is None:
            raise Lacking("its worker is not installed: pip install '.[phone]'")
        self._folder = Path(tempfile.mkdtemp(prefix="gateway-demo-phone-"))
        self._port = first = free_ports(_PORTS)
        return {
            "kind": "phone",
            "name": "trunk",
            "server": "127.0.0.1",
            "user": "12345",
            "registration": False,
            "local_port": first,
            "rtp_ports": [first + 2, first + _PORTS - 1],
            "folder": str(self._folder),
            "alone": "10s",
        }

    async def meet(self, gateway: str) -> None:
        """Return: whoever calls tries until the line is up."""

    async def play(self, scene: Scene) -> Sent:
        """Call, and return once the ticket is known whose number was spoken."""
        began = time.perf_counter()
        try:
            call = await place_call(self._port)
        except Refused as refused:
            return sent(scene, began, f"SIP {refused.status}")
        await waited(lambda: bool(self._number_of(call)))
        number = self._number_of(call)
        heard = f"（语音播报 {call.heard_s:.1f} 秒）工单编号 {number}"
        # It is told its number in the call: what it took counts from the last word.
        return sent(scene, call.said_at, heard if number else "", number)

    async def stop(self) -> None:
        """Leave nothing behind."""
        if self._port:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    def _number_of(self, call: Called) -> str:
        for arrival in self._office.arrivals:
            ticket: dict[str, Any] = arrival.event["data"].get("ticket", {})
            if ticket.get("channel", {}).get("message_id") == call.call_id:
                return str(ticket["number"])
        return ""


async def place_call(port: int) -> Called:
    """Call the line at ``port`` of this machine; return when the call has ended.

    Raises:
        Refused: The line did not answer.
    """
    deadline = time.perf_counter() + _UP_S
    while True:
        try:
            return await _call(port)
        except Refused as refused:  # it has just been started
            if time.perf_counter() > deadline:
                raise
            await asyncio.sleep(0.2 if refused.status == 503 else 0.0)


async def _call(port: int) -> Called:
    async with Telephone(("127.0.0.1", port), _CALLER) as telephone:
        await telephone.call()
        telephone.press("1")  # past the greeting
        await telephone.speak(murmur(1.5))
        telephone.press("#")
        said_at, heard = time.perf_counter(), len(telephone.heard)
        if shutil.which("espeak-ng"):  # the number is spoken: hear it begin
            await _more(telephone, heard + 8000)
        await telephone.hang_up()
        return Called(
            call_id=telephone.call_id,
            caller=_CALLER,
            said_at=said_at,
            heard_s=len(telephone.heard) / 8000,
        )


async def _more(telephone: Telephone, octets: int) -> None:
    """Return once so much was heard, or the line has hung up."""
    deadline = time.perf_counter() + _NUMBER_S
    while len(telephone.heard) < octets and not telephone.over.is_set():
        if time.perf_counter() > deadline:
            return
        await asyncio.sleep(0.05)
