"""Emergencies: incidents, desks, their stream and their answers (contract section 7)."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.http import Answer, assert_problem
from tests.acceptance.polling import eventually
from tests.acceptance.shape import INCIDENT, assert_shape
from tests.acceptance.world import DESK_TOKEN, World, opened, phone, settings

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEARER = {"Authorization": f"Bearer {DESK_TOKEN}"}
_STREETS = [
    first + second
    for first in ("埇桥区", "萧县", "泗县", "砀山县")
    for second in [
        "光明路",
        "纺织路",
        "港口路",
        "拱辰街",
        "雪枫路",
        "磬云路",
        "宿蒙路",
        "通济路",
        "沱河路",
        "西昌路",
    ]
]
_streets = iter(_STREETS)


def fire() -> str:
    """Return the report of a fire in a street where nothing else burns."""
    return f"{next(_streets)}8号居民楼着火了，火势很大，三楼有人被困！"


def assert_incident(found: dict[str, Any]) -> None:
    """Assert that an incident has the members of the contract, whatever a desk gets besides."""
    assert set(INCIDENT) <= set(found)
    assert_shape({name: found[name] for name in INCIDENT}, INCIDENT)


async def fire_at_desk(world: World, service: str = "120") -> tuple[str, dict[str, Any]]:
    """Report a fire; return the ticket's number and the service's incident."""
    filed = await world.citizen.file(fire(), phone=phone())
    return filed["number"], await at_desk(world, service, filed["number"])


async def at_desk(world: World, service: str, number: str, within_s: float = 5) -> dict[str, Any]:
    """Return a service's incident with a report, once its desk lists it."""

    async def listed() -> dict[str, Any] | None:
        for incident in await world.incidents(service):
            if number in incident["reports"]:
                return incident
        return None

    return await eventually(listed, f"{number} at desk {service}", within_s)


async def act(
    world: World, service: str, incident: str, action: str, **more: Mapping[str, str]
) -> Answer:
    """Take an action of a desk."""
    headers = {"Authorization": BEARER["Authorization"]} if service == "119" else {}
    return await world.citizen.post(
        f"{world.desk(service)}/incidents/{incident}/{action}",
        json={"by": "值班员01", "note": "已出动"},
        headers=headers | dict(more.get("headers", {})),
    )


@pytest.mark.parametrize(
    "text",
    [
        "{}8号居民楼着火了，火势很大，三楼有人被困！",
        "{}8号厂房着火，有工人被困",
        "{}8号商场发生火灾，有人被困在三楼",
        "救命！{}8号起火了，我和孩子困在屋里出不去",
    ],
)
async def test_fire_with_people_trapped(world: World, text: str) -> None:
    """119 and 120 list their incident within a second, and the citizen is told to dial 119."""
    filed = await world.citizen.file(text.format(next(_streets)), phone=phone())
    assert (filed["urgency"], filed["status"]) == ("emergency", "accepted")
    assert {"119", "120"} <= set(filed["services"])
    assert "119" in filed["message"]
    for service in ("119", "120"):
        incident = await at_desk(world, service, filed["number"], within_s=1)
        assert_incident(incident)
        assert incident["service"] == service
        assert incident["state"] == "raised"
        assert incident["reports"] == [filed["number"]]
        assert incident["exercise"] is False


async def test_desk_has_what_it_needs_to_go_there(world: World) -> None:
    """The incident tells the place, the matter and whom to call back."""
    number = phone()
    filed = await world.citizen.file(
        "埇桥区银河二路88号仓库着火了，有人被困", phone=number, address="埇桥区银河二路88号"
    )
    incident = await at_desk(world, "119", filed["number"])
    assert "银河二路88号" in json.dumps(incident["place"], ensure_ascii=False)
    assert "着火" in incident["summary"]
    assert f"+86{number}" in json.dumps(incident["contacts"])


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("我父亲突然昏倒没有呼吸了，快来救人，地址淮海南路5号", "120"),
        ("两车相撞，有人受伤流血，在胜利路和汴河路路口", "122"),
        ("有人正拿刀砍人，在西关步行街，快来", "110"),
    ],
    ids=["medical", "traffic", "police"],
)
async def test_other_services(world: World, text: str, service: str) -> None:
    """Medical, traffic and police emergencies reach their desks and name their numbers."""
    filed = await world.citizen.file(text, phone=phone())
    assert filed["urgency"] == "emergency"
    assert service in filed["message"]
    await at_desk(world, service, filed["number"])


