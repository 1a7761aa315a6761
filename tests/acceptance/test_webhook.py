"""The signed channel of partner platforms (contract sections 5 and 6)."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.acceptance.http import Answer, assert_problem
from tests.acceptance.process import run
from tests.acceptance.signing import PARTNER_SECRET, partner_message, push, signed
from tests.acceptance.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/channels/webhook/weibo"


async def raw_push(world: World, body: bytes) -> Answer:
    """Push octets that are no text, signed by hand (Standard Webhooks, "signature scheme")."""
    message, at = f"msg_{uuid4().hex}", int(time.time())
    key = base64.b64decode(PARTNER_SECRET.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message}.{at}.".encode() + body, hashlib.sha256)
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
        "content-type": "application/json",
    }
    return await world.citizen.post(PATH, data=body, headers=headers)


async def deadletters(world: World) -> str:
    """Return what ``gateway deadletter list`` prints."""
    done = await run("deadletter", "list", cwd=world.folder)
    assert done.code == 0, done.err
    return done.out


async def test_signed_push_is_answered_with_number_code_and_message(world: World) -> None:
    """A signed push makes a ticket with the platform's own ids and is answered 202."""
    message = partner_message(
        "银河二路的窨井盖破损，存在安全隐患", to="12345", sent_at="2026-01-05T08:30:00+08:00"
    )
    answer = await push(world.citizen, message)
    assert answer.status == 202, answer.text
    assert set(answer.json) == {"number", "query_code", "message"}
    assert answer.json["number"] in answer.json["message"]
    ticket = (await world.office.event(answer.json["number"])).ticket
    channel = ticket["channel"]
    assert (channel["kind"], channel["account"]) == ("webhook", "weibo")
    assert (channel["message_id"], channel["called"]) == (message["id"], "12345")
    assert (await world.citizen.progress(answer.json)).status == 200


@pytest.mark.parametrize("same_id", [True, False], ids=["same webhook-id", "new webhook-id"])
@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "one by one"])
async def test_ten_repeats_are_one_ticket(world: World, same_id: bool, at_once: bool) -> None:
    """Ten pushes of one message: one ticket, one event, the same answer to each."""
    message = partner_message(f"健身器材损坏，请维修 {uuid4().hex}")
    body = json.dumps(message, ensure_ascii=False)
    label = f"msg_{uuid4().hex}" if same_id else None
    pushes = [push(world.citizen, body, message=label) for _ in range(10)]
    answers = await asyncio.gather(*pushes) if at_once else [await each for each in pushes]
    assert {answer.status for answer in answers} == {202}
    assert len({answer.body for answer in answers}) == 1
    number = answers[0].json["number"]
    await world.office.event(number)
    later = await push(world.citizen, partner_message("绿化带枯萎"))
    await world.office.event(later.json["number"])
    about = [
        each
        for each in world.office.pushes
        if not each.emergency and each.ticket["content"]["original"] == message["text"]
    ]
    assert [each.subject for each in about] == [number]


def forged(body: str) -> dict[str, dict[str, str]]:
    """Return headers that must not be believed."""
    good = signed(PARTNER_SECRET, body)
    stranger = signed("whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCAwMTIzNDU2", body)
    flipped = base64.b64encode(
        bytes([base64.b64decode(good["webhook-signature"][3:])[0] ^ 1])
        + base64.b64decode(good["webhook-signature"][3:])[1:]
    ).decode()
    return {
        "nothing": {"content-type": "application/json"},
        "no id": {k: v for k, v in good.items() if k != "webhook-id"},
        "no time": {k: v for k, v in good.items() if k != "webhook-timestamp"},
        "no signature": {k: v for k, v in good.items() if k != "webhook-signature"},
        "another secret": stranger,
        "one bit flipped": good | {"webhook-signature": f"v1,{flipped}"},
        "another body": signed(PARTNER_SECRET, body + " "),
        "another id": good | {"webhook-id": "msg_other"},
        "another time": good | {"webhook-timestamp": str(int(time.time()) - 1)},
        "stale": signed(PARTNER_SECRET, body, late=timedelta(minutes=6)),
        "from the future": signed(PARTNER_SECRET, body, late=timedelta(minutes=-6)),
        "no number": good | {"webhook-timestamp": "now"},
        "not base64": good | {"webhook-signature": "v1,%%%"},
        "not ASCII": good | {"webhook-signature": "v1,签名"},
        "empty signature": good | {"webhook-signature": ""},
        "unknown version only": good | {"webhook-signature": "v2" + good["webhook-signature"][2:]},
    }


