"""What a hostile citizen, partner, page or network tries on a running gateway, and does not get."""

import asyncio
import gzip
import hashlib
import json
import os
import signal
import stat
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from multidict import CIMultiDict

from gateway.media import UNKNOWN
from tests.acceptance.http import Client
from tests.acceptance.process import write_config
from tests.acceptance.signing import OFFICE_SECRET, partner_message, push, signed
from tests.acceptance.world import DESK_TOKEN, World, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

TICKETS = "/api/v1/backoffice/backoffice/tickets"
CROSS_SITE = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A gateway behind a proxy on this machine, shared by the module's tests."""
    http = {"host": "127.0.0.1", "port": 0, "trusted_proxies": ["127.0.0.1"]}
    async with opened(tmp_path_factory.mktemp("hostile"), http=http) as world:
        yield world


def kept(world: World) -> list[Path]:
    """Return the files that the gateway has kept."""
    folder = world.folder / "config" / "var" / "attachments"
    return [path for path in folder.rglob("*") if path.is_file()]


async def guess(citizen: Client, number: str, *hops: str) -> int:
    """Give a wrong code by way of a proxy; return the status."""
    headers = CIMultiDict([("X-Query-Code", "AAAAAAAA"), *(("X-Forwarded-For", h) for h in hops)])
    return (await citizen.get(f"/api/v1/requests/{number}", headers=headers)).status


# Query codes


async def test_guesses_sent_at_once_are_ten_like_those_one_after_another(world: World) -> None:
    """The limit holds although all of them pass a first look before one is counted."""
    filed = await world.citizen.file("人民路的路灯坏了")
    many = [guess(world.citizen, filed["number"], f"198.51.100.{n}") for n in range(120)]
    statuses = await asyncio.gather(*many)
    assert sorted(set(statuses)) == [404, 429]
    assert statuses.count(404) == 10


@pytest.mark.parametrize(
    "hops",
    [
        pytest.param(lambda n: (f"203.0.113.{n}", "198.51.100.201"), id="a line made up before"),
        pytest.param(lambda n: (f"203.0.113.{n}, 198.51.100.202",), id="a hop made up before"),
        pytest.param(lambda n: (f"198.51.100.203:{40000 + n}",), id="a port each"),
        pytest.param(lambda n: (f"[2001:db8:7::1]:{40000 + n}",), id="a port each, IPv6"),
        pytest.param(lambda n: (f"2001:db8:8:0:{n:x}::{n:x}",), id="an address of one /64 each"),
    ],
)
async def test_one_client_is_counted_as_one_whatever_it_makes_up(
    world: World, hops: object
) -> None:
    """What the proxy did not write itself, and what changes with each connection, is no name."""
    assert callable(hops)
    statuses = [
        await guess(world.citizen, f"20260101-{n + 100:06}-0", *hops(n + 1)) for n in range(12)
    ]
    assert statuses == [404] * 10 + [429] * 2


# Bodies


@pytest.mark.parametrize("path", ["/api/v1/requests", "/", "/channels/webhook/weibo", "/healthz"])
async def test_a_compressed_body_is_not_inflated(world: World, path: str) -> None:
    """It is refused by its header: a few kilobytes could be gigabytes."""
    answer = await world.citizen.post(
        path,
        data=gzip.compress(json.dumps({"text": "路灯坏了"}).encode()),
        headers={"Content-Encoding": "gzip", "Content-Type": "application/json"},
    )
    assert answer.status == 415
    assert answer.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("path", ["/channels/webhook/weibo", "/progress", "/progress/messages"])
async def test_no_file_is_kept_for_somebody_who_is_not_known(world: World, path: str) -> None:
    """Neither an unsigned push nor a query without its code fills the disk."""
    before = kept(world)
    head = '--B\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n'
    body = head.encode() + os.urandom(4096) + b"\r\n--B--\r\n"
    answer = await world.citizen.post(
        path, data=body, headers={"Content-Type": "multipart/form-data; boundary=B"}
    )
    assert answer.status in (400, 401)
    assert kept(world) == before


async def test_a_signed_event_does_not_open_the_tickets(world: World) -> None:
    """Who saw one push pass may not read all tickets with its signature."""
    seen = json.dumps({"specversion": "1.0", "type": "hotline.ticket.accepted"})
    answer = await world.citizen.ask(
        "GET", TICKETS, data=seen, headers=signed(OFFICE_SECRET, seen, "evt-1")
    )
    assert answer.status == 401
    asked = await world.citizen.get(TICKETS, headers=signed(OFFICE_SECRET, "", "q-1"))
    assert asked.status == 200


# Files