@pytest.mark.parametrize(
    "text",
    [
        "请问怎么申请消防通道划线？",
        "去年我家着火后社区一直没有给补助，请问怎么申请",
        "投诉120救护车收费过高",
        "建议小区组织一次火灾逃生演练",
    ],
)
async def test_no_emergency(world: World, text: str) -> None:
    """Asking, the past, a complaint about a service and an exercise raise nothing."""
    filed = await world.citizen.file(text)
    assert filed["urgency"] != "emergency"
    ticket = (await world.office.event(filed["number"])).ticket
    assert ticket["related"]["incidents"] == []


def counted(world: World, subject: str, count: int) -> bool:
    """Say whether so many events about a subject were taken."""
    return len(world.office.of(subject)) == count


async def test_thirty_reports_of_one_fire(world: World) -> None:
    """Thirty citizens report one fire: one incident a service, thirty reports and tickets."""
    sayings = ["着火了，有人被困", "起火，浓烟很大，楼上有人出不来", "发生火灾，有人被困在三楼"]
    reports = await asyncio.gather(
        *(
            world.citizen.file(f"埇桥区淮海北路1207号商场{sayings[i % 3]}！", phone=phone())
            for i in range(30)
        )
    )
    numbers = {each["number"] for each in reports}
    assert len(numbers) == 30
    for service in ("119", "120"):

        async def all_there(service: str = service) -> list[dict[str, Any]] | None:
            found = [
                each for each in await world.incidents(service) if numbers & set(each["reports"])
            ]
            return found if set().union(*(each["reports"] for each in found)) == numbers else None

        incidents = await eventually(all_there, f"thirty reports at {service}", 10)
        assert [len(each["reports"]) for each in incidents] == [30]
        subject = incidents[0]["id"]
        await world.office.until(partial(counted, world, subject, 30), "an event a report")
        events = world.office.of(subject)
        assert [each.type for each in events] == ["hotline.emergency.raised"] + [
            "hotline.emergency.updated"
        ] * 29
        assert [len(each.event["data"]["incident"]["reports"]) for each in events] == list(
            range(1, 31)
        )
    for number in numbers:
        ticket = (await world.office.event(number)).ticket
        assert len(ticket["related"]["incidents"]) == len(ticket["services"])


async def test_another_place_is_another_incident(world: World) -> None:
    """Two fires in different streets are two incidents."""
    first, one = await fire_at_desk(world)
    filed = await world.citizen.file("灵璧县迎宾大道9号楼着火了，有人被困", phone=phone())
    other = await at_desk(world, "120", filed["number"])
    assert other["id"] != one["id"]
    assert first not in other["reports"]


async def test_emergency_goes_to_the_office_too(world: World) -> None:
    """The ticket goes to the office of its route, with incidents raised before or beside it."""
    number, incident = await fire_at_desk(world)
    accepted = await world.office.event(number)
    raised = await world.office.event(incident["id"], "hotline.emergency.")
    assert raised.type == "hotline.emergency.raised"
    assert set(raised.event["data"]) == {"ticket", "incident"}
    assert_incident(raised.event["data"]["incident"])
    assert raised.ticket["number"] == number
    assert incident["id"] in accepted.ticket["related"]["incidents"]


