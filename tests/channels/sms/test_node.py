"""Against a message centre written by others: npm's smpp."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.base import Message, Receipt
from normalizer.errors import TryLater, Unreachable
from normalizer.schema import Inbound
from tests.channels.sms.world import (
    QUICK,
    QUICK_ENOUGH,
    Gateway,
    Hand,
    message,
    parts,
    running,
    texting,
    ucs2,
    until,
)
from tests.peers.smsc import NODE, Smsc


def journal(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of the channel's journal."""
    lines = (folder / "mobile.journal").read_bytes().split(b"\n")
    return [json.loads(line) for line in lines if line]


def waits(folder: Path) -> bool:
    """Return whether the journal knows of an unfinished message."""
    last = {line["slot"]: line["op"] for line in journal(folder) if line["op"] in ("part", "whole")}
    return "part" in last.values()


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with Smsc(NODE) as centre:
        yield centre


async def test_a_message_is_a_ticket_before_it_is_answered(smsc: Smsc, tmp_path: Path) -> None:
    """A citizen's text arrives with its sender, and the centre hears of it only then."""
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(message(1, "人民路路灯不亮😱"))
        (answer,) = await smsc.wait("answered")
    assert answer["status"] == 0
    (inbound,) = gateway.tickets
    assert inbound.text == "人民路路灯不亮😱"
    assert inbound.requester.phone == "+8613800138000"
    assert inbound.thread == "+8613800138000"
    assert inbound.called == "106912345"
    assert inbound.message_id is not None
    assert inbound.message_id.startswith("sha256:")
    assert inbound.acknowledge
    assert not inbound.undecodable


async def test_two_citizens_with_the_same_reference_keep_their_own_words(
    smsc: Smsc, tmp_path: Path
) -> None:
    """Parts that come reversed and interleaved are joined each with its own, emoji cut in two too."""
    first = "甲" * 66 + "😱" + "甲的第二段" * 20
    second = "乙" * 100 + "完"
    ours, theirs = parts("a", first, 7, "8613800138001"), parts("b", second, 7, "8613800138002")
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(ours[2], theirs[1], ours[1], ours[0], theirs[0])
        await gateway.until(2)
        await smsc.wait("answered", 5)
    assert sorted(gateway.texts) == sorted([first, second])


#: Like the centre of the notes: every way in which a message may come, and what it says.
GB_LONG = ("汴河路18号楼下的井盖丢了，" * 12).encode("gb18030")


def _part(id_: str, reference: int, total: int, place: int, octets: bytes) -> dict[str, object]:
    head = bytes([5, 0, 3, reference, total, place])
    return {
        "id": id_, "source": "8613900000009", "ton": 1, "coding": 15, "esm": 0x40,
        "hex": (head + octets).hex(),
    }  # fmt: skip


async def test_every_way_in_which_a_message_may_come(smsc: Smsc, tmp_path: Path) -> None:
    """Codings, payloads, SAR, headers, no text, a word as the sender: all are taken, none ends the link."""
    gateway, long = Gateway(), "水管爆了，" * 40
    units = long.encode("utf-16-be")
    sar = [
        {"id": f"sar{n}", "source": "8613900000003", "ton": 1, "coding": 8,
         "hex": units[(n - 1) * 130 : n * 130].hex(),
         "tlvs": {"sar_msg_ref_num": 513, "sar_total_segments": 4, "sar_segment_seqnum": n}}
        for n in (3, 1, 4, 2)
    ]  # fmt: skip
    one = "1390000"
    items = [
        {"id": "gsm", "source": f"{one}0001", "coding": 0, "hex": b"Lamp out \x02 5".hex()},
        {"id": "gb", "source": f"{one}0002", "coding": 15, "hex": "路灯不亮".encode("gb18030").hex()},
        *sar,
        {"id": "payload", "source": f"{one}0004", "coding": 8, "hex": "",
         "tlvs": {"message_payload": ucs2("停电了" * 100)}},
        {"id": "class", "source": f"{one}0005", "coding": 0x18, "hex": ucs2("没有暖气")},
        {"id": "odd", "source": f"{one}0006", "coding": 8, "hex": ucs2("没有水") + "4e"},
        {"id": "unknown", "source": f"{one}0007", "coding": 0x9A, "hex": "不知道".encode("gbk").hex()},
        {"id": "word", "source": "Bank", "ton": 5, "coding": 0, "hex": b"hello".hex()},
        {"id": "empty", "source": f"{one}0008", "coding": 0, "hex": ""},
        # three octets past the middle: characters are cut in two
        _part("g2", 9, 2, 2, GB_LONG[131:]), _part("g1", 9, 2, 1, GB_LONG[:131]),
    ]  # fmt: skip
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(*items)
        await smsc.wait("answered", len(items))
    assert {a["status"] for a in smsc.of("answered")} == {0}
    assert smsc.of("closed") == smsc.of("closed")[:1]
    assert set(gateway.texts) == {
        "Lamp out $ 5", "路灯不亮", long, "停电了" * 100, "没有暖气", "没有水", "不知道", "hello", "",
        GB_LONG.decode("gb18030"),
    }  # fmt: skip
    guessed = [i.text for i in gateway.tickets if i.undecodable]
    assert guessed == ["不知道"]
    (word,) = (i for i in gateway.tickets if i.text == "hello")
    assert (word.thread, word.requester.phone) == ("Bank", None)


