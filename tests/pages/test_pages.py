"""The citizens' pages as a browser without script uses them, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar, FormData

from gateway.attempts import TooMany
from normalizer.errors import Malformed, NotAllowed, StoreError
from normalizer.schema import (
    Decision,
    HistoryEntry,
    Limits,
    RequestType,
    Service,
    Status,
    Urgency,
)
from tests.pages.fakes import AT, CODE, NUMBER, FakeCore, application, progress, served
from tests.pages.html import Page, broken_rules

TEXT = "人民路与城东路口的路灯坏了三天，晚上很黑。"
OPENS = {"number": NUMBER, "code": CODE}


@pytest.fixture
def core() -> FakeCore:
    """Return a core that accepts everything."""
    return FakeCore()


@pytest.fixture
async def browser(core: FakeCore) -> AsyncIterator[ClientSession]:
    """Yield a client that keeps cookies, of a server on loopback."""
    async with (
        served(application(core)) as address,
        ClientSession(address, cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        yield session


async def page(answer: ClientResponse, status: int = 200) -> Page:
    """Return the parsed page, which must keep our rules whatever it shows."""
    got = Page(await answer.text())
    assert (answer.status, broken_rules(got)) == (status, [])
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    return got


async def get(browser: ClientSession, path: str, **headers: str) -> Page:
    """Return the page at an address."""
    async with browser.get(path, headers=headers) as answer:
        return await page(answer)


async def post(
    browser: ClientSession, path: str, fields: dict[str, str], status: int = 200, language: str = ""
) -> Page:
    """Return the page that answers a form."""
    headers = {"Accept-Language": language} if language else {}
    async with browser.post(path, data=fields, headers=headers) as answer:
        return await page(answer, status)


async def send(browser: ClientSession, status: int = 201, **fields: str) -> Page:
    """Fill in the request form and return what comes back."""
    form = await get(browser, "/")
    multipart = FormData({"key": form.value("key"), "text": TEXT, **fields})
    multipart.add_field("files", b"", filename="", content_type="application/octet-stream")
    async with browser.post("/", data=multipart) as answer:
        return await page(answer, status)


async def test_the_form_offers_every_field_of_the_contract(browser: ClientSession) -> None:
    """Each field that the contract knows can be filled in, in a form that needs no script."""
    got = await get(browser, "/")
    names = {has.get("name") for tag, has in got.elements if tag in ("input", "textarea")}
    assert names == {
        "key", "text", "title", "type", "name", "phone", "email", "address", "latitude",
        "longitude", "occurred_at", "anonymous", "confidential", "public", "files",
    }  # fmt: skip
    (form,) = got.all("form")
    assert (form["method"], form["enctype"]) == ("post", "multipart/form-data")
    assert {has["value"] for has in got.all("input", name="type")} == {"", *RequestType}
    autocomplete = {
        n: got.all("input", name=n)[0]["autocomplete"] for n in ("name", "phone", "email")
    }
    assert autocomplete == {"name": "name", "phone": "tel", "email": "email"}


async def test_the_emergency_numbers_come_first(browser: ClientSession) -> None:
    """Before anything can be typed, four numbers can be dialled."""
    got = await get(browser, "/")
    order = [
        (t, h.get("href"))
        for t, h in got.elements
        if h.get("href", "").startswith("tel:") or t == "textarea"
    ]
    assert order == [
        ("a", "tel:110"), ("a", "tel:119"), ("a", "tel:120"), ("a", "tel:122"), ("textarea", None),
    ]  # fmt: skip


async def test_a_request_becomes_a_ticket(core: FakeCore, browser: ClientSession) -> None:
    """What was filled in reaches the core as the contract's fields."""
    got = await send(
        browser, type="complaint", phone="13800138000", address="城东路 8 号",
        occurred_at="2026-11-22T20:15", anonymous="on", latitude="", longitude="",
    )  # fmt: skip
    (seen,) = core.seen
    assert (seen.text, seen.type, seen.requester.phone) == (
        TEXT,
        RequestType.COMPLAINT,
        "13800138000",
    )
    assert (seen.channel, seen.account, seen.place.text) == ("web", "portal", "城东路 8 号")
    assert seen.occurred_at == datetime(2026, 11, 22, 12, 15, tzinfo=UTC)
    assert seen.requester.anonymous
    assert not seen.public
    assert seen.attachments == ()
    assert b"form-" not in seen.raw
    assert NUMBER in got.text
    assert CODE in got.text
    assert core.message in got.text


