"""From pieces off the air to accepted messages, whatever the protocol.

`Inbox.take` returns once a piece may be answered: a message of one piece is a ticket then, a part
of a longer one is on the disk, and the part that makes it whole has made the ticket.

A message of one piece is forced to the disk once, by the store. What the journal should know of it
may be lost in a crash; the store is asked then.
"""

import asyncio
import contextlib
import hashlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from channels.base import Accept, Receipt
from channels.sms.acts import Act, Acts, Group, slot_of
from channels.sms.flood import Flood
from channels.sms.journal import Journal, Line
from channels.sms.pieces import Piece
from channels.sms.spans import Spans
from channels.sms.text import Alphabet, decode
from normalizer.errors import Conflict, GatewayError, StoreError
from normalizer.phone import to_e164
from normalizer.schema import Inbound, Requester, Value

log = logging.getLogger(__name__)

#: How often unfinished messages are looked through, and how often acts that are over.
_SWEEP_S, _FORGET_S = 1.0, 10.0
#: Pause before a message that the store refused is tried again, if the carrier does not repeat it.
_AGAIN_S = 5.0

#: How long a missing part is waited for where what came sounds like an emergency, or where the rest
#: is a ticket already.
_SHORT_S = 10.0

Tell = Callable[[str, str], Awaitable[None]]
Urgent = Callable[[str], bool]
#: Tells when words equal to a message's were taken in its conversation.
Taken = Callable[[Inbound], Awaitable[Sequence[datetime]]]


class Account(Value, frozen=True, kw_only=True):
    """What an inbox must know of its account."""

    name: str
    number: str  #: of the hotline; what citizens write to
    raw_type: str  #: media type of the carrier's octets
    alphabet: Alphabet = "gsm7"
    combine_s: float = 120.0  #: how long a missing part is waited for
    area_code: str | None = None


class Needs(Value, frozen=True, kw_only=True):
    """What an inbox works with."""

    now: Callable[[], datetime]
    #: Tells a citizen an answer that is not stored with a ticket, best effort.
    tell: Tell
    urgent: Urgent = lambda _text: False  #: whether a text sounds like an emergency
    #: None: nobody can be asked, so that every act is forced into the journal.
    taken: Taken | None = None