async def test_receipts_are_taken_and_make_no_ticket(smsc: Smsc, tmp_path: Path) -> None:
    """What became of our messages is no citizen's message, whichever form it has."""
    gateway = Gateway()
    text = b"id:1 sub:001 dlvrd:001 submit date:2611230959 done date:20261123100000 stat:%s err:0"
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(
            {"id": 1, "source": "8613800138000", "esm": 4, "hex": (text % b"DELIVRD").hex()},
            {"id": 2, "source": "8613800138000", "esm": 4, "hex": (text % b"UNDELIV").hex()},
            {"id": 3, "source": "8613800138000", "hex": "",
             "tlvs": {"receipted_message_id": "1", "message_state": 2}},
            message(4, "路灯不亮"),
        )  # fmt: skip
        await smsc.wait("answered", 4)
    assert {a["status"] for a in smsc.of("answered")} == {0}
    assert gateway.texts == ["路灯不亮"]


async def test_a_store_that_is_down_makes_the_centre_repeat(smsc: Smsc, tmp_path: Path) -> None:
    """Nothing is acknowledged while nothing is stored; later all of it is one ticket each."""
    gateway = Gateway()
    gateway.down = True
    long = parts("l", "积水很深，" * 30, 3, "8613800138009")
    async with running(texting(smsc.port, tmp_path), gateway):
        smsc.deliver(message(1, "路灯不亮"), message(2, "井盖没了"), *long)
        refused = await smsc.wait("answered", 6)
        # Parts are on the disk of the channel; the one that makes the message whole is not taken.
        taken = {a["id"] for a in refused if a["status"] == 0}
        assert taken < {item["id"] for item in long}
        assert {a["status"] for a in refused} == {0, 0x64}
        gateway.down = False
        await gateway.until(3)
    assert sorted(gateway.texts) == sorted(["路灯不亮", "井盖没了", "积水很深，" * 30])


async def test_the_same_words_sent_again_are_another_act(smsc: Smsc, tmp_path: Path) -> None:
    """Within a minute the same words are the centre's repeat; after it, and known to be taken, not."""
    gateway, hand = Gateway(), Hand()
    async with running(texting(smsc.port, tmp_path, hand=hand), gateway):
        smsc.deliver(message(1, "路灯不亮"), message(2, "路灯不亮"))
        await smsc.wait("answered", 2)
        assert len(gateway.tickets) == 1
        beats = len(smsc.of("enquire"))
        await smsc.wait("enquire", beats + 3)  # the centre has shown that it reads us
        hand.ahead_s = 90
        smsc.deliver(message(3, "路灯不亮"))
        await gateway.until(2)
    assert len({i.key for i in gateway.tickets}) == 2


