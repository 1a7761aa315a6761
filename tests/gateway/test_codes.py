"""Temporary query codes: to the telephone of the ticket alone, good for ten minutes."""

import asyncio
import re

import pytest

from channels.base import Message, Receipt
from gateway.additions import Additions
from gateway.attempts import ALLOWED, TooMany
from gateway.portal.citizen import Citizen, NotFound
from gateway.portal.codes import ASKED, ASKED_FROM, TemporaryCodes
from normalizer.errors import StoreError, TryLater, Unreachable
from normalizer.number import make
from tests.gateway.world import PHONE, World

HERE, OTHER = "192.0.2.7", "+8613900139000"
UNKNOWN = make("20261123", 999)


class Carrier:
    """A way to send texts that fails as it is told."""

    def __init__(self) -> None:
        self.fails: list[Exception] = []
        self.sent: list[tuple[str, Message]] = []
        self.tries = 0

    async def open(self) -> None:
        """Do nothing."""

    async def close(self) -> None:
        """Do nothing."""

    async def send(self, to: str, message: Message) -> str:
        """Take a text, or fail."""
        self.tries += 1
        if self.fails:
            raise self.fails.pop(0)
        self.sent.append((to, message))
        return "1"

    @property
    def code(self) -> str:
        """The code in the last text."""
        found = re.search(r"(?<![0-9-])[0-9]{8}(?![0-9-])", self.sent[-1][1].text)
        assert found is not None
        return found[0]


class Lost:
    """A citizen who has lost their query code."""

    def __init__(self, world: World, receipt: Receipt) -> None:
        self.world = world
        self.receipt = receipt
        self.carrier = Carrier()
        self.citizen = self.restarted()

    def restarted(self) -> Citizen:
        """Return the citizen's steps as a process has them that was just started."""
        core = self.world.core(self.world.store)
        return Citizen(core, self.world.public, Additions(core), self.carrier)

    @property
    def codes(self) -> TemporaryCodes:
        """What sends codes."""
        assert self.citizen.codes is not None
        return self.citizen.codes

    async def ask(
        self,
        number: str | None = None,
        phone: str = PHONE,
        remote: str = HERE,
        language: str = "zh",
    ) -> None:
        """Ask for a code, and wait for what is done behind the answer."""
        self.codes.ask(number or self.receipt.number, phone, remote, language)
        await asyncio.gather(*self.codes._sending)

    async def opens(self, code: str, number: str | None = None) -> bool:
        """Return whether a code opens the ticket."""
        try:
            await self.citizen.progress(number or self.receipt.number, code, HERE)
        except NotFound:
            return False
        return True


@pytest.fixture
async def lost(world: World) -> Lost:
    return Lost(world, await world.intake.accept(world.inbound()))


async def test_a_code_by_text_opens_the_ticket_for_ten_minutes(lost: Lost) -> None:
    """It goes to the ticket's own telephone, opens until its time is over, and is on the ticket."""
    await lost.ask()
    ((to, message),) = lost.carrier.sent
    assert to == PHONE
    assert lost.receipt.number in message.text
    assert "10分钟" in message.text
    assert len(message.text) <= 70  # one message
    assert await lost.opens(lost.carrier.code)
    await lost.world.clock.advance(599)
    assert await lost.opens(lost.carrier.code)
    await lost.world.clock.advance(1)
    assert not await lost.opens(lost.carrier.code)
    seen = await lost.citizen.progress(lost.receipt.number, lost.receipt.query_code, HERE)
    assert [h.event for h in seen.history] == ["accepted", "code_sent"]


async def test_who_holds_the_telephone_gets_the_query_code_back(lost: Lost) -> None:
    """With the temporary code the ticket's own is told; with a wrong one it is not."""
    await lost.ask(language="en")
    assert "temporary query code" in lost.carrier.sent[0][1].text
    assert len(lost.carrier.sent[0][1].text) <= 160
    number = lost.receipt.number
    found = await lost.citizen.own_code(number, lost.carrier.code, HERE)
    assert found == lost.receipt.query_code
    with pytest.raises(NotFound):
        await lost.citizen.own_code(number, "00000000", HERE)


async def test_a_code_survives_a_restart(lost: Lost) -> None:
    """Nothing of it is in memory alone."""
    await lost.ask()
    lost.citizen = lost.restarted()
    assert await lost.opens(lost.carrier.code)


