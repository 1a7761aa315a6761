"""Two hundred callers who do what callers do: each is one ticket."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.channels.phone.caller import SDP, Caller, calling, header, status
from tests.channels.phone.lines import Office, brisk, line, noise, ports, settings

CALLS = 200
Way = Callable[[Caller], Awaitable[None]]


async def in_the_greeting(caller: Caller) -> None:
    """Hang up at once."""
    await caller.bye()


async def before_the_tone(caller: Caller) -> None:
    """Go on by a key, and hang up in the prompt."""
    caller.press("1")
    await asyncio.sleep(0.1)
    await caller.bye()


async def while_speaking(caller: Caller) -> None:
    """Hang up in the middle of a sentence."""
    caller.press("1")
    await caller.speak(noise(0.7), 0.005)
    await caller.bye()


async def after_the_key_for_help(caller: Caller) -> None:
    """Ask for help, and hang up without a word."""
    caller.press("9")
    await asyncio.sleep(0.2)
    await caller.bye()


async def while_it_is_filed(caller: Caller) -> None:
    """Say everything, and hang up in the moment in which the ticket is made."""
    caller.press("1")
    await caller.speak(noise(0.7), 0.005)
    caller.press("#")
    await caller.bye()


async def to_the_end(caller: Caller) -> None:
    """Say everything, and hear the number; the line hangs up."""
    caller.press("1")
    await caller.speak(noise(0.7), 0.005)
    caller.press("#")
    caller.reply(await caller.asked("BYE"), 200)


async def dead(caller: Caller) -> None:
    """Neither speak nor hang up: the network is gone, and the line gives up by itself."""
    del caller


async def towards_a_seat(caller: Caller) -> None:
    """Want a human where there is none, and leave."""
    caller.press("0")
    await asyncio.sleep(0.2)
    await caller.bye()


WAYS: tuple[Way, ...] = (
    in_the_greeting,
    before_the_tone,
    while_speaking,
    after_the_key_for_help,
    while_it_is_filed,
    to_the_end,
    dead,
    towards_a_seat,
)


async def _one(at: tuple[str, int], n: int, room: asyncio.Semaphore, made: list[str]) -> None:
    """Make a call; every ninth's ACK is lost, every tenth sends its INVITE three times."""
    async with room, calling(at, f"138{n:08}") as caller:
        invite = caller.request("INVITE", SDP.format(port=caller.sound.port))
        while True:
            for _ in range(3 if n % 10 == 9 else 1):
                caller.send(invite)
            # Of this attempt: a refusal of the one before may come again when everything is slow.
            answer = await caller.final(5, method=header(invite, "CSeq"))
            if status(answer) == 200:
                break
            caller.acknowledge(answer)  # 503: calls of dead callers still hold their places
            await asyncio.sleep(0.2)
            caller.sequence, caller.their_tag = caller.sequence + 1, ""
            caller.branch = "z9hG4bK" + secrets.token_hex(8)
            invite = caller.request("INVITE", SDP.format(port=caller.sound.port))
        made.append(f"{header(answer, 'Call-ID')};{caller.tag}")
        if n % 9 == 8:
            caller.their_tag = header(answer, "To").partition(";tag=")[2]
            return
        caller.acknowledge(answer)
        await WAYS[n % len(WAYS)](caller)


async def test_two_hundred_mixed_calls_are_two_hundred_tickets(tmp_path: Path) -> None:
    """Hung up at every state, ACK lost, INVITE repeated, sound dead, the gateway restarted."""
    first = ports(104)
    section = settings(
        tmp_path / "line",
        dialogue=brisk(tmp_path),
        no_media="2s",
        local_port=first,
        rtp_ports=[first + 2, first + 101],
    )
    office, room, made = Office(), asyncio.Semaphore(25), list[str]()
    async with line(section, office) as one:
        calls = [asyncio.create_task(_one(one.at, n, room, made)) for n in range(CALLS)]
        await office.until(lambda: len(office.calls) >= CALLS // 4, 60)
        one.listener.supervisors[0].stop = _leave  # type: ignore[method-assign]  # as a kill would
        one.run.cancel()
        await asyncio.gather(one.run, return_exceptions=True)
    async with line(section, office) as two:
        assert two.listener.supervisors[0].starts == 0  # the worker went on meanwhile
        await asyncio.gather(*calls)
        await office.until(lambda: len(office.calls) >= CALLS, 60)
        await two.emptied(30)
    assert len(made) == len(set(made)) == CALLS
    assert sorted(str(ticket.key) for ticket in office.calls) == sorted(made)
    process = one.listener.supervisors[0].process
    assert process is not None
    assert await process.wait() == 0


async def _leave(within_s: float) -> None:
    del within_s
