"""What callers and the line say to each other, through the whole dialogue."""

import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.channels.phone.caller import calling, header, status
from tests.channels.phone.lines import Line, brisk, line, noise, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def up(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Line]:
    """A line with the shipped dialogue and seats, for all tests of this module."""
    folder = tmp_path_factory.mktemp("line")
    section = settings(folder, dialogue=brisk(folder), seats="sip:seats@127.0.0.1:5080")
    async with line(section) as up:
        yield up


async def test_a_seat_takes_the_call(up: Line) -> None:
    """Zero: the network is asked to put the caller through, and once a seat answered we leave."""
    async with calling(up.at) as caller:
        await caller.call()
        caller.press("0")
        refer = await caller.asked("REFER")
        assert header(refer, "Refer-To") == "<sip:seats@127.0.0.1:5080>"
        caller.reply(refer, 202)
        for answer in ("SIP/2.0 100 Trying", "SIP/2.0 200 OK"):
            caller.sequence += 1
            branch = "z9hG4bK" + secrets.token_hex(8)
            kind = "message/sipfrag;version=2.0"
            event = "Event: refer\r\nSubscription-State: active\r\n"
            caller.send(caller.request("NOTIFY", answer, branch=branch, kind=kind, extra=event))
            assert status(await caller.final(method="NOTIFY")) == 200
        caller.reply(await caller.asked("BYE"), 200)
        ticket = await up.ticket(caller)
    assert (ticket.text, ticket.draft) == ("（已转接人工坐席）", False)
    assert ticket.extra["how"] == "transferred"


async def test_a_caller_who_says_all_hears_the_number_and_is_thanked(up: Line) -> None:
    """The whole dialogue: speak, pause, hear the number of a ticket that is durable; then BYE."""
    async with calling(up.at) as caller:
        await caller.call()
        caller.press("1")
        await caller.speak(noise(1.5))
        ticket = await up.ticket(caller)  # made while the caller is on the line
        assert caller.sip.got.empty()
        caller.reply(await caller.asked("BYE"), 200)
        await up.emptied()
    assert up.office.sound(ticket).startswith(noise(1.5))


async def test_a_key_for_help_is_a_ticket_at_once(up: Line) -> None:
    """Nine: a human must look before anything was said, and the recording comes behind."""
    async with calling(up.at) as caller:
        await caller.call()
        caller.press("9")
        early = await up.ticket(caller)
        assert (early.undecodable, early.text) == (True, "（来电人按9键紧急求助）")
        await caller.speak(noise(1), 0.005)
        await caller.bye()
        await up.office.until(lambda: bool(up.rest(caller)))
        await up.emptied()
    await up.ticket(caller)
    (rest,) = up.rest(caller)
    assert rest.continues == up.office.taken[str(early.key)][1]
    assert rest.draft is False


async def test_the_first_words_survive_a_gateway_that_is_started_again(up: Line) -> None:
    """A new gateway does not know of the early ticket: the rest still finds it, by the call's key."""
    async with calling(up.at) as caller:
        await caller.call()
        caller.press("9")
        await up.ticket(caller)
        up.listener._filing._first.clear()  # as a crash would
        await caller.speak(noise(1), 0.005)
        await caller.bye()
        await up.office.until(lambda: bool(up.rest(caller)))
        await up.emptied()
    await up.ticket(caller)
    (rest,) = up.rest(caller)
    assert len(rest.attachments) == 1