async def test_files_go_with_the_request(core: FakeCore, browser: ClientSession) -> None:
    """A photograph arrives with the ticket."""
    form = FormData({"text": TEXT})
    form.add_field("files", b"\x89PNG\r\n\x1a\nxyz", filename="现场.png", content_type="image/png")
    async with browser.post("/", data=form) as answer:
        await page(answer, 201)
    (attachment,) = core.seen[0].attachments
    assert (attachment.name, attachment.media_type, attachment.bytes) == (
        "现场.png",
        "image/png",
        11,
    )
    assert core.sink.kept[attachment.sha256] == b"\x89PNG\r\n\x1a\nxyz"


async def test_a_double_click_is_one_ticket(core: FakeCore, browser: ClientSession) -> None:
    """The form sent twice makes one ticket and shows the same receipt."""
    form = await get(browser, "/")
    fields = {"key": form.value("key"), "text": TEXT}
    await post(browser, "/", fields, 201)
    again = await post(browser, "/", fields, 200)
    assert len(core.seen) == 1
    assert NUMBER in again.text
    assert "没有重复登记" in again.text


async def test_two_forms_are_two_requests(core: FakeCore, browser: ClientSession) -> None:
    """Each form that is opened has a key of its own."""
    await send(browser)
    await send(browser)
    assert len({i.key for i in core.seen}) == 2


async def test_a_changed_form_sent_again_asks_first(core: FakeCore, browser: ClientSession) -> None:
    """A used form with other words is not sent silently: it comes back with a fresh key."""
    form = await get(browser, "/")
    await post(browser, "/", {"key": form.value("key"), "text": TEXT}, 201)
    got = await post(browser, "/", {"key": form.value("key"), "text": "另一件事"}, 422)
    assert "已经提交过" in got.text
    assert "另一件事" in got.text
    assert got.value("key") != form.value("key")
    await post(browser, "/", {"key": got.value("key"), "text": "另一件事"}, 201)
    assert [i.text for i in core.seen] == [TEXT, "另一件事"]


@pytest.mark.parametrize("key", ["", "x", "form-short", "form-" + "é" * 22])
async def test_a_foreign_key_is_not_used(core: FakeCore, browser: ClientSession, key: str) -> None:
    """A key that our page did not make neither helps nor harms."""
    await post(browser, "/", {"key": key, "text": TEXT}, 201)
    assert core.seen[0].key is None


async def test_every_error_is_listed_and_nothing_typed_is_lost(
    core: FakeCore, browser: ClientSession
) -> None:
    """The summary links to each wrong field, and the form shows what was typed."""
    got = await send(
        browser, 400, text="  ", title='<b>"标题"', email="nobody", type="praise", public="on",
        occurred_at="2026-11-22T20:15",
    )  # fmt: skip
    assert core.seen == []
    (summary,) = got.all("div", role="alert")
    assert summary["id"] == "summary"
    links = [h["href"] for t, h in got.elements if t == "a" and h["href"] in ("#text", "#email")]
    assert links == ["#text", "#email"]
    assert got.value("title") == '<b>"标题"'
    assert got.value("email") == "nobody"
    assert got.value("occurred_at") == "2026-11-22T20:15"
    assert "checked" in got.all("input", name="type", value="praise")[0]
    assert "checked" in got.all("input", name="public")[0]
    assert got.all("textarea", id="text")[0]["aria-invalid"] == "true"
    assert got.all("textarea", id="text")[0]["aria-describedby"] == "text-hint text-error"


async def test_too_large_a_file_keeps_the_words(core: FakeCore, browser: ClientSession) -> None:
    """The page says what is too large, keeps the text, and the browser gets to read it."""
    form = FormData({"key": "form-" + "k" * 22, "text": TEXT})
    form.add_field("files", BytesIO(bytes(10 * 1024 * 1024 + 1)), filename="a.mp4")
    form.add_field("files", BytesIO(bytes(5 * 1024 * 1024)), filename="b.mp4")
    async with browser.post("/", data=form) as answer:
        got = await page(answer, 413)
    assert core.seen == []
    assert TEXT in got.text
    assert "每个不超过 10 MB" in got.text
    assert got.value("key") == "form-" + "k" * 22


