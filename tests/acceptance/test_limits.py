"""Bad input is refused with a problem document that names the field (contract section 4)."""

import json
from io import BytesIO
from typing import Any

import aiohttp
import pytest

from tests.acceptance.http import Answer, assert_problem
from tests.acceptance.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

GOOD = "小区电梯经常停运，请督促物业维修"
PATH = "/api/v1/requests"
JSON = {"Content-Type": "application/json"}
MIB = 1 << 20


async def still_works(world: World) -> None:
    """Assert that a good request is taken and pushed."""
    filed = await world.citizen.file(GOOD)
    await world.office.event(filed["number"])


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "text"),
        ({"phone": "13905570000"}, "text"),
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"text": 12345}, "text"),
        ({"text": ["路灯不亮"]}, "text"),
        ({"text": {"zh": "路灯不亮"}}, "text"),
        ({"text": True}, "text"),
        ({"text": "字" * 20_001}, "text"),
        ({"text": "🚧" * 20_001}, "text"),
        ({"text": GOOD, "title": 7}, "title"),
        ({"text": GOOD, "type": "wish"}, "type"),
        ({"text": GOOD, "type": 3}, "type"),
        ({"text": GOOD, "name": ["某"]}, "name"),
        ({"text": GOOD, "phone": 13905570000}, "phone"),
        ({"text": GOOD, "email": {"at": "x"}}, "email"),
        ({"text": GOOD, "address": 18}, "address"),
        ({"text": GOOD, "latitude": 90.01, "longitude": 117}, "latitude"),
        ({"text": GOOD, "latitude": 33, "longitude": 180.5}, "longitude"),
        ({"text": GOOD, "latitude": 33, "longitude": -181}, "longitude"),
        ({"text": GOOD, "latitude": "north", "longitude": 117}, "latitude"),
        ({"text": GOOD, "latitude": True, "longitude": 117}, "latitude"),
        ({"text": GOOD, "occurred_at": "昨天"}, "occurred_at"),
        ({"text": GOOD, "occurred_at": "2026-11-21T25:00:00+08:00"}, "occurred_at"),
        ({"text": GOOD, "occurred_at": 1770000000}, "occurred_at"),
        ({"text": GOOD, "anonymous": "maybe"}, "anonymous"),
        ({"text": GOOD, "confidential": 2}, "confidential"),
        ({"text": GOOD, "public": []}, "public"),
        ({"text": GOOD, "language": 5}, "language"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:48],
)
async def test_wrong_value_is_named(world: World, given: dict[str, Any], field: str) -> None:
    """A wrong, missing or oversized value is refused by its name, and the gateway goes on."""
    assert_problem(await world.citizen.post(PATH, json=given), field)
    await still_works(world)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   ",
        b"[]",
        b'"text"',
        b"null",
        b"17",
        b"{",
        b'{"text": "x"} trailing',
        b"{'text': 'x'}",
        b"\x00\x01\x02",
    ],
)
async def test_body_that_is_no_json_object(world: World, raw: bytes) -> None:
    """A body that is no JSON object is a problem document, never a server error."""
    assert_problem(await world.citizen.post(PATH, data=raw, headers=JSON))
    await still_works(world)


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (b'{"text": "\xe8\xb7\xaf\xe7\x81"}', "text"),
        ('{"text": "路灯不亮"}'.encode("gb18030"), "text"),
        (b'{"text": "\\ud83d"}', "text"),
        (b'{"text": "a\\udc00b"}', "text"),
        (b'{"text": "x", "latitude": NaN, "longitude": 117}', "latitude"),
        (b'{"text": "x", "latitude": 33, "longitude": 1e999}', "longitude"),
        (b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "text"),
        (b'{"text": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}", "text"),
    ],
    ids=[
        "invalid UTF-8",
        "GB 18030",
        "lone high surrogate",
        "lone low surrogate",
        "NaN",
        "infinite",
        "deep arrays",
        "deep objects",
    ],
)
async def test_hostile_json(world: World, raw: bytes, field: str) -> None:
    """Hostile JSON is a problem document that names the field, or the body it breaks."""
    problem = assert_problem(await world.citizen.post(PATH, data=raw, headers=JSON))
    texts = json.dumps(problem)
    assert field in texts or "body" in texts
    await still_works(world)


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/xml", "application/octet-stream", "image/png"]
)
async def test_wrong_content_type(world: World, content_type: str) -> None:
    """A body of another media type is refused with 415."""
    answer = await world.citizen.post(
        PATH, data=json.dumps({"text": GOOD}).encode(), headers={"Content-Type": content_type}
    )
    assert_problem(answer)
    assert answer.status == 415  # RFC 9110 section 15.5.16
    await still_works(world)


