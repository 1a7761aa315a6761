"""Logging in and out: cookies, limits, forged and foreign requests."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock
from urllib.parse import urlencode

import apsw
import pytest
from aiohttp import StreamReader
from aiohttp.test_utils import make_mocked_request

from gateway.console import guard
from gateway.console.sessions import OF_NAME
from normalizer.errors import Malformed
from tests.acceptance.http import Answer
from tests.console.world import PASSWORD, ROOT, Browser, Console, add_users, forms_of, words

pytestmark = pytest.mark.asyncio(loop_scope="module")


def rows(console: Console, statement: str, *bindings: Any) -> list[Any]:
    """Return what the store's file holds."""
    connection = apsw.Connection(str(console.database), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(statement, bindings).fetchall()
    finally:
        connection.close()


def cookies(answer: Answer) -> dict[str, str]:
    """Return what an answer says of each cookie that it sets."""
    lines = answer.headers.getall("Set-Cookie", ())  # type: ignore[attr-defined]
    return {line.partition("=")[0]: line for line in lines}


async def test_a_stranger_is_led_to_the_login_and_back(console: Console) -> None:
    """After the login the page that was asked for opens, and never one of another site."""
    async with console.browser() as browser:
        asked = await browser.get("health")
        assert (asked.status, asked.headers["Location"]) == (303, f"{ROOT}login?next={ROOT}health")
        page = await browser.ask("GET", asked.headers["Location"])
        done = await browser.submit(page, {"name": " Admin ", "password": PASSWORD})
        assert (done.status, done.headers["Location"]) == (303, f"{ROOT}health")
        assert (await browser.get("health")).status == 200
        assert (await browser.ask("GET", "/console")).headers["Location"] == ROOT
        for foreign in ("//evil.example/", "https://evil.example", "/console/../x", "/console//x"):
            page = await browser.get("login", params={"next": foreign})
            assert forms_of(page)[-1].values["next"] == ROOT


async def test_the_cookie_holds_nothing_and_goes_nowhere_else(console: Console) -> None:
    """A random token for these pages alone, by encrypted connections, of which a hash is stored."""
    async with console.browser() as browser:
        granted = cookies(await browser.login("admin"))["gateway_console"]
        for attribute in ("HttpOnly", "SameSite=Strict", f"Path={ROOT}", "Secure"):
            assert attribute in granted
        assert "Max-Age" not in granted
        token = browser.cookies["gateway_console"]
        assert len(token) >= 43
        assert console.database.with_name("gateway.db-wal").read_bytes().find(token.encode()) < 0
        assert all(
            token not in row[0] for row in rows(console, "SELECT digest FROM console_sessions")
        )


async def test_a_page_tells_browsers_to_be_careful(console: Console) -> None:
    """No script, no frame, no copy in a cache; the login likewise."""
    async with console.of("admin") as browser:
        for path in ("", "login", "nowhere"):
            headers = (await browser.get(path)).headers
            policy = headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; style-src 'self'")
            assert "script-src" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", ["admin", "nobody-of-this-name"])
async def test_a_wrong_password_and_an_unknown_name_are_told_alike(
    console: Console, name: str
) -> None:
    """The same answer; the audit has it without what was typed."""
    async with console.browser("127.0.0.9") as browser:
        refused = await browser.login(name, "hunter2hunter2")
        assert refused.status == 403
        assert "用户名或密码不正确" in words(refused)
        assert "gateway_console" not in browser.cookies
    last = rows(console, "SELECT by, remote, action, subject, detail FROM audit ORDER BY seq DESC")[
        0
    ]
    known = name if name == "admin" else ""
    assert last == ("", "127.0.0.9", "login.refused", known, "{}")


async def test_a_flood_of_tries_keeps_no_known_browser_out(console: Console) -> None:
    """Ten wrong passwords hold a name up, not for who has been in before with this browser."""
    await add_users(console.database, "wang", role="operator")
    async with console.browser("127.0.0.2") as owner, console.browser("127.0.0.3") as thief:
        await owner.logged_in("wang")
        for _ in range(OF_NAME):
            assert (await thief.login("wang", "not the password")).status == 403
        held_up = await thief.login("wang", PASSWORD)
        assert held_up.status == 429
        assert 0 < int(held_up.headers["Retry-After"]) <= 600
        assert (await thief.login("wang", PASSWORD)).status == 429
        assert (await owner.login("wang")).status == 303
    entries = rows(console, "SELECT remote FROM audit WHERE action = 'login.held_up'")
    assert entries == [("127.0.0.3",)]  # once, however many tries


@pytest.mark.parametrize(
    "cookie", ["", "x", "A" * 43, "\u00ff", "a" * 5000, "../../etc/passwd", "' OR 1=1 --"]
)
async def test_a_forged_cookie_opens_nothing(console: Console, cookie: str) -> None:
    """Whoever makes one up is a stranger."""
    async with console.browser() as browser:
        browser.cookies["gateway_console"] = cookie
        assert (await browser.get()).status == 303
        assert (await browser.post("logout", {})).status == 403


async def test_a_form_of_another_page_changes_nothing(console: Console) -> None:
    """Without its token, with another session's, or from another site a form is refused."""
    async with console.of("admin") as browser, console.of("operator") as other:
        own = forms_of(await browser.get())[0].values
        foreign = forms_of(await other.get())[0].values
        assert own != foreign
        sites: list[tuple[dict[str, str], dict[str, str]]] = [
            ({}, {}),
            ({"form_token": "0" * 64}, {}),
            (foreign, {}),
            (own, {"Origin": "https://evil.example"}),
            (own, {"Sec-Fetch-Site": "cross-site"}),
        ]
        for values, headers in sites:
            assert (await browser.post("logout", values, headers=headers)).status == 403
        assert (await browser.get()).status == 200
    found = rows(console, "SELECT detail FROM audit WHERE action = 'refused' AND by = 'admin'")
    assert found == [('{"method":"POST","why":"foreign"}',)] * len(sites)


async def test_a_login_needs_its_own_page(console: Console) -> None:
    """Nobody is logged in, as somebody else, by another site's form."""
    async with console.browser() as browser:
        values = {"name": "admin", "password": PASSWORD}
        assert (await browser.post("login", values)).status == 403
        page = await browser.get("login")
        foreign = {"Origin": "https://evil.example"}
        assert (await browser.submit(page, values, headers=foreign)).status == 403
        assert "gateway_console" not in browser.cookies


async def test_a_session_ends_with_its_logout_and_its_user(console: Console) -> None:
    """A cookie that was copied before is worth nothing."""
    await add_users(console.database, "zhao", role="operator")
    async with console.anew("zhao") as browser, console.anew("zhao") as second:
        kept = dict(browser.cookies)
        page = await browser.get()
        assert (await browser.submit(page, {}, 0)).headers["Location"] == f"{ROOT}login"
        assert "gateway_console" not in browser.cookies
        assert (await Browser(browser.client, kept).get()).status == 303
        assert (await second.get()).status == 200
        async with console.of("admin") as admin:
            page = await admin.get("users")
            forms = [f.values.get("name") for f in forms_of(page)]
            changed = await admin.submit(page, {"role": "auditor"}, forms.index("zhao"))
            assert changed.status == 303
        assert (await second.get()).status == 303
    done = rows(console, "SELECT by, action FROM audit WHERE subject = 'zhao' AND by = 'admin'")
    assert done == [("admin", "user.changed")]


async def test_a_new_password_takes_the_old_one(console: Console) -> None:
    """One's own, with the old one; every session ends, and the old one opens nothing any more."""
    await add_users(console.database, "qian", role="auditor")
    async with console.anew("qian") as browser, console.anew("qian") as second:
        page = await browser.get("password")
        new = "a quite different one"
        for entered, status in (
            ({"old": "wrong", "new": new, "again": new}, 403),
            ({"old": PASSWORD, "new": "short", "again": "short"}, 400),
            ({"old": PASSWORD, "new": new, "again": new + "!"}, 400),
            ({"old": PASSWORD, "new": new, "again": new}, 303),
        ):
            assert (await browser.submit(page, entered)).status == status
        assert (await second.get()).status == 303
        assert (await second.login("qian")).status == 403
        assert (await second.login("qian", new)).status == 303


async def test_a_link_from_elsewhere_opens_for_who_is_logged_in(console: Console) -> None:
    """The first request brings no cookie, as it is for this site alone; asking again does."""
    async with console.browser() as browser:
        page = await browser.get("health", headers={"Sec-Fetch-Site": "cross-site"})
        assert page.status == 200
        assert re.search(rf'content="0;url={ROOT}health\?again=1"', page.text)
        asked = await browser.get("health?again=1", headers={"Sec-Fetch-Site": "cross-site"})
        assert asked.status == 303


async def test_nothing_that_was_typed_is_in_the_logs(console: Console) -> None:
    """Neither names nor passwords nor tokens."""
    async with console.anew("admin") as browser:
        token = browser.cookies["gateway_console"]
    err = console.world.gateway.err
    assert PASSWORD not in err
    assert token not in err


async def test_who_is_demoted_while_a_form_arrives_may_not_any_more(console: Console) -> None:
    """Who asks is found out when the form is whole, not when it began."""
    await add_users(console.database, "sun", "li", role="admin")
    async with console.anew("sun") as browser, console.of("admin") as admin:
        values = {
            "form_token": forms_of(await browser.get())[0].values["form_token"],
            "name": "li",
            "action": "remove",
            "confirm": "on",
        }
        changed = asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            whole = urlencode(values).encode()
            yield whole[:9]
            await changed.wait()
            yield whole[9:]

        sent = {"Content-Type": "application/x-www-form-urlencoded"}
        posting = asyncio.create_task(
            browser.ask("POST", f"{ROOT}users", data=slowly(), headers=sent)
        )
        await asyncio.sleep(0.2)
        page = await admin.get("users")
        which = [f.values.get("name") for f in forms_of(page)].index("sun")
        assert (await admin.submit(page, {"role": "auditor"}, which)).status == 303
        changed.set()
        assert (await posting).status == 403
        assert "li" in words(await admin.get("users")).split()


async def test_a_form_has_its_time(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many octets trickle in."""
    monkeypatch.setattr(guard, "FORM_S", 0.05)
    reader = StreamReader(Mock(), 2**16)
    sent = {"Content-Type": "application/x-www-form-urlencoded"}
    request = make_mocked_request("POST", ROOT, headers=sent, payload=reader)

    async def trickle() -> None:
        while True:
            reader.feed_data(b"a")
            await asyncio.sleep(0.01)

    trickling = asyncio.create_task(trickle())
    with pytest.raises(Malformed):
        await guard.form_of(request)
    trickling.cancel()
