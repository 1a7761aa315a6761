"""Citizens who write to a whole gateway from any telephone, and read what it answers."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import aiohttp
import pytest

from config.load import load
from gateway import plugins
from gateway.app import App, build
from gateway.links import query_code
from gateway.store.base import Change, NewEvent
from tests.acceptance.signing import OFFICE_SECRET, signed
from tests.channels.sms.world import message
from tests.clock import START
from tests.peers.smsc import NODE, Smsc

_CONFIG = """\
instance: {{name: sms, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///gateway.db"}}
channels:
  - {{kind: web, name: portal}}
  - {{kind: sms, name: mobile, protocol: smpp, number: "106912345", host: 127.0.0.1, port: {port},
      user: hotline, password: secret, quiet_hours: "{quiet}"}}
adapters:
  - {{kind: backoffice, name: backoffice, url: "http://127.0.0.1:9/events", secret: {key}}}
liaison:
  "119": {{ack_within: 1s, ladder: [{{after: 0s, to: desk}}, {{after: 1s, to: sms, number: "+8613700000119"}}]}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""
_NUMBER = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]")
Write = Callable[..., Awaitable[str]]


@pytest.fixture
async def smsc() -> AsyncIterator[Smsc]:
    async with Smsc(NODE) as centre:
        yield centre


@pytest.fixture
async def app(smsc: Smsc, tmp_path: Path) -> AsyncIterator[App]:
    """Yield a gateway whose quiet hours are now."""
    config, now = tmp_path / "gateway.yaml", datetime.now(ZoneInfo("Asia/Shanghai"))
    quiet = f"{now - timedelta(hours=1):%H:%M}-{now + timedelta(hours=2):%H:%M}"
    values = {"port": smsc.port, "key": OFFICE_SECRET, "quiet": quiet}
    config.write_text(_CONFIG.format(**values), encoding="utf-8")
    gateway = await build(
        load(config), plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    )
    await gateway.start()
    yield gateway
    await gateway.stop()


def answers(smsc: Smsc, to: str) -> list[str]:
    """Return the texts that a telephone has read as a whole, their parts joined."""
    texts, begun = [], ""
    for sent in smsc.of("submit"):
        if sent["to"] != to:
            continue
        total, place = bytes.fromhex(sent["udh"])[-2:] if sent["udh"] else (1, 1)
        begun += sent["text"]
        if place == total:
            texts.append(begun)
            begun = ""
    return texts


async def ask(smsc: Smsc, text: str, source: str = "8613800138000") -> str:
    """Write a text and return what is answered to it."""
    before = len(answers(smsc, source))
    smsc.deliver(message(f"{source}:{before}:{text}", text, source))
    await smsc.until(lambda: len(answers(smsc, source)) > before)
    return answers(smsc, source)[-1]


async def test_a_conversation_by_text(smsc: Smsc, app: App) -> None:
    """The number comes back at once; it can be asked for, added to and rated by text."""
    received = await ask(smsc, "埇桥区人民路18号的路灯坏了三盏")
    found = _NUMBER.search(received)
    assert found is not None
    number = found[0]
    assert "已受理" in received
    assert number in await ask(smsc, f"工单{number}补充：就在小学门口")
    assert number in await ask(smsc, f"查询 {number}")
    assert "未查到" in await ask(smsc, f"查询 {number}", "8613900139000")
    store = app.parts.base.store
    stored = await store.ticket(number)
    assert stored is not None
    for event in ("signed", "answered"):
        step = NewEvent(at=START, event=event, by="office", text="已修好")
        await store.change(Change(ticket_id=stored.ticket.id, events=(step,)))
    assert "感谢" in await ask(smsc, "1")
    tickets = [s for s in await store.page("", 10) if s.ticket.requester.phone == "+8613800138000"]
    assert [s.number for s in tickets] == [number]


async def test_a_fire_by_text_calls_the_duty_phone(
    smsc: Smsc, app: App, caplog: pytest.LogCaptureFixture
) -> None:
    """The citizen reads what to dial; nobody acknowledges, and the duty telephone is told.

    If that telephone cannot be reached, operators are.
    """
    assert app.url
    told = await ask(smsc, "汴河中路88号三楼着火了，有老人被困出不来")
    assert "119" in told
    await smsc.until(lambda: bool(answers(smsc, "8613700000119")))
    assert "88号" in answers(smsc, "8613700000119")[0]
    alarms = [s for s in smsc.of("submit") if s["to"] == "8613700000119"]
    assert {s["priority"] for s in alarms} == {1}
    for sent in alarms:
        receipt = f"id:{sent['id']} sub:001 dlvrd:000 stat:UNDELIV err:001".encode().hex()
        smsc.deliver({"id": sent["id"], "source": sent["to"], "esm": 4, "hex": receipt})
    await smsc.until(lambda: "alarm.undelivered" in caplog.messages)
    (stored,) = await app.parts.base.store.page("", 10)
    assert "alarm_undelivered" in [event.event for event in stored.events]


async def test_what_became_of_an_answer_is_on_the_ticket(smsc: Smsc, app: App) -> None:
    """Once every part of an answer has arrived the ticket says so; one that failed says so at once."""
    store = app.parts.base.store

    async def events(text: str, source: str, state: str) -> list[str]:
        before = len(smsc.of("submit"))
        found = _NUMBER.search(await ask(smsc, text, source))
        assert found is not None
        parts = int(smsc.of("submit")[before]["udh"][8:10] or "1", 16)
        await smsc.wait("submit", before + parts)
        for sent in smsc.of("submit")[before:]:
            receipt = f"id:{sent['id']} sub:001 dlvrd:001 stat:{state} err:000".encode().hex()
            smsc.deliver({"id": sent["id"], "source": source, "esm": 4, "hex": receipt})
        async with asyncio.timeout(10):
            while True:
                stored = await store.ticket(found[0])
                assert stored is not None
                told = [e.event for e in stored.events if e.by == "carrier"]
                if told:
                    return told
                await asyncio.sleep(0.02)

    lamp = "埇桥区人民路18号的路灯坏了三盏"
    assert await events(lamp, "8613800138001", "DELIVRD") == ["delivered"]
    assert await events(lamp, "8613800138002", "UNDELIV") == ["undelivered"]


async def test_a_lost_query_code_comes_by_text(smsc: Smsc, app: App) -> None:
    """Number and telephone on the web, a code on the telephone, and the ticket is open."""
    source = "8613800138003"
    found = _NUMBER.search(await ask(smsc, "埇桥区人民路18号的路灯坏了三盏", source))
    assert found is not None
    mine = {"number": found[0], "phone": "13800138003"}
    async with aiohttp.ClientSession(app.url) as browser:

        async def post(path: str, **fields: str) -> str:
            async with browser.post(path, data=fields) as answer:
                assert answer.status == 200
                return await answer.text()

        texts = len(answers(smsc, source))
        stranger = await post("/progress/code", **{**mine, "phone": "13900139000"})
        assert await post("/progress/code", **mine) == stranger
        await smsc.until(lambda: len(answers(smsc, source)) > texts)
        (code,) = re.findall(r"(?<![0-9-])[0-9]{8}(?![0-9-])", answers(smsc, source)[-1])
        shown = await post("/progress", number=found[0], code=code)
        stored = await app.parts.base.store.ticket(found[0])
    assert stored is not None
    assert query_code(app.parts.base.store.secret, stored.ticket.id) in shown
    assert answers(smsc, "8613900139000") == []


async def answered(app: App, number: str, text: str) -> None:
    """Have the back office answer a ticket."""
    event = {
        "specversion": "1.0",
        "id": f"answer-{number}",
        "source": "office",
        "type": "hotline.work.answered",
        "time": datetime.now(UTC).isoformat(),
        "datacontenttype": "application/json",
        "data": {"number": number, "unit": "市城管局", "text": text},
    }
    body = json.dumps(event)
    headers = {
        **signed(OFFICE_SECRET, body, event["id"]),  # type: ignore[arg-type]  # it is a text
        "content-type": "application/cloudevents+json",
    }
    async with (
        aiohttp.ClientSession(app.url) as office,
        office.post("/api/v1/backoffice/backoffice/events", data=body, headers=headers) as answer,
    ):
        assert answer.status == 202, await answer.text()


async def test_quiet_hours_hold_all_but_emergencies(smsc: Smsc, app: App) -> None:
    """At night an acknowledgement comes, and what is new of a fire; what is new of a lamp waits."""
    lamp, fire = "8613800138004", "8613800138005"
    numbers = []
    for text, source in (
        ("埇桥区人民路18号的路灯坏了三盏", lamp),
        ("汴河中路88号三楼着火了，有老人被困出不来", fire),
    ):
        found = _NUMBER.search(await ask(smsc, text, source))
        assert found is not None
        numbers.append(found[0])
    before = len(answers(smsc, fire))
    await answered(app, numbers[0], "路灯已修好")
    await answered(app, numbers[1], "消防救援人员已到场")
    await smsc.until(lambda: len(answers(smsc, fire)) > before)
    assert "已到场" in answers(smsc, fire)[-1]
    assert not any("已修好" in text for text in answers(smsc, lamp))
    waiting = [
        d
        for d in await app.parts.base.store.deliveries(("due",), 100)
        if d.type == "hotline.answer.answered"
    ]
    assert len(waiting) == 1
    assert waiting[0].due_at > datetime.now(UTC) + timedelta(hours=1)