async def test_parts_that_come_again_after_their_message_make_no_ticket(
    smsc: Smsc, tmp_path: Path
) -> None:
    """A last part that the centre repeats after a restart waits in vain, and is let go of."""
    gateway, long = Gateway(), "煤气味很重，" * 30
    pieces = parts("l", long, 5, "8613800138001")
    async with running(texting(smsc.port, tmp_path, QUICK_ENOUGH), gateway):
        smsc.deliver(*pieces)
        await smsc.wait("answered", len(pieces))
    async with running(texting(smsc.port, tmp_path, QUICK_ENOUGH, combine_for="1s"), gateway):
        smsc.deliver(pieces[-1], {**pieces[-1], "id": "again"})
        await smsc.wait("answered", len(pieces) + 2)
        await until(lambda: len(journal(tmp_path)) > 0 and not waits(tmp_path))
    assert gateway.texts == [long]


async def test_a_missing_part_is_noted(smsc: Smsc, tmp_path: Path) -> None:
    """After the time-out what came is a ticket that says what is missing."""
    gateway, text = Gateway(), "一" * 67 + "二" * 67 + "三" * 67 + "四" * 10
    pieces = parts("l", text, 5, "8613800138001")
    async with running(texting(smsc.port, tmp_path, combine_for="1s"), gateway):
        smsc.deliver(pieces[2], pieces[0], pieces[0])
        await gateway.until(1)
    assert gateway.texts == ["一" * 67 + "[缺第2段]" + "三" * 67 + "[缺第4段]"]


async def test_octets_that_cannot_be_followed_end_the_connection_only(
    smsc: Smsc, tmp_path: Path
) -> None:
    """A length that cannot be costs the connection, not the channel; unknown PDUs cost nothing."""
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway) as channel:
        await smsc.wait("bind")
        smsc.tell("raw", hex="00000010000001110000000000000007")
        (nack,) = await smsc.wait("nack")
        assert nack["status"] == 3
        assert channel.link.sessions == 1
        smsc.tell("raw", hex="7fffffff000000050000000000000001")
        smsc.deliver(message(1, "路灯不亮"))
        await gateway.until(1)
        assert channel.link.sessions == 2


async def test_the_centre_may_ask_and_may_leave(smsc: Smsc, tmp_path: Path) -> None:
    """An enquire_link is answered; an unbind is answered, and followed by a new bind."""
    async with running(texting(smsc.port, tmp_path), Gateway()):
        await smsc.wait("bind")
        smsc.tell("enquire")
        await smsc.wait("alive")
        smsc.tell("unbind")
        await smsc.wait("unbound")
        await smsc.wait("bind", 2)


async def test_a_centre_that_is_away_is_waited_for(smsc: Smsc, tmp_path: Path) -> None:
    """The centre crashes and comes back on its port: what it has is delivered."""
    gateway = Gateway()
    async with running(texting(smsc.port, tmp_path), gateway) as channel:
        await smsc.wait("bind")
        await smsc.stop()
        await until(lambda: not channel.link.up)
        await smsc.start()
        smsc.deliver(message(1, "路灯不亮"))
        await gateway.until(1)


async def test_a_link_that_flaps_is_no_busy_loop(smsc: Smsc, tmp_path: Path) -> None:
    """A centre that ends every session at once is called again with growing pauses."""
    gateway = Gateway()
    timing = msgspec.structs.replace(QUICK, first_pause_s=0.1, longest_pause_s=60.0)
    async with running(texting(smsc.port, tmp_path, timing), gateway):
        for count in (1, 2, 3, 4):
            await smsc.wait("bind", count)
            smsc.tell("reset")
        at = asyncio.get_running_loop().time()
        await smsc.wait("bind", 5)
        # Pauses of 0.1, 0.2, 0.4 and 0.8 s, each shortened by half at most.
        assert asyncio.get_running_loop().time() - at > 0.35


async def test_no_such_number_is_told_from_not_now(smsc: Smsc, tmp_path: Path) -> None:
    """A number that does not exist ends its delivery alone; any other refusal is tried later."""
    channel = texting(smsc.port, tmp_path)
    async with running(channel, Gateway()):
        await smsc.wait("bind")
        await smsc.set(refuse=0x0B)
        with pytest.raises(Unreachable, match="0xb"):
            await channel.messenger.send("+8613800138000", Message(key="m", text="已受理"))
        await smsc.set(refuse=0x08)
        with pytest.raises(TryLater, match="0x8"):
            await channel.messenger.send("+8613800138000", Message(key="m", text="已受理"))
        await smsc.set(refuse=0)
        assert await channel.messenger.send("+861", Message(key="m", text="已受理")) == "1"