async def test_acknowledge_return_close(world: World) -> None:
    """A desk acknowledges and closes; a closed incident is 409; each step is an event."""
    _, incident = await fire_at_desk(world)
    for action, state in [("acknowledge", "acknowledged"), ("close", "closed")]:
        answer = await act(world, "120", incident["id"], action)
        assert answer.status == 200, answer.text
        assert_incident(answer.json)
        assert (answer.json["id"], answer.json["state"]) == (incident["id"], state)
        event = await world.office.event(incident["id"], f"hotline.emergency.{state}")
        assert event.event["data"]["incident"]["state"] == state
    for action in ("acknowledge", "return", "close"):
        answer = await act(world, "120", incident["id"], action)
        assert_problem(answer)
        assert answer.status == 409


async def test_returned_goes_to_the_duty_desk(world: World) -> None:
    """What a desk returns is at the duty desk, which acknowledges it."""
    _, incident = await fire_at_desk(world)
    answer = await act(world, "120", incident["id"], "return")
    assert (answer.status, answer.json["state"]) == (200, "returned")
    await world.office.event(incident["id"], "hotline.emergency.returned")

    async def at_duty() -> bool:
        return incident["id"] in [each["id"] for each in await world.incidents("duty")]

    await eventually(at_duty, "the returned incident at the duty desk", 5)
    answer = await act(world, "duty", incident["id"], "acknowledge")
    assert (answer.status, answer.json["state"]) == (200, "acknowledged")


async def test_list_by_state(world: World) -> None:
    """The list can be asked for one state."""
    _, raised = await fire_at_desk(world)
    _, acknowledged = await fire_at_desk(world)
    assert (await act(world, "120", acknowledged["id"], "acknowledge")).status == 200
    by_state = {
        state: {each["id"] for each in await world.incidents("120", state)}
        for state in ("raised", "acknowledged")
    }
    assert raised["id"] in by_state["raised"] - by_state["acknowledged"]
    assert acknowledged["id"] in by_state["acknowledged"] - by_state["raised"]


@pytest.mark.parametrize("state", ["burning", ""])
async def test_unknown_state(world: World, state: str) -> None:
    """An unknown state is a problem document or all of them, never a server error."""
    answer = await world.citizen.get(f"{world.desk('120')}/incidents", params={"state": state})
    assert answer.status in {200, 400, 422}


async def test_unknown_incident_service_and_action(world: World) -> None:
    """An unknown incident, desk or action is 404."""
    _, incident = await fire_at_desk(world)
    for service, name, action in [
        ("120", "01a20190-0000-733a-b1f8-e50f520258e0", "acknowledge"),
        ("120", incident["id"], "extinguish"),
        ("122", incident["id"], "acknowledge"),
    ]:
        answer = await act(world, service, name, action)
        assert_problem(answer)
        assert answer.status == 404, (service, action)
    assert (await world.citizen.get("/api/v1/liaison/999/incidents")).status in {401, 404}


