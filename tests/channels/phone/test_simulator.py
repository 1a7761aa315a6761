"""The telephones of the demonstration and the benchmark, against a real worker."""

from pathlib import Path

import pytest

from channels.phone.simulator.telephone import Refused, Telephone, murmur, talking
from gateway.bench.phone import phone as measured
from gateway.demo.phone import place_call
from tests.channels.phone.lines import line, mute, settings


@pytest.mark.beside
async def test_a_telephone_calls_speaks_listens_and_hangs_up(tmp_path: Path) -> None:
    """What it says is recorded, what the line sends is heard, and the call is one ticket."""
    sound = murmur(1)
    async with line(settings(tmp_path / "line", dialogue=mute(tmp_path))) as up:
        async with talking(up.at, "13700000001") as telephone:
            await telephone.speak(sound)
        await up.office.until(lambda: len(up.office.calls) == 1)
    (ticket,) = up.office.calls
    assert up.office.sound(ticket) == sound
    assert ticket.message_id == telephone.call_id
    assert ticket.requester.phone == "+8613700000001"
    assert telephone.packets >= 25


@pytest.mark.beside
async def test_a_telephone_notices_that_the_line_hangs_up(tmp_path: Path) -> None:
    """Its key ends the matter; the line says the number and goodbye."""
    async with line(settings(tmp_path / "line", dialogue=mute(tmp_path))) as up:
        async with talking(up.at) as telephone:
            await telephone.speak(murmur(0.6))
            telephone.press("#")
            await telephone.over.wait()
        await up.office.until(lambda: len(up.office.calls) == 1)
    assert up.office.calls[0].extra["keys"] == "#"


@pytest.mark.beside
async def test_a_telephone_that_is_refused_says_by_what(tmp_path: Path) -> None:
    """A line without room: 503."""
    section = settings(tmp_path / "line", dialogue=mute(tmp_path), max_calls=1)
    async with line(section) as up, talking(up.at), Telephone(up.at) as second:
        with pytest.raises(Refused) as refused:
            await second.call()
        assert refused.value.status == 503


@pytest.mark.beside
async def test_the_demonstrations_call_is_a_ticket(tmp_path: Path) -> None:
    """Placed by the demonstration's peer: the caller, the words and the keys are on the ticket."""
    async with line(settings(tmp_path / "line")) as up:
        call = await place_call(up.at[1])
        await up.office.until(lambda: len(up.office.calls) == 1)
    (ticket,) = up.office.calls
    assert (ticket.message_id, ticket.extra["keys"]) == (call.call_id, "1#")
    assert ticket.requester.phone == "+8613900001234"
    assert ticket.draft is False
    assert call.heard_s > 1


async def test_the_benchmark_holds_its_calls() -> None:
    """A hundred calls at once are all held, and what a call costs is told."""
    figures = await measured(1.0)
    assert figures["calls_held"] == 100
    assert figures["set_ups_per_second"] > 0
    assert figures["worker_percent_of_a_core_a_call"] > 0
    assert figures["worker_kib_a_call"] >= 0
