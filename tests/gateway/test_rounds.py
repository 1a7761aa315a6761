"""Rounds at the loop."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.rounds import Rounds


class Reader:
    """Notes the rounds; doubles what it reads, and fails at 13."""

    def __init__(self) -> None:
        self.rounds: list[list[int]] = []

    def read(self, items: Sequence[int]) -> list[int]:
        """Return the doubles."""
        self.rounds.append(list(items))
        if 13 in items:
            raise ValueError("13")
        return [2 * item for item in items]


async def test_what_arrives_together_is_read_together() -> None:
    """Those who ask in one round of the loop share a round and get their own results in order."""
    reader = Reader()
    rounds: Rounds[int, int] = Rounds(reader.read, 8)
    assert await asyncio.gather(*map(rounds.ask, range(5))) == [0, 2, 4, 6, 8]
    assert reader.rounds == [[0, 1, 2, 3, 4]]


async def test_a_round_has_an_end() -> None:
    """Ten that wait are read four a round in order, and the loop turns between the rounds."""
    reader = Reader()
    rounds: Rounds[int, int] = Rounds(reader.read, 4)
    asked = [rounds.ask(number) for number in range(10)]
    seen = []
    while not all(future.done() for future in asked):
        await asyncio.sleep(0)
        seen.append(len(reader.rounds))
    assert reader.rounds == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert seen == sorted(seen)
    assert max(b - a for a, b in zip([0, *seen], seen, strict=False)) == 1


async def test_rounds_tell_how_many_wait() -> None:
    """So whoever asks can judge how long the next one would wait."""
    rounds: Rounds[int, int] = Rounds(Reader().read, 2)
    assert rounds.waiting == 0
    asked = [rounds.ask(1), rounds.ask(2), rounds.ask(3)]
    assert rounds.waiting == 3
    await asyncio.gather(*asked)
    assert rounds.waiting == 0


async def test_one_who_is_cancelled_takes_no_place() -> None:
    """What somebody who has gone asked for is not read, and the others have their answers."""
    reader = Reader()
    rounds: Rounds[int, int] = Rounds(reader.read, 4)
    gone, staying = rounds.ask(1), rounds.ask(2)
    gone.cancel()
    assert await staying == 4
    assert reader.rounds == [[2]]


async def test_a_failure_is_its_own_askers() -> None:
    """An item that cannot be read fails alone; its round and the next one are read all the same."""
    rounds: Rounds[int, int] = Rounds(Reader().read, 4)
    bad, good = rounds.ask(13), rounds.ask(2)
    with pytest.raises(ValueError, match="13"):
        await bad
    assert await good == 4
    assert await rounds.ask(3) == 6
