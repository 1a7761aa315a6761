"""What every worker of a telephone line must do, whoever wrote it: run this against yours.

A worker is whatever answers calls and speaks the frames of `channels.phone.link` over the local
socket: ours, or an adapter of a PBX that a city has. The suite stands for the gateway. How a worker
is started and called is told by a `Trial`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from channels.phone.link import (
    Call,
    CallBegan,
    Filed,
    Frames,
    Heard,
    Hello,
    LineState,
    Ping,
    Said,
    Stop,
    encode,
)

_T = TypeVar("_T", bound=Said)
_PATIENCE_S = 20.0


class Trial(Protocol):
    """A worker under test."""

    def running(self, socket: Path, spool: Path) -> AbstractAsyncContextManager[Callable[[], bool]]:
        """Run it in the block: it connects to ``socket`` and keeps its calls in ``spool``.

        Gives what tells whether it still runs.
        """
        ...

    async def call(self, sound: bytes) -> None:
        """Call the line, say this (A-law), and hang up."""
        ...


class Office:
    """The gateway's end of the socket."""

    def __init__(self) -> None:
        self.said: list[Said] = []  #: by the worker, on all connections
        self.connections = 0
        self._writer: asyncio.StreamWriter | None = None
        self._news = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        self.connections += 1
        self._writer, frames = writer, Frames()
        while octets := await reader.read(1 << 16):
            async with self._news:
                self.said += frames.feed(octets)
                self._news.notify_all()

    def tell(self, message: Said) -> None:
        """Say something to the worker."""
        if self._writer is None:
            raise RuntimeError("the worker is not connected")
        self._writer.write(encode(message))

    def drop(self) -> None:
        """Close the connection, as a gateway that dies does."""
        if self._writer is not None:
            self._writer.close()

    def all(self, kind: type[_T]) -> list[_T]:
        """Return everything of a kind that was said."""
        return [message for message in self.said if isinstance(message, kind)]

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Return once it holds. Raises `AssertionError`."""
        try:
            async with asyncio.timeout(_PATIENCE_S), self._news:
                await self._news.wait_for(holds)
        except TimeoutError:
            kinds = [type(message).__name__ for message in self.said]
            raise AssertionError(f"not within {_PATIENCE_S} s: {what}; it said {kinds}") from None


@asynccontextmanager
async def _listening(socket: Path) -> AsyncIterator[Office]:
    office = Office()
    server = await asyncio.start_unix_server(office.serve, socket)
    async with server:
        yield office
        office.drop()


def _must(holds: object, what: str) -> None:
    if not holds:
        raise AssertionError(what)


async def says_who_it_is(trial: Trial, folder: Path) -> None:
    """The first word of a connection is Hello; the line's state follows, and comes when asked."""
    async with _listening(folder / "s") as office, trial.running(folder / "s", folder / "calls"):
        await office.until(lambda: len(office.said) > 1, "two words")
        _must(isinstance(office.said[0], Hello), "the first word is Hello")
        await office.until(lambda: any(s.up for s in office.all(LineState)), "a line that is up")
        known = len(office.all(LineState))
        office.tell(Ping())
        await office.until(lambda: len(office.all(LineState)) > known, "an answer to Ping")


async def tells_of_a_call_as_it_goes(trial: Trial, folder: Path) -> None:
    """Its beginning, its sound while it lasts, its end; the recording is in the spool by then."""
    sound, spool = bytes(n % 31 for n in range(16_000)), folder / "calls"
    async with _listening(folder / "s") as office, trial.running(folder / "s", spool):
        await office.until(lambda: any(s.up for s in office.all(LineState)), "a line that is up")
        await trial.call(sound)
        await office.until(lambda: bool(office.all(Call)), "the call")
        (began,), call = office.all(CallBegan), office.all(Call)[0]
        _must(began.id == call.id, "the call keeps its name")
        _must(office.said.index(began) < office.said.index(call), "it begins before it ends")
        _must(call.call_id and call.answered_at and call.how, "Call-ID, time and end are told")
        _must(call.octets == len(sound), "the recording has as many samples as were said")
        recorded = (spool / f"{call.id}.alaw").read_bytes()
        _must(recorded == sound, "the recording is what was said")
        heard = b"".join(h.sound for h in office.all(Heard) if h.id == call.id)
        _must(heard == sound, "what was said is told while it is said, whole and once")


