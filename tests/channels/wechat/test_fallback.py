"""Who cannot be written to on WeChat any more is told by text message, through a whole gateway."""

import pytest

from channels.wechat.simulator.platform import ALLOWED
from gateway.commands.demo import serving
from gateway.demo.cast import configuration, started
from gateway.demo.peers import LoopbackOffice, new_secret
from gateway.demo.sms import Sms
from gateway.demo.story import Scene
from gateway.demo.verdict import ACCEPTED
from gateway.demo.wechat import WeChat
from gateway.loopback import free_port
from tests.channels.wechat.world import LAMP, until

CITIZEN, TELEPHONE = "oCitizenWithATelephone", "8613800138000"


@pytest.mark.parametrize("why", ["48 hours", "five messages", "unsubscribed"])
async def test_a_closed_chat_is_answered_by_text_message(why: str) -> None:
    """45015 and 45047: what the unit answers comes to the number that the citizen told."""
    office, wechat, sms = LoopbackOffice(new_secret()), WeChat(), Sms()
    await office.start()
    _, sections, _ = await started([wechat, sms])
    async with serving(configuration(free_port(), office, sections)) as url:
        await wechat.meet(url)
        await sms.meet(url)
        told = await wechat.play(Scene("wechat", LAMP, by=CITIZEN))
        assert "请回复联系电话" in told.answer
        assert (await wechat.play(Scene("wechat", "13800138000", by=CITIZEN))).number == told.number
        (push,) = await until(lambda: office.of(told.number, ACCEPTED))
        if why == "five messages":
            wechat.platform._spent[CITIZEN] = ALLOWED
        elif why == "48 hours":
            wechat.platform._written_at.clear()
        else:
            wechat.platform.wrong["/cgi-bin/message/custom/send"] = [43004]
        unit = push.event["data"]["ticket"]["route"]["unit"]
        for step, text in (("signed", ""), ("answered", "路灯已经修好。")):
            report = {"number": told.number, "unit": unit, "text": text}
            assert await office.report(url, step, report) == 202
        await until(lambda: "路灯已经修好" in sms.inbox(TELEPHONE))
        assert told.number in sms.inbox(TELEPHONE)
        assert wechat.chat(CITIZEN) == []
    for peer in (wechat, sms):
        await peer.stop()
    await office.stop()
