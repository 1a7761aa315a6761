"""Random lives of a carrier and an inbox that is killed under it: as many tickets as acts."""

import random
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from channels.base import Receipt
from channels.sms.inbox import Account, Inbox, Needs
from channels.sms.pieces import Part, Piece
from normalizer.errors import StoreError
from normalizer.schema import Inbound
from tests.channels.sms.world import Gateway, Hand

ACCOUNT = Account(name="mobile", number="12345", raw_type="application/x-smpp")
STEPS = 60


class Killed(Exception):
    """The process ended here."""


async def _mute(_to: str, _text: str) -> None:
    return None


class Fragile(Gateway):
    """A store, and a process that dies before or after the commit, or finds the store down."""

    def __init__(self, chooser: random.Random) -> None:
        super().__init__()
        self._chooser = chooser

    async def accept(self, inbound: Inbound) -> Receipt:
        """Accept, refuse, or die."""
        fate = self._chooser.random()
        if fate < 0.1:
            raise Killed
        if fate < 0.2:
            raise StoreError("the store is down")
        receipt = await super().accept(inbound)
        if fate < 0.4:
            raise Killed
        return receipt

    async def taken(self, inbound: Inbound) -> list[datetime]:
        """Return when the same words of the same sender were taken."""
        of = [i for i in self.tickets if i.thread == inbound.thread]
        return [i.received_at for i in of if i.text == inbound.text]


def pieces_of(text: str, source: str, parts: int, reference: int) -> list[Piece]:
    """Return a message as its pieces."""
    size = -(-len(text) // parts)
    made = []
    for place in range(1, parts + 1):
        octets = text[(place - 1) * size : place * size].encode("utf-16-be")
        part = Part(reference=reference, total=parts, place=place, width=8) if parts > 1 else None
        made.append(
            Piece(
                source=source, destination="12345", coding=8, octets=octets, raw=octets, part=part
            )
        )
    return made


class Life:
    """A carrier that repeats each piece until it has its answer, over inboxes that are killed."""

    def __init__(self, seed: int, folder: Path) -> None:
        self._chooser = random.Random(seed)  # noqa: S311 - what happens, not a secret
        self._folder = folder
        self._hand = Hand()
        self.gateway = Fragile(self._chooser)
        self._waiting: list[Piece] = []
        self._known: list[str] = []  #: digests whose answers the carrier has
        self._box: Inbox | None = None
        self.acts: list[str] = []
        self.kills = 0

    async def _opened(self) -> Inbox:
        if self._box is None:
            needs = Needs(now=self._hand.now, tell=_mute, taken=self.gateway.taken)
            self._box = Inbox(ACCOUNT, self._folder, needs)
            await self._box.open(self.gateway.accept)
        return self._box

    def write(self) -> None:
        """Let a citizen write something that nobody has written before."""
        number = len(self.acts)
        text = f"第{number}件事：" + "路灯不亮，" * self._chooser.randrange(1, 5)
        self.acts.append(text)
        source = f"1380000{number % 4:04}"
        parts = self._chooser.choice((1, 1, 2, 3))
        self._waiting += pieces_of(text, source, parts, number % 256)

    async def deliver(self) -> None:
        """Let the carrier deliver a piece that waits; the answer, or the process, may be lost."""
        if not self._waiting:
            return
        piece = self._chooser.choice(self._waiting)
        box = await self._opened()
        try:
            await box.take(piece)
        except StoreError:
            return
        except Killed:
            self.kill()
            return
        if self._chooser.random() < 0.7:
            self._waiting.remove(piece)
            self._known.append(piece.digest)

    def kill(self) -> None:
        """End the process: what is on the disk is there, and nothing else."""
        self.kills += 1
        if self._box is not None and self._box._journal._file is not None:
            self._box._journal._file.close()
        self._box, self._known = None, []

    async def beat(self) -> None:
        """Let the carrier show what it has, and what was noted reach the disk."""
        box = await self._opened()
        box.sure(self._known)
        self._known = []
        await box._journal.settle()

    async def end(self) -> None:
        """Deliver until the carrier has all its answers, then close."""
        while self._waiting:
            await self.deliver()
        await (await self._opened()).close()

    async def step(self) -> None:
        """Do one thing."""
        done = self._chooser.random()
        self._hand.ahead_s += self._chooser.choice((0.0, 0.1, 1.0, 30.0))
        if done < 0.3:
            self.write()
        elif done < 0.8:
            await self.deliver()
        elif done < 0.9:
            await self.beat()
        elif done < 0.95:
            self.kill()
        else:
            await (await self._opened()).close()
            self._box, self._known = None, []


@pytest.mark.parametrize("seed", range(25))
async def test_every_act_is_one_ticket_whatever_dies(seed: int, tmp_path: Path) -> None:
    """Killed before and after commits, answers lost, parts in any order: each text once, and whole."""
    life = Life(seed, tmp_path)
    for _ in range(STEPS):
        await life.step()
    await life.end()
    assert life.kills > 0
    assert Counter(life.gateway.texts) == Counter(life.acts)
