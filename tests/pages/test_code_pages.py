"""Getting a lost query code back, as a browser without script does it."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar

from gateway.attempts import TooMany
from tests.pages.fakes import CODE, NUMBER, TEMPORARY, FakeCodes, FakeCore, application, served
from tests.pages.test_pages import get, page, post

MINE = {"number": NUMBER, "phone": "13800138000"}


@pytest.fixture
def codes() -> FakeCodes:
    return FakeCodes()


@pytest.fixture
async def browser(codes: FakeCodes) -> AsyncIterator[ClientSession]:
    """Yield a client that keeps cookies, of a server that can send texts."""
    async with (
        served(application(FakeCore(), codes=codes)) as address,
        ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        yield session


async def test_a_lost_code_is_asked_for_and_typed_in(
    codes: FakeCodes, browser: ClientSession
) -> None:
    """From the query form by a link; then the same form, the number kept, waits for the digits."""
    start = await get(browser, "/progress")
    assert start.all("a", href="/progress/code") != []
    form = await get(browser, "/progress/code")
    assert form.all("form", action="/progress/code", method="post") != []
    assert form.all("input", name="phone")[0]["autocomplete"] == "tel"
    got = await post(browser, "/progress/code", MINE)
    assert codes.asked == [(NUMBER, "+8613800138000", "zh")]
    assert got.value("number") == NUMBER
    assert got.all("input", name="code")[0]["autocomplete"] == "one-time-code"
    assert "13800138000" not in got.source


async def test_the_ticket_page_tells_the_code_that_was_lost(browser: ClientSession) -> None:
    """Opened by the digits, it shows the query code and goes on by that one."""
    got = await post(browser, "/progress", {"number": NUMBER, "code": TEMPORARY})
    assert CODE in got.text
    hidden = {has["value"] for has in got.all("input", name="code", type="hidden")}
    assert hidden == {CODE}
    usual = await post(browser, "/progress", {"number": NUMBER, "code": CODE})
    assert CODE not in usual.text


async def test_the_answer_is_the_same_for_a_number_that_nobody_has(browser: ClientSession) -> None:
    """But for the number that was typed, the page is octet for octet the same."""
    known = await post(browser, "/progress/code", MINE)
    other = await post(browser, "/progress/code", {**MINE, "number": "20261123-000999-1"})
    assert known.source == other.source.replace("20261123-000999-1", NUMBER)


@pytest.mark.parametrize(
    ("typed", "wrong"),
    [
        ({}, ["#number", "#phone"]),
        ({"number": NUMBER, "phone": "no"}, ["#phone"]),
        ({"number": " ", "phone": "13800138000"}, ["#number"]),
    ],
)
async def test_what_is_missing_is_named(
    codes: FakeCodes, browser: ClientSession, typed: dict[str, str], wrong: list[str]
) -> None:
    """An error leads to its field; what was typed is still there, and nothing was asked for."""
    got = await post(browser, "/progress/code", typed, 400)
    assert [h["href"] for h in got.all("a") if h["href"] in ("#number", "#phone")] == wrong
    assert got.value("phone") == typed.get("phone", "")
    assert codes.asked == []


async def test_too_many_are_told_when_to_come_back(
    codes: FakeCodes, browser: ClientSession
) -> None:
    """The page says in how many minutes the next code can be asked for."""
    codes.fails = TooMany(125.0)
    async with browser.post("/progress/code", data=MINE) as answer:
        got = await page(answer, 429)
        assert answer.headers["Retry-After"] == "125"
    assert "3 分钟后" in got.text


async def test_in_english(codes: FakeCodes, browser: ClientSession) -> None:
    """An English reader gets pages and text in English."""
    got = await post(browser, "/progress/code", MINE, language="en")
    assert "a temporary code is on its way" in got.text
    assert codes.asked[0][2] == "en"


async def test_without_a_channel_for_texts_the_staff_helps() -> None:
    """There is no link, and no page behind it."""
    async with served(application(FakeCore())) as address, ClientSession(address) as session:
        start = await get(session, "/progress")
        assert start.all("a", href="/progress/code") == []
        assert "12345" in start.text
        async with session.get("/progress/code") as answer:
            assert answer.status == 404
