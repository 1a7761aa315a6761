"""The back office's steps and its reconciliation (contract section 6)."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from tests.acceptance.http import assert_problem
from tests.acceptance.shape import TICKET, assert_shape
from tests.acceptance.signing import OFFICE_SECRET, PARTNER_SECRET, report, signed, work
from tests.acceptance.workdays import expected
from tests.acceptance.world import World, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVENTS = "/api/v1/backoffice/backoffice/events"
SHANGHAI = ZoneInfo("Asia/Shanghai")
TICKETS = "/api/v1/backoffice/backoffice/tickets"


async def number_of(world: World, text: str = "河道有漂浮垃圾", **fields: Any) -> str:
    """File a request and return its number."""
    return str((await world.citizen.file(text, **fields))["number"])


async def status_of(world: World, number: str) -> str:
    """Return a ticket's status as reconciliation shows it."""
    return str((await tickets(world))[number]["status"])


async def tickets(world: World) -> dict[str, dict[str, Any]]:
    """Page all tickets as the back office does; by number."""
    found: dict[str, dict[str, Any]] = {}
    cursor: str | None = None
    while True:
        query = {"after": cursor} if cursor else {}
        answer = await world.citizen.get(TICKETS, params=query, headers=signed(OFFICE_SECRET, ""))
        assert answer.status == 200, answer.text
        page = answer.json
        for ticket in page["tickets"]:
            assert ticket["number"] not in found
            found[ticket["number"]] = ticket
        cursor = page["next"]
        if not cursor:
            return found


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["signed"], "signed"),
        (["signed", "contacted"], "signed"),
        (["returned"], "returned"),
        (["signed", "answered"], "answered"),
        (["signed", "answered", "closed"], "closed"),
        (["signed", "answered", "closed", "reopened"], "reopened"),
    ],
    ids=lambda value: "" if isinstance(value, str) else "+".join(value),
)
async def test_steps_change_the_status(world: World, steps: list[str], status: str) -> None:
    """Each step of the back office is 202 and shows in the ticket's status and history."""
    number = await number_of(world, type="help")
    for step in steps:
        answer = await report(
            world.citizen, work(step, number, by="坐席", text="不属本单位职责，建议转市城管局")
        )
        assert answer.status == 202, (step, answer.text)
    ticket = (await tickets(world))[number]
    assert_shape(ticket, TICKET)
    assert ticket["status"] == status
    assert [each["event"] for each in ticket["history"]][-len(steps) :] == steps


async def test_repeat_of_an_id_changes_nothing(world: World) -> None:
    """The same event pushed three times is taken once."""
    number = await number_of(world)
    event = work("signed", number)
    assert {(await report(world.citizen, event)).status for _ in range(3)} == {202}
    history = (await tickets(world))[number]["history"]
    assert [each["event"] for each in history].count("signed") == 1


@pytest.mark.parametrize(
    ("before", "step", "more"),
    [
        ([], "reopened", {}),
        (["signed", "answered", "closed"], "answered", {}),
        (["signed", "answered", "closed"], "signed", {}),
        (["signed"], "extension", {"until": 365}),
    ],
    ids=["reopen an open one", "answer closed", "sign closed", "too long"],
)
async def test_step_that_the_rules_forbid(
    world: World, before: list[str], step: str, more: dict[str, int]
) -> None:
    """A step that the region's rules don't allow is 409, names the rule and changes nothing."""
    number = await number_of(world, type="complaint")
    for each in before:
        assert (await report(world.citizen, work(each, number, text="已办理"))).status == 202
    status = await status_of(world, number)
    until = {
        name: (datetime.now().astimezone() + timedelta(days=days)).isoformat()
        for name, days in more.items()
    }
    answer = await report(world.citizen, work(step, number, text="说明", **until))
    problem = assert_problem(answer)
    assert answer.status == 409
    named = set(problem) - {"type", "title", "status", "detail", "instance"}
    assert named, problem
    assert await status_of(world, number) == status


async def test_extension_within_the_rules(world: World) -> None:
    """An extension in time and no longer than the original limit moves the limit."""
    number = await number_of(world, type="complaint")
    before = (await tickets(world))[number]["limits"]["finish_by"]
    assert (await report(world.citizen, work("signed", number))).status == 202
    until = (datetime.fromisoformat(before) + timedelta(days=3)).isoformat()
    answer = await report(world.citizen, work("extension", number, text="情况复杂", until=until))
    assert answer.status == 202, answer.text
    ticket = (await tickets(world))[number]
    assert ticket["status"] == "extended"
    assert datetime.fromisoformat(ticket["limits"]["finish_by"]) == datetime.fromisoformat(until)


async def test_extension_on_the_last_day(world: World) -> None:
    """Suzhou wants an extension applied for a working day before the limit: else 409."""
    number = await number_of(world, text="全小区从早上起停水，家里有婴儿，急需恢复供水")
    limits = (await tickets(world))[number]["limits"]
    assert datetime.fromisoformat(limits["finish_by"]).date() == datetime.now(SHANGHAI).date()
    assert (await report(world.citizen, work("signed", number))).status == 202
    until = (datetime.now(SHANGHAI) + timedelta(hours=20)).isoformat()
    answer = await report(world.citizen, work("extension", number, text="抢修中", until=until))
    assert answer.status == 409


