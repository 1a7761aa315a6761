"""Open311 GeoReport v2 (contract section 4), asked by a client of another make."""

import asyncio
import json
import re
from datetime import datetime
from typing import Any
from uuid import uuid4
from xml.etree import ElementTree as ET

import aiohttp
import pytest
import pytest_asyncio

from normalizer.schema import LABELS, Domain
from tests.acceptance.http import Answer
from tests.acceptance.test_intake import NUMBER, PNG
from tests.acceptance.world import PUBLIC_URL, World, phone
from tests.peers.open311 import Open311Client

pytestmark = pytest.mark.asyncio(loop_scope="module")

BASE = "/open311/v2"
LAMP = {
    "service_code": "housing",
    "address_string": "宿州市埇桥区汴河中路18号3单元502室",
    "description": "汴河路的路灯不亮了，希望尽快维修",
}
#: The members of a service request. Source: GeoReport v2, "GET Service Requests".
MEMBERS = {
    *("service_request_id", "status", "status_notes", "service_name", "service_code"),
    *("description", "agency_responsible", "service_notice", "requested_datetime"),
    *("updated_datetime", "expected_datetime", "address", "address_id", "zipcode"),
    *("lat", "long", "media_url"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Open311Client:
    """A client of another make."""
    scratch = tmp_path_factory.mktemp("peers")
    return await asyncio.to_thread(Open311Client, scratch, world.gateway.url + BASE)


async def asked(client: Open311Client, *words: str, **named: Any) -> Any:
    return await asyncio.to_thread(client.ask, *words, **named)


async def posted(client: Open311Client, form: str = "json", **fields: str) -> dict[str, Any]:
    return await asyncio.to_thread(client.post, {**LAMP, **fields}, form)


async def sent(world: World, **fields: str) -> str:
    answer = await world.citizen.post(f"{BASE}/requests.json", data={**LAMP, **fields})
    assert answer.status == 201, answer.text
    return str(rows(answer)[0]["service_request_id"])


def rows(answer: Answer) -> list[dict[str, Any]]:
    """Return a JSON answer that is a list."""
    found = json.loads(answer.body)
    assert isinstance(found, list), found
    return found


def errors_of(answer: Answer, status: int) -> list[str]:
    """Return the descriptions of errors in the specification's shape, JSON."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert all(set(error) == {"code", "description"} for error in rows(answer))
    return [error["description"] for error in rows(answer)]


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_discovery_tells_where_the_interface_is(world: World, form: str) -> None:
    """Both forms say the same, and the address is the public one."""
    answer = await world.citizen.get(f"{BASE}/discovery.{form}")
    kind = {"json": "application/json", "xml": "text/xml"}[form]
    assert (answer.status, answer.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
    if form == "xml":
        (endpoint,) = ET.fromstring(answer.body).iter("endpoint")  # noqa: S314 - our own
        told = {each.tag: each.text for each in endpoint}
        formats = [each.text for each in endpoint.iter("format")]
    else:
        (told,) = answer.json["endpoints"]
        formats = told["formats"]
    assert told["url"] == PUBLIC_URL + BASE
    assert told["specification"] == "http://wiki.open311.org/GeoReport_v2"
    assert told["type"] == "production"
    assert formats == ["text/xml", "application/json"]


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_the_services_are_the_domains(client: Open311Client, form: str) -> None:
    """The client reads a service a domain, each with a definition of its own."""
    services = await asked(client, "services", form)
    names = {each["service_code"]: each["service_name"] for each in services}
    assert names == {domain.value: LABELS[domain] for domain in Domain}
    assert {each["type"] for each in services} == {"realtime"}
    definition = await asked(client, "definition", form, service_code="market")
    assert definition["service_code"] == "market"
    attributes = definition["attributes"]
    codes = [a["code"] for a in (attributes["attribute"] if form == "xml" else attributes)]
    assert codes[:2] == ["type", "title"]


async def test_the_services_are_told_in_english(world: World) -> None:
    """Who prefers English reads it."""
    answer = await world.citizen.get(f"{BASE}/services.json", headers={"Accept-Language": "en"})
    assert not re.search(r"[\u4e00-\u9fff]", answer.text)


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_a_request_becomes_a_ticket(world: World, client: Open311Client, form: str) -> None:
    """The client is told the number; the back office gets what was said, from the web channel."""
    number = phone()
    answer = await posted(
        client,
        form,
        lat="33.6339",
        long="116.9785",
        phone=number,
        first_name="小明",
        last_name="王",
        **{"attribute[type]": "complaint"},
    )
    assert answer["status"] == 201
    body = answer["body"]
    row = body[0] if form == "json" else body["service_requests"]["request"]
    assert NUMBER.fullmatch(row["service_request_id"])
    assert row["service_request_id"] in row["service_notice"]
    ticket = (await world.office.event(row["service_request_id"])).ticket
    assert (ticket["channel"]["kind"], ticket["channel"]["account"]) == ("web", "portal")
    assert (ticket["type"], ticket["domain"]) == ("complaint", "housing")
    assert (ticket["requester"]["name"], ticket["requester"]["phone"]) == ("王小明", f"+86{number}")
    assert ticket["content"]["original"] == LAMP["description"]
    assert (ticket["place"]["latitude"], ticket["place"]["longitude"]) == (33.6339, 116.9785)
    assert ticket["disclosure"]["public"] is False


async def test_a_picture_that_is_sent_along_is_an_attachment(world: World) -> None:
    """Clients that send multipart forms with a file are taken, too."""
    form = aiohttp.FormData({**LAMP})
    form.add_field("media", PNG, filename="lamp.png", content_type="image/png")
    answer = await world.citizen.post(f"{BASE}/requests.json", data=form)
    ticket = (await world.office.event(rows(answer)[0]["service_request_id"])).ticket
    assert [a["media_type"] for a in ticket["attachments"]] == ["image/png"]


async def test_an_emergency_is_told_whom_to_dial(world: World, client: Open311Client) -> None:
    """Even without a service and a place: the notice names the numbers, the desk has it."""
    words = "三楼着火了，有老人被困出不来，快来人"
    answer = await posted(client, description=words, service_code="", address_string="")
    row = answer["body"][0]
    assert "119" in row["service_notice"]
    found = await world.incidents("119")
    assert any(row["service_request_id"] in incident["reports"] for incident in found)


async def test_a_repeat_is_answered_as_the_first_time(world: World, client: Open311Client) -> None:
    """The key makes one ticket of two requests, and opens its id; with other words it is refused."""
    key = {"Idempotency-Key": str(uuid4())}
    first = await asyncio.to_thread(client.post, LAMP, "json", key)
    again = await asyncio.to_thread(client.post, LAMP, "json", key)
    assert (first["status"], again["status"]) == (201, 200)
    assert first["body"] == again["body"]
    token = key["Idempotency-Key"]
    found = await world.citizen.get(f"{BASE}/tokens/{token}.json")
    number = first["body"][0]["service_request_id"]
    assert rows(found) == [{"service_request_id": number, "token": token}]
    changed = await world.citizen.post(
        f"{BASE}/requests.json", data={**LAMP, "description": "另一件事"}, headers=key
    )
    assert errors_of(changed, 400)[0].startswith("Idempotency-Key")
    assert rows(changed)[0]["code"] == 422


async def test_only_what_may_be_published_is_shown(world: World, client: Open311Client) -> None:
    """A request without consent, or that is confidential, is not there; another one is, masked."""
    number, consent = phone(), {"attribute[public]": "true"}
    words = f"我叫王小明，电话{number}，汴河路的路灯不亮了"
    shown = await sent(
        world, description=words, phone=number, first_name="小明", last_name="王", **consent
    )
    silent = await sent(world)
    confidential = await sent(world, **consent, **{"attribute[confidential]": "true"})
    for hidden in (silent, confidential):
        answer = await world.citizen.get(f"{BASE}/requests/{hidden}.json")
        assert errors_of(answer, 404)
    ids = {row["service_request_id"] for row in await asked(client, "requests")}
    assert shown in ids
    assert not ids & {silent, confidential}
    row = await asked(client, "request", service_request_id=shown)
    assert set(row) == MEMBERS
    assert (row["status"], row["service_code"]) == ("open", "housing")
    assert "路灯不亮" in row["description"]
    for personal in (number, "王小明", "502", "3单元"):
        assert personal not in str(row)
    assert datetime.fromisoformat(row["requested_datetime"]).utcoffset() is not None


async def test_xml_says_what_json_says(world: World, client: Open311Client) -> None:
    """One request read in both forms is the same; what is unknown is empty."""
    number = await sent(world, **{"attribute[public]": "true"})
    plain = await asked(client, "request", service_request_id=number)
    parsed = await asked(client, "request", "xml", service_request_id=number)
    assert list(parsed) == list(plain)
    assert parsed == {k: None if v is None else str(v) for k, v in plain.items()}


async def test_a_list_is_asked_for_by_service_status_time_and_id(
    world: World, client: Open311Client
) -> None:
    """Each argument narrows the list as the specification says; ids override the others."""
    consent = {"attribute[public]": "true"}
    one = await sent(world, service_code="telecom", **consent)
    two = await sent(world, service_code="telecom", **consent)
    listed = await asked(client, "requests", service_code="telecom,finance", status="open")
    assert [row["service_request_id"] for row in listed] == [two, one]
    assert await asked(client, "requests", service_code="telecom", status="closed") == []
    past = {"start_date": "2020-01-01T00:00:00Z", "end_date": "2020-03-01T00:00:00Z"}
    assert await asked(client, "requests", **past) == []
    named = await asked(client, "requests", service_request_id=f"{one},{two},x", **past)
    assert [row["service_request_id"] for row in named] == [one, two]
    query = {"service_code": "telecom", "page_size": "1", "page": "2"}
    second = await world.citizen.get(f"{BASE}/requests.json", params=query)
    assert [row["service_request_id"] for row in rows(second)] == [one]
    after = {"start_date": listed[0]["requested_datetime"], "service_code": "telecom"}
    since = await asked(client, "requests", **after)
    assert two in {row["service_request_id"] for row in since}


async def test_what_is_withdrawn_is_closed(world: World) -> None:
    """The status follows the ticket."""
    filed = await world.citizen.file("路灯坏了", public=True)
    path = f"{BASE}/requests/{filed['number']}.json"
    assert rows(await world.citizen.get(path))[0]["status"] == "open"
    assert (await world.citizen.step(filed, "withdraw")).status == 202
    shown = rows(await world.citizen.get(path))[0]
    assert (shown["status"], shown["status_notes"]) == ("closed", "已撤回")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"status": "lost"}, 400, "status"),
        ({"service_code": "potholes"}, 404, "service_code"),
        ({"start_date": "yesterday"}, 400, "start_date"),
        ({"end_date": "2026-11-22"}, 400, "end_date"),
        ({"end_date": "2026-99-22T00:00:00Z"}, 400, "end_date"),
        ({"end_date": "0001-01-01T00:00:00Z"}, 400, "end_date"),
        (
            {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-05-01T00:00:00Z"},
            400,
            "start_date",
        ),
        (
            {"start_date": "2026-02-01T00:00:00Z", "end_date": "2026-01-01T00:00:00Z"},
            400,
            "end_date",
        ),
        ({"page": "0"}, 400, "page"),
        ({"page": "101"}, 400, "page"),
        ({"page_size": "many"}, 400, "page_size"),
        ({"service_request_id": ",".join(map(str, range(101)))}, 400, "service_request_id"),
    ],
)
async def test_a_wrong_argument_is_named(
    world: World, query: dict[str, str], status: int, field: str
) -> None:
    """The error is of the specification's shape and names the argument."""
    answer = await world.citizen.get(f"{BASE}/requests.json", params=query)
    assert errors_of(answer, status)[0].startswith(f"{field}: ")


async def test_a_wrong_request_is_refused_whole(world: World) -> None:
    """Each error has a line, in XML too, and nothing is stored."""
    answer = await world.citizen.post(f"{BASE}/requests.xml", data={"service_code": "housing"})
    assert answer.status == 400
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(answer.body)  # noqa: S314 - our own
    assert root.tag == "errors"
    assert [error.findtext("code") for error in root.iter("error")] == ["400", "400"]
    told = [error.findtext("description") or "" for error in root.iter("error")]
    assert [line.partition(":")[0] for line in told] == ["address_string", "description"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "services/potholes.json", None, 404),
        ("GET", "requests/20261122-000001-1.json", None, 404),
        ("GET", "requests/1.json", None, 404),
        ("GET", "tokens/nobody.json", None, 404),
        ("GET", "tokens/%00.json", None, 404),
        ("GET", "requests/%00.json", None, 404),
        ("GET", "nothing.json", None, 404),
        ("DELETE", "requests.json", None, 405),
        ("POST", "requests.json", b"{}", 400),
        ("POST", "requests.json", {**LAMP, "service_code": "potholes"}, 404),
        ("POST", "requests.json", {**LAMP, "description": "长" * 20_001}, 400),
    ],
)
async def test_every_refusal_has_the_specifications_shape(
    world: World, method: str, path: str, body: Any, status: int
) -> None:
    """Whatever is wrong, a client of Open311 can read why."""
    answer = await world.citizen.ask(method, f"{BASE}/{path}", data=body)
    assert errors_of(answer, status)