@pytest.mark.parametrize(
    ("number", "phone"),
    [(None, OTHER), (UNKNOWN, PHONE), ("20261123-000001-x", PHONE), ("x" * 10_000, PHONE)],
    ids=["another telephone", "no such number", "no number", "a long one"],
)
async def test_nobody_learns_whether_number_and_telephone_are_known(
    lost: Lost, number: str | None, phone: str
) -> None:
    """Asking returns the same nothing at the same moment, before anything was looked up."""
    before = await lost.world.ticket(lost.receipt.number)
    lost.codes.ask(number or lost.receipt.number, phone, HERE, "zh")
    assert lost.carrier.tries == 0
    await asyncio.gather(*lost.codes._sending)
    assert lost.carrier.tries == 0
    assert await lost.world.ticket(lost.receipt.number) == before


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("what", ["number", "phone", "address"])
async def test_codes_are_limited_by_number_telephone_and_address(
    lost: Lost, what: str, known: bool
) -> None:
    """Too many within an hour are refused alike, whether there is such a ticket or not."""
    allowed = ASKED_FROM if what == "address" else ASKED

    async def ask(n: int) -> None:
        kept = lost.receipt.number if known else UNKNOWN
        number = kept if what == "number" else make("20261122", n)
        same = PHONE if known else OTHER
        phone = same if what == "phone" else f"+86139001{n:05}"
        await lost.ask(number, phone, HERE if what == "address" else f"192.0.2.{n}")

    for n in range(allowed):
        await ask(n)
    with pytest.raises(TooMany) as refused:
        await ask(allowed)
    assert refused.value.after_s == 3600
    await lost.world.clock.advance(3600)
    await ask(allowed)


async def test_wrong_codes_count_as_wrong_query_codes_do(lost: Lost) -> None:
    """After ten guesses even the right one is refused for a while."""
    await lost.ask()
    for n in range(ALLOWED):
        assert not await lost.opens(f"{n:08}")
    with pytest.raises(TooMany):
        await lost.opens(lost.carrier.code)


async def test_a_code_opens_its_own_ticket_alone(lost: Lost, world: World) -> None:
    """The same citizen's other ticket stays shut."""
    other = await world.intake.accept(world.inbound("埇桥区淮海路的井盖没了", key="other"))
    await lost.ask()
    assert not await lost.opens(lost.carrier.code, other.number)
    assert await lost.opens(lost.carrier.code)


async def test_each_of_several_codes_is_good(lost: Lost) -> None:
    """Who asks twice may type the first that arrives."""
    await lost.ask()
    first = lost.carrier.code
    await lost.ask()
    assert first != lost.carrier.code
    assert await lost.opens(first)
    assert await lost.opens(lost.carrier.code)


async def test_a_carrier_that_is_away_for_a_moment_is_asked_again(lost: Lost) -> None:
    """The text goes out when the link is back; after three minutes it is given up and logged."""
    lost.carrier.fails = [TryLater("the link is down"), TryLater("slow", after_s=20.0)]
    lost.codes.ask(lost.receipt.number, PHONE, HERE, "zh")
    await lost.world.clock.advance(30, step=1)
    assert lost.carrier.tries == 3
    assert await lost.opens(lost.carrier.code)
    lost.carrier.fails = [TryLater("the link is down") for _ in range(1000)]
    lost.codes.ask(lost.receipt.number, PHONE, HERE, "zh")
    await lost.world.clock.advance(300, step=5)
    assert not lost.codes._sending
    assert len(lost.carrier.sent) == 1


@pytest.mark.parametrize("error", [Unreachable("no such number"), StoreError("the disk is full")])
async def test_a_text_that_cannot_go_out_is_logged_without_the_citizen(
    lost: Lost, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """An operator reads why; neither number, telephone nor code is in the log."""
    lost.carrier.fails = [error]
    await lost.ask()
    (record,) = [r for r in caplog.records if r.message == "code.not_sent"]
    shown = str(record.__dict__)
    assert str(error) in shown
    assert not any(each in shown for each in (PHONE, PHONE[3:], lost.receipt.number))


async def test_without_a_channel_for_texts_there_are_no_codes(world: World) -> None:
    """Nothing is offered that cannot be done."""
    assert world.citizen.codes is None


def test_telephones_are_typed_in_any_spelling(lost: Lost) -> None:
    """The number is read as it was with the ticket; what is none is not one."""
    assert lost.codes.phone_of("１３８ 0013-8000") == PHONE
    assert lost.codes.phone_of("我的手机") is None
