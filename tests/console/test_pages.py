"""What the pages show, and to whom."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from yarl import URL

from gateway.console.roles import ROLES, Right, may
from gateway.store.base import Change
from gateway.store.sqlite import SqliteStore
from tests.acceptance.office import Push
from tests.acceptance.polling import eventually
from tests.acceptance.signing import push
from tests.acceptance.world import phone
from tests.console.chromium import tab
from tests.console.world import PASSWORD, ROOT, Browser, Console, forms_of, running, words
from tests.store import make
from tests.store.make import NOW

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRE = "埇桥区汴河中路88号三楼着火了，有老人被困出不来，快来人"
LAMP = "埇桥区人民路的路灯坏了三盏，请尽快修好"
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)> 小区的垃圾三天没有清运"
BROKEN = '{"id":"x","text":1'


class Filled(Console):
    """A gateway that citizens have written to."""

    filed: dict[str, dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def console(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Filled]:
    """A gateway with a fire, two ordinary tickets and a message that is none."""
    async with running(tmp_path_factory.mktemp("pages"), retry_for="1s") as found:
        filled = Filled(found.world, found.database)
        citizen = found.world.citizen
        told = [phone(), phone(), phone()]
        texts = (LAMP, SCRIPT, FIRE)
        filled.filed = {
            text: await citizen.file(text, phone=each, name="<b>张三</b>")
            for text, each in zip(texts, told, strict=True)
        }
        assert (await push(citizen, BROKEN)).status == 400
        yield filled


def number(console: Filled, text: str) -> str:
    """Return the number of the ticket of this text."""
    return str(console.filed[text]["number"])


async def test_live_intake_shows_the_newest_first_and_emergencies_apart(console: Filled) -> None:
    """It refreshes itself without a script, unless somebody wants it to stand still."""
    async with console.of("operator") as browser:
        page = await browser.get()
        places = [
            page.text.index(f"tickets/{number(console, t)}", page.text.index("<table"))
            for t in (FIRE, SCRIPT, LAMP)
        ]
        assert places == sorted(places)
        assert re.search(r'<tr class="emergency[^"]*">.*?特急', page.text, re.DOTALL)
        assert 'http-equiv="refresh"' in page.text
        assert "119 消防救援" in words(page)
        assert 'http-equiv="refresh"' not in (await browser.get("?still=1")).text


async def test_a_ticket_shows_all_that_is_known_of_it(console: Filled) -> None:
    """Words with evidence, route, deliveries, events, incidents; and the audit has who saw it."""

    async def delivered() -> str | None:
        async with console.of("operator") as browser:
            page = await browser.get(f"tickets/{number(console, FIRE)}")
            return page.text if "已送达" in page.text else None

    text = await eventually(delivered, "a delivery that is done")
    for said in ("着火了", "fire.certain", "hotline.ticket.accepted", "hotline.emergency.raised"):
        assert said in text
    for said in ("liaison:119", "backoffice", "市长热线办", "default", "受理", "待签收"):
        assert said in text
    async with console.of("admin") as browser:
        audit = words(await browser.get("audit?action=ticket.seen&by=operator"))
    assert number(console, FIRE) in audit
    assert "着火" not in audit


async def test_a_citizens_words_are_words(console: Filled) -> None:
    """Whatever they hold, they are shown as they were written and never become part of a page."""
    async with console.of("operator") as browser:
        for path in ("", "tickets", f"tickets/{number(console, SCRIPT)}"):
            text = (await browser.get(path)).text
            assert "<script" not in text
            assert "<img" not in text
            assert "<b>张三" not in text
            assert "&lt;script&gt;" in text
        shown = words(await browser.get(f"tickets/{number(console, SCRIPT)}"))
        assert "onerror=alert(2)" in shown.replace(" ", "")


async def test_a_ticket_shows_what_was_added_and_how_it_was_rated(console: Filled) -> None:
    """The words, the files as links, the rating with its comment; all of them escaped."""
    store = SqliteStore(console.database, owner=False)
    await store.open()
    stored = await store.ticket(number(console, LAMP))
    assert stored is not None
    file = {"id": "a1", "name": "灯<b>.jpg", "media_type": "image/jpeg", "bytes": 9}
    files = [{**file, "sha256": "0" * 64}]
    message = {"at": NOW.isoformat(), "text": "又坏了<i>一盏", "attachments": files}
    events = (
        make.event("added", data={"message": message}),
        make.event("rated", text="还<u>行", data={"rating": "basically_satisfied"}),
    )
    await store.change(Change(ticket_id=stored.ticket.id, events=events))
    await store.close()
    async with console.of("operator") as browser:
        page = await browser.get(f"tickets/{number(console, LAMP)}")
    for said in ("又坏了&lt;i&gt;一盏", "灯&lt;b&gt;.jpg", "还&lt;u&gt;行", "基本满意"):
        assert said in page.text
    assert f'href="/api/v1/attachments/{"0" * 64}/a1?sig=' in page.text


async def test_tickets_are_found_by_number_channel_urgency_state_and_day(console: Filled) -> None:
    """Any of them together; what there is none of is told."""
    day = number(console, FIRE)[:8]
    today = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    async with console.of("auditor") as browser:

        async def found(**query: str) -> set[str]:
            page = await browser.get("tickets", params=query)
            assert page.status == 200
            return {t for t in (FIRE, SCRIPT, LAMP) if f"tickets/{number(console, t)}" in page.text}

        assert await found(urgency="emergency") == {FIRE}
        assert await found(channel="web", state="accepted", since=today, until=today) == {
            FIRE, SCRIPT, LAMP
        }  # fmt: skip
        assert await found(channel="sms") == set()
        assert await found(state="closed") == set()
        assert await found(since="2099-01-01") == set()
        assert await found(until="2020-01-01") == set()
        assert await found(before=number(console, FIRE)) == {SCRIPT, LAMP}
        exact = await browser.get("tickets", params={"number": f" {number(console, LAMP)} "})
        assert exact.headers["Location"] == f"{ROOT}tickets/{number(console, LAMP)}"
        unknown = await browser.get("tickets", params={"number": "20260101-000001-1<x>"})
        assert (unknown.status, "没有编号为" in words(unknown)) == (404, True)
        for query in ({"urgency": "x"}, {"since": "0001-01-01"}, {"state": "<b>"}):
            assert (await browser.get("tickets", params=query)).status == 400
        assert (await browser.get("tickets/20260101-000001-1")).status == 404


async def test_health_shows_what_readyz_knows(console: Filled) -> None:
    """Every part by name, with its state."""
    ready = (await console.world.citizen.get("/readyz")).json
    async with console.of("liaison") as browser:
        shown = words(await browser.get("health"))
    names = [name for group in ("channels", "adapters", "queue") for name in ready[group]]
    assert len(names) > 3
    assert [name for name in names if name not in shown] == []
    assert "存储 正常" in shown


#: Every page, and the right without which it is refused.
PAGES = {
    "": Right.EMERGENCIES,
    "tickets": Right.EMERGENCIES,
    "routes": Right.ROUTES,
    "health": Right.HEALTH,
    "deadletters": Right.DEADLETTERS,
    "audit": Right.AUDIT,
    "users": Right.USERS,
}


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_sees_its_pages_and_is_refused_the_others(console: Filled, role: str) -> None:
    """What is not in the navigation is 403 by its address, too, and in the audit."""
    async with console.of(role) as browser:
        home = (await browser.get()).text
        for path, right in PAGES.items():
            allowed = may(role, right)
            assert (f'href="{ROOT}{path}"' in home) is allowed
            assert (await browser.get(path)).status == (200 if allowed else 403)
        refused = [path for path, right in PAGES.items() if not may(role, right)]
    async with console.of("auditor") as browser:
        audit = words(await browser.get("audit", params={"by": role, "action": "refused"}))
    assert [path for path in refused if f"{ROOT}{path}" not in audit] == []


async def test_a_liaison_sees_emergencies_alone(console: Filled) -> None:
    """In lists, by search, and by a number that they know."""
    async with console.of("liaison") as browser:
        for path in ("", "tickets", "tickets?urgency=normal"):
            text = (await browser.get(path)).text
            assert number(console, LAMP) not in text
        assert number(console, FIRE) in (await browser.get()).text
        assert (await browser.get(f"tickets/{number(console, FIRE)}")).status == 200
        assert (await browser.get(f"tickets/{number(console, LAMP)}")).status == 403
        for text, status in ((FIRE, 303), (LAMP, 404)):
            found = await browser.get("tickets", params={"number": number(console, text)})
            assert found.status == status


@pytest.mark.parametrize("role", ["auditor", "liaison", "operator"])
async def test_nobody_changes_what_their_role_may_not(console: Filled, role: str) -> None:
    """A form that no page shows them does nothing."""
    async with console.of(role) as browser, console.of("admin") as admin:
        token = forms_of(await browser.get())[0].values
        users = {**token, "name": "liaison", "action": "role", "role": "admin"}
        assert (await browser.post("users", users)).status == 403
        held = await deadletter(admin)
        values = {**token, "action": "discard", "why": "test"}
        if role != "operator":
            assert (await browser.post(f"deadletters/{held}", values)).status == 403
        assert await deadletter(admin) == held
        assert "联络员" in words(await admin.get("users"))


async def deadletter(browser: Browser) -> str:
    """Return the id of the first dead letter."""
    found = re.search(rf"{ROOT}deadletters/([\w-]+)", (await browser.get("deadletters")).text)
    assert found
    return found[1]


async def test_a_dead_letter_that_still_means_nothing_stays(console: Filled) -> None:
    """Shown whole with its reason; without a tick, or once more in vain, it is where it was."""
    async with console.of("operator") as browser:
        held = await deadletter(browser)
        page = await browser.get(f"deadletters/{held}")
        assert BROKEN in words(page)
        values = {**forms_of(page)[-2].values}
        assert (await browser.post(f"deadletters/{held}", values)).status == 400
        again = await browser.post(f"deadletters/{held}", {**values, "confirm": "on"})
        assert (again.status, "仍然无法识别" in words(again)) == (409, True)
        assert await deadletter(browser) == held
        assert (await browser.get("deadletters/nothing")).status == 404


async def test_what_could_not_be_delivered_is_delivered_after_all(console: Filled) -> None:
    """Tried again with a tick, and the audit has who did; a second time it is done already."""
    office, accepts = console.world.office, console.world.office.answer

    async def refuses(_push: Push) -> web.Response:
        return web.Response(status=500)

    office.answer = refuses
    filed = await console.world.citizen.file("小区的喷泉不喷水了", phone=phone())
    async with console.of("operator") as browser:

        async def dead() -> str | None:
            page = await browser.get(f"tickets/{filed['number']}")
            found = re.search(rf"{ROOT}deadletters/([\w-]+)", page.text)
            return found[1] if found else None

        stuck = await eventually(dead, "a dead letter")
        assert stuck in (await browser.get("deadletters")).text
        office.answer = accepts
        page = await browser.get(f"deadletters/{stuck}")
        assert "500" in words(page)
        values = {**forms_of(page)[-2].values, "confirm": "on"}
        assert (await browser.post(f"deadletters/{stuck}", values)).status == 303
        assert (await browser.post(f"deadletters/{stuck}", values)).status == 409

        async def arrived() -> bool:
            return any(one.subject == filed["number"] for one in office.taken)

        await eventually(arrived, "the push")
        # What is no dead letter any more is nobody's to look into.
        assert (await browser.get(f"deadletters/{stuck}")).status == 404
    async with console.of("auditor") as auditor:
        for done in ("seen", "replay", "done"):
            audit = words(await auditor.get(f"audit?action=deadletter.{done}&by=operator"))
            assert audit.count(stuck) == 1


async def test_what_is_given_up_keeps_its_reason(console: Filled) -> None:
    """Without one nothing is given up."""
    assert (await push(console.world.citizen, BROKEN.replace("1", "2"))).status == 400
    async with console.of("operator") as browser:
        ids = re.findall(rf"{ROOT}deadletters/([\w-]+)", (await browser.get("deadletters")).text)
        page = await browser.get(f"deadletters/{ids[-1]}")
        assert (await browser.submit(page, {"why": "  "})).status == 400
        assert (await browser.submit(page, {"why": "测试数据"})).status == 303
        assert "测试数据" in words(await browser.get(f"deadletters/{ids[-1]}"))
        assert ids[-1] not in (await browser.get("deadletters")).text


async def test_dead_letters_are_read_in_pages(console: Filled) -> None:
    """A hundred of a kind each; a dead one that was seen to does not lose its place."""
    store = SqliteStore(console.database, owner=False)
    await store.open()
    for count in range(101):
        await store.quarantine(make.quarantined(id=f"q-{count:03}", at=NOW + timedelta(days=9999)))
    await store.close()
    async with console.of("operator") as browser:
        first = await browser.get("deadletters")
        more = re.search(r'href="([^"]*held=[^"]+)"', first.text)
        assert more
        second = await browser.ask("GET", unescape(more[1]))
        assert "deadletters/q-100" in second.text
        assert "deadletters/q-000" in first.text
        assert not {*re.findall(r"q-\d+", first.text)} & {*re.findall(r"/(q-\d+)\"", second.text)}
        assert "回到最早" in words(second)


async def test_the_audit_is_read_in_pages(console: Filled) -> None:
    """A hundred entries each, filtered by user, kind and day; what is no day is refused."""
    async with console.of("auditor") as browser, console.of("admin") as admin:
        for _ in range(101):
            await admin.get(f"tickets/{number(console, LAMP)}")
        first = await browser.get("audit?by=admin&action=ticket.seen")
        assert first.text.count(number(console, LAMP)) == 100
        older = re.search(r'href="([^"]*before=\d+)"', first.text)
        assert older
        second = await browser.ask("GET", older[1].replace("&amp;", "&"))
        assert 0 < second.text.count(number(console, LAMP)) < 100
        assert "没有符合条件" in words(await browser.get("audit?until=2020-01-01"))
        for asked in ("since=x", "since=0001-01-01", "until=9999-12-31", "since=1969-12-31"):
            assert (await browser.get(f"audit?{asked}")).status == 400
        for asked in ("since=1970-01-01", "until=9998-12-31"):
            assert (await browser.get(f"audit?{asked}")).status == 200
        assert (await browser.get("audit?before=x")).status == 200


async def test_a_real_browser_shows_every_page(console: Filled, tmp_path: Path) -> None:
    """At the width of a telephone and of a desk nothing is cut off, and the style is not blocked."""
    paths = [*PAGES, f"tickets/{number(console, FIRE)}", "routes/edit", "password", "nowhere"]
    async with console.of("operator") as browser:
        paths.append(f"deadletters/{await deadletter(browser)}")
    async with tab(tmp_path / "profile") as page:
        await page.resize(390)
        await page.open(console.world.gateway.url + ROOT)
        await page.submit(name="admin", password=PASSWORD)
        for path in paths:
            await page.open(console.world.gateway.url + ROOT + path)
            assert await page.look("location.pathname") == ROOT + path
            assert await page.look("getComputedStyle(document.querySelector('.bar')).display") == (
                "flex"
            )
            for width in (390, 1280):
                await page.resize(width)
                assert await page.look("document.scrollingElement.scrollWidth <= innerWidth"), path
            await page.resize(390)


async def test_an_admin_is_left(console: Filled) -> None:
    """Nobody takes their own rights away, and a user goes only with a tick."""
    async with console.of("admin") as browser:
        token = {"form_token": forms_of(await browser.get())[0].values["form_token"]}
        own = {**token, "name": "admin", "action": "remove", "confirm": "on"}
        assert (await browser.post("users", own)).status == 409
        assert (
            await browser.post("users", {**own, "name": "liaison", "confirm": ""})
        ).status == 400
        assert (await browser.post("users", {**own, "name": "nobody"})).status == 404
        wrong = {**token, "name": "liaison", "action": "role", "role": "boss"}
        assert (await browser.post("users", wrong)).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "nowhere",
        "static/../../../etc/passwd",
        "%2e%2e/%2e%2e/etc/passwd",
        "tickets/..%2f..%2fvar%2fgateway.db",
        "console_base.html",
        "deadletters/%00",
        "tickets/%ff%fe",
    ],
)
async def test_a_trick_with_the_path_leads_nowhere(console: Filled, path: str) -> None:
    """A stranger is led to the login whatever they ask for; others are told that it is not there."""
    async with console.of("admin") as browser, console.browser() as stranger:
        url = URL(console.world.gateway.url + ROOT + path, encoded=True)
        for asking, expected in ((browser, {404}), (stranger, {303})):
            cookie = "; ".join(f"{k}={v}" for k, v in asking.cookies.items())
            async with asking.client._session.get(
                url, headers={"Cookie": cookie}, allow_redirects=False
            ) as answer:
                assert answer.status in expected, await answer.text()