async def test_the_answer_waits_for_the_end_of_a_slow_upload(browser: ClientSession) -> None:
    """A browser that is still sending gets to read what is wrong, not a broken connection."""
    base = browser._base_url
    assert base is not None
    stream, out = await asyncio.open_connection(base.host, base.port)
    large = b"--B\r\nContent-Disposition: form-data; name=text\r\n\r\n" + b"x" * 200_000
    rest = b"\r\n--B--\r\n"
    head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n"
    kind = "Content-Type: multipart/form-data; boundary=B\r\n\r\n"
    out.write((head % len(large + rest) + kind).encode() + large)
    answer = asyncio.ensure_future(stream.readline())
    await asyncio.wait({answer}, timeout=0.3)
    assert not answer.done()
    out.write(rest)
    assert (await answer).startswith(b"HTTP/1.1 413")
    out.close()
    await out.wait_closed()


async def test_a_broken_form_is_answered_with_a_page(browser: ClientSession) -> None:
    """What is no form at all gets a page that says so."""
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    async with browser.post("/", data=b"junk", headers=headers) as answer:
        got = await page(answer, 400)
    assert "没有登记任何内容" in got.text


async def test_an_emergency_says_what_to_dial(core: FakeCore, browser: ClientSession) -> None:
    """The first thing on the receipt of an emergency is the numbers, ready to dial."""
    core.urgency, core.services = Urgency.EMERGENCY, (Service.FIRE, Service.WATER, Service.MEDICAL)
    got = await send(browser, text="楼上着火了，有人被困")
    assert [h["href"] for h in got.all("a") if h["href"].startswith("tel:")] == [
        "tel:119",
        "tel:120",
    ]
    assert "请立即拨打 119、120！" in got.text
    assert got.text.index("请立即拨打") < got.text.index(NUMBER)


async def test_a_refusal_is_not_called_a_success(core: FakeCore, browser: ClientSession) -> None:
    """A request that is not taken on says so in the heading, with the core's words."""
    core.status, core.message = Status.REFUSED, "很抱歉，请向人民法院反映。"
    got = await send(browser)
    assert "不属于本热线受理范围" in got.text
    assert "请向人民法院反映" in got.text
    assert "已收到您的诉求" not in got.text


async def test_nothing_stored_keeps_the_form_and_its_key(
    core: FakeCore, browser: ClientSession
) -> None:
    """When the store is down the citizen keeps every word and can press again."""
    core.fails = StoreError("down")
    form = await get(browser, "/")
    got = await post(browser, "/", {"key": form.value("key"), "text": TEXT}, 503)
    assert TEXT in got.text
    assert "还没有提交" in got.text
    assert got.value("key") == form.value("key")


async def test_the_receipt_is_kept_by_nobody(browser: ClientSession) -> None:
    """What shows a query code is not stored by caches, and no address holds it."""
    async with browser.post("/", data={"text": TEXT}) as answer:
        assert answer.headers["Cache-Control"] == "no-store"
        got = await page(answer, 201)
    assert [h for _, h in got.elements if CODE in h.get("href", "") + h.get("action", "")] == []


async def test_the_progress_of_a_ticket(core: FakeCore, browser: ClientSession) -> None:
    """Number and code open the ticket: status, limits, history."""
    await get(browser, "/progress")
    got = await post(browser, "/progress", OPENS)
    for words in (
        "已签收",
        "市城管局",
        "2026年11月24日 10:00",
        "2026年12月8日 10:00",
        "受理",
        "承办单位签收",
    ):
        assert words in got.text
    assert got.all("form", action="/progress/messages") != []
    assert got.all("form", action="/progress/withdraw") != []
    assert got.all("form", action="/progress/rating") == []


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (" 20261123－000123－4 ", "k7mp x2qd"),
        ("２０２６１１２３-０００１２３-４", "Ｋ７ＭＰＸ２ＱＤ"),
        ("20261123 — 000123 – 4", "K7MPX2QD\u3000"),
    ],
)
async def test_numbers_as_people_type_them(browser: ClientSession, number: str, code: str) -> None:
    """Any width, dash, case and spacing opens the ticket."""
    assert "已签收" in (await post(browser, "/progress", {"number": number, "code": code})).text


async def test_a_wrong_code_and_an_unknown_number_look_the_same(browser: ClientSession) -> None:
    """Nobody learns from the page which of the two was wrong."""
    wrong = await post(browser, "/progress", {**OPENS, "code": "AAAAAAAA"}, 404)
    unknown = await post(browser, "/progress", {**OPENS, "number": "20261123-000999-1"}, 404)
    assert wrong.text == unknown.text
    assert wrong.value("code") == unknown.value("code") == ""


