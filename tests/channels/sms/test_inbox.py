"""The inbox without any carrier: time-outs, clashes, floods, and what the disk may do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from channels.base import Receipt
from channels.sms.acts import LIFE_S, Acts
from channels.sms.flood import FREE, URGENT, Flood
from channels.sms.inbox import Account, Inbox, Needs, Taken, text_of
from channels.sms.journal import Journal, Line
from channels.sms.pieces import Part, Piece
from normalizer.errors import Conflict, StoreError
from normalizer.schema import Inbound
from tests.channels.sms.world import Gateway, Hand, until

ACCOUNT = Account(name="mobile", number="12345", raw_type="application/x-smpp", combine_s=120.0)


def piece(text: str, source: str = "13800138000", **more: object) -> Piece:
    octets = text.encode("utf-16-be")
    values = {"destination": "12345", "coding": 8, "octets": octets, "raw": octets}
    return Piece(source=source, **{**values, **more})  # type: ignore[arg-type]  # its fields


def part(text: str, place: int, total: int = 3, source: str = "13800138000") -> Piece:
    return piece(text, source, part=Part(reference=7, total=total, place=place, width=8))


async def _mute(_to: str, _text: str) -> None:
    return None


@asynccontextmanager
async def inbox(
    folder: Path,
    gateway: Gateway,
    hand: Hand,
    taken: Taken | None = None,
    account: Account = ACCOUNT,
) -> AsyncIterator[Inbox]:
    """Open an inbox and sweep it; leaving the block closes it."""
    needs = Needs(now=hand.now, tell=_mute, urgent=lambda text: "着火" in text, taken=taken)
    box = Inbox(account, folder, needs)
    await box.open(gateway.accept)
    sweeping = asyncio.create_task(box.sweep())
    try:
        yield box
    finally:
        sweeping.cancel()
        await box.close()


async def test_what_sounds_like_an_emergency_waits_for_no_missing_part(tmp_path: Path) -> None:
    """After ten seconds it is a ticket; an ordinary message still waits."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("汴河路八号着火了", 1))
        await box.take(part("路灯不亮", 1, source="13900000000"))
        hand.ahead_s = 11
        await gateway.until(1)
        assert gateway.texts == ["汴河路八号着火了[缺第2段][缺第3段]"]
        hand.ahead_s = 130
        await gateway.until(2)


async def test_a_reference_that_comes_round_again_begins_a_new_message(tmp_path: Path) -> None:
    """Another part at the same place belongs to another message: both are kept."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("旧一", 1))
        await box.take(part("新一", 1))
        await box.take(part("新三", 3))
        await box.take(part("新二", 2))
    assert gateway.texts == ["旧一[缺第2段][缺第3段]", "新一新二新三"]


async def test_a_message_that_the_store_refused_is_tried_again_without_the_carrier(
    tmp_path: Path,
) -> None:
    """All parts are taken but one; the whole becomes a ticket when the store is back."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("一", 1, 2))
        gateway.down = True
        with pytest.raises(StoreError):
            await box.take(part("二", 2, 2))
        gateway.down = False
        hand.ahead_s = 6
        await gateway.until(1)
    assert gateway.texts == ["一二"]


async def test_a_crash_between_ticket_and_journal_makes_no_second_ticket(tmp_path: Path) -> None:
    """The journal still holds the parts of a message that is a ticket: it stays one."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("一", 1, 2))
        await box.take(part("二", 2, 2))
    path = tmp_path / "mobile.journal"
    lines = [line for line in path.read_bytes().splitlines() if b'"whole"' not in line]
    path.write_bytes(b"\n".join(lines) + b"\n")
    hand.ahead_s = 3600
    async with inbox(tmp_path, gateway, hand):
        await until(lambda: gateway.calls == 2)
    assert gateway.texts == ["一二"]


class Memory:
    """What the store tells: when it took the same words."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.asked = 0
        self.down = False

    async def taken(self, inbound: Inbound) -> list[datetime]:
        """Return the moments."""
        self.asked += 1
        if self.down:
            raise StoreError("the store is down")
        of = [i for i in self._gateway.tickets if i.thread == inbound.thread]
        return [i.received_at for i in of if i.text == inbound.text]


