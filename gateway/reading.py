"""Reading what arrives: normalized, judged and routed, here or in a process of its own.

Reading is most of the work that a message makes, and it is pure: whatever goes wrong in the other
process, the message is read here instead.
"""

import asyncio
import logging
import os
import pickle
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from config.load import Loaded
from gateway.child import Child, ChildFailed
from gateway.compose import Composed, Rules, compose_all, message_id
from gateway.ids import new_id
from gateway.letters import sounds_urgent
from gateway.line import Line
from gateway.rounds import MOST_IN_ROUND, Rounds
from normalizer.errors import StoreError
from normalizer.schema import Inbound

log = logging.getLogger(__name__)

#: Messages before which an urgent one steps; a quick look at each message costs, too.
FEW = 3
#: How long after a failure a new process is tried.
PAUSE_S = 5.0
#: How long a batch may take; thirty-two short messages of the worst kind take a second and a half.
HANGS_S = 2.5

_encode = msgspec.msgpack.Encoder().encode
#: As JSON: MessagePack would bring instants back in UTC, and a ticket keeps its city's zone.
_decode = msgspec.json.Decoder(tuple[list[Composed | None], dict[int, str]]).decode


class Reader(Protocol):
    """Reads short messages."""

    def open(self) -> None:
        """Make ready, beside whatever else is going on."""
        ...

    async def read(self, inbound: Inbound) -> Composed:
        """Return the ticket that a message becomes; one that sounds urgent waits for no others."""
        ...

    def renew(self, loaded: Loaded) -> None:
        """Read by the rules of this configuration, which are in force now."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...


class Here:
    """Reads on the loop, a few messages a round."""

    def __init__(self, rules: Callable[[], Rules]) -> None:
        self._rules = rules
        self._rounds: Rounds[Inbound, Composed] = Rounds(self._read_all)

    def open(self) -> None:
        """Do nothing."""

    def _read_all(self, inbounds: Sequence[Inbound]) -> list[Composed]:
        return compose_all(inbounds, self._rules(), new_id)

    async def read(self, inbound: Inbound) -> Composed:
        """Return the ticket that a message becomes; one that sounds urgent waits for no others."""
        if self._rounds.waiting >= FEW and self.urgent(inbound):
            return self.now(inbound)
        return await self._rounds.ask(inbound)

    def urgent(self, inbound: Inbound) -> bool:
        """Return whether a message sounds urgent at a quick look."""
        words = f"{inbound.title}\n{inbound.text}" if inbound.title else inbound.text
        return sounds_urgent(words, self._rules().rulebook)

    def now(self, inbound: Inbound) -> Composed:
        """Return the ticket that a message becomes, before anything else is done."""
        return compose_all((inbound,), self._rules(), new_id)[0]

    def renew(self, loaded: Loaded) -> None:
        """Do nothing: the rules in force are asked for."""

    async def close(self) -> None:
        """Do nothing."""


class Elsewhere(Child):
    """Reads in a child process; here what sounds urgent, and while there is no child.

    Args:
        rules: The rules in force.
        loaded: The configuration that they are of.
        hangs_s: Seconds after which a child that does not answer is replaced.
    """

    depth = 2  #: one to read while the answers of the other are on their way
    express = False

    def __init__(
        self, rules: Callable[[], Rules], loaded: Loaded, hangs_s: float = HANGS_S
    ) -> None:
        super().__init__()
        self._rules = rules
        self._hangs_s = hangs_s
        self._sent = self._done = 0  #: batches
        self._loaded = loaded
        self._here = Here(rules)
        self._line = Line(most=2 * MOST_IN_ROUND)
        self._line.start(self)
        self._starting: asyncio.Task[None] | None = None
        self.there = asyncio.Event()  #: set while a child reads
        self._closed = False

    def open(self) -> None:
        """Start the first child."""
        self.renew(self._loaded)

    async def read(self, inbound: Inbound) -> Composed:
        """Return the ticket that a message becomes; one that sounds urgent waits for no others."""
        if not self._live:
            return await self._here.read(inbound)
        if self._here.urgent(inbound):
            return self._here.now(inbound)
        try:
            # The raw form stays here: of it a reader needs the digest alone, and that by name.
            asked = msgspec.structs.replace(inbound, message_id=message_id(inbound), raw=b"")
            composed: Composed = await self._line.ask(msgspec.Raw(_encode(asked)))
        except (UnicodeEncodeError, TypeError, ValueError, OverflowError):
            return await self._here.read(inbound)
        except StoreError:
            # Beside the loop: it may be the very message that the child could not get over with.
            return await self._loop.run_in_executor(None, self._here.now, inbound)
        return composed

    def renew(self, loaded: Loaded) -> None:
        """Have a child read by this configuration; until it is there messages are read here."""
        self._live = False
        self.there.clear()
        self._loaded = loaded
        if self._starting is None and not self._closed:
            self._starting = self._loop.create_task(self._start())

    async def _start(self) -> None:
        try:
            while not self._live and not self._closed:
                loaded = self._loaded
                self._line.failed("the reader is replaced")
                self._done = self._sent
                await self._reap()
                first = pickle.dumps((loaded, self._rules().rulebook.version))
                try:
                    await self._spawn("gateway.reading_child", [str(os.getpid())], first=first)
                except ChildFailed as error:
                    log.warning("reader.failed", extra={"why": str(error)})
                    await asyncio.sleep(PAUSE_S)
                self._live &= loaded is self._loaded  # else other rules have come into force
            if self._live:
                self.there.set()
        finally:
            self._starting = None

    def send(self, items: list[Any]) -> bool:
        """Begin a batch; refuse it where there is no child."""
        if not self._live or not self._send_frame(_encode(items)):
            return False
        self._sent += 1
        self._loop.call_later(self._hangs_s, self._check, self._sent)
        return True

    def _check(self, sent: int) -> None:
        """Replace a child that has not answered a batch by now."""
        if self._live and self._done < sent and self._child is not None:
            log.error("reader.hangs")
            self._child.kill()

    def _answered(self, frame: bytes) -> None:
        if self._live:
            self._done += 1
            self._line.answered(_decode(frame))

    def _died(self) -> None:
        log.error("reader.died")
        self._line.failed("the reader died")
        self.renew(self._loaded)

    async def close(self) -> None:
        """End the child; messages are read here from now on."""
        self._closed = True
        self._live = False
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        self._line.failed("the gateway stops")
        await self._reap()

    async def stop(self) -> None:
        """Do nothing: `close` ends the child."""


def reader_of(rules: Callable[[], Rules], loaded: Loaded) -> Reader:
    """Return the reader that a configuration wants."""
    return Elsewhere(rules, loaded) if loaded.settings.reading.process else Here(rules)
