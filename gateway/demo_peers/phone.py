"""The demonstration's telephone call: a citizen calls, says something, and hears their number begin."""

import asyncio
import shutil
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from channels.phone.simulator.telephone import Refused, Telephone, free_ports, murmur
from gateway.demo import LoopbackOffice, Sent
from normalizer.schema import Value

#: Ports of the demonstration's line: one for SIP, and two for each of two calls.
_PORTS = 6
_CALLER = "13900001234"
#: How long the line may take to come up, and the number to be spoken.
_UP_S, _NUMBER_S = 20.0, 6.0
#: How long its ticket is waited for.
_FILED_S = 15.0


class Called(Value, frozen=True, kw_only=True):
    """A call that was placed."""

    call_id: str  #: `channel.message_id` of its ticket
    caller: str
    text: str  #: what the table shows of it
    said_at: float  #: monotonic seconds at which all was said
    heard_s: float  #: seconds of sound that came from the line


def available() -> bool:
    """Return whether the telephone's extra is installed."""
    return find_spec("pyVoIP") is not None


def section(folder: Path) -> dict[str, Any]:
    """Return a channel's section: a line on free ports, whose files are in ``folder``."""
    first = free_ports(_PORTS)
    return {
        "kind": "phone",
        "name": "trunk",
        "server": "127.0.0.1",
        "user": "12345",
        "registration": False,
        "local_port": first,
        "rtp_ports": [first + 2, first + _PORTS - 1],
        "folder": str(folder / "phone"),
        "alone": "10s",
    }


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


async def called(port: int, office: LoopbackOffice) -> Sent:
    """Return what a call became, for the demonstration's table."""
    began = time.perf_counter()
    try:
        call = await place_call(port)
    except Refused as refused:
        return Sent("phone", "（来电）", refused.status, {}, began, time.perf_counter())
    ticket = await _ticket_of(call, office)
    status = 201 if ticket else 404
    # It is told its number in the call: from the last word to the last arrival is what it took.
    return Sent("phone", call.text, status, ticket, call.said_at, call.said_at)


async def _ticket_of(call: Called, office: LoopbackOffice) -> dict[str, Any]:
    """Return the ticket that the back office got of a call; empty: it got none in time."""
    deadline = time.perf_counter() + _FILED_S
    while time.perf_counter() < deadline:
        for arrival in office.arrivals:
            ticket: dict[str, Any] = arrival.event["data"].get("ticket", {})
            if ticket.get("channel", {}).get("message_id") == call.call_id:
                return ticket
        await asyncio.sleep(0.05)
    return {}


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
            text="（来电：按1，说出诉求，按#键，听到工单编号）",
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