async def test_missing_number_and_code_are_named(browser: ClientSession) -> None:
    """An empty query is told what is missing."""
    got = await post(browser, "/progress", {"number": " "}, 400)
    assert [h["href"] for h in got.all("a") if h["href"] in ("#number", "#code")] == [
        "#number",
        "#code",
    ]


async def test_too_many_tries_are_told_when_to_come_back(
    core: FakeCore, browser: ClientSession
) -> None:
    """The page says in how many minutes the next try is allowed."""
    core.fails = TooMany(125.0)
    async with browser.post("/progress", data=OPENS) as answer:
        got = await page(answer, 429)
        assert answer.headers["Retry-After"] == "125"
    assert "3 分钟后" in got.text


async def test_words_are_added(core: FakeCore, browser: ClientSession) -> None:
    """An addition reaches the core once, with the form's key, and is confirmed."""
    form = await post(browser, "/progress", OPENS)
    fields = {**OPENS, "key": form.value("key"), "text": "一\r\n二"}
    got = await post(browser, "/progress/messages", fields)
    assert core.steps == [("add", "一\n二", form.value("key"))]
    assert "已补充" in got.text
    assert form.value("key").startswith("form-")


async def test_added_words_can_be_an_emergency(core: FakeCore, browser: ClientSession) -> None:
    """If the added words raise an emergency, the page says what to dial."""
    core.escalated, core.services = True, (Service.MEDICAL,)
    got = await post(browser, "/progress/messages", {**OPENS, "text": "有人晕倒了"})
    assert "tel:120" in [h["href"] for h in got.all("a")]
    assert got.text.index("拨打 120") < got.text.index(NUMBER)


async def test_empty_additions_are_named(core: FakeCore, browser: ClientSession) -> None:
    """An empty addition changes nothing and is named on the ticket's page."""
    got = await post(browser, "/progress/messages", {**OPENS, "text": " "}, 400)
    assert core.steps == []
    assert [h["href"] for h in got.all("a") if h["href"] == "#text"] == ["#text"]


async def test_an_answer_is_rated(core: FakeCore, browser: ClientSession) -> None:
    """After an answer the region's scale is offered, and the choice reaches the core."""
    core.shown = progress(
        Status.ANSWERED, can_rate=True, ratings=("very_satisfied", "dissatisfied")
    )
    got = await post(browser, "/progress", OPENS)
    offered = [has["value"] for has in got.all("input", name="rating")]
    assert offered == ["very_satisfied", "dissatisfied"]
    fields = {**OPENS, "rating": "dissatisfied", "comment": " 还没修好\r\n "}
    got = await post(browser, "/progress/rating", fields)
    assert core.steps == [("rate", "dissatisfied", "还没修好")]
    assert "已收到您的评价" in got.text


async def test_a_rating_off_the_scale_is_named(core: FakeCore, browser: ClientSession) -> None:
    """What the core refuses is shown beside the choices."""
    core.shown = progress(Status.ANSWERED, can_rate=True)

    async def refuse(*_: object) -> None:
        raise Malformed("rating", "one of …")

    core.rate = refuse  # type: ignore[assignment,method-assign]  # the core says no
    got = await post(browser, "/progress/rating", OPENS, 400)
    assert "#rating" in [h["href"] for h in got.all("a")]


async def test_withdrawing_wants_a_confirmation(core: FakeCore, browser: ClientSession) -> None:
    """One click does not withdraw a request; the ticked box does."""
    got = await post(browser, "/progress/withdraw", OPENS, 400)
    assert core.steps == []
    assert "open" in got.all("details")[0]
    got = await post(browser, "/progress/withdraw", {**OPENS, "confirm": "on"})
    assert core.steps == [("withdraw",)]
    assert "诉求已撤回" in got.text


async def test_a_step_that_came_too_late_shows_the_ticket(
    core: FakeCore, browser: ClientSession
) -> None:
    """A step that the state forbids is answered with the newest state."""

    async def refuse(*_: object) -> None:
        raise NotAllowed("withdraw_open_only", "it is over")

    core.withdraw = refuse  # type: ignore[assignment,method-assign]  # the core says no
    core.shown = progress(Status.CLOSED, can_withdraw=False)
    got = await post(browser, "/progress/withdraw", {**OPENS, "confirm": "on"}, 409)
    assert "已办结" in got.text
    assert "现在不能这样做" in got.text


