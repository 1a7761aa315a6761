"""The ticket and its events as they are pushed (contract sections 3 and 6)."""

import asyncio
import copy
import json
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
import jsonschema
import pytest
import pytest_asyncio

from tests.acceptance.office import Push
from tests.acceptance.process import run
from tests.acceptance.shape import LABELS, TICKET, assert_instant, assert_shape, luhn_holds
from tests.acceptance.signing import partner_message, push
from tests.acceptance.workdays import expected
from tests.acceptance.world import PUBLIC_URL, World, phone

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHANGHAI = ZoneInfo("Asia/Shanghai")

#: Texts of every kind: plain, typed, dated, with a place, an emergency, and one that is refused.
TEXTS = [
    "请问办理居住证需要哪些材料？",
    "昨晚八点左右，埇桥区淮海路与汴河路交叉口的红绿灯不亮，车辆拥堵，至今无人维修",
    "举报西关一家超市销售过期食品，店里电话0557-3021234",
    "投诉物业公司乱收停车费，多次反映没有结果",
    "建議在三角洲生態公園增設直飲水點🙂",
    "表扬银河社区工作人员服务热情周到",
    "我家厨房着火了，火很大，孩子还困在里面，地址是埇桥区汴河中路18号2单元",
    "不服法院一审判决，要求改判",
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pushes(world: World) -> list[Push]:
    """The first event of a ticket for every text, from the web and from a partner."""
    filed = [await world.citizen.file(text, phone=phone()) for text in TEXTS]
    filed += [(await push(world.citizen, partner_message(text))).json for text in TEXTS]
    return [await world.office.event(each["number"], "hotline.ticket.") for each in filed]


async def test_every_member_of_the_ticket_is_there(pushes: list[Push]) -> None:
    """A pushed ticket has exactly the members of the contract, each of its type."""
    for each in pushes:
        assert_shape(each.ticket, TICKET)
        assert each.ticket["schema"] == "hotline.ticket/1"


async def test_every_enumeration_has_its_label(pushes: list[Push]) -> None:
    """Every value of an enumeration is one of the contract, its Chinese label beside it."""
    for each in pushes:
        ticket = each.ticket
        for name, labels in LABELS.items():
            assert ticket[name] in labels
            assert ticket[f"{name}_label"] == (labels[ticket[name]] or ticket[f"{name}_label"])
            assert ticket[f"{name}_label"]
        known = {"110", "119", "120", "122", "water", "power", "gas", "heat"}
        assert set(ticket["services"]) <= known
        assert ticket["acceptance"]["decision"] in {"accepted", "refused", "referred"}


async def test_numbers_are_dated_unique_and_checked(pushes: list[Push]) -> None:
    """A number is the day, six digits or more, and the Luhn digit of all before."""
    for each in pushes:
        number = each.ticket["number"]
        assert re.fullmatch(r"\d{8}-\d{6,}-\d", number)
        assert luhn_holds(number)
        assert number[:8] == each.ticket["received_at"][:10].replace("-", "")
    assert len({each.ticket["number"] for each in pushes}) == len(pushes)


async def test_ids_sort_as_the_tickets_came(pushes: list[Push]) -> None:
    """Ids are unique and sort by time."""
    ids = [each.ticket["id"] for each in pushes]
    assert ids == sorted(set(ids))


async def test_times_are_of_now_in_the_zone_of_the_instance(pushes: list[Push]) -> None:
    """received_at is now; the history begins with it."""
    now = datetime.now(SHANGHAI)
    for each in pushes:
        received = datetime.fromisoformat(each.ticket["received_at"])
        assert timedelta(0) <= now - received < timedelta(minutes=5)
        first = each.ticket["history"][0]
        assert first["event"] == each.ticket["status"]
        assert timedelta(0) <= datetime.fromisoformat(first["at"]) - received < timedelta(seconds=9)


async def test_original_is_literal(pushes: list[Push]) -> None:
    """content.original holds the words as they were sent."""
    assert [each.ticket["content"]["original"] for each in pushes] == TEXTS * 2


async def test_evidence_offsets_are_code_points(pushes: list[Push]) -> None:
    """Every span of evidence is the piece of content.text at its offsets."""
    spans = 0
    for each in pushes:
        text = each.ticket["content"]["text"]
        for span in each.ticket["evidence"]:
            assert 0 <= span["start"] <= span["end"] <= len(text)
            assert text[span["start"] : span["end"]] == span["text"]
            spans += span["end"] > span["start"]
    assert spans >= len(pushes)


async def test_evidence_offsets_count_emoji_as_one(world: World) -> None:
    """Characters beyond the basic plane before the evidence are one code point each."""
    filed = await world.citizen.file("🙂🔥🚒👨‍👩‍👧 我家着火了，有人被困！")
    ticket = (await world.office.event(filed["number"])).ticket
    assert ticket["urgency"] == "emergency"
    spans = [span for span in ticket["evidence"] if span["claim"] == "urgency" and span["text"]]
    assert spans
    text = ticket["content"]["text"]
    assert all(text[span["start"] : span["end"]] == span["text"] for span in spans)
    assert any("着火" in span["text"] for span in spans)


async def test_what_the_texts_tell(pushes: list[Push]) -> None:
    """Types, time, place and phone of plain texts are what a reader takes from them."""
    lamp, meat, fee, fire, court = (pushes[index].ticket for index in (1, 2, 3, 6, 7))
    assert [each.ticket["type"] for each in pushes[:6:2]] == [
        "consultation",
        "report",
        "suggestion",
    ]
    assert (fee["type"], pushes[5].ticket["type"]) == ("complaint", "praise")
    received = datetime.fromisoformat(lamp["received_at"])
    occurred = datetime.fromisoformat(lamp["occurred_at"])
    assert occurred.date() == received.date() - timedelta(days=1)
    assert occurred.hour == 20
    assert (lamp["place"]["district"], lamp["place"]["adcode"]) == ("埇桥区", "341302")
    assert (lamp["place"]["province"], lamp["place"]["city"]) == ("安徽省", "宿州市")
    assert meat["domain"] == "market"
    assert fire["urgency"] == "emergency"
    assert {"119"} <= set(fire["services"])
    assert court["status"] == "refused"
    assert court["acceptance"]["decision"] in {"refused", "referred"}
    assert court["acceptance"]["reason"]
    assert "法院" in court["acceptance"]["refer_to"]


async def test_emergency_carries_its_incidents(world: World, pushes: list[Push]) -> None:
    """An accepted emergency already names its incidents, which the office was told of."""
    ticket = pushes[6].ticket
    assert len(ticket["related"]["incidents"]) == len(ticket["services"])
    for incident in ticket["related"]["incidents"]:
        await world.office.event(incident, "hotline.emergency.")


async def test_refused_is_pushed_as_refused_and_told(world: World) -> None:
    """A matter that the region does not accept: told with the reason and the body to ask."""
    filed = await world.citizen.file("不服法院一审判决，要求改判")
    assert filed["status"] == "refused"
    event = await world.office.event(filed["number"], "hotline.ticket.")
    assert event.type == "hotline.ticket.refused"
    assert event.ticket["acceptance"]["reason"] in filed["message"]
    assert "法院" in filed["message"]


async def test_emergency_is_never_refused(world: World) -> None:
    """Words that would be refused do not keep an emergency from being handed over."""
    filed = await world.citizen.file("法院一审判决不公，我不服！现在我家着火了，老人被困在三楼")
    assert filed["status"] == "accepted"
    assert "119" in filed["services"]


@pytest.mark.parametrize(
    ("kind", "days"),
    [("consultation", 2), ("help", 5), ("complaint", 15), ("suggestion", 5), ("report", None)],
)
async def test_limits_of_the_region(world: World, kind: str, days: int | None) -> None:
    """Suzhou's limits in working days, by type; what its rules leave open stays null."""
    filed = await world.citizen.file("小区门口的路面坑洼不平", type=kind)
    ticket = (await world.office.event(filed["number"])).ticket
    limits = ticket["limits"]
    assert limits["policy"] == "suzhou"
    assert limits["basis"]
    received = datetime.fromisoformat(ticket["received_at"]).date()
    if days is None:
        assert limits["finish_by"] is None
    else:
        first, last = expected(received, days)
        assert first <= datetime.fromisoformat(limits["finish_by"]).date() <= last
    first, last = expected(received, 1)  # later than one working day counts as accepted
    assert first <= datetime.fromisoformat(limits["sign_by"]).date() <= last


async def test_urgent_matter_is_due_the_same_day(world: World) -> None:
    """What is urgent is answered the same day."""
    filed = await world.citizen.file("我们小区从早上起全部停水，家里有婴儿，急需恢复供水")
    ticket = (await world.office.event(filed["number"])).ticket
    assert ticket["urgency"] == "urgent"
    assert "water" in ticket["services"]
    due = datetime.fromisoformat(ticket["limits"]["finish_by"])
    assert due.date() == datetime.fromisoformat(ticket["received_at"]).date()


@pytest.mark.parametrize(
    ("called", "route", "unit"),
    [("12315", "market", "市市场监管局"), ("12345", "rest", "市长热线办")],
)
async def test_route_by_the_called_number(world: World, called: str, route: str, unit: str) -> None:
    """The called number decides the desk, and route.why tells so."""
    answer = await push(world.citizen, partner_message("商家拒绝开发票", to=called))
    ticket = (await world.office.event(answer.json["number"])).ticket
    assert ticket["channel"]["called"] == called
    assert (ticket["route"]["name"], ticket["route"]["unit"]) == (route, unit)
    assert ticket["route"]["to"] == "backoffice"
    assert ticket["route"]["why"]
    if called == "12315":
        assert ticket["route"]["why"] == "called=12315"


async def test_envelope(pushes: list[Push]) -> None:
    """Every push is a CloudEvent in structured mode whose id is the webhook-id."""
    for each in pushes:
        event = each.event
        media_type = each.headers["Content-Type"].partition(";")[0]
        assert media_type == "application/cloudevents+json"
        assert event["specversion"] == "1.0"
        assert event["id"] == each.id
        assert event["source"] == PUBLIC_URL
        assert event["subject"] == each.ticket["number"]
        assert_instant(event["time"], "$.time")
        assert set(event["data"]) == {"ticket"}
        allowed = {"specversion", "id", "source", "type", "subject", "time", "data"}
        # CloudEvents 1.0 section 3.1: attributes are lower-case letters and digits.
        assert allowed <= set(event)
        assert all(re.fullmatch(r"[a-z0-9]+", name) for name in event)
    assert len({each.id for each in pushes}) == len(pushes)


def counted(world: World, subject: str, count: int) -> bool:
    """Say whether so many events about a subject were taken."""
    return len(world.office.of(subject)) == count


async def test_events_of_one_ticket_come_in_order(world: World) -> None:
    """Twenty additions to each of three tickets arrive in the order they were made."""
    filed = [await world.citizen.file(f"第{index}号楼电梯故障") for index in range(3)]

    async def add(one: dict[str, Any]) -> None:
        for index in range(20):
            answer = await world.citizen.step(one, "messages", text=f"补充第{index}条")
            assert answer.status == 202, answer.text

    await asyncio.gather(*(add(one) for one in filed))
    for one in filed:
        number = one["number"]
        await world.office.until(partial(counted, world, number, 21), f"21 events of {number}")
        events = world.office.of(number)
        assert events[0].type == "hotline.ticket.accepted"
        assert [each.event["data"]["message"]["text"] for each in events[1:]] == [
            f"补充第{index}条" for index in range(20)
        ]
        times = [datetime.fromisoformat(each.event["time"]) for each in events]
        assert times == sorted(times)


async def test_published_schema_describes_every_push(world: World, pushes: list[Push]) -> None:
    """``gateway schema`` is a JSON Schema; every push holds to it, a broken one does not."""
    done = await run("schema", cwd=world.folder)
    assert done.code == 0
    schema = json.loads(done.out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    assert pushes
    for each in world.office.pushes:
        validator.validate(each.event)
    breaks: list[Callable[[dict[str, Any]], object]] = [
        lambda event: event.pop("id"),
        lambda event: event.update(type="hotline.ticket.unheard-of"),
        lambda event: event["data"]["ticket"].update(urgency="very"),
        lambda event: event["data"]["ticket"].pop("number"),
        lambda event: event["data"]["ticket"].update(services="119"),
    ]
    for break_it in breaks:
        broken = copy.deepcopy(pushes[0].event)
        break_it(broken)
        assert not validator.is_valid(broken)


async def test_published_schema_names_every_event(world: World) -> None:
    """``gateway schema`` covers every event type of the contract."""
    out = (await run("schema", cwd=world.folder)).out
    ticket = ["accepted", "refused", "added", "rated", "withdrawn", "limit"]
    emergency = ["raised", "updated", "acknowledged", "escalated", "returned", "closed"]
    names = [f"hotline.ticket.{each}" for each in ticket]
    names += [f"hotline.emergency.{each}" for each in emergency]
    names += ["hotline.cluster.grown"]
    assert [name for name in names if f'"{name}"' not in out] == []


async def test_attachment_url_gives_the_file(world: World) -> None:
    """An attachment's url is absolute under public_url and gives the very bytes."""
    content = b"\x00\xff" * 500
    data = aiohttp.FormData({"text": "照片为证"}, default_to_multipart=True)
    data.add_field("files", content, filename="证据.bin", content_type="application/octet-stream")
    answer = await world.citizen.post("/api/v1/requests", data=data)
    assert answer.status == 201, answer.text
    (attachment,) = (await world.office.event(answer.json["number"])).ticket["attachments"]
    assert attachment["url"].startswith(f"{PUBLIC_URL}/")
    fetched = await world.citizen.get(attachment["url"].removeprefix(PUBLIC_URL))
    assert (fetched.status, fetched.body) == (200, content)
    stranger = await world.citizen.get(attachment["url"].removeprefix(PUBLIC_URL)[:-3] + "abc")
    assert stranger.status in {401, 403, 404}