async def test_first_contact_is_due_once_signed(world: World) -> None:
    """Suzhou wants who asks for help contacted one working day after the unit signed."""
    number = await number_of(world, type="help")
    assert (await report(world.citizen, work("signed", number))).status == 202
    contact_by = (await tickets(world))[number]["limits"]["contact_by"]
    assert contact_by is not None
    first, last = expected(datetime.now(SHANGHAI).date(), 1)
    assert first <= datetime.fromisoformat(contact_by).date() <= last


async def test_return_gives_its_reason(world: World) -> None:
    """Suzhou wants a return to give its reason: without one it is 409."""
    number = await number_of(world)
    answer = await report(world.citizen, work("returned", number))
    assert_problem(answer)
    assert answer.status == 409


async def test_third_extension_in_ningxia(ningxia: World) -> None:
    """Ningxia allows two extensions of at most five working days; the third is 409."""
    number = await number_of(ningxia, type="complaint")
    assert (await report(ningxia.citizen, work("signed", number))).status == 202
    statuses = []
    for _ in range(3):
        limits = (await tickets(ningxia))[number]["limits"]
        until = (datetime.fromisoformat(limits["finish_by"]) + timedelta(days=1)).isoformat()
        event = work("extension", number, text="情况复杂", until=until)
        statuses.append((await report(ningxia.citizen, event)).status)
    assert statuses == [202, 202, 409]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ningxia(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A gateway under the rules of Ningxia."""
    instance = {"name": "宁夏12345", "region": "ningxia", "timezone": "Asia/Shanghai"}
    routes = [{"name": "rest", "send": {"to": "backoffice"}}]
    folder = tmp_path_factory.mktemp("ningxia")
    async with opened(folder, instance=instance, routes=routes) as world:
        yield world


@pytest.mark.parametrize("secret", [PARTNER_SECRET, None], ids=["another secret", "unsigned"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_bad_signature(world: World, secret: str | None, method: str) -> None:
    """A step or a query with a bad signature is 401 and changes nothing."""
    number = await number_of(world)
    event = json.dumps(work("signed", number)) if method == "POST" else ""
    headers = signed(secret, event) if secret else {}
    path = EVENTS if method == "POST" else TICKETS
    answer = await world.citizen.ask(method, path, data=event.encode() or None, headers=headers)
    assert_problem(answer)
    assert answer.status == 401
    assert await status_of(world, number) == "accepted"


async def test_stale_signature(world: World) -> None:
    """A signature older than the tolerance is 401."""
    event = json.dumps(work("signed", await number_of(world)))
    headers = signed(OFFICE_SECRET, event, late=timedelta(minutes=10))
    assert (await world.citizen.post(EVENTS, data=event.encode(), headers=headers)).status == 401


@pytest.mark.parametrize(
    "change",
    [
        {"type": "hotline.work.admired"},
        {"type": None},
        {"id": None},
        {"data": None},
        {"data": {"unit": "市长热线办"}},
        {"data": {"number": 5, "unit": "市长热线办"}},
        {"specversion": "0.3"},
    ],
    ids=json.dumps,
)
async def test_malformed_step(world: World, change: dict[str, Any]) -> None:
    """An authentic step that is malformed is a 4xx problem document."""
    event = {k: v for k, v in (work("signed", "x") | change).items() if v is not None}
    body = json.dumps(event)
    headers = signed(OFFICE_SECRET, body, "msg_malformed")
    assert_problem(await world.citizen.post(EVENTS, data=body.encode(), headers=headers))


async def test_step_for_an_unknown_ticket(world: World) -> None:
    """A step for a number that does not exist is 404."""
    answer = await report(world.citizen, work("signed", "20200101-000001-8"))
    assert_problem(answer)
    assert answer.status == 404


async def test_unknown_adapter(world: World) -> None:
    """The interface of an adapter that is not configured is 404 or tells nothing: 401."""
    answer = await world.citizen.get(
        "/api/v1/backoffice/other/tickets", headers=signed(OFFICE_SECRET, "")
    )
    assert answer.status in {401, 404}


async def test_reconciliation_pages_all_tickets(world: World) -> None:
    """Paging by the cursor gives every ticket once, in the order they came."""
    filed = [await number_of(world) for _ in range(30)]
    found = await tickets(world)
    assert [number for number in found if number in set(filed)] == filed
    ids = [ticket["id"] for ticket in found.values()]
    assert ids == sorted(ids)
    pushed = (await world.office.event(filed[0])).ticket
    again = found[filed[0]]
    assert again["id"] == pushed["id"]
    assert again["content"] == pushed["content"]


async def test_bad_cursor(world: World) -> None:
    """A cursor that is none is a problem document, not a server error."""
    answer = await world.citizen.get(
        TICKETS, params={"after": "无'; --"}, headers=signed(OFFICE_SECRET, "")
    )
    assert answer.status in {200, 400, 422}