def upload(sizes: list[int], text: str | None = GOOD) -> aiohttp.FormData:
    """Return a multipart form with files of these sizes, in bytes."""
    body = aiohttp.FormData(default_to_multipart=True)
    if text is not None:
        body.add_field("text", text)
    for index, size in enumerate(sizes):
        body.add_field(
            "files",
            BytesIO(bytes([65 + index]) * size),
            filename=f"{index}.bin",
            content_type="application/octet-stream",
        )
    return body


async def post_form(world: World, body: aiohttp.FormData) -> Answer:
    """Post a multipart form."""
    return await world.citizen.post(PATH, data=body)


async def test_ten_files_are_taken(world: World) -> None:
    """Ten files are within the limit and all of them reach the ticket."""
    answer = await post_form(world, upload([1] * 10))
    assert answer.status == 201
    ticket = (await world.office.event(answer.json["number"])).ticket
    assert [each["name"] for each in ticket["attachments"]] == [f"{i}.bin" for i in range(10)]


async def test_file_of_ten_mib_is_taken(world: World) -> None:
    """A file of 10 MiB is within the limit."""
    answer = await post_form(world, upload([10 * MIB]))
    assert answer.status == 201
    ticket = (await world.office.event(answer.json["number"])).ticket
    assert ticket["attachments"][0]["bytes"] == 10 * MIB


@pytest.mark.parametrize(
    ("sizes", "text", "field"),
    [
        ([1] * 11, GOOD, "files"),
        ([10 * MIB + 1], GOOD, "files"),
        ([1, 1, 10 * MIB + 1], GOOD, "files"),
        ([1], None, "text"),
        ([1], "", "text"),
        ([1], "字" * 20_001, "text"),
    ],
    ids=["11 files", "10 MiB + 1", "third file too big", "no text", "empty text", "long text"],
)
async def test_form_over_a_limit(
    world: World, sizes: list[int], text: str | None, field: str
) -> None:
    """A form over a limit is refused by the name of its field."""
    assert_problem(await post_form(world, upload(sizes, text)), field)
    await still_works(world)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("latitude", "91"),
        ("longitude", "east"),
        ("type", "wish"),
        ("occurred_at", "昨天"),
        ("anonymous", "maybe"),
    ],
)
async def test_form_with_wrong_value(world: World, name: str, value: str) -> None:
    """A wrong value of a form is refused by the name of its field."""
    body = upload([])
    body.add_field("latitude" if name == "longitude" else "longitude", "33")
    body.add_field(name, value)
    assert_problem(await post_form(world, body), name)
    await still_works(world)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"--edge\r\n",
        b'--edge\r\nContent-Disposition: form-data; name="text"\r\n\r\nno end',
        b"not multipart at all",
        b'--edge\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\xfe\r\n--edge--\r\n',
    ],
    ids=["empty", "only a boundary", "cut off", "no parts", "invalid UTF-8"],
)
async def test_broken_form(world: World, raw: bytes) -> None:
    """A broken multipart body is a problem document, never a server error."""
    answer = await world.citizen.post(
        PATH, data=raw, headers={"Content-Type": "multipart/form-data; boundary=edge"}
    )
    assert_problem(answer)
    await still_works(world)


async def test_nothing_of_bad_input_is_stored(world: World) -> None:
    """Refused requests make no ticket: the numbers of good ones follow each other."""
    before = await world.citizen.file(GOOD)
    for bad in ({"text": ""}, {"text": GOOD, "type": "wish"}, {"text": GOOD, "latitude": 91}):
        assert_problem(await world.citizen.post(PATH, json=bad))
    after = await world.citizen.file(GOOD)
    assert _running(after["number"]) == _running(before["number"]) + 1


def _running(number: str) -> int:
    return int(number.split("-")[1])


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/requests/x/y", "/channels"])
async def test_unknown_path(world: World, path: str) -> None:
    """An unknown path is a 404 problem document."""
    answer = await world.citizen.get(path)
    assert_problem(answer)
    assert answer.status == 404


async def test_unknown_method(world: World) -> None:
    """A known path with another method is a 405 problem document."""
    answer = await world.citizen.ask("DELETE", PATH)
    assert_problem(answer)
    assert answer.status == 405
