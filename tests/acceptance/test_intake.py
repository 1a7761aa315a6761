"""Intake over HTTP: JSON, multipart form, HTML form, idempotency (contract section 4)."""

import asyncio
import hashlib
import re
from datetime import datetime
from uuid import uuid4

import aiohttp
import pytest

from tests.acceptance.http import assert_problem
from tests.acceptance.page import forms, submit
from tests.acceptance.world import World, phone

pytestmark = pytest.mark.asyncio(loop_scope="module")

NUMBER = re.compile(r"\d{8}-\d{6,}-\d")
#: The smallest PNG picture: signature, IHDR, IDAT, IEND.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360f8cf50000003870180de21be790000000049454e44ae426082"
)


async def test_json_answer_has_the_fields_of_the_contract(world: World) -> None:
    """A JSON request is answered 201 with exactly the promised members."""
    answer = await world.citizen.post(
        "/api/v1/requests", json={"text": "汴河路的路灯不亮了，希望尽快维修", "phone": phone()}
    )
    assert answer.status == 201
    assert answer.media_type == "application/json"
    filed = answer.json
    assert set(filed) == {
        "number",
        "query_code",
        "status",
        "urgency",
        "services",
        "type",
        "received_at",
        "message",
    }
    assert NUMBER.fullmatch(filed["number"])
    assert isinstance(filed["query_code"], str)
    assert filed["query_code"]
    assert (filed["status"], filed["urgency"], filed["services"]) == ("accepted", "normal", [])
    assert datetime.fromisoformat(filed["received_at"]).utcoffset() is not None
    assert filed["number"] in filed["message"]


async def test_every_member_of_the_request_reaches_the_ticket(world: World) -> None:
    """What a citizen gives is in the ticket that is pushed."""
    number = phone()
    filed = await world.citizen.file(
        "请尽快处理小区门口的垃圾堆放问题",
        title="垃圾无人清运",
        type="suggestion",
        name="某居民",
        phone=number,
        email="resident@mail.example",
        address="宿州市埇桥区汴河中路18号",
        latitude=33.6339,
        longitude=116.9785,
        occurred_at="2026-01-05T08:30:00+08:00",
        confidential=True,
        public=True,
        language="zh-Hans",
    )
    ticket = (await world.office.event(filed["number"])).ticket
    assert ticket["content"]["title"] == "垃圾无人清运"
    assert (ticket["type"], ticket["type_label"]) == ("suggestion", "建议")
    requester = ticket["requester"]
    assert (requester["name"], requester["email"]) == ("某居民", "resident@mail.example")
    assert requester["phone"] == f"+86{number}"
    assert (requester["anonymous"], requester["confidential"]) == (False, True)
    assert requester["language"] == "zh-Hans"
    place = ticket["place"]
    assert "汴河中路18号" in place["text"]
    assert (place["district"], place["adcode"]) == ("埇桥区", "341302")
    assert (place["latitude"], place["longitude"]) == (33.6339, 116.9785)
    assert datetime.fromisoformat(ticket["occurred_at"]) == datetime.fromisoformat(
        "2026-01-05T08:30:00+08:00"
    )
    assert ticket["disclosure"] == {"public": True}


async def test_anonymous_request(world: World) -> None:
    """A citizen may stay anonymous and still gets a number."""
    filed = await world.citizen.file("举报西关市场有摊位缺斤少两", anonymous=True)
    ticket = (await world.office.event(filed["number"])).ticket
    assert ticket["requester"]["anonymous"] is True
    assert ticket["requester"]["name"] is None
    assert ticket["requester"]["phone"] is None


async def test_multipart_with_files(world: World) -> None:
    """A multipart form with two files makes a ticket with both, byte for byte."""
    body = aiohttp.FormData(default_to_multipart=True)
    body.add_field("text", "楼道里堆满杂物，照片见附件")
    body.add_field("phone", phone())
    body.add_field("latitude", "33.6339")
    body.add_field("longitude", "116.9785")
    body.add_field("confidential", "true")
    body.add_field("files", PNG, filename="楼道.png", content_type="image/png")
    body.add_field("files", b"%PDF-1.4 x", filename="说明.pdf", content_type="application/pdf")
    answer = await world.citizen.post("/api/v1/requests", data=body)
    assert answer.status == 201, answer.text
    ticket = (await world.office.event(answer.json["number"])).ticket
    assert ticket["content"]["text"].startswith("楼道里堆满杂物")
    assert ticket["place"]["latitude"] == 33.6339
    assert ticket["requester"]["confidential"] is True
    png, pdf = ticket["attachments"]
    assert set(png) == {"id", "name", "media_type", "bytes", "sha256", "url"}
    assert (png["name"], png["media_type"], png["bytes"]) == ("楼道.png", "image/png", len(PNG))
    assert png["sha256"] == hashlib.sha256(PNG).hexdigest()
    assert (pdf["name"], pdf["media_type"], pdf["bytes"]) == ("说明.pdf", "application/pdf", 10)
    assert png["id"] != pdf["id"]


@pytest.mark.parametrize("upload", [None, PNG], ids=["without a file", "with a file"])
async def test_html_form_posted_without_script(world: World, upload: bytes | None) -> None:
    """The form at / can be filled in and sent without script; the page shows number and code."""
    page = await world.citizen.get("/")
    assert (page.status, page.media_type) == (200, "text/html")
    form = next(form for form in forms(page.text) if "text" in form.names)
    assert form.method == "post"
    text = f"自来水压力太小，五楼以上用不上水 {uuid4().hex[:6]}"
    shown = await submit(world.citizen, page, form, {"text": text, "phone": phone()}, upload)
    assert shown.status in {200, 201}, shown.text
    assert shown.media_type == "text/html"
    found = NUMBER.search(shown.text)
    assert found, shown.text
    ticket = (await world.office.event(found[0])).ticket
    assert ticket["content"]["original"] == text
    assert ticket["channel"]["kind"] == "web"
    assert ticket["channel"]["account"] == "portal"
    assert [each["bytes"] for each in ticket["attachments"]] == ([len(upload)] if upload else [])