def lose_acts(folder: Path, *, kept: int = 0) -> None:
    """Do to the journal what a crash does: the newest acts and the end are missing."""
    path = folder / "mobile.journal"
    lines = [line for line in path.read_bytes().splitlines() if b'"end"' not in line]
    acts = [line for line in lines if b'"act"' in line]
    path.write_bytes(b"".join(line + b"\n" for line in lines if line not in acts[kept:]))


async def test_an_act_that_a_crash_lost_is_known_by_its_ticket(tmp_path: Path) -> None:
    """The carrier repeats it, and again after further crashes: one ticket, each time answered."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        await box.take(piece("路灯不亮"))
    for _ in range(3):
        lose_acts(tmp_path)
        hand.ahead_s += 600
        async with inbox(tmp_path, gateway, hand, memory.taken) as box:
            await asyncio.gather(box.take(piece("路灯不亮")), box.take(piece("路灯不亮")))
            await box.take(piece("井盖没了"))
    assert gateway.texts == ["路灯不亮", "井盖没了"]
    assert memory.asked == 6  # of the two that wait for each other, the second is known


async def test_what_was_found_in_the_store_is_remembered(tmp_path: Path) -> None:
    """The next start does not ask again: the journal says that the store has it."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        await box.take(piece("路灯不亮"))
    lose_acts(tmp_path)
    for _ in range(3):
        async with inbox(tmp_path, gateway, hand, memory.taken) as box:
            await box.take(piece("路灯不亮"))
    assert (gateway.texts, memory.asked) == (["路灯不亮"], 1)


async def test_only_what_the_crash_may_have_lost_is_asked_for(tmp_path: Path) -> None:
    """Words of long before the crash that come again are another act, and so are new ones."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        await box.take(piece("路灯不亮"))
        hand.ahead_s = 60
        await box.take(piece("井盖没了"))
        hand.ahead_s = 61
        await box.take(piece("没有水"))
    lose_acts(tmp_path, kept=2)  # the act of the first was forgotten, the second is on the disk
    path = tmp_path / "mobile.journal"
    path.write_bytes(b"\n".join(path.read_bytes().splitlines()[2:]) + b"\n")
    hand.ahead_s = 600
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        for text in ("路灯不亮", "没有水", "没有电"):
            await box.take(piece(text))
    assert gateway.texts == ["路灯不亮", "井盖没了", "没有水", "路灯不亮", "没有电"]


async def test_hours_after_a_crash_nobody_is_asked_any_more(tmp_path: Path) -> None:
    """By then no carrier repeats; the same words are another act."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        await box.take(piece("路灯不亮"))
    lose_acts(tmp_path)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        hand.ahead_s = LIFE_S + 1
        await box.take(piece("路灯不亮"))
    assert (len(gateway.texts), memory.asked) == (2, 0)


async def test_after_a_clean_end_nobody_is_asked(tmp_path: Path) -> None:
    """The journal is whole then."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    for text in ("路灯不亮", "井盖没了"):
        async with inbox(tmp_path, gateway, hand, memory.taken) as box:
            await box.take(piece(text))
    assert (len(gateway.texts), memory.asked) == (2, 0)


async def test_while_the_store_cannot_be_asked_the_carrier_repeats(tmp_path: Path) -> None:
    """Neither lost nor doubled: refused until somebody knows."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        await box.take(piece("路灯不亮"))
    lose_acts(tmp_path)
    memory.down = True
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        with pytest.raises(StoreError):
            await box.take(piece("路灯不亮"))
        memory.down = False
        await box.take(piece("路灯不亮"))
    assert gateway.texts == ["路灯不亮"]


async def test_a_message_of_one_piece_waits_for_no_journal(tmp_path: Path) -> None:
    """The store holds it; what the journal could not take is there when it can be written again."""
    gateway, hand = Gateway(), Hand()
    memory = Memory(gateway)
    async with inbox(tmp_path, gateway, hand, memory.taken) as box:
        held, box._journal._file = box._journal._file, None
        await box.take(piece("路灯不亮"))
        assert gateway.texts == ["路灯不亮"]
        await until(lambda: box._journal._spoilt)
        with pytest.raises(StoreError, match="journal"):
            await box.take(piece("无名", source=""))  # nobody could be asked for it
        box._journal._file = held
        await box.take(part("一", 1, 2))
    acts = [line for line in Journal(tmp_path / "mobile.journal", list).read() if line.op == "act"]
    assert (piece("路灯不亮").digest,) in [act.digests for act in acts]


