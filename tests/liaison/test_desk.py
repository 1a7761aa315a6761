"""The desks' HTTP side: who may act, what the API answers, live changes, the page."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web
from aiohttp.test_utils import TestClient

from config.settings import Desk
from gateway.desks.auth import session_name, session_of
from gateway.desks.board import Card
from gateway.desks.feed import BOUND, Listener
from gateway.desks.page import routes
from gateway.desks.roster import Roster
from gateway.desks.stream import HEARTBEAT_S, Site
from gateway.desks.texts import TEXTS
from gateway.desks.view import view_of
from gateway.store.base import Event, StoredIncident
from normalizer.schema import Incident, Place, Service
from tests.clock import START
from tests.liaison.world import DESKS, TOKEN, ZONE, World, ticket

Client = TestClient[web.Request, web.Application]
Connect = Callable[[web.Application], Awaitable[Client]]
BEARER = {"Authorization": f"Bearer {TOKEN}"}
API = "/api/v1/liaison/119"


@pytest.fixture
async def client(world: World, aiohttp_client: Connect) -> AsyncIterator[Client]:
    """The desks' routes on a loopback socket; desk 119 has a token, 120 has none."""
    emergency = world.emergency
    site = Site(
        store=world.store,
        roster=lambda: world.roster,
        liaison=emergency.liaison,
        feed=emergency.feed,
        clock=world.clock,
        public=world.public,
    )
    app = web.Application()
    app.add_routes(routes(site))
    await emergency.start()
    yield await aiohttp_client(app)
    emergency.feed.close()


async def problem_of(reply: ClientResponse) -> dict[str, Any]:
    assert reply.content_type == "application/problem+json"
    document: dict[str, Any] = await reply.json()
    assert document["status"] == reply.status
    return document


async def test_desk_acknowledges_with_its_token(world: World, client: Client) -> None:
    """A desk lists what is raised, acknowledges it, and gets the incident back."""
    incident = await world.raised(phone="+8613911112222")
    listed = await (await client.get(f"{API}/incidents?state=raised", headers=BEARER)).json()
    assert listed["next"] is None
    [one] = listed["incidents"]
    assert one["id"] == incident
    assert (one["service"], one["state"], one["contacts"]) == ("119", "raised", ["+8613911112222"])
    assert one["opened_at"] == "2026-11-23T10:00:00+08:00"
    assert one["words"][0]["text"].startswith("汴河路88号三楼着火了")
    reply = await client.post(
        f"{API}/incidents/{incident}/acknowledge", json={"by": "值班员"}, headers=BEARER
    )
    assert reply.status == 200
    assert (await reply.json())["state"] == "acknowledged"
    left = await (await client.get(f"{API}/incidents?state=raised", headers=BEARER)).json()
    assert left["incidents"] == []


async def test_closed_is_conflict(world: World, client: Client) -> None:
    """Whatever a closed incident is asked is a conflict that names the rule."""
    incident = await world.raised()
    for action, status in (("close", 200), ("close", 409), ("acknowledge", 409), ("return", 409)):
        reply = await client.post(
            f"{API}/incidents/{incident}/{action}", json={"by": "x"}, headers=BEARER
        )
        assert reply.status == status
    assert (await problem_of(reply))["rule"] == "incident.closed"


async def test_unknown_things_are_not_found(world: World, client: Client) -> None:
    """No such incident, another desk's incident, no such action, no such desk: 404."""
    other = await world.raised(kind="heart", services=(Service.MEDICAL,))
    fire = await world.raised()
    for path in (
        f"{API}/incidents/none/close",
        f"{API}/incidents/{other}/close",
        f"{API}/incidents/{fire}/explode",
        f"/api/v1/liaison/999/incidents/{fire}/close",
    ):
        reply = await client.post(path, json={"by": "x"}, headers=BEARER)
        assert reply.status == 404
        await problem_of(reply)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"[]", 400, "body"),
        (b"{", 400, "body"),
        (b"\xff", 400, "body"),
        (b"[" * 10_000, 400, "body"),
        (b"{}", 400, "by"),
        (b'{"by": 7}', 400, "by"),
        (b'{"by": "  "}', 400, "by"),
        (b'{"by": "x", "note": []}', 400, "note"),
        (json.dumps({"by": "x" * 101}).encode(), 413, "by"),
        (json.dumps({"by": "x", "note": "x" * 1001}).encode(), 413, "note"),
        (b'{"by": "' + b"x" * 20_000 + b'"}', 413, "body"),
    ],
)
async def test_bad_bodies_name_the_field(
    world: World, client: Client, body: bytes, status: int, field: str
) -> None:
    """A body that breaks a rule changes nothing and the problem names the field."""
    incident = await world.raised()
    reply = await client.post(f"{API}/incidents/{incident}/close", data=body, headers=BEARER)
    assert reply.status == status
    assert (await problem_of(reply))["field"] == field
    stored = await world.store.incident(incident)
    assert stored is not None
    assert stored.incident.state == "raised"


