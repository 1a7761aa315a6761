"""Cloud providers' call-backs against the conformance suite, and whole batches over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from channels.testing import CHECKS, Check, Suite
from config.load import load
from gateway import plugins
from gateway.app import App, build
from gateway.demo.peers import new_secret
from gateway.store.base import Acceptance, Added
from gateway.store.sqlite import SqliteStore
from normalizer.errors import StoreError, Unauthorized
from tests.channels.sms.cases import (
    ALIYUN,
    ALIYUN_NOW,
    ITEM,
    REPLIED,
    SECRET,
    TENCENT,
    aliyun,
    channel,
    pushed,
)

_CONFIG = """\
instance: {{name: sms, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///gateway.db"}}
channels:
  - {{kind: sms, name: ali, protocol: http, provider: aliyun, number: "10691", secret: {secret}}}
  - {{kind: sms, name: qq, protocol: http, provider: tencent, number: "10691", secret: {secret},
      sources: 127.0.0.1}}
  - {{kind: sms, name: far, protocol: http, provider: tencent, number: "10691", secret: {secret},
      sources: [203.0.113.0/24]}}
adapters:
  - {{kind: backoffice, name: backoffice, url: "http://127.0.0.1:9/events", secret: {key}}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""


class Moody(SqliteStore):
    """A store that refuses some tickets."""

    refused = ""
    open_for_all: asyncio.Event | None = None

    async def add(self, acceptance: Acceptance) -> Added:
        """Write a ticket, unless its text is the refused one."""
        if self.open_for_all is not None:
            await self.open_for_all.wait()
        if self.refused and self.refused in acceptance.ticket.content.text:
            raise StoreError("the disk is full")
        return await super().add(acceptance)


class Served:
    """A gateway on a port."""

    def __init__(self, app: App, store: Moody, session: aiohttp.ClientSession) -> None:
        self.app = app
        self.store = store
        self.session = session

    async def post(self, name: str, body: Any, secret: str = SECRET, **more: Any) -> Any:
        """Return status and body of the answer to a push."""
        address = f"{self.app.url}/channels/sms/{name}/{secret}"
        headers = {"Content-Type": "application/json", **more}
        octets = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.session.post(address, data=octets, headers=headers) as answer:
            return answer.status, await answer.read()

    async def until(self, count: int) -> None:
        """Return once there are so many tickets."""
        async with asyncio.timeout(30):
            while len(await self.texts()) < count:  # noqa: ASYNC110 - looked at from outside
                await asyncio.sleep(0.02)

    async def texts(self) -> list[str]:
        """Return the texts of all tickets."""
        return [s.ticket.content.original for s in await self.store.page("", 10_000)]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    config = tmp_path / "gateway.yaml"
    config.write_text(_CONFIG.format(secret=SECRET, key=new_secret()), encoding="utf-8")
    store = Moody(tmp_path / "gateway.db")
    app = await build(
        load(config),
        plugins.load("gateway.channels"),
        plugins.load("gateway.adapters"),
        store=store,
    )
    await app.start()
    async with aiohttp.ClientSession() as session:
        yield Served(app, store, session)
    await app.stop()


@pytest.mark.parametrize("suite", [ALIYUN, TENCENT], ids=["aliyun", "tencent"])
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_conformance(check: Check, suite: Suite) -> None:
    """Each provider's form passes every check that all channels pass."""
    await check(suite)


@pytest.mark.parametrize("remote", ["::ffff:203.0.113.9", "2001:db8::1", "203.0.113.255"])
def test_sources_are_networks(remote: str) -> None:
    """An address in a listed network may push, in whichever form the server tells it."""
    request = msgspec.structs.replace(aliyun(ITEM), remote=remote)
    channel("aliyun").authenticate(request, ALIYUN_NOW)


@pytest.mark.parametrize("remote", ["203.0.112.1", "", "unix", "::1"])
def test_others_may_not_push(remote: str) -> None:
    """Any other address is refused, even with the secret."""
    request = msgspec.structs.replace(aliyun(ITEM), remote=remote)
    with pytest.raises(Unauthorized, match="sources"):
        channel("aliyun").authenticate(request, ALIYUN_NOW)


def test_a_wrong_item_does_not_hold_up_the_others() -> None:
    """Among right ones it becomes a message for a human, with its own octets."""
    items = (ITEM, {**ITEM, "phone_number": None}, {**ITEM, "sequence_id": 7, "content": "井盖"})
    first, wrong, last = channel("aliyun").parse(aliyun(*items), ALIYUN_NOW)
    assert (first.text, last.text, last.message_id) == ("路灯不亮", "井盖", "7")
    assert wrong.undecodable
    assert msgspec.json.decode(wrong.raw) == items[1]
    assert len({i.key for i in (first, wrong, last)}) == 3


def test_a_time_that_is_none_loses_no_text() -> None:
    """The message counts; when it was sent is then unknown."""
    (inbound,) = channel("aliyun").parse(aliyun({**ITEM, "send_time": "soon"}), ALIYUN_NOW)
    assert (inbound.text, inbound.sent_at) == ("路灯不亮", None)
    (inbound,) = channel("tencent").parse(
        pushed(msgspec.json.encode({**REPLIED, "time": 10**15})), ALIYUN_NOW
    )
    assert (inbound.text, inbound.sent_at) == ("路灯不亮", None)


async def test_a_batch_over_http(served: Served) -> None:
    """Five hundred messages are as many tickets, however often and however slowly they come.

    Five cannot be stored at first: 503, or written down if that took too long for the provider.
    """
    items = [
        {**ITEM, "phone_number": f"138{n:08}", "sequence_id": n, "content": f"{n}号楼停水"}
        for n in range(500)
    ]
    served.store.refused = "77号楼"  # of 77, 177, 277, 377 and 477
    status, _ = await served.post("ali", items)
    assert status in (200, 503)
    served.store.refused = ""
    for _ in range(2):
        assert await served.post("ali", items) == (200, '{"code":0,"msg":"接收成功"}'.encode())
    await served.until(len(items))
    assert sorted(await served.texts()) == sorted(str(i["content"]) for i in items)


async def test_a_batch_is_answered_though_the_store_does_nothing(served: Served) -> None:
    """The provider waits for 700 ms: what its answer needs is one file, however many the messages."""
    items = [
        {**ITEM, "phone_number": f"138{n:08}", "sequence_id": n, "content": f"{n}号楼停水"}
        for n in range(500)
    ]
    assert channel("aliyun").reply_within_s <= 0.7 / 2
    served.store.open_for_all = asyncio.Event()
    assert (await served.post("ali", items))[0] == 200
    assert await served.texts() == []
    served.store.open_for_all.set()
    await served.until(len(items))
    assert sorted(await served.texts()) == sorted(str(i["content"]) for i in items)


async def test_a_batch_that_was_stored_in_part_is_asked_for_again(served: Served) -> None:
    """One of three cannot be stored: 503, so that the provider brings all of them again."""
    items = [
        {**ITEM, "phone_number": f"1380000000{n}", "sequence_id": n, "content": f"{n}号楼停水"}
        for n in range(3)
    ]
    served.app.parts.front.webhooks["sms", "ali"].reply_within_s = 60.0  # type: ignore[attr-defined]  # no hurry
    served.store.refused = "1号楼"
    assert (await served.post("ali", items))[0] == 503
    assert len(await served.texts()) == 2
    served.store.refused = ""
    assert (await served.post("ali", items))[0] == 200
    assert len(await served.texts()) == 3


async def test_replies_over_http(served: Served) -> None:
    """A reply is one ticket, were it brought on twenty connections; only who may push, pushes."""
    answers = await asyncio.gather(*(served.post("qq", REPLIED) for _ in range(20)))
    assert set(answers) == {(200, b'{"result":0,"errmsg":"OK"}')}
    assert (await served.post("qq", REPLIED, secret=SECRET + "x"))[0] == 403
    assert (await served.post("far", REPLIED))[0] == 403
    assert await served.texts() == ["路灯不亮"]


async def test_what_is_no_reply_is_kept_whole(served: Served) -> None:
    """JSON labelled as a form is read; a real form is 400 and quarantined; a report is recorded."""
    label = {"Content-Type": "application/x-www-form-urlencoded"}
    odd = "水管&井盖&" * 40 + "100%"
    body = msgspec.json.encode({**REPLIED, "text": odd})
    assert (await served.post("qq", body, **label))[0] == 200
    form = b"mobile=13811110000&text=%E8%B7%AF%E7%81%AF"
    assert (await served.post("qq", form, **label))[0] == 400
    report = [{"mobile": "13811110000", "report_status": "SUCCESS", "sid": "1"}]
    assert await served.post("qq", report) == (200, b'{"result":0,"errmsg":"OK"}')
    assert await served.texts() == [odd]
    held = await served.store.quarantined(["held"], 10)
    assert {item.raw for item in held} == {form, msgspec.json.encode(report)}
    assert {(item.channel, item.account) for item in held} == {("sms", "qq")}


async def test_a_slow_store_does_not_outlast_the_provider(served: Served) -> None:
    """What is not a ticket in time is written down and answered; it becomes one without a repeat."""
    served.store.open_for_all = asyncio.Event()
    async with asyncio.timeout(5):
        assert (await served.post("qq", REPLIED))[0] == 200
    assert await served.texts() == []
    served.store.open_for_all.set()
    await served.until(1)
    assert (await served.post("qq", REPLIED))[0] == 200
    assert await served.texts() == ["路灯不亮"]
