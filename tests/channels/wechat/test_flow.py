"""From the citizen's message to the answer in their chat, over real sockets."""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import pytest
import pytest_asyncio

from channels.wechat.simulator.pusher import Account, Pushed, members
from gateway.store.base import Change, Lane, NewEvent, StoredTicket
from gateway.view import Public, publish
from tests.channels.wechat.world import (
    APP,
    FIRE,
    KEY,
    LAMP,
    OLD_KEY,
    PLAIN,
    SEALED,
    TOKEN,
    World,
    running,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")
JSON = Account(app_id=APP, token=TOKEN, encoding_aes_key=KEY, mode="encrypted", form="json")
OLD = Account(app_id=APP, token=TOKEN, encoding_aes_key=OLD_KEY, mode="encrypted")
MINI = Account(app_id=APP, token=TOKEN, encoding_aes_key=KEY, mode="compatible", form="json")
PHOTO = b"\xff\xd8\xff\xe0 a photo"
_citizens = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running(tmp_path_factory.mktemp("wechat")) as found:
        yield found


@pytest.fixture
def citizen() -> str:
    """Somebody who has not written yet."""
    return f"oCitizenOfTheTests-{next(_citizens):08}"


async def push(world: World, fields: dict[str, Any], *of: Any) -> Pushed:
    """Push once by the account of this name."""
    async with world.pusher(*of) as pusher:
        return await pusher.push(fields)


async def test_the_console_takes_the_address(world: World) -> None:
    """The hand-shake of the platform's console succeeds; a forged one gets 403."""
    async with world.pusher() as pusher:
        assert await pusher.shake()
        forged = {"signature": "0" * 40, "timestamp": "1", "nonce": "1", "echostr": "x"}
        async with pusher._http.get(pusher._url, params=forged) as answer:
            assert answer.status == 403
        async with pusher._http.get(pusher._url + "-nobody", params=forged) as answer:
            assert answer.status == 404


@pytest.mark.parametrize(
    ("name", "account"),
    [("oa", PLAIN), ("sealed", SEALED), ("sealed", JSON), ("sealed", OLD)],
    ids=["plain", "encrypted", "json", "key-before"],
)
async def test_the_passive_reply_names_the_ticket(
    world: World, citizen: str, name: str, account: Account
) -> None:
    """A text becomes a ticket, and the reply within the five seconds shows its number."""
    pushed = await push(world, members("text", citizen, Content=LAMP), name, account)
    (stored,) = await world.tickets(citizen)
    assert pushed.statuses == [200]
    assert pushed.shown is not None
    assert stored.number in pushed.shown
    assert stored.ticket.content.original == LAMP
    assert stored.ticket.requester.wechat == citizen
    assert world.platform.texts(citizen) == []  # nothing twice


async def test_an_emergency_names_the_number_to_dial(world: World, citizen: str) -> None:
    """Fire with people trapped: the reply tells to dial 119."""
    pushed = await push(world, members("text", citizen, Content=FIRE))
    assert pushed.shown is not None
    assert "119" in pushed.shown
    (stored,) = await world.tickets(citizen)
    assert stored.ticket.urgency == "emergency"


async def test_a_storm_of_repeats_is_one_ticket(world: World, citizen: str) -> None:
    """The same message from thirty connections at once is one ticket with one answer."""
    fields = members("text", citizen, Content=LAMP)
    async with world.pusher() as pusher:
        pushed = await asyncio.gather(*(pusher.push(fields) for _ in range(30)))
    (stored,) = await world.tickets(citizen)
    assert {one.shown for one in pushed} == {pushed[0].shown}
    assert stored.number in str(pushed[0].shown)


async def test_a_slow_store_is_answered_later_and_once(world: World, citizen: str) -> None:
    """`success` in time, and exactly one answer by customer-service message once it is stored."""
    world.platform.wrote(citizen)
    world.store.free.clear()
    fields = members("text", citizen, Content=LAMP)
    async with world.pusher("slow") as pusher:
        pushed, repeat = await asyncio.gather(pusher.push(fields), pusher.push(fields))
        assert (pushed.statuses, pushed.shown) == ([200], None)
        assert repeat.shown is None
        assert pushed.seconds[0] < 3
        world.store.free.set()
        (text,) = await until(lambda: world.platform.texts(citizen))
        (stored,) = await world.tickets(citizen)
        assert stored.number in text
        await until(lambda: not _written(world))
        assert (await pusher.push(fields)).shown is None  # its answer is there already
        assert world.platform.texts(citizen) == [text]


async def test_a_crash_before_the_commit_loses_nothing(world: World, citizen: str) -> None:
    """What was told to have arrived is a ticket after a restart, answered once."""
    assert world.app is not None
    world.platform.wrote(citizen)
    world.store.free.clear()
    fields = members("text", citizen, Content=LAMP)
    assert (await push(world, fields, "slow")).shown is None
    for task in list(world.app.parts.late._tasks):  # the process dies at this point
        task.cancel()
    await world.stop()
    await world.start()
    (text,) = await until(lambda: world.platform.texts(citizen))
    (stored,) = await world.tickets(citizen)
    assert stored.number in text
    assert (await push(world, fields, "slow")).shown is None


async def test_pieces_join_and_pictures_follow(world: World, citizen: str) -> None:
    """A picture and a place within the minute join the matter; the picture is fetched."""
    world.platform.media["media-1"] = (PHOTO, "image/jpeg")
    await push(world, members("text", citizen, Content=LAMP))
    await push(world, members("image", citizen, MediaId="media-1", PicUrl="http://x.example/1"))
    point = {"Location_X": 33.64, "Location_Y": 116.97, "Scale": 16, "Label": "人民路"}
    await push(world, members("location", citizen, **point))
    (stored,) = await world.tickets(citizen)
    texts = await until(lambda: len(t := world.texts_to_office(stored.number)) == 3 and t)
    assert "[位置] 人民路 (GCJ-02 33.64,116.97)" in texts
    added = [
        e["data"]["message"]
        for e in world.office.events
        if e["type"] == "hotline.ticket.added" and e["subject"] == stored.number
    ]
    files = [file for one in added for file in one["attachments"]]
    assert [(f["media_type"], f["bytes"]) for f in files] == [("image/jpeg", len(PHOTO))]
    shown = publish(stored, Public(url="", zone=ZoneInfo("Asia/Shanghai"), secret=b""))
    assert {entry.event for entry in shown.history} == {"accepted", "added"}  # no bookkeeping


@pytest.mark.parametrize("words", [(FIRE,), ("你好", FIRE)], ids=["first", "later"])
async def test_the_picture_of_an_emergency_waits_for_nothing(
    world: World, citizen: str, words: tuple[str, ...]
) -> None:
    """Its fetching goes by the emergencies' lane, whichever of the words made it one."""
    for text in words:
        await push(world, members("text", citizen, Content=text))
    media = f"gone-{citizen}"
    await push(world, members("image", citizen, MediaId=media, PicUrl="http://x.example/1"))

    async def fetched() -> list[Any]:
        found = await world.store.deliveries(("due", "leased", "dead"), 1000)
        return [d for d in found if d.data.get("media", {}).get("id") == media]

    (delivery,) = await until(fetched)
    assert delivery.lane is Lane.EMERGENCY


async def test_a_picture_that_is_gone_is_a_dead_letter(world: World, citizen: str) -> None:
    """Media that the platform has no more are shown to an operator; the ticket is there."""
    await push(world, members("image", citizen, MediaId="gone", PicUrl="http://x.example/1"))
    (stored,) = await world.tickets(citizen)
    assert stored.ticket.content.original == "[图片]"

    async def dead() -> list[Any]:
        found = await world.store.deliveries(("dead",), 100)
        return [d for d in found if d.ticket_id == stored.ticket.id]

    (delivery,) = await until(dead)
    assert (
        delivery.last_error == "media/get: 40007: the media id is invalid or older than three days"
    )


async def test_a_film_is_fetched_from_the_address_that_the_platform_names(
    world: World, citizen: str
) -> None:
    """Of a video the platform answers an address, whose content is the attachment."""
    film = b"\x00\x00\x00\x18ftypmp42 a film"
    world.platform.media["film-1"] = (film, "video/mp4")
    await push(world, members("video", citizen, MediaId="film-1", ThumbMediaId="t"))
    (stored,) = await world.tickets(citizen)
    added = await until(
        lambda: [
            f
            for e in world.office.events
            if e["subject"] == stored.number
            for f in e["data"].get("message", {}).get("attachments", ())
        ]
    )
    assert [(f["media_type"], f["bytes"]) for f in added] == [("video/mp4", len(film))]


async def test_the_menu_is_published_and_asks_for_progress(world: World, citizen: str) -> None:
    """A click on 查询进度 is answered with the state of the newest ticket."""
    menu = await until(lambda: world.platform.menu)
    assert [entry["name"] for entry in menu["button"]] == ["申报诉求", "查询进度", "评价"]
    await push(world, members("text", citizen, Content=LAMP))
    (stored,) = await world.tickets(citizen)
    pushed = await push(world, members("event", citizen, Event="CLICK", EventKey="progress"))
    assert stored.number in str(pushed.shown)
    rate = await push(world, members("event", citizen, Event="CLICK", EventKey="rate"))
    assert "非常满意" in str(rate.shown)
    assert len(await world.tickets(citizen)) == 1


async def test_a_click_without_a_ticket_makes_none(world: World, citizen: str) -> None:
    """Who asks for progress and has no matter is told so, and becomes no matter."""
    pushed = await push(world, members("event", citizen, Event="CLICK", EventKey="progress"))
    assert pushed.shown
    assert await world.tickets(citizen) == []


async def test_a_follower_is_greeted(world: World, citizen: str) -> None:
    """Who follows the account is told how to make a request; who leaves is told nothing."""
    followed = await push(world, members("event", citizen, Event="subscribe"))
    assert "12345" in str(followed.shown)
    left = await push(world, members("event", citizen, Event="unsubscribe"))
    assert (left.statuses, left.shown) == ([200], None)
    assert await world.tickets(citizen) == []


async def test_what_the_platform_adds_later_is_taken_and_kept(world: World, citizen: str) -> None:
    """A kind of message that nobody knows is answered 200 and kept whole."""
    pushed = await push(world, members("hologram", citizen, Content="x"))
    assert pushed.statuses == [200]
    held = await world.store.quarantined(("held",), 10)
    assert [b"hologram" in item.raw for item in held].count(True) == 1


async def test_a_mini_program_is_answered_by_message(world: World, citizen: str) -> None:
    """A mini program shows no passive reply: `success`, and the answer as a message."""
    world.platform.wrote(citizen)
    pushed = await push(world, members("text", citizen, Content=LAMP), "mini", MINI)
    assert (pushed.statuses, pushed.shown) == ([200], None)
    (text,) = await until(lambda: world.platform.texts(citizen))
    (stored,) = await world.tickets(citizen)
    assert stored.number in text


async def _answer(world: World, citizen: str, name: str = "oa") -> str:
    """Let the office's answer to a fresh ticket go out to its citizen; return the number."""
    await push(world, members("text", citizen, Content=LAMP + "，电话13800138000"), name)
    (stored,) = await world.tickets(citizen)
    assert world.app is not None
    answering = world.app.parts.intake._core.answering
    now = world.app.parts.base.clock.now()
    told = answering.notice(
        stored.ticket.channel, "hotline.answer.step", now, Lane.ORDINARY, "路灯已修好"
    )
    event = NewEvent(at=now, event="note", by="gateway")
    await world.store.change(Change(ticket_id=stored.ticket.id, events=(event,), deliveries=told))
    return stored.number


async def test_an_answer_after_48_hours_is_a_subscription_message(
    world: World, citizen: str
) -> None:
    """45015: the declared subscription message goes out instead."""
    number = await _answer(world, citizen)
    (sent,) = await until(lambda: [m for m in world.platform.sent if m["touser"] == citizen])
    assert sent["template_id"] == "T-1"
    assert sent["data"]["character_string1"] == {"value": number}


async def test_who_can_be_told_no_other_way_is_telephoned(world: World, citizen: str) -> None:
    """Without a subscription and an SMS channel a call-back task goes to the back office."""
    number = await _answer(world, citizen, "slow")
    (task,) = await until(lambda: world.texts_to_office(number))
    assert "电话联系" in task
    assert "路灯已修好" in task


async def test_wecoms_queue_is_read_when_the_call_back_rings(world: World, citizen: str) -> None:
    """The rung queue is read by cursor over its pages; each message is one ticket, answered."""
    texts = [f"{LAMP}，第{n}次" for n in range(3)]
    others = [f"wm-{citizen}-{n}" for n in range(3)]
    world.platform.queue += [
        {
            "msgid": f"{citizen}-{n}",
            "open_kfid": "wkA",
            "external_userid": others[n],
            "send_time": 1795300000,
            "origin": 3,
            "msgtype": "text",
            "text": {"content": text},
        }
        for n, text in enumerate(texts)
    ] + [{"msgid": "e", "open_kfid": "wkA", "origin": 4, "msgtype": "event", "event": {}}]
    for other in others:
        world.platform.wrote(other)
    ring = members("event", "sys", Event="kf_msg_or_event", Token="ENC", OpenKfId="wkA")
    pushed = await push(world, ring, "corp", SEALED)
    assert pushed.statuses == [200]
    told = await until(lambda: all(f := [world.platform.texts(o) for o in others]) and f)
    stored = [s for other in others for s in await world.tickets(f"wkA/{other}")]
    assert [s.number in t[0] for s, t in zip(stored, told, strict=True)] == [True] * 3
    await push(
        world,
        members("event", "sys", Event="kf_msg_or_event", Token="E", OpenKfId="wkA"),
        "corp",
        SEALED,
    )
    assert [len(world.platform.texts(o)) for o in others] == [1, 1, 1]


async def test_kill_after_success_loses_nothing(tmp_path: Path) -> None:
    """A process killed after `success` and before the commit: one ticket, one answer in the next."""
    world, citizen = World(tmp_path), "oKilled"
    try:
        child = await _slow(world, citizen)
        fields = members("text", citizen, Content=LAMP)
        async with world.pusher("slow") as pusher:
            pushed = await asyncio.gather(*(pusher.push(fields) for _ in range(3)))
        assert [one.shown for one in pushed] == [None] * 3
        child.kill()
        await child.wait()
        await world.start()
        (text,) = await until(lambda: world.platform.texts(citizen))
        (stored,) = await world.tickets(citizen)
        assert stored.number in text
        await until(lambda: not _written(world))
        assert world.platform.texts(citizen) == [text]
    finally:
        await world.close()


async def _slow(world: World, citizen: str) -> asyncio.subprocess.Process:
    """Return a gateway whose store takes no ticket, in a process of its own."""
    config = await world.configure()
    world.platform.wrote(citizen)
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.channels.wechat.slow_child", str(config)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    world.url = f"{(await child.stdout.readline()).decode().strip()}/channels/wechat"
    return child


async def _enter(world: World, session: aiohttp.ClientSession) -> None:
    """Open the form as WeChat does: to the platform and back."""
    site = world.url.removesuffix("/channels/wechat")
    async with session.get(f"{world.url}/oa/form", allow_redirects=False) as away:
        assert away.headers["Location"].endswith("#wechat_redirect")
        platform = away.headers["Location"]
    async with session.get(platform, allow_redirects=False) as back:
        # The public address is the proxy's, which is not here.
        address = back.headers["Location"].replace("http://127.0.0.1:8345", site)
    async with session.get(address, allow_redirects=False) as form:
        assert (form.status, form.headers["Location"]) == (303, "/")


async def _fill_in(world: World, session: aiohttp.ClientSession, words: str) -> StoredTicket:
    """Send the form and return its ticket."""
    site = world.url.removesuffix("/channels/wechat")
    async with session.post(f"{site}/", data={"text": words, "phone": ""}) as answer:
        assert answer.status == 201
    found = await world.store.page("", 1000)
    return next(s for s in found if s.ticket.content.original == words)


async def test_the_form_inside_wechat_knows_the_open_id(world: World) -> None:
    """Who comes by the menu is known by their open id; a forged cookie or another's state is not."""
    world.platform.holder = "oHolderOfThePhone"
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        await _enter(world, session)
        stored = await _fill_in(world, session, LAMP + "，表单一")
        assert stored.ticket.requester.wechat == "oHolderOfThePhone"
        assert stored.ticket.channel.kind == "web"
        asked = members("text", "oHolderOfThePhone", Content=f"查询 {stored.number}")
        assert stored.number in str((await push(world, asked)).shown)  # without the query code
    async with aiohttp.ClientSession(cookies={"wechat": "eyJvcGVuX2lkIjoibyJ9.00"}) as session:
        assert (await _fill_in(world, session, LAMP + "，表单二")).ticket.requester.wechat is None
        lured = {"code": world.platform._code({"scope": "snsapi_base", "response_type": "code"})}
        address = f"{world.url}/oa/form"
        async with session.get(
            address, params={**lured, "state": "x"}, allow_redirects=False
        ) as form:
            assert "wechat" not in form.cookies


def _written(world: World) -> list[Path]:
    """Return what is written down and not answered yet."""
    return list(world.folder.glob("late/??/*"))