@pytest.mark.parametrize("query", ["state=burning", "limit=0", "limit=501", "limit=x"])
async def test_bad_queries_name_the_field(client: Client, query: str) -> None:
    """An unknown state or a wrong limit is a problem."""
    reply = await client.get(f"{API}/incidents?{query}", headers=BEARER)
    assert reply.status == 400
    assert (await problem_of(reply))["field"] == query.split("=", maxsplit=1)[0]


async def test_listing_is_paged(world: World, client: Client) -> None:
    """Pages follow each other by ``next`` and together hold every incident once, oldest first."""
    raised = [await world.raised(place=f"{n}号大街{n}号") for n in range(7)]
    found: list[str] = []
    after = ""
    while True:
        page = await (
            await client.get(f"{API}/incidents?limit=3&after={after}", headers=BEARER)
        ).json()
        found += [one["id"] for one in page["incidents"]]
        after = page["next"]
        if after is None:
            break
        assert len(page["incidents"]) == 3
    assert found == raised


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer "},
        {"Cookie": f"{session_name('119')}={TOKEN}"},
        {"Cookie": f"{session_name('119')}=99999999999.00"},
    ],
)
async def test_wrong_token_is_refused(
    world: World, client: Client, headers: dict[str, str]
) -> None:
    """Without the right token every address of the desk answers 401."""
    incident = await world.raised()
    for method, path in (
        ("GET", f"{API}/incidents"),
        ("GET", f"{API}/stream"),
        ("GET", f"{API}/incidents/{incident}"),
        ("POST", f"{API}/incidents/{incident}/close"),
    ):
        reply = await client.request(method, path, headers=headers, data=b'{"by":"x"}')
        assert reply.status == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        await problem_of(reply)
    page = await client.get("/desk/119", headers=headers)
    assert page.status == 401
    assert 'type="password"' in await page.text()


LOCAL = "/api/v1/liaison/120/incidents"


