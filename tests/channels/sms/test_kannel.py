"""Kannel as the reference: the same messages, joined by it and by us."""

from pathlib import Path

from tests.channels.sms.world import Gateway, message, parts, running, texting, ucs2
from tests.peers.kannel import kannel
from tests.peers.smsc import NODE, Smsc

_UNITS = ("水管爆了，" * 40).encode("utf-16-be")
ITEMS = [
    message("one", "井盖没了😱", "8613900000001"),
    *reversed(parts("eleven", "一二三四五六七八九十" * 70, 200, "8613900000002")),
    *(
        piece
        for same in zip(
            parts("a", "甲" * 150, 9, "8613900000003"),
            parts("b", "乙" * 150, 9, "8613900000004"),
            strict=True,
        )
        for piece in same
    ),
    {
        "id": "payload",
        "source": "8613900000005",
        "ton": 1,
        "coding": 8,
        "tlvs": {"message_payload": ucs2("停电了" * 100)},
    },
    *(
        {
            "id": f"sar{n}",
            "source": "8613900000006",
            "ton": 1,
            "coding": 8,
            "hex": _UNITS[(n - 1) * 130 : n * 130].hex(),
            "tlvs": {"sar_msg_ref_num": 77, "sar_total_segments": 4, "sar_segment_seqnum": n},
        }
        for n in (2, 1, 4, 3)
    ),
    {"id": "class", "source": "8613900000007", "ton": 1, "coding": 0x18, "hex": ucs2("没有暖气")},
]
COUNT = 7


async def test_we_join_what_kannel_joins(tmp_path: Path) -> None:
    """Long, interleaved, reversed, by header, SAR and payload: sender and text are the same."""
    gateway = Gateway()
    async with Smsc(NODE) as ours, running(texting(ours.port, tmp_path), gateway):
        ours.deliver(*ITEMS)
        await gateway.until(COUNT)
        await ours.wait("answered", len(ITEMS))
    async with Smsc(NODE) as theirs, kannel(theirs.port, tmp_path) as reference:
        theirs.deliver(*ITEMS)
        await theirs.wait("answered", len(ITEMS), limit_s=30)
        await theirs.until(lambda: len(reference.texts) >= COUNT)
    made = {(i.thread, i.text) for i in gateway.tickets}
    assert {(f"+{sender.lstrip('+')}", text) for sender, text in reference.texts} == made
