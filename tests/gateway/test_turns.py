"""Turns at the loop."""

import asyncio

from gateway.turns import Turns


async def test_a_round_gives_out_so_many_turns() -> None:
    """Whoever comes when the round's turns are given out has to wait."""
    turns = Turns(2)
    assert [turns.take() for _ in range(3)] == [True, True, False]


async def test_a_new_round_has_turns_again() -> None:
    """What was taken in one round of the loop is there again in the next."""
    turns = Turns(1)
    assert turns.take()
    await asyncio.sleep(0)
    assert turns.take()


async def test_those_who_wait_are_served_in_order_a_few_a_round() -> None:
    """Ten that wait are served two a round, in the order in which they came."""
    turns, served, rounds = Turns(2), [], []

    async def ask(number: int) -> None:
        await turns.wait()
        served.append(number)

    tasks = [asyncio.create_task(ask(number)) for number in range(10)]
    while len(served) < 10:
        before = len(served)
        await asyncio.sleep(0)
        rounds.append(len(served) - before)
    await asyncio.gather(*tasks)
    assert served == list(range(10))
    assert max(rounds) == 2


async def test_those_who_wait_go_before_those_who_come() -> None:
    """A turn is not taken from under somebody who waits for it."""
    turns = Turns(1)
    assert turns.take()
    waiting = asyncio.create_task(turns.wait())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not turns.take()
    await waiting


async def test_one_who_is_cancelled_costs_no_turn() -> None:
    """The turn of somebody who has gone is the next one's."""
    turns = Turns(1)
    turns.take()
    gone, staying = (asyncio.create_task(turns.wait()) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.wait_for(staying, 1)
    assert gone.cancelled()
