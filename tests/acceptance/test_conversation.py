"""What a partner platform's conversation becomes (contract sections 2 and 5)."""

import json
from pathlib import Path

import pytest

from tests.acceptance.office import BackOffice
from tests.acceptance.signing import PARTNER_SECRET, partner_message, push, report, work
from tests.acceptance.world import World, opened, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_message_that_cites_the_number_joins_the_ticket(world: World) -> None:
    """A later message of the sender that cites the number is an addition, not a ticket."""
    first = partner_message("三角洲公园的路灯坏了两盏")
    number = (await push(world.citizen, first)).json["number"]
    second = partner_message(f"工单{number}补充：靠近东门的两盏", **{"from": first["from"]})
    answer = await push(world.citizen, second)
    assert (answer.status, answer.json["number"]) == (202, number)
    added = await world.office.event(number, "hotline.ticket.added")
    message = added.event["data"]["message"]
    assert set(message) == {"at", "text", "attachments"}
    assert "靠近东门的两盏" in message["text"]


async def test_citing_a_strangers_number_makes_a_ticket(world: World) -> None:
    """Who only knows somebody's number cannot add to their ticket."""
    number = (await push(world.citizen, partner_message("公厕无水"))).json["number"]
    answer = await push(world.citizen, partner_message(f"工单{number}补充：不用处理了"))
    assert answer.status == 202
    assert answer.json["number"] != number


async def test_answer_goes_to_the_reply_url_signed(tmp_path: Path) -> None:
    """With a reply_url the office's answer is posted there, signed, with the ticket's number."""
    platform = await BackOffice(secret=PARTNER_SECRET, path="/answers").start()
    channels = settings("")["channels"]
    channels[1]["reply_url"] = platform.url
    try:
        async with opened(tmp_path, channels=channels) as world:
            filed = (await push(world.citizen, partner_message("站牌倾斜"))).json
            for kind in ("signed", "answered"):
                event = work(kind, filed["number"], text="站牌已于今日扶正")
                assert (await report(world.citizen, event)).status == 202
            await platform.until(
                lambda: any(
                    filed["number"] in json.dumps(each.event)
                    and "站牌已于今日扶正" in json.dumps(each.event, ensure_ascii=False)
                    for each in platform.taken
                ),
                "the answer at the reply_url",
            )
    finally:
        await platform.stop()
    assert platform.forged == []