@pytest.mark.parametrize("body", [{}, {"by": ""}, {"by": 5}, {"by": "01", "note": []}, None])
async def test_bad_action_body(world: World, body: dict[str, Any] | None) -> None:
    """An action tells who took it: a body without is a problem document and changes nothing."""
    _, incident = await fire_at_desk(world)
    answer = await world.citizen.post(
        f"{world.desk('120')}/incidents/{incident['id']}/acknowledge",
        data=b"{" if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert_problem(answer, None if body is None else "note" if "note" in body else "by")
    assert (await at_desk(world, "120", incident["reports"][0]))["state"] == "raised"


TOKENS: list[dict[str, str]] = [
    {},
    {"Authorization": "Bearer wrong"},
    {"Authorization": f"Basic {DESK_TOKEN}"},
    {"Authorization": "Bearer"},
    {"Authorization": f"Bearer {DESK_TOKEN}x"},
]


@pytest.mark.parametrize("headers", TOKENS)
async def test_desk_with_a_token(world: World, headers: dict[str, str]) -> None:
    """A desk with a token refuses everything without it with 401."""
    _, incident = await fire_at_desk(world, "119")
    for answer in (
        await world.citizen.get(f"{world.desk('119')}/incidents", headers=headers),
        await world.citizen.get(f"{world.desk('119')}/stream", headers=headers),
        await world.citizen.post(
            f"{world.desk('119')}/incidents/{incident['id']}/acknowledge",
            json={"by": "x"},
            headers=headers,
        ),
    ):
        assert_problem(answer)
        assert answer.status == 401
    assert (await act(world, "119", incident["id"], "acknowledge")).status == 200


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
async def test_desk_without_a_token_is_for_loopback(world: World, header: str) -> None:
    """A desk without a token takes loopback, not what a proxy passes on for somebody."""
    value = "203.0.113.9" if header == "X-Forwarded-For" else "for=203.0.113.9"
    path = f"{world.desk('120')}/incidents"
    assert (await world.citizen.get(path)).status == 200
    assert (await world.citizen.get(path, headers={header: value})).status in {401, 403}


async def test_desk_page(world: World) -> None:
    """GET /desk/{service} is a page in Chinese."""
    page = await world.citizen.get("/desk/120")
    assert (page.status, page.media_type) == (200, "text/html")
    assert "120" in page.text


async def test_stream_delivers_incidents(world: World) -> None:
    """Server-sent events bring an incident to the desk as it is raised."""
    path = f"{world.desk('119')}/stream"
    async with asyncio.timeout(10), world.citizen.stream(path, headers=BEARER) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        filed = await world.citizen.file(fire(), phone=phone())
        incident = await at_desk(world, "119", filed["number"])
        async for line in response.content:
            if line.startswith(b"data:") and incident["id"].encode() in line:
                streamed = json.loads(line.removeprefix(b"data:"))
                break
    assert_incident(streamed)
    assert streamed["reports"] == [filed["number"]]


async def test_ladder_climbs_until_somebody_answers(tmp_path: Path) -> None:
    """Unacknowledged for ack_within: escalated to the duty desk, again and again, then quiet."""
    liaison = settings("")["liaison"]
    liaison["120"] = {
        "label": "医疗急救",
        "ack_within": "1s",
        "ladder": [{"after": "0s", "to": "desk"}, {"after": "1s", "to": "duty"}],
    }
    async with opened(tmp_path, liaison=liaison) as world:
        _, incident = await fire_at_desk(world)
        event = await world.office.event(incident["id"], "hotline.emergency.escalated")
        at = datetime.fromisoformat(event.event["time"])
        after = (at - datetime.fromisoformat(incident["opened_at"])).total_seconds()
        assert 0.9 <= after < 4
        assert event.event["data"]["incident"]["state"] == "escalated"
        async with (
            asyncio.timeout(15),
            world.citizen.stream(world.desk("duty") + "/stream") as duty,
        ):
            calls = aiter(duty.content)
            for _ in range(3):  # the state, and two repetitions
                await said(calls, incident["id"])
            assert (await act(world, "120", incident["id"], "acknowledge")).status == 200
            last = await said(calls, incident["id"], '"acknowledged"')
            assert last["state"] == "acknowledged"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(2.5):
                    await said(calls, incident["id"])


async def said(lines: AsyncIterator[bytes], *words: str) -> dict[str, Any]:
    """Return the next incident of a stream whose line holds all the words."""
    while True:
        line = (await anext(lines)).decode()
        if line.startswith("data:") and '"service"' in line and all(w in line for w in words):
            found = json.loads(line.removeprefix("data:"))
            assert isinstance(found, dict)
            return found


async def test_service_without_a_desk_is_never_nowhere(tmp_path: Path) -> None:
    """Without any desk in the configuration a fire is still raised and listed for both."""
    async with opened(tmp_path, liaison={}) as world:
        filed = await world.citizen.file(fire(), phone=phone())
        for service in ("119", "120"):
            incident = await world.office.raised(filed["number"], service)
            assert (await at_desk(world, service, filed["number"]))["id"] == incident["id"]