async def test_a_torn_journal_keeps_what_is_whole(tmp_path: Path) -> None:
    """Half a line at the end was never answered; a line that was spoilt is kept aside, not the rest."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("一", 1, 3))
        await box.take(part("二", 2, 3))
    path = tmp_path / "mobile.journal"
    whole = path.read_bytes()
    path.write_bytes(b'{"op":7}\n' + whole + b'{"op":"part","slot"')
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("三", 3, 3))
    assert gateway.texts == ["一二三"]
    assert path.with_suffix(".broken").read_bytes().startswith(b'{"op":7}\n')


async def test_a_journal_that_cannot_be_written_takes_nothing(tmp_path: Path) -> None:
    """A part that is not on the disk is refused, so that the carrier repeats it."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        await box.take(part("一", 1, 2))
        held, box._journal._file = box._journal._file, None
        with pytest.raises(StoreError, match="journal"):
            await box.take(part("二", 2, 2))
        with pytest.raises(StoreError, match="journal"):
            await box.take(piece("单"))
        box._journal._file = held
        await box.take(part("二", 2, 2))
    assert gateway.texts == ["一二"]


async def test_a_key_that_clashes_loses_no_words(tmp_path: Path) -> None:
    """Should the store ever know a key with other content, the message is a ticket all the same."""

    class Clashing(Gateway):
        async def accept(self, inbound: Inbound) -> Receipt:
            if self.calls == 0:
                self.calls += 1
                raise Conflict("id", "it was used before")
            return await super().accept(inbound)

    gateway = Clashing()
    async with inbox(tmp_path, gateway, Hand()) as box:
        await box.take(piece("路灯不亮"))
    assert gateway.texts == ["路灯不亮"]


async def test_journals_shrink(tmp_path: Path) -> None:
    """What no longer counts leaves the file when it has grown."""
    acts = Acts()
    journal = Journal(tmp_path / "j.journal", acts.lines, grown=10_000)
    await journal.open()
    for n in range(200):
        await journal.add(Line(op="act", slot=f"s{n}", key="k" * 100))
    await journal.close()
    assert journal.path.stat().st_size < 11_000
    again = Journal(journal.path, acts.lines)
    assert len(again.read()) < 100


def test_a_flood_is_slowed_and_its_first_emergencies_are_not() -> None:
    """The twenty-first message within a minute waits, longer and longer; an emergency does not."""
    flood = Flood()

    def delay(at: float, *, urgent: bool = False, sender: str = "a") -> float:
        return flood.delay(sender, at, lambda: urgent)

    assert [delay(0.0) for _ in range(FREE)] == [0.0] * FREE
    assert delay(1.0) == 0.25
    assert delay(1.0) == 0.5
    assert [delay(2.0, urgent=True) for _ in range(URGENT)] == [0.0] * URGENT
    assert delay(2.0, urgent=True) > 0
    assert delay(2.0, sender="b") == 0.0
    assert max(delay(3.0) for _ in range(100)) == 5.0
    assert delay(64.0) == 0.0


async def test_a_flood_holds_up_nobody_else(tmp_path: Path) -> None:
    """While one sender's messages wait, another's is a ticket at once."""
    gateway, hand = Gateway(), Hand()
    async with inbox(tmp_path, gateway, hand) as box:
        flood = [asyncio.create_task(box.take(piece(f"{n}"))) for n in range(FREE + 3)]
        await gateway.until(FREE)
        await box.take(piece("井盖没了", "13900000000"))
        assert "井盖没了" in gateway.texts
        assert not all(task.done() for task in flood)
        await asyncio.gather(*flood)


def test_a_text_of_two_codings_is_read_part_by_part() -> None:
    """A telephone may change the alphabet between parts."""
    first = part("路灯", 1, 2)
    second = msgspec.structs.replace(part("", 2, 2), coding=0, octets=b" no 5")
    assert text_of([first, second], "gsm7") == ("路灯 no 5", True)


def test_a_message_without_words_is_one() -> None:
    """An empty message is read as such."""
    assert text_of([piece("")], "gsm7") == ("", True)