async def test_desk_without_token_is_open_on_this_machine(client: Client) -> None:
    """A tokenless desk answers loopback without any token."""
    assert (await client.get(LOCAL)).status == 200
    assert (await client.get("/desk/120")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9"},
        {"Forwarded": "for=203.0.113.9"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "203.0.113.9"},
        {"Host": "evil.example"},
        {"Host": "evil.example:8345"},
        {"Host": "127.0.0.1.evil.example"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_tokenless_desk_refuses_what_is_not_of_this_machine(
    world: World, client: Client, headers: dict[str, str]
) -> None:
    """Proxied, rebound or cross-site requests to a tokenless desk are refused."""
    incident = await world.raised(kind="heart", services=(Service.MEDICAL,))
    assert (await client.get(LOCAL, headers=headers)).status == 401
    reply = await client.post(f"{LOCAL}/{incident}/close", json={"by": "x"}, headers=headers)
    assert reply.status == 401
    stored = await world.store.incident(incident)
    assert stored is not None
    assert stored.incident.state == "raised"


async def test_tokenless_desk_refuses_http_1_0(client: Client) -> None:
    """HTTP/1.0 is a reverse proxy with its defaults: it adds no header to be known by."""
    assert client.server.port is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(f"GET {LOCAL} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert b" 401 " in await reader.readline()
    writer.close()
    await writer.wait_closed()


async def login(client: Client, **form: str) -> ClientResponse:
    return await client.post("/desk/119/login", data=form, allow_redirects=False)


async def test_login_gives_a_session_that_is_not_the_token(world: World, client: Client) -> None:
    """The cookie is HttpOnly, SameSite=Strict, holds no token, and opens page, API and stream."""
    reply = await login(client, token=TOKEN, by="值班员")
    assert (reply.status, reply.headers["Location"]) == (303, "/desk/119")
    cookie = reply.headers.getall("Set-Cookie")[0]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    incident = await world.raised()
    page = await (await client.get("/desk/119")).text()
    assert incident in page
    assert 'value="值班员"' in page
    reply = await client.post(f"{API}/incidents/{incident}/acknowledge", json={"by": "x"})
    assert reply.status == 200


async def test_session_ends(world: World, client: Client) -> None:
    """A session is void after its time, for another desk, with another token, after logging out."""
    name, now = session_name("119"), world.clock.now()
    secret = world.store.secret
    old = session_of("119", TOKEN, secret, now - timedelta(seconds=1))
    other = session_of("110", TOKEN, secret, now + timedelta(days=1))
    replaced = session_of("119", "former token", secret, now + timedelta(days=1))
    good = session_of("119", TOKEN, secret, now + timedelta(days=1))
    stretched = f"9{good}"
    for value, status in ((old, 401), (other, 401), (replaced, 401), (stretched, 401), (good, 200)):
        reply = await client.get(f"{API}/incidents", headers={"Cookie": f"{name}={value}"})
        assert reply.status == status
    await login(client, token=TOKEN)
    assert (await client.get(f"{API}/incidents")).status == 200
    await client.post("/desk/119/logout", allow_redirects=False)
    assert (await client.get(f"{API}/incidents")).status == 401


async def test_session_is_no_use_to_another_site(world: World, client: Client) -> None:
    """A foreign page cannot act with a desk's session, nor log it in."""
    incident = await world.raised()
    await login(client, token=TOKEN)
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path in (f"{API}/incidents/{incident}/close", f"/desk/119/incidents/{incident}/close"):
            reply = await client.post(path, data=b'{"by":"x"}', headers=headers)
            assert reply.status == 401
        reply = await client.post("/desk/119/login", data={"token": TOKEN}, headers=headers)
        assert reply.status == 401
    same = {"Origin": "http://127.0.0.1:8345"}  # public_url, behind a proxy that changes Host
    reply = await client.post(f"{API}/incidents/{incident}/close", json={"by": "x"}, headers=same)
    assert reply.status == 200


async def test_link_from_elsewhere_is_asked_again(client: Client) -> None:
    """A link in a mail brings no strict cookie: the page asks once more from its own site."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    page = await (await client.get("/desk/119", headers=headers)).text()
    assert 'content="0;url=/desk/119?again=1"' in page
    again = await (await client.get("/desk/119?again=1", headers=headers)).text()
    assert "http-equiv" not in again


async def test_wrong_token_at_login(client: Client) -> None:
    """A wrong token gives no session and says so."""
    reply = await login(client, token="wrong")
    assert reply.status == 401
    assert "Set-Cookie" not in reply.headers
    assert TEXTS["zh"]["token_wrong"] in await reply.text()


async def test_page_without_script(world: World, client: Client) -> None:
    """The form of a card acknowledges; a return needs its reason; a closed one tells why not."""
    incident = await world.raised()
    await login(client, token=TOKEN)
    base = f"/desk/119/incidents/{incident}"
    page = await (await client.get("/desk/119")).text()
    assert f'action="{base}/acknowledge"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    reply = await client.post(f"{base}/return", data={"by": "甲岗", "note": " "})
    assert reply.status == 400
    assert TEXTS["zh"]["note_needed"] in await reply.text()
    reply = await client.post(f"{base}/acknowledge", data={"by": ""})
    assert (reply.status, TEXTS["zh"]["by_needed"] in await reply.text()) == (400, True)
    reply = await client.post(
        f"{base}/acknowledge", data={"by": "甲岗", "note": ""}, allow_redirects=False
    )
    assert reply.status == 303
    page = await (await client.get("/desk/119")).text()
    assert 'class="card acknowledged' in page
    await client.post(f"{base}/close", data={"by": "甲岗"})
    reply = await client.post(f"{base}/close", data={"by": "甲岗"})
    assert reply.status == 409
    assert "incident is closed" in await reply.text()


async def test_page_escapes_and_forbids_inline_script(world: World, client: Client) -> None:
    """A citizen's markup is shown as text, and no inline script or style could run anyway."""
    await world.raised(text="<script>alert(1)</script>着火了", place='"><img src=x>')
    await login(client, token=TOKEN)
    reply = await client.get("/desk/119")
    page = await reply.text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "<img" not in page
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["Cache-Control"] == "no-store"
    assert "style=" not in page


async def test_page_shows_drill_phone_and_confidence(world: World, client: Client) -> None:
    """Drills carry a banner, phones can be dialled, confidentiality is marked."""
    await world.accept(
        ticket(at=world.clock.now(), exercise=True, confidential=True, phone="+8613911112222")
    )
    await login(client, token=TOKEN)
    page = await (await client.get("/desk/119")).text()
    assert '<p class="banner drill" id="drill"><strong>演练' in page
    assert 'href="tel:+8613911112222"' in page
    assert "来电人要求保密" in page


async def test_page_says_by_which_way_a_report_came(world: World, client: Client) -> None:
    """Who left no telephone number is marked: they are answered by the channel they used."""
    await world.accept(ticket(at=world.clock.now(), phone="+8613911112222"))
    await login(client, token=TOKEN)
    page = await (await client.get("/desk/119")).text()
    known, _, blank = page.partition("<template")
    assert '<span data-f="via">短信</span>' in known
    assert '<span data-f="no-phone" hidden>未留电话</span>' in known
    assert '<span data-f="no-phone">未留电话</span>' in blank
    await world.accept(ticket("着火了，有人被困", at=world.clock.now(), phone=None, place="东关"))
    assert (
        '<span data-f="no-phone">未留电话</span>'
        in (await (await client.get("/desk/119")).text()).partition("<template")[0]
    )


async def test_language_is_kept(client: Client) -> None:
    """``?lang=en`` turns the page English and is remembered."""
    await login(client, token=TOKEN)
    assert 'lang="zh-Hans"' in await (await client.get("/desk/119")).text()
    assert "Not acknowledged" in await (await client.get("/desk/119?lang=en")).text()
    assert "Not acknowledged" in await (await client.get("/desk/119")).text()


def test_languages_have_the_same_words() -> None:
    """Chinese and English texts have the same keys."""
    assert TEXTS["zh"].keys() == TEXTS["en"].keys()


async def test_static_files(client: Client) -> None:
    """Style and script are served, nothing else is."""
    assert (await client.get("/desk/static/desk.js")).content_type == "text/javascript"
    assert (await client.get("/desk/static/desk.css")).content_type == "text/css"
    assert (await client.get("/desk/static/desk.html")).status == 404


class Stream:
    """Reads server-sent events."""

    def __init__(self, reply: ClientResponse) -> None:
        self._reply = reply

    async def next(self) -> dict[str, str]:
        """Return the fields of the next event; a comment is the field of no name."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(10):
            while line := (await self._reply.content.readline()).decode().rstrip("\n"):
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        return fields

    async def incident(self) -> tuple[int, dict[str, Any]]:
        """Return id and data of the next unnamed event."""
        while "data" not in (fields := await self.next()) or "event" in fields:
            pass
        return int(fields["id"]), json.loads(fields["data"])

    async def named(self, name: str) -> dict[str, Any]:
        """Return the data of the next event of this name."""
        while (fields := await self.next()).get("event") != name:
            pass
        data: dict[str, Any] = json.loads(fields["data"])
        return data


async def stream(client: Client, **headers: str) -> Stream:
    reply = await client.get(f"{API}/stream", headers={**BEARER, **headers})
    assert reply.status == 200
    assert reply.content_type == "text/event-stream"
    return Stream(reply)


async def test_stream_sends_what_is_open_then_what_happens(world: World, client: Client) -> None:
    """First every open incident, then ``synced``, then each change as it becomes durable."""
    first = await world.raised()
    one = await stream(client)
    _, data = await one.incident()
    assert (data["id"], data["state"]) == (first, "raised")
    assert (await one.named("synced"))["open"] == [first]
    second = await world.raised(place="淮海路7号")
    _, data = await one.incident()
    assert data["id"] == second
    await client.post(f"{API}/incidents/{first}/acknowledge", json={"by": "x"}, headers=BEARER)
    _, data = await one.incident()
    assert (data["id"], data["state"]) == (first, "acknowledged")
    await world.raised()
    _, data = await one.incident()
    assert (data["id"], len(data["reports"]), len(data["words"])) == (first, 2, 2)


async def test_stream_resumes_behind_the_last_event(world: World, client: Client) -> None:
    """With Last-Event-ID only what changed since comes, and ``synced`` names all that is open."""
    first = await world.raised()
    seq, _ = await (await stream(client)).incident()
    second = await world.raised(place="淮海路7号")
    again = await stream(client, **{"Last-Event-ID": str(seq)})
    _, data = await again.incident()
    assert data["id"] == second
    assert (await again.named("synced"))["open"] == [first, second]


async def test_a_call_is_shown_once_on_the_pages_of_its_desk(world: World, client: Client) -> None:
    """Of whoever is about to ring there, between the incidents, and on no other desk's page."""
    one = await stream(client)
    await one.named("synced")
    feed = world.emergency.feed
    feed.pop("110", {"id": "0", "caller": "1"})
    feed.pop("119", {"id": "1", "caller": "13800138000"})
    incident = await world.raised()
    feed.pop("119", {"id": "2", "caller": None})
    assert await one.named("call") == {"id": "1", "caller": "13800138000"}
    _, data = await one.incident()
    assert data["id"] == incident
    feed.pop("119", {"id": "3", "caller": None})
    assert (await one.named("call"))["id"] in "23"


async def test_stream_shows_signs_of_life(world: World, client: Client) -> None:
    """A quiet stream sends a comment and a beat every 15 seconds."""
    one = await stream(client)
    await one.named("synced")
    await world.clock.advance(HEARTBEAT_S)
    assert "" in await one.next()
    assert (await one.named("beat"))["now"] == "2026-11-23T10:00:15+08:00"


async def test_duty_sees_what_the_ladder_called_it_for(
    world: World, client: Client, aiohttp_client: Connect
) -> None:
    """When the ladder calls duty in, its stream shows the incident and it may take it over."""
    incident = await world.raised()
    empty = await (await client.get("/api/v1/liaison/duty/incidents")).json()
    assert empty["incidents"] == []
    world.clock._now += timedelta(seconds=61)
    while await world.emergency.ladder.climb():
        pass
    listed = await (await client.get("/api/v1/liaison/duty/incidents")).json()
    assert [one["id"] for one in listed["incidents"]] == [incident]
    base = f"/api/v1/liaison/duty/incidents/{incident}"
    reply = await client.post(f"{base}/return", json={"by": "x"})
    assert (await problem_of(reply))["rule"] == "duty.returns-nothing"
    reply = await client.post(f"{base}/acknowledge", json={"by": "带班"})
    assert (await reply.json())["desk"] == "duty"


async def test_stream_ends_when_the_gateway_stops(world: World, client: Client) -> None:
    """Before a stop every stream is ended, so that none holds the server up."""
    one = await stream(client)
    await one.named("synced")
    world.emergency.feed.close()
    async with asyncio.timeout(5):
        assert await one._reply.content.read() == b""


def card(incident: str) -> Card:
    """Return the card of an incident without reports."""
    event = Event(seq=1, stream=incident, version=1, at=START, event="raised", by="gateway")
    stored = StoredIncident(
        incident=Incident(
            id=incident, service="119", opened_at=START, state="raised", kind=None, place=Place()
        ),
        desk="119",
        rung=0,
        rung_from=START,
        ladder_at=None,
        events=(event,),
    )
    return Card(stored, view_of(stored, (), ZONE, Roster(DESKS)), ZONE)


def test_slow_listener_is_dropped_alone() -> None:
    """A listener that falls behind its bound is dropped; what it missed it reads anew."""
    slow, quick = Listener("119"), Listener("119")
    for number in range(BOUND + 1):
        one = card(str(number))
        slow.put(one, number)
        quick.put(one, number)
        assert [(c.incident, resume) for c, resume in quick.take()] == [(str(number), number)]
    assert slow.dropped
    assert not quick.dropped
    assert slow.take() == []


async def test_label_and_token_of_a_reloaded_roster_count(world: World, client: Client) -> None:
    """A reload changes who may act from the next request on."""
    world.roster = Roster({**DESKS, "119": Desk(label="支队指挥中心", token="another")})
    assert (await client.get(f"{API}/incidents", headers=BEARER)).status == 401
    reply = await client.get(f"{API}/incidents", headers={"Authorization": "Bearer another"})
    assert reply.status == 200
    async with ClientSession() as plain:
        page = await plain.get(client.make_url("/desk/119"))
        assert "支队指挥中心" in await page.text()