async def offers_a_call_until_it_is_taken(trial: Trial, folder: Path) -> None:
    """A gateway that dies is offered the same call again; one that took it, never more."""
    spool = folder / "calls"
    async with _listening(folder / "s") as office, trial.running(folder / "s", spool):
        await office.until(lambda: any(s.up for s in office.all(LineState)), "a line that is up")
        await trial.call(bytes(8_000))
        await office.until(lambda: bool(office.all(Call)), "the call")
        office.drop()
        await office.until(lambda: len(office.all(Call)) > 1, "the call again")
        names = {call.id for call in office.all(Call)}
        _must(len(names) == 1, "it has the same name")
        office.tell(Filed(id=names.pop(), number="20261122-000001-7"))
        await _gone(spool)
        known, connections = len(office.all(Call)), office.connections
        office.drop()
        await office.until(lambda: office.connections > connections, "another connection")
        await office.until(lambda: len(office.all(Hello)) > connections, "Hello again")
        office.tell(Ping())
        states = len(office.all(LineState))
        await office.until(lambda: len(office.all(LineState)) > states, "an answer to Ping")
        _must(len(office.all(Call)) == known, "a call that was taken is not offered any more")


def _sounds(spool: Path) -> list[str]:
    """Return the names of the recordings that are there."""
    return [path.name for path in spool.glob("*.alaw")]


async def _gone(spool: Path) -> None:
    """Return once nothing is left of any call. Raises `AssertionError`."""
    deadline = asyncio.get_running_loop().time() + _PATIENCE_S
    while left := _sounds(spool):
        _must(asyncio.get_running_loop().time() < deadline, f"forgotten once taken: {left}")
        await asyncio.sleep(0.05)


async def needs_no_gateway_to_answer(trial: Trial, folder: Path) -> None:
    """With nobody at the socket a call is answered and recorded, and handed over once later."""
    sound = bytes(n % 29 for n in range(8_000))
    async with trial.running(folder / "s", folder / "calls"):
        await trial.call(sound)
        async with _listening(folder / "s") as office:
            await office.until(lambda: bool(office.all(Call)), "the call")
            call = office.all(Call)[0]
            _must(call.octets == len(sound), "it was recorded whole")
            office.tell(Filed(id=call.id))
            await _gone(folder / "calls")


async def ends_when_it_is_told_to(trial: Trial, folder: Path) -> None:
    """Stop ends it; what was not taken stays on the disk."""
    spool = folder / "calls"
    async with (
        _listening(folder / "s") as office,
        trial.running(folder / "s", spool) as runs,
    ):
        await office.until(lambda: any(s.up for s in office.all(LineState)), "a line that is up")
        await trial.call(bytes(4_000))
        await office.until(lambda: bool(office.all(Call)), "the call")
        office.tell(Stop())
        deadline = asyncio.get_running_loop().time() + _PATIENCE_S
        while runs():
            _must(asyncio.get_running_loop().time() < deadline, "it ends")
            await asyncio.sleep(0.05)
        _must(_sounds(spool), "what was not taken is kept")


#: Each is called with a trial and an empty folder; it raises `AssertionError` where a worker fails.
CHECKS: tuple[Callable[[Trial, Path], Awaitable[None]], ...] = (
    says_who_it_is,
    tells_of_a_call_as_it_goes,
    offers_a_call_until_it_is_taken,
    needs_no_gateway_to_answer,
    ends_when_it_is_told_to,
)
