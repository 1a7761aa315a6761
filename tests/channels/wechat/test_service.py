"""WeCom's queue: pages, crashes between them, kinds of messages."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from channels.testing import Ledger
from channels.wechat.channel import plugin
from channels.wechat.service import CustomerService
from channels.wechat.simulator.platform import Platform
from gateway.shared import FileShared
from normalizer.errors import StoreError, TryLater
from normalizer.schema import Inbound
from tests.channels.wechat.world import APP, KEY, SECRET, TOKEN

NOW = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
SECTION = {
    "kind": "wechat",
    "name": "corp",
    "platform": "wecom",
    "app_id": APP,
    "app_secret": SECRET,
    "token": TOKEN,
    "encoding_aes_key": KEY,
}


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    found = Platform(APP, SECRET)
    await found.start()
    yield found
    await found.stop()


@pytest.fixture
async def service(platform: Platform, tmp_path: Path) -> AsyncIterator[CustomerService]:
    found = _service(platform, tmp_path)
    await found._api.open()
    yield found
    await found._api.close()


def _service(platform: Platform, folder: Path) -> CustomerService:
    found: Any = plugin.open({**SECTION, "api_base": platform.url})
    found.share(FileShared(folder))
    assert isinstance(found, CustomerService)
    return found


def _message(number: int, kind: str = "text", **content: Any) -> dict[str, Any]:
    return {
        "msgid": f"m-{number}",
        "open_kfid": "wkA",
        "external_userid": "wmB",
        "send_time": int(NOW.timestamp()) - 60,
        "origin": 3,
        "msgtype": kind,
        kind: content or {"content": f"路灯不亮{number}"},
    }


class Failing(Ledger):
    """A gateway whose store refuses one message, once."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self.asked: list[str] = []
        self._at: str | None = at

    async def accept(self, inbound: Inbound) -> Any:
        """Return a receipt, or refuse."""
        self.asked.append(str(inbound.key))
        if inbound.key == self._at:
            self._at = None
            raise StoreError("the disk is full")
        return await super().accept(inbound)


async def test_a_crash_between_pages_loses_and_doubles_nothing(
    service: CustomerService, platform: Platform, tmp_path: Path
) -> None:
    """The cursor stands behind what is durable; another process goes on from there."""
    platform.queue += [_message(number) for number in range(5)]
    platform.page = 2
    ledger = Failing("m-3")
    with pytest.raises(StoreError):
        await service.sync("wkA", ledger.accept)
    assert ledger.asked == ["m-0", "m-1", "m-2", "m-3"]
    heir = _service(platform, tmp_path)
    await heir._api.open()
    await heir.sync("wkA", ledger.accept)
    await heir._api.close()
    assert ledger.asked[4:] == ["m-2", "m-3", "m-4"]  # the page that was not whole, and the rest
    assert [i.key for i in ledger.tickets.values()] == [f"m-{n}" for n in range(5)]
    await service.sync("wkA", ledger.accept)
    assert len(ledger.asked) == 7


async def test_an_old_token_of_the_call_back_is_told(
    service: CustomerService, platform: Platform
) -> None:
    """95007 is no end: the next look goes without the token, and health says why."""
    service._waiting["wkA"] = "old"
    platform.queue.append(_message(1))
    platform.wrong["/cgi-bin/kf/sync_msg"] = [95007]
    ledger = Ledger()
    assert not await service._look(ledger.accept)
    assert "95007" in str(service.trouble())
    assert await service._look(ledger.accept)
    assert service.trouble() is None
    assert len(ledger.tickets) == 1
    platform.wrong["/cgi-bin/kf/sync_msg"] = [-1]
    with pytest.raises(TryLater):
        await service.sync("wkA", ledger.accept)


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("text", {"content": " 路灯不亮😱\n请修 "}, " 路灯不亮😱\n请修 "),
        ("image", {"media_id": "M"}, "[图片]"),
        ("file", {"media_id": "M"}, "[文件]"),
        (
            "location",
            {"latitude": 23.134521, "longitude": 113.358803, "name": "塔", "address": "路1号"},
            "[位置] 塔 路1号 (GCJ-02 23.134521,113.358803)",
        ),
        (
            "link",
            {"title": "题", "desc": "述", "url": "https://x.example/"},
            "[链接] 题 述 https://x.example/",
        ),
    ],
)
def test_kinds(kind: str, content: dict[str, Any], text: str) -> None:
    """Each kind of message has its words; files are to be fetched, places are in WGS-84."""
    found: Any = plugin.open(SECTION)
    inbound = found.inbound_of(_message(1, kind, **content), NOW)
    assert (inbound.text, inbound.thread, inbound.acknowledge) == (text, "wkA/wmB", True)
    assert [ref.id for ref in found.media(inbound)] == (["M"] if "media_id" in content else [])
    if kind == "location":
        assert (inbound.place.latitude, inbound.place.longitude) == (23.137058, 113.353323)


def test_a_kind_of_tomorrow_is_looked_at_by_a_human() -> None:
    """A citizen's message of a kind that nobody knows is a ticket, whole; other origins are none."""
    found: Any = plugin.open(SECTION)
    inbound = found.inbound_of(_message(1, "hologram", beam=1), NOW)
    assert inbound.undecodable
    assert b"beam" in inbound.raw
    assert found.inbound_of({**_message(1), "origin": 5}, NOW) is None


@pytest.mark.parametrize("sent", [10**18, -(10**18), "soon", None])
def test_a_time_that_is_none_stops_nobody(sent: Any) -> None:
    """A message whose time cannot be is a ticket all the same: those behind it wait for it."""
    found: Any = plugin.open(SECTION)
    inbound = found.inbound_of({**_message(1), "send_time": sent}, NOW)
    assert (inbound.sent_at, inbound.text) == (None, "路灯不亮1")


async def test_what_was_not_delivered_is_told(
    service: CustomerService, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """WeCom's event of a message that failed is named in the log, and is no ticket."""
    failed = {"event_type": "msg_send_fail", "open_kfid": "wkA", "fail_type": 4}
    platform.queue.append({"msgid": "e", "origin": 4, "msgtype": "event", "event": failed})
    ledger = Ledger()
    await service.sync("wkA", ledger.accept)
    (record,) = [r for r in caplog.records if r.getMessage() == "wechat.undelivered"]
    assert record.__dict__["why"] == "fail_type 4"
    assert not ledger.tickets