async def test_html_form_with_mistake_says_so_and_stores_nothing(world: World) -> None:
    """The form sent empty is shown again as a page with a 4xx status and makes no ticket."""
    page = await world.citizen.get("/")
    form = next(form for form in forms(page.text) if "text" in form.names)
    shown = await submit(world.citizen, page, form, {"text": ""})
    assert 400 <= shown.status < 500
    assert shown.media_type == "text/html"
    assert not NUMBER.search(shown.text)


async def test_progress_page_without_script(world: World) -> None:
    """The page /progress leads from number and query code to the status, without script."""
    filed = await world.citizen.file("建议在公园增设座椅", phone=phone())
    page = await world.citizen.get("/progress")
    assert (page.status, page.media_type) == (200, "text/html")
    form = next(form for form in forms(page.text) if "number" in form.names)
    code = next(name for name in form.names if "code" in name)
    shown = await submit(
        world.citizen, page, form, {"number": filed["number"], code: filed["query_code"]}
    )
    assert shown.status == 200
    assert filed["number"] in shown.text
    assert "已受理" in shown.text


async def test_two_identical_requests_without_key_are_two_tickets(world: World) -> None:
    """A citizen's repeat without a key is a ticket of its own that names the first."""
    given = {"text": "夜间工地施工噪音扰民，请核实处理", "phone": phone()}
    first = await world.citizen.file(**given)
    second = await world.citizen.file(**given)
    assert first["number"] != second["number"]
    assert first["query_code"] != second["query_code"]
    original = (await world.office.event(first["number"])).ticket
    repeat = (await world.office.event(second["number"])).ticket
    assert original["related"]["duplicate_of"] is None
    assert repeat["related"]["duplicate_of"] in {original["number"], original["id"]}


async def test_same_words_of_two_citizens_are_no_duplicates(world: World) -> None:
    """Only one's own matter is a repeat."""
    text = "公交站台的顶棚漏雨，等车的人都淋湿了"
    await world.citizen.file(text, phone=phone())
    other = await world.citizen.file(text, phone=phone())
    ticket = (await world.office.event(other["number"])).ticket
    assert ticket["related"]["duplicate_of"] is None


async def test_ten_concurrent_repeats_with_a_key_are_one_ticket(world: World) -> None:
    """Ten posts at once with one Idempotency-Key: one 201, nine 200, one answer, one push."""
    marker = uuid4().hex
    body = {"text": f"人行道地砖松动，容易绊倒行人 {marker}", "phone": phone()}
    key = {"Idempotency-Key": uuid4().hex}
    answers = await asyncio.gather(
        *(world.citizen.post("/api/v1/requests", json=body, headers=key) for _ in range(10))
    )
    assert sorted(answer.status for answer in answers) == [200] * 9 + [201]
    assert len({answer.body for answer in answers}) == 1
    number = answers[0].json["number"]
    await world.office.event(number)
    # Whatever is filed later is pushed later, so by now a second push would have come.
    await world.office.event((await world.citizen.file("路面积水严重"))["number"])
    about = [
        push
        for push in world.office.pushes
        if not push.emergency and marker in push.ticket["content"]["text"]
    ]
    assert [push.subject for push in about] == [number]


@pytest.mark.parametrize("form", [False, True], ids=["json", "multipart"])
async def test_later_repeat_with_a_key_gives_the_first_answer(world: World, form: bool) -> None:
    """A repeat answers 200 with the first answer; the same key with another body is 422."""
    key = {"Idempotency-Key": uuid4().hex}

    async def send(text: str) -> tuple[int, bytes]:
        given = {"text": text, "phone": "13905570000"}
        body = aiohttp.FormData(given, default_to_multipart=True)
        more = {"data": body} if form else {"json": given}
        answer = await world.citizen.post("/api/v1/requests", headers=key, **more)
        if answer.status == 422:
            assert_problem(answer)
        return answer.status, answer.body

    first, repeat = await send("下水道堵塞"), await send("下水道堵塞")
    assert (first[0], repeat[0]) == (201, 200)
    assert first[1] == repeat[1]
    assert (await send("下水道堵塞两天了"))[0] == 422
    assert (await send("下水道堵塞")) == repeat


async def test_wrongly_formed_request_does_not_use_up_the_key(world: World) -> None:
    """A key that came with a refused body can be used again with a good one."""
    key = {"Idempotency-Key": uuid4().hex}
    refused = await world.citizen.post("/api/v1/requests", json={"text": ""}, headers=key)
    assert_problem(refused, "text")
    taken = await world.citizen.post(
        "/api/v1/requests", json={"text": "公园厕所无人打扫"}, headers=key
    )
    assert taken.status == 201


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("垃" * 20_000, id="the longest text"),
        pytest.param("🚧" * 20_000, id="as many characters of four bytes"),
        pytest.param("井", id="one character"),
        pytest.param("井盖\u0007丢失\u200b了🙂", id="control characters and emoji"),
        pytest.param("請問辦理護照需要什麼材料？", id="traditional characters"),
        pytest.param("Street lamp is broken near the north gate", id="English"),
    ],
)
async def test_text_is_kept_literally(world: World, text: str) -> None:
    """What a citizen wrote is content.original, literally, at every size and in any script."""
    filed = await world.citizen.file(text)
    ticket = (await world.office.event(filed["number"])).ticket
    assert ticket["content"]["original"] == text