async def test_a_refused_and_a_drill_ticket(core: FakeCore, browser: ClientSession) -> None:
    """A refusal shows reason and whom to turn to; a drill is marked; neither offers what is over."""
    core.shown = progress(
        Status.REFUSED, can_withdraw=False, exercise=True, limits=Limits(),
        acceptance=Decision(decision="refused", reason="应当通过诉讼解决", refer_to="人民法院"),
        history=(HistoryEntry(at=AT, event="refused", by="gateway"),),
    )  # fmt: skip
    got = await post(browser, "/progress", OPENS)
    for words in ("不予受理", "应当通过诉讼解决", "人民法院", "演练"):
        assert words in got.text
    assert got.all("textarea") == []
    assert "办理时限" not in got.text


async def test_what_a_unit_wrote_is_text(core: FakeCore, browser: ClientSession) -> None:
    """Markup in an answer, a unit's name or an unknown event is shown, never run."""
    core.shown = progress(
        Status.ANSWERED,
        unit="<img src=x>",
        history=(HistoryEntry(at=AT + timedelta(days=1), event="new", by="<b>", text="<script>1"),),
    )
    got = await post(browser, "/progress", OPENS)
    assert got.all("img") == []
    assert len(got.all("script")) == 1
    assert "<script>1" in got.text
    assert "更新" in got.text


async def test_english_and_large_print_are_remembered(browser: ClientSession) -> None:
    """The choice of an address is kept in a cookie for the pages that follow."""
    assert (await get(browser, "/")).all("html")[0] == {"lang": "zh-Hans"}
    got = await get(browser, "/?lang=en&print=large")
    assert got.all("html")[0] == {"lang": "en", "class": "large"}
    got = await get(browser, "/progress")
    assert got.all("html")[0] == {"lang": "en", "class": "large"}
    got = await get(browser, "/progress?lang=zh&print=normal")
    assert got.all("html")[0] == {"lang": "zh-Hans"}
    got = await get(browser, "/?lang=fr&print=tiny")
    assert got.all("html")[0] == {"lang": "zh-Hans"}


async def test_an_english_browser_reads_english_everywhere(
    core: FakeCore, browser: ClientSession
) -> None:
    """Form, errors, receipt and ticket are English, dates too; the request says so."""
    core.message = "accepted"
    core.shown = progress(unit=None, limits=progress().limits, history=progress().history[:1])
    assert "Send a request" in (await get(browser, "/", **{"Accept-Language": "en"})).text
    got = await post(browser, "/", {"text": ""}, 400, "en-GB,en;q=0.9")
    assert "Write what it is about" in got.text
    assert got.value("language") == "en"
    got = await post(browser, "/", {"text": "The light is broken", "language": "en"}, 201, "en")
    assert "We have received your request" in got.text
    assert "23 November 2026, 10:00" in got.text
    assert core.seen[0].requester.language == "en"
    got = await post(browser, "/progress", OPENS, 200, "en")
    assert "The office in charge is working on it." in got.text
    assert "8 December 2026, 10:00" in got.text


async def test_the_ticket_page_changes_its_look_without_losing_the_ticket(
    browser: ClientSession,
) -> None:
    """Language and print change by a form that carries number and code, not by an address."""
    got = await post(browser, "/progress?lang=en", OPENS)
    assert "Signed for by the office" in got.text
    targets = [has.get("formaction") for has in got.all("button") if "formaction" in has]
    assert targets == ["/progress?lang=zh", "/progress?print=large"]


async def test_an_address_that_was_posted_to_can_be_reloaded(browser: ClientSession) -> None:
    """Asked for from the history, the addresses of steps show the query form."""
    for step in ("messages", "rating", "withdraw"):
        assert "查询办理进度" in (await get(browser, f"/progress/{step}")).text


async def test_assets_are_served_from_here_and_keep(browser: ClientSession) -> None:
    """Style, script and icon come from this server, named by their version."""
    got = await get(browser, "/")
    addresses = [h["href"] for h in got.all("link")] + [h["src"] for h in got.all("script")]
    kinds = []
    for address in addresses:
        async with browser.get(address) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            kinds.append(answer.content_type)
    assert kinds == ["image/svg+xml", "text/css", "text/javascript"]


async def test_a_failing_store_is_told_on_every_page(
    core: FakeCore, browser: ClientSession
) -> None:
    """A progress query without a store gets a page, not a problem document."""
    core.fails = StoreError("down")
    assert "暂时无法办理" in (await post(browser, "/progress", OPENS, 503)).text
