"""Running a simulation: acts sent at their times, repeats on purpose, and every ticket looked up."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from gateway.simulate.acts import Act, Manner, acts
from gateway.simulate.ends import BROKEN, End, Outcome, session

#: Tickets that are looked up at once.
_LOOK_UPS = 16


@dataclass(slots=True)
class Sending:
    """An act with all that came back for it."""

    act: Act
    end: End
    outcomes: list[Outcome] = field(default_factory=list)  #: of the first time, and of each repeat
    #: Whether its ticket is there by number and code; None: nobody could look.
    found: bool | None = None

    @property
    def first(self) -> Outcome | None:
        """The first answer that took it."""
        return next((each for each in self.outcomes if each.state == "accepted"), None)


async def simulate(
    ends: Sequence[End], manner: Manner, seconds: float, seed: int
) -> tuple[list[Sending], float]:
    """Return all that was sent, and for how many seconds, answers included, it took.

    Args:
        ends: By the acts' ``target``.
        manner: How citizens behave.
        seconds: For how long new acts begin.
        seed: The same one makes the same acts.

    Raises:
        ConfigError: An end cannot be opened.
    """
    sendings: list[Sending] = []
    try:
        for end in ends:
            await end.open()
        began = time.perf_counter()
        async with asyncio.TaskGroup() as citizens:
            due = 0.0
            for act in acts(manner, seed):
                due += act.after_s
                if due >= seconds:
                    break
                await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
                sendings.append(Sending(act, ends[act.target]))
                citizens.create_task(_citizen(sendings[-1]))
        lasted = time.perf_counter() - began
        await _look_up(sendings, ends)
    finally:
        for end in ends:
            await end.close()
    return sendings, lasted


async def _citizen(sending: Sending) -> None:
    sending.outcomes.append(await _sent(sending))
    again = sending.act.again_after_s
    if again is not None and sending.end.repeats:
        await asyncio.sleep(again)
        sending.outcomes.append(await _sent(sending))


async def _sent(sending: Sending) -> Outcome:
    began = time.perf_counter()
    try:
        return await sending.end.send(sending.act)
    except BROKEN:
        return Outcome(state="failed", seconds=time.perf_counter() - began)


# Afterwards


async def _look_up(sendings: Sequence[Sending], ends: Sequence[End]) -> None:
    """Ask for every ticket by its number and query code, as its citizen would."""
    anywhere = next((end.base for end in ends if end.base is not None), None)
    left = iter(sendings)
    async with session() as http, asyncio.TaskGroup() as askers:

        async def ask() -> None:
            for sending in left:
                first, base = sending.first, sending.end.base or anywhere
                if first is not None and first.number and first.code and base is not None:
                    sending.found = await _found(http, base, first)

        for _ in range(_LOOK_UPS):
            askers.create_task(ask())


async def _found(http: aiohttp.ClientSession, base: str, told: Outcome) -> bool | None:
    """Return whether the ticket opens; None where the gateway does not say."""
    url, headers = f"{base}/api/v1/requests/{told.number}", {"X-Query-Code": told.code}
    try:
        async with http.get(url, headers=headers) as answer:
            return {200: True, 404: False}.get(answer.status)
    except BROKEN:
        return None