@pytest.mark.parametrize("case", list(forged("")))
async def test_push_that_is_not_authentic(world: World, case: str) -> None:
    """A push that is not authentic is answered 401 and nothing of it is stored."""
    text = f"伪造的内容 {uuid4().hex}"
    body = json.dumps(partner_message(text), ensure_ascii=False)
    before = await push(world.citizen, partner_message("垃圾桶破损"))
    answer = await world.citizen.post(PATH, data=body.encode(), headers=forged(body)[case])
    assert_problem(answer)
    assert answer.status == 401
    after = await push(world.citizen, partner_message("垃圾桶破损"))
    running = [int(each.json["number"].split("-")[1]) for each in (before, after)]
    assert running[1] == running[0] + 1
    await world.office.event(after.json["number"])
    assert all(
        push.ticket["content"]["original"] != text
        for push in world.office.pushes
        if not push.emergency
    )


async def test_any_of_several_signatures_may_hold(world: World) -> None:
    """While a secret is changed a push carries several signatures; one that holds is enough."""
    body = json.dumps(partner_message("路灯损坏"), ensure_ascii=False)
    headers = signed(PARTNER_SECRET, body)
    wrong = base64.b64encode(bytes(32)).decode()
    headers["webhook-signature"] = f"v1a,{wrong} v1,{wrong} {headers['webhook-signature']}"
    answer = await world.citizen.post(PATH, data=body.encode(), headers=headers)
    assert answer.status == 202


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"id": None}, "id"),
        ({"id": 7}, "id"),
        ({"id": ""}, "id"),
        ({"from": None}, "from"),
        ({"from": []}, "from"),
        ({"text": None}, "text"),
        ({"text": {}}, "text"),
        ({"sent_at": "yesterday"}, "sent_at"),
        ({"sent_at": 1770000000}, "sent_at"),
        ({"to": 12345}, "to"),
        ({"attachments": "none"}, "attachments"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value),
)
async def test_signed_but_malformed(world: World, change: dict[str, Any], field: str) -> None:
    """An authentic push with a missing or wrong member is 400, names it, and is quarantined."""
    marker = uuid4().hex
    message: dict[str, Any] = partner_message("花坛破损") | {"marker": marker} | change
    message = {key: value for key, value in message.items() if value is not None}
    answer = await push(world.citizen, message)
    assert_problem(answer, field)
    assert answer.status == 400
    assert (await push(world.citizen, partner_message("花坛破损"))).status == 202


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"hello", b'{"id": "1", "from": "x", "text": "\xff\xfe"}', b"[" * 100_000],
    ids=["empty", "array", "no JSON", "invalid UTF-8", "deep"],
)
async def test_signed_but_no_message(world: World, body: bytes) -> None:
    """An authentic push that is no message at all is 400 and the gateway goes on."""
    answer = await raw_push(world, body)
    assert_problem(answer)
    assert answer.status == 400
    assert (await push(world.citizen, partner_message("花坛破损"))).status == 202


async def test_what_is_not_understood_is_quarantined_whole(world: World) -> None:
    """An authentic push that is not understood is kept with its raw bytes and can be shown."""
    marker = uuid4().hex
    body = f'{{"id": "{marker}", "von": "x", "inhalt": "\\u8def\\u706f", "n": 1.50}}'
    before = (await deadletters(world)).splitlines()
    unsigned = await world.citizen.post(PATH, data=f"unsigned {marker}".encode())
    assert unsigned.status == 401
    assert (await push(world.citizen, body)).status == 400
    (line,) = set((await deadletters(world)).splitlines()) - set(before)
    for word in line.split():
        shown = await run("deadletter", "show", word, cwd=world.folder)
        if shown.code == 0:
            break
    assert marker in shown.out
    plain = body in shown.out
    quoted = json.dumps(body)[1:-1] in shown.out
    encoded = base64.b64encode(body.encode()).decode() in shown.out
    assert plain or quoted or encoded, shown.out
    assert "unsigned" not in shown.out


async def test_member_that_the_platform_adds_later_is_taken(world: World) -> None:
    """A member that nobody knows yet does not keep a message from becoming a ticket."""
    answer = await push(world.citizen, partner_message("护栏断裂", mood={"score": 0.2}))
    assert answer.status == 202


async def test_unknown_channel_is_404(world: World) -> None:
    """A push to a channel that is not configured is 404."""
    body = json.dumps(partner_message("路灯不亮"))
    for path in ("/channels/webhook/other", "/channels/fax/weibo"):
        answer = await world.citizen.post(
            path, data=body.encode(), headers=signed(PARTNER_SECRET, body)
        )
        assert answer.status == 404