async def test_a_message_sent_in_part_goes_on_where_it_ended(smsc: Smsc, tmp_path: Path) -> None:
    """The second try sends the missing parts only, with the reference of the first."""
    channel, text = texting(smsc.port, tmp_path), "您好，" * 60
    long = Message(key="m", text=text)
    async with running(channel, Gateway()):
        await smsc.wait("bind")
        await smsc.set(limit=2)
        with pytest.raises(TryLater):
            await channel.messenger.send("+8613800138000", long)
        assert len(smsc.of("submit")) == 2
        await smsc.set(limit=1000)
        await channel.messenger.send("+8613800138000", long)
    sent = smsc.of("submit")
    assert "".join(s["text"] for s in sent) == text
    assert len({s["udh"][:8] for s in sent}) == 1


async def test_commands_are_answered_by_text(smsc: Smsc, tmp_path: Path) -> None:
    """What the gateway has not stored with a ticket, the channel tells itself."""

    class Commanding(Gateway):
        async def accept(self, inbound: Inbound) -> Receipt:
            made = await super().accept(inbound)
            return msgspec.structs.replace(made, message="工单已办结。")

    async with running(texting(smsc.port, tmp_path), Commanding()):
        smsc.deliver(message(1, "查询"))
        (sent,) = await smsc.wait("submit")
    assert (sent["text"], sent["to"]) == ("工单已办结。", "8613800138000")
    assert (sent["ton"], sent["from"]) == (1, "106912345")


async def test_a_fault_of_our_own_does_not_end_the_session(smsc: Smsc, tmp_path: Path) -> None:
    """What fails on one message makes the centre repeat that one; the others go on."""

    class Faulty(Gateway):
        faults = 2

        async def accept(self, inbound: Inbound) -> Receipt:
            if "井盖" in inbound.text and self.faults:
                self.faults -= 1
                raise ValueError("a fault")
            return await super().accept(inbound)

    gateway = Faulty()
    async with running(texting(smsc.port, tmp_path), gateway) as channel:
        smsc.deliver(message(1, "井盖没了"), message(2, "路灯不亮"))
        await gateway.until(2)
        assert channel.link.sessions == 1
    assert [a["status"] for a in smsc.of("answered") if a["id"] == 1][:2] == [0x64, 0x64]


async def test_an_alarm_overtakes_what_waits(smsc: Smsc, tmp_path: Path) -> None:
    """The carrier asks to be slower: ordinary messages are, an alarm is not."""
    channel = texting(smsc.port, tmp_path)
    async with running(channel, Gateway()):
        await smsc.wait("bind")
        await smsc.set(throttle=1)
        ordinary = asyncio.create_task(channel.messenger.send("+861", Message(key="a", text="好")))
        await until(lambda: channel.link.slowed)
        await channel.messenger.send("+862", Message(key="b", text="火警", urgent=True))
        assert not ordinary.done()
        await ordinary
    assert [s["text"] for s in smsc.of("submit")] == ["火警", "好"]


async def test_a_full_window_has_room_for_an_alarm(smsc: Smsc, tmp_path: Path) -> None:
    """The carrier answers nothing: ordinary messages wait for room, an alarm is with it at once."""
    patient = msgspec.structs.replace(QUICK_ENOUGH, answer_s=30.0, window=10)
    channel = texting(smsc.port, tmp_path, patient)
    async with running(channel, Gateway()), asyncio.TaskGroup() as tasks:
        await smsc.wait("bind")
        await smsc.set(hold=True)
        send = channel.messenger.send
        ordinary = [Message(key=f"{n}", text="好") for n in range(20)]
        waiting = [tasks.create_task(send("+861", each)) for each in ordinary]
        await smsc.wait("held", 8)
        alarm = Message(key="b", text="火警", urgent=True)
        waiting.append(tasks.create_task(send("+862", alarm)))
        held = await smsc.wait("held", 9)
        assert [each["text"] for each in held] == ["好"] * 8 + ["火警"]
        for task in waiting:
            task.cancel()
