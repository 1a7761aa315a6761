"""Citizens who write to a whole gateway from any telephone, and read what it answers."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from config.load import load
from gateway import plugins
from gateway.app import App, build
from gateway.demo.peers import new_secret
from gateway.store.base import Change, NewEvent
from tests.channels.sms.world import message
from tests.clock import START
from tests.peers.smsc import NODE, Smsc

_CONFIG = """\
instance: {{name: sms, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///gateway.db"}}
channels:
  - {{kind: sms, name: mobile, protocol: smpp, number: "106912345", host: 127.0.0.1, port: {port},
      user: hotline, password: secret}}
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
    config = tmp_path / "gateway.yaml"
    config.write_text(_CONFIG.format(port=smsc.port, key=new_secret()), encoding="utf-8")
    gateway = await build(
        load(config), plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    )
    await gateway.start()
    yield gateway
    await gateway.stop()


def answers(smsc: Smsc, to: str) -> list[str]:
    """Return the whole texts that a telephone has read, its parts joined."""
    texts: list[str] = []
    for sent in smsc.of("submit"):
        if sent["to"] != to:
            continue
        place = int(sent["udh"][-2:], 16) if sent["udh"] else 1
        if place == 1:
            texts.append("")
        texts[-1] += sent["text"]
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


async def test_a_fire_by_text_calls_the_duty_phone(smsc: Smsc, app: App) -> None:
    """The citizen reads what to dial; nobody acknowledges, and the duty telephone is told."""
    assert app.url
    told = await ask(smsc, "汴河中路88号三楼着火了，有老人被困出不来")
    assert "119" in told
    await smsc.until(lambda: bool(answers(smsc, "8613700000119")))
    assert "88号" in answers(smsc, "8613700000119")[0]
    alarms = [s for s in smsc.of("submit") if s["to"] == "8613700000119"]
    assert {s["priority"] for s in alarms} == {1}


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
