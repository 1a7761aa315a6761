"""Progress, additions, rating and withdrawal by number and query code (contract section 4)."""

from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.http import Client, assert_problem
from tests.acceptance.signing import report, work
from tests.acceptance.world import World, phone

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "20200101-000001-8"


async def filed_by(world: World, text: str = "小区围墙开裂，存在隐患") -> dict[str, Any]:
    """File a request with a name and a phone of its own."""
    return await world.citizen.file(text, name="某居民", phone=phone(), email="a@mail.example")


async def office_does(world: World, number: str, *steps: str, text: str = "已办理") -> None:
    """Take steps of the back office one after the other."""
    for step in steps:
        answer = await report(world.citizen, work(step, number, text=text))
        assert answer.status == 202, (step, answer.text)


async def test_progress_shows_status_history_and_limits(world: World) -> None:
    """The query code opens status, history and limits, without personal data."""
    filed = await filed_by(world, "请处理楼道杂物，联系我13955500000")
    await office_does(world, filed["number"], "signed", "answered", text="已清理完毕")
    answer = await world.citizen.progress(filed)
    assert answer.status == 200
    progress = answer.json
    assert (progress["status"], progress["status_label"]) == ("answered", "已答复")
    assert [each["event"] for each in progress["history"]] == ["accepted", "signed", "answered"]
    assert progress["history"][-1]["text"] == "已清理完毕"
    assert progress["limits"]["policy"] == "suzhou"
    for personal in ("某居民", "139555", "139557", "a@mail.example"):
        assert personal not in answer.text


async def test_wrong_code_and_unknown_number_are_alike(world: World) -> None:
    """A wrong code, an unknown number, a malformed number and no code: one and the same 404."""
    filed = await filed_by(world)
    last = filed["number"][-1]
    miswritten = filed["number"][:-1] + str((int(last) + 1) % 10)
    asked = [
        (filed["number"], {"X-Query-Code": "WRONGONE"}),
        (UNKNOWN, {"X-Query-Code": filed["query_code"]}),
        (miswritten, {"X-Query-Code": filed["query_code"]}),
        ("1", {"X-Query-Code": filed["query_code"]}),
        (filed["number"], {}),
    ]
    async with Client(world.gateway.url, "127.0.0.11") as stranger:
        answers = [
            await stranger.get(f"/api/v1/requests/{number}", headers=headers)
            for number, headers in asked
        ]
    assert [answer.status for answer in answers] == [404] * len(asked)
    assert len({answer.body for answer in answers}) == 1
    assert_problem(answers[0])


@pytest.mark.parametrize("step", ["messages", "rating", "withdraw"])
async def test_steps_need_the_code(world: World, step: str) -> None:
    """Every citizen's step with a wrong code is the same 404 and changes nothing."""
    filed = await filed_by(world)
    body = {"text": "补充", "rating": "satisfied"}
    async with Client(world.gateway.url, "127.0.0.12") as stranger:
        wrong = await stranger.step(filed | {"query_code": "WRONGONE"}, step, **body)
        unknown = await stranger.step(filed | {"number": UNKNOWN}, step, **body)
    assert (wrong.status, unknown.status) == (404, 404)
    assert wrong.body == unknown.body
    assert (await world.citizen.progress(filed)).json["status"] == "accepted"


async def test_429_after_ten_wrong_codes_for_a_number(world: World) -> None:
    """Ten wrong codes for a number, from ten addresses: the next try is 429."""
    filed, other = await filed_by(world), await filed_by(world)
    statuses = []
    for index in range(11):
        async with Client(world.gateway.url, f"127.0.1.{index + 1}") as guesser:
            answer = await guesser.progress(filed | {"query_code": f"GUESS{index:03}"})
            statuses.append(answer.status)
    assert statuses == [404] * 10 + [429]
    assert_problem(answer)
    assert int(answer.headers["Retry-After"]) <= 600
    assert (await world.citizen.progress(other)).status == 200


async def test_429_after_ten_wrong_codes_from_an_address(world: World) -> None:
    """Ten wrong codes from an address, for ten numbers: its next try is 429, others' are not."""
    filed = [await filed_by(world) for _ in range(11)]
    async with Client(world.gateway.url, "127.0.2.1") as guesser:
        statuses = [
            (await guesser.progress(each | {"query_code": "GUESS"})).status for each in filed
        ]
        assert statuses == [404] * 10 + [429]
        assert (await guesser.step(filed[0], "messages", text="x")).status == 429
    assert (await world.citizen.progress(filed[10])).status == 200