class Inbox:
    """Takes the pieces of one account.

    Args:
        account: Whose.
        folder: Where the journal is kept.
        needs: What it works with.
    """

    def __init__(self, account: Account, folder: Path, needs: Needs) -> None:
        self._needs = needs
        self._account = account
        self._now = needs.now
        self._acts = Acts()
        self._spans = Spans()
        self._journal = Journal(folder / f"{account.name}.journal", self._living)
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: Counter[str] = Counter()
        self._tried: dict[str, float] = {}  #: when the store refused a whole group
        self._accept: Accept | None = None
        self._flood = Flood()
        self._telling: set[asyncio.Task[None]] = set()

    async def open(self, accept: Accept) -> None:
        """Read what an earlier run left. Raises `StoreError`."""
        self._accept = accept
        lines = await asyncio.to_thread(self._journal.read)
        now = self._time()
        self._acts.load(lines, now)
        self._spans.load(lines, now)
        await self._journal.open()

    async def close(self) -> None:
        """Write what is to be written."""
        for task in self._telling:
            task.cancel()
        with contextlib.suppress(StoreError):  # it is logged, and the next start will ask the store
            await self._journal.add(Line(op="end", at=self._time()))
        await self._journal.close()

    def _living(self) -> Iterator[Line]:
        """Yield what the journal must hold."""
        yield from self._acts.lines()
        yield from self._spans.lines(self._time())

    async def sweep(self) -> None:
        """Deliver for ever what is whole or has waited too long."""
        forgot = self._time()
        while True:
            for group in list(self._acts.groups.values()):
                try:
                    await self._look_after(group)
                except GatewayError as error:
                    log.warning("sms.not_delivered", extra={"why": str(error)})
            with contextlib.suppress(StoreError):  # logged
                await self._journal.settle()
            if self._time() - forgot >= _FORGET_S:
                forgot = self._time()
                self._acts.forget(forgot)
            await asyncio.sleep(_SWEEP_S)

    async def take(self, piece: Piece) -> None:
        """Return once the carrier may be told that we have a piece.

        Raises:
            StoreError: Nothing was kept; the carrier should repeat it.
        """
        await self._flood.wait(piece.source, self._time(), lambda: self._sounds([piece]))
        slot = slot_of(piece)
        async with self._alone(slot):
            if piece.part is None:
                await self._deliver(slot, [piece])
            else:
                await self._collect(piece)

    def sure(self, digests: Sequence[str]) -> None:
        """Note that the carrier has our answers to these pieces."""
        if (line := self._acts.sure(digests)) is not None:
            self._journal.note(line)

    @asynccontextmanager
    async def _alone(self, slot: str) -> AsyncIterator[None]:
        """Let one piece of a message after another be worked on."""
        lock = self._locks.setdefault(slot, asyncio.Lock())
        self._users[slot] += 1
        try:
            async with lock:
                yield
        finally:
            self._users[slot] -= 1
            if not self._users[slot]:
                del self._users[slot], self._locks[slot]

    async def _collect(self, piece: Piece) -> None:
        """Keep a part; deliver its message if it is whole now."""
        if (clashing := self._acts.clashes(piece)) is not None:
            await self._finish(clashing)
        group, line = self._acts.add(piece, self._time())
        if line is not None:
            await self._journal.add(line)
        if group.whole:
            await self._finish(group)

    async def _look_after(self, group: Group) -> None:
        now = self._time()
        if group.slot in self._locks or now - self._tried.get(group.slot, 0.0) < _AGAIN_S:
            return
        if not group.whole and now - group.heard_s < self._patience(group):
            return
        async with self._alone(group.slot):
            if self._acts.groups.get(group.slot) is group:
                await self._finish(group)

    def _patience(self, group: Group) -> float:
        """Return for how many seconds a missing part is waited for."""
        combine_s = self._account.combine_s
        if combine_s <= _SHORT_S:
            return combine_s
        if self._acts.has(group.slot) or self._sounds(group.ordered):
            return _SHORT_S
        return combine_s

    def _sounds(self, pieces: Sequence[Piece]) -> bool:
        return self._needs.urgent(text_of(pieces, self._account.alphabet)[0])

    async def _finish(self, group: Group) -> None:
        """Deliver a group, whole or not, and let go of it."""
        if not group.whole and self._acts.told_already(group):
            log.info("sms.parts_repeated", extra={"channel": self._account.name})
        else:
            try:
                await self._deliver(group.slot, group.ordered)
            except GatewayError:
                self._tried[group.slot] = self._time()
                raise
        self._tried.pop(group.slot, None)
        self._acts.groups.pop(group.slot, None)
        # Lost in a crash, the parts are read again and found to be of an act that is known.
        self._journal.note(Line(op="whole", slot=group.slot))

    async def _deliver(self, slot: str, pieces: list[Piece]) -> None:
        """Accept a message. Raises `StoreError`."""
        if self._accept is None:
            raise StoreError("the channel is not open")
        digests = tuple(piece.digest for piece in pieces)
        act = self._known(slot, pieces, digests) or await self._new(slot, pieces, digests)
        if not act.key:
            return
        inbound = self._inbound(act, pieces)
        try:
            receipt = await self._accept(inbound)
        except Conflict:
            # Cannot be, for keys hold the content; but nothing may be lost for it.
            log.exception("sms.key_conflict", extra={"channel": self._account.name})
            again = f"{inbound.key}:{self._time()}"
            receipt = await self._accept(msgspec.structs.replace(inbound, key=again))
        self._answer(inbound, receipt)

    def _known(self, slot: str, pieces: Sequence[Piece], digests: tuple[str, ...]) -> Act | None:
        """Return the act of which a message is the carrier's repeat."""
        now = self._time()
        known = self._acts.known(slot, digests, now, named=_named(pieces))
        if known is not None:
            known.at_s = now
        return known

    async def _new(self, slot: str, pieces: Sequence[Piece], digests: tuple[str, ...]) -> Act:
        """Return the act that a message is, on the disk if only the disk knows it again.

        Raises:
            StoreError: Nothing was kept.
        """
        now, named, alone = self._time(), _named(pieces), len(pieces) == 1
        said = hashlib.sha256("\n".join(digests).encode()).hexdigest()
        if named:
            name = str(pieces[0].carrier_id)
            act = Act(slot, f"{name}:{said[:32]}", name, digests, now)
        else:
            raw = b"".join(piece.raw for piece in pieces)
            name = f"sha256:{hashlib.sha256(raw).hexdigest()}"
            act = Act(slot, f"{said[:32]}:{now:.6f}", name, digests, now)
        # The store finds a message by its sender.
        asked = alone and bool(pieces[0].source) and self._needs.taken is not None
        if asked and not named and await self._was_taken(act, pieces):
            act.key = ""
        self._acts.keep(act)
        if named and alone:
            return act
        if asked and act.key:
            self._journal.note(act.line)
        else:
            await self._journal.add(act.line)
        return act

    async def _was_taken(self, act: Act, pieces: Sequence[Piece]) -> bool:
        """Return whether the store holds a message of which a crash lost the act. Raises `StoreError`."""
        now = self._time()
        if self._needs.taken is None or not self._spans.any(now):
            return False
        moments = await self._needs.taken(self._inbound(act, pieces))
        return any(self._spans.hold(at.timestamp(), now) for at in moments)

    def _inbound(self, act: Act, pieces: Sequence[Piece]) -> Inbound:
        first, account = pieces[0], self._account
        text, sure = text_of(pieces, account.alphabet)
        readable = sure and all(piece.readable for piece in pieces)
        phone = to_e164(first.source, account.area_code)
        return Inbound(
            channel="sms",
            account=account.name,
            message_id=act.message_id,
            key=act.key,
            digest=hashlib.sha256("\n".join(act.digests).encode()).hexdigest(),
            text=text,
            received_at=self._now(),
            raw=b"".join(piece.raw for piece in pieces),
            raw_type=account.raw_type,
            requester=Requester(phone=phone),
            called=first.destination or account.number,
            thread=phone or first.source or None,
            undecodable=not readable,
            acknowledge=True,
        )

    def _answer(self, inbound: Inbound, receipt: Receipt) -> None:
        """Tell what goes out by no other way: answers to commands."""
        repeat = receipt.duplicate and bool(receipt.number)
        if receipt.answered or repeat or not receipt.message or inbound.thread is None:
            return
        task = asyncio.create_task(self._told(inbound.thread, receipt.message))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _told(self, to: str, text: str) -> None:
        await self._needs.tell(to, text)

    def _time(self) -> float:
        return self._now().timestamp()


def _named(pieces: Sequence[Piece]) -> bool:
    """Return whether the carrier gave all of them ids."""
    return all(piece.carrier_id is not None for piece in pieces)


def text_of(pieces: Sequence[Piece], alphabet: Alphabet) -> tuple[str, bool]:
    """Return the text of a message's pieces in order, and whether it is surely that.

    Octets of one coding are joined before they are decoded; a mark stands for a part that is
    missing.
    """
    out, sure = [], True
    held, coding, place = bytearray(), pieces[0].coding, 0
    for piece in pieces:
        here = piece.part.place if piece.part else 1
        gap = "".join(f"[缺第{n}段]" for n in range(place + 1, here))
        if piece.coding != coding or gap:
            decoded = decode(bytes(held), coding, alphabet)
            out += [decoded.text, gap]
            sure &= decoded.sure
            held.clear()
        held += piece.octets
        coding, place = piece.coding, here
    decoded = decode(bytes(held), coding, alphabet)
    total = pieces[0].part.total if pieces[0].part else 1
    end = "".join(f"[缺第{n}段]" for n in range(place + 1, total + 1))
    return "".join([*out, decoded.text, end]), sure and decoded.sure