async def test_what_a_partner_says_of_a_file_does_no_harm(world: World) -> None:
    """Its name is no path and hides nothing; its type is none that a browser runs."""
    page = b"<script>alert(1)</script>"
    file = {
        "name": "../../etc/\u202egpj.exe",
        "media_type": "text/html; charset=utf-7",
        "content": b64encode(page).decode(),
    }
    answer = await push(world.citizen, partner_message("照片见附件", attachments=[file]))
    assert answer.status == 202, answer.text
    listed = await world.citizen.get(TICKETS, headers=signed(OFFICE_SECRET, "", "q-2"))
    [found] = [t for t in listed.json["tickets"] if t["number"] == answer.json["number"]]
    [attachment] = found["attachments"]
    assert (attachment["name"], attachment["media_type"]) == ("gpj.exe", UNKNOWN)
    assert attachment["sha256"] == hashlib.sha256(page).hexdigest()


async def test_a_name_may_not_end_with_a_line_end(world: World) -> None:
    """It would break whatever header or line it is put into."""
    answer = await push(world.citizen, partner_message("路灯坏了") | {"id": "one\n"})
    assert answer.status == 400


async def test_only_the_owner_reads_what_is_on_the_disk(world: World) -> None:
    """Store, log and attachments, and their folders."""
    folder = world.folder / "config" / "var"
    found = [folder, *folder.rglob("*")]
    assert {path.name for path in found} >= {"gateway.db", "attachments", "tmp"}
    assert [p for p in found if stat.S_IMODE(p.stat().st_mode) & 0o077] == []


# Caches and pages


async def test_no_cache_keeps_what_only_one_may_see(world: World) -> None:
    """Tickets, attachments, and the refusal that the right code would meet again."""
    files = {"name": "a.txt", "content": b64encode(b"abc").decode()}
    pushed = await push(world.citizen, partner_message("照片见附件", attachments=[files]))
    listed = await world.citizen.get(TICKETS, headers=signed(OFFICE_SECRET, "", "q-3"))
    assert listed.headers["Cache-Control"] == "no-store"
    [ticket] = [t for t in listed.json["tickets"] if t["number"] == pushed.json["number"]]
    path = ticket["attachments"][0]["url"].partition("8345")[2]
    file = await world.citizen.get(path)
    assert (file.status, file.body) == (200, b"abc")
    assert file.headers["Cache-Control"] == "private, no-store"
    assert (await world.citizen.get(path[:-4] + "AAAA")).status == 404
    wrong = await world.citizen.get(
        "/api/v1/requests/20260101-000001-0", headers={"X-Forwarded-For": "198.51.100.250"}
    )
    assert (wrong.status, wrong.headers["Cache-Control"]) == (404, "no-store")


async def test_old_browsers_show_no_page_in_a_frame(world: World) -> None:
    """They do not know frame-ancestors."""
    for path in ("/", "/progress"):
        assert (await world.citizen.get(path)).headers["X-Frame-Options"] == "DENY"


async def test_what_comes_from_a_proxy_is_not_from_this_machine(world: World) -> None:
    """A desk without a token answers neither a named proxy nor what shows that it passed one."""
    path = f"{world.desk('110')}/incidents"
    assert (await world.citizen.get(path)).status == 401  # 127.0.0.1 is named as a proxy
    async with Client(world.gateway.url, source="127.0.0.5") as here:
        assert (await here.get(path)).status == 200
        for header in ("X-Forwarded-Proto", "X-Forwarded-Server", "x-client-ip", "Via"):
            assert (await here.get(path, headers={header: "a"})).status == 401


async def test_desks_that_a_silent_proxy_would_open_are_warned_of(tmp_path: Path) -> None:
    """Each desk without a token, where the gateway is known beyond this machine."""
    async with opened(tmp_path) as own:
        lines = [json.loads(line) for line in own.gateway.err.splitlines()]
    named = [line["desk"] for line in lines if line["event"] == "desk.without_token"]
    assert sorted(named) == ["110", "120", "122", "duty"]


async def test_another_sites_page_does_not_log_a_desk_out(world: World) -> None:
    """A desk that is logged out sees no alarm."""
    form = {"token": DESK_TOKEN, "by": "值班员"}
    login = await world.citizen.post("/desk/119/login", data=form, allow_redirects=False)
    assert login.status == 303
    forced = await world.citizen.post("/desk/119/logout", headers=CROSS_SITE, allow_redirects=False)
    assert "Set-Cookie" not in forced.headers
    own = await world.citizen.post("/desk/119/logout", allow_redirects=False)
    assert "Max-Age=0" in own.headers["Set-Cookie"]


async def test_a_withdrawn_token_ends_the_streams_that_it_opened(tmp_path: Path) -> None:
    """A reload with another token leaves nobody listening with the old one."""
    async with opened(tmp_path) as own:
        bearer = {"Authorization": f"Bearer {DESK_TOKEN}"}
        async with own.citizen.stream("/api/v1/liaison/119/stream", headers=bearer) as stream:
            await stream.content.readuntil(b"event: synced")
            own.settings["liaison"]["119"]["token"] = "another-token-of-the-fire-brigade"
            write_config(own.gateway.config, own.settings)
            own.gateway.signal(signal.SIGHUP)
            async with asyncio.timeout(10):
                while await stream.content.readany():
                    pass
        again = await own.citizen.get("/api/v1/liaison/119/incidents", headers=bearer)
        assert again.status == 401


# Configuration, logs, other people's answers