async def test_right_codes_are_not_counted(world: World) -> None:
    """Twelve queries with the right code are all answered."""
    filed = await filed_by(world)
    assert {(await world.citizen.progress(filed)).status for _ in range(12)} == {200}


async def test_addition_is_pushed_with_its_message(world: World) -> None:
    """An addition is answered 202 and pushed as hotline.ticket.added with the message."""
    filed = await filed_by(world)
    answer = await world.citizen.step(filed, "messages", text="补充：裂缝在３号楼东侧")
    assert answer.status == 202
    added = await world.office.event(filed["number"], "hotline.ticket.added")
    assert set(added.event["data"]) == {"ticket", "message"}
    message = added.event["data"]["message"]
    assert set(message) == {"at", "text", "attachments"}
    assert message["text"] in {"补充：裂缝在３号楼东侧", "补充:裂缝在3号楼东侧"}
    assert message["attachments"] == []
    assert datetime.fromisoformat(message["at"]) >= datetime.fromisoformat(filed["received_at"])
    assert added.ticket["number"] == filed["number"]


async def test_addition_that_reports_a_fire_raises_incidents(world: World) -> None:
    """An addition that turns a matter into an emergency is handed to the desks at once."""
    filed = await filed_by(world, "楼道里有人给电动车充电，请管一管")
    assert filed["services"] == []
    answer = await world.citizen.step(
        filed, "messages", text="现在楼道着火了，火很大，有人被困在五楼！地址汴河中路77号"
    )
    assert answer.status == 202
    for service in ("119", "120"):
        incident = await world.office.raised(filed["number"], service)
        assert filed["number"] in incident["reports"]
        assert incident["id"] in [each["id"] for each in await world.incidents(service)]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": "字" * 20_001}, "text"),
    ],
)
async def test_bad_addition(world: World, body: dict[str, Any], field: str) -> None:
    """A bad addition is a problem document that names the field."""
    filed = await filed_by(world)
    assert_problem(await world.citizen.step(filed, "messages", **body), field)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"text": "\xff"}', b"[" * 100_000])
async def test_addition_that_is_no_json_object(world: World, raw: bytes) -> None:
    """An addition that is no JSON object is a problem document."""
    filed = await filed_by(world)
    answer = await world.citizen.post(
        f"/api/v1/requests/{filed['number']}/messages",
        data=raw,
        headers={"X-Query-Code": filed["query_code"], "Content-Type": "application/json"},
    )
    assert_problem(answer)


async def test_withdrawal(world: World) -> None:
    """A withdrawal is 202, is pushed, and shows in the status."""
    filed = await filed_by(world)
    assert (await world.citizen.step(filed, "withdraw")).status == 202
    event = await world.office.event(filed["number"], "hotline.ticket.withdrawn")
    assert event.ticket["status"] == "withdrawn"
    assert (await world.citizen.progress(filed)).json["status"] == "withdrawn"


async def test_withdrawal_of_a_closed_ticket(world: World) -> None:
    """A closed ticket cannot be withdrawn: 409."""
    filed = await filed_by(world)
    await office_does(world, filed["number"], "signed", "answered", "closed")
    answer = await world.citizen.step(filed, "withdraw")
    assert_problem(answer)
    assert answer.status == 409
    assert (await world.citizen.progress(filed)).json["status"] == "closed"


async def test_rating_only_after_an_answer(world: World) -> None:
    """A rating is 409 before there is an answer, then 202, and is pushed."""
    filed = await filed_by(world)
    early = await world.citizen.step(filed, "rating", rating="satisfied")
    assert_problem(early)
    assert early.status == 409
    await office_does(world, filed["number"], "signed")
    assert (await world.citizen.step(filed, "rating", rating="satisfied")).status == 409
    await office_does(world, filed["number"], "answered")
    rated = await world.citizen.step(filed, "rating", rating="satisfied", comment="处理及时")
    assert rated.status == 202, rated.text
    event = await world.office.event(filed["number"], "hotline.ticket.rated")
    assert set(event.event["data"]) == {"ticket", "rating"}
    assert "satisfied" in str(event.event["data"]["rating"])
    assert "处理及时" in str(event.event["data"])


@pytest.mark.parametrize("rating", ["splendid", "", 5, None])
async def test_unknown_rating(world: World, rating: object) -> None:
    """A rating that is none of the scale is refused by its name."""
    filed = await filed_by(world)
    await office_does(world, filed["number"], "signed", "answered")
    assert_problem(await world.citizen.step(filed, "rating", rating=rating), "rating")
