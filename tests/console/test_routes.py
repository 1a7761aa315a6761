"""Changing the routes of a gateway that runs."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from config.load import load
from tests.acceptance.http import Answer
from tests.acceptance.polling import eventually
from tests.acceptance.world import phone
from tests.console.world import ROOT, Browser, Console, forms_of, running, until, words

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAMP = "埇桥区人民路的路灯坏了三盏，请尽快修好"
COMMENT = "# 本市的配置，请勿改动\n"


def routes(unit: str, **more: Any) -> str:
    """Return routes that send everything to one unit."""
    return f"routes:\n  # 全部\n  - {{name: all, send: {{to: backoffice, unit: {unit}}}}}\n"


async def send(browser: Browser, action: str, text: str, base: str = "", **more: str) -> Answer:
    """Send the page's form; ``base`` empty: made from the routes as they are now."""
    page = await browser.get("routes/edit")
    form = forms_of(page)[-1]
    assert "text" in form.names
    values = {**form.values, "action": action, "text": text, **more}
    return await browser.post("routes/edit", values | ({"base": base} if base else {}))


async def put(browser: Browser, text: str, base: str = "", why: str = "测试") -> Answer:
    """Put routes in force."""
    return await send(browser, "put", text, base, why=why, confirm="on")


async def base_of(browser: Browser) -> str:
    """Return what the page says of the routes that are being changed."""
    return forms_of(await browser.get("routes/edit"))[-1].values["base"]


async def unit_of(console: Console) -> str:
    """Return the unit that a new ticket goes to."""
    number = (await console.world.citizen.file(LAMP, phone=phone()))["number"]

    async def pushed() -> str | None:
        of = [p.ticket["route"]["unit"] for p in console.world.office.taken if p.subject == number]
        return of[0] if of else None

    return await eventually(pushed, "the push")


def other_than(unit: str) -> str:
    """Return another unit."""
    return "市城管局" if unit != "市城管局" else "市水利局"


async def newest(browser: Browser) -> int:
    """Return the number of the newest version, 0 if there is none."""
    found = re.search(rf"{ROOT}routes/versions/(\d+)", (await browser.get("routes")).text)
    return int(found[1]) if found else 0


async def test_routes_are_put_in_force_and_rolled_back(console: Console) -> None:
    """At once, with the rest of the file as it was; every version is kept, with who and why."""
    file, unit = console.world.gateway.config, await unit_of(console)
    before = COMMENT.encode() + file.read_bytes()
    head = before[: before.index(b"routes:")]
    file.write_bytes(before)
    new = other_than(unit)
    async with console.of("operator") as browser:
        assert (await put(browser, routes(new), why="节日<b>安排")).status == 303
        assert await unit_of(console) == new
        assert file.read_bytes() == head + routes(new).encode()
        number = await newest(browser)
        assert "节日&lt;b&gt;安排" in (await browser.get("routes")).text
        assert unit in words(await browser.get(f"routes/versions/{number - 1}"))
        page = await browser.get(f"routes/edit?from={number - 1}")
        text = page.text.partition("<textarea")[2].partition(">\n")[2].partition("</textarea>")[0]
        assert (await put(browser, unescape(text), why="恢复")).status == 303
        assert await unit_of(console) == unit
        assert file.read_bytes() == before
        assert f"版本 {number + 1}" in words(await browser.get("routes"))
    async with console.of("auditor") as auditor:
        audit = words(await auditor.get("audit?by=operator&action=routes.in_force"))
        assert f"路由生效 {number} " in audit
        assert f"路由生效 {number + 1} " in audit
        assert (await auditor.get("routes")).status == 200
        assert (await auditor.get("routes/edit")).status == 403


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (routes("市城关局"), "第 3 行 routes.0.send.unit"),
        ("routes:\n\t- x\n", "第 2 行 not YAML"),
        ("routes: []\nliaison: {}\n", "routes: alone"),
        ("routes:\n  - {name: '${HOME}', send: {to: backoffice}}\n", "第 2 行 ${…}"),
        ("routes:\n  - {name: '${file:gateway.yaml}', send: {to: backoffice}}\n", "${…}"),
        ("", "第 1 行"),
    ],
)
async def test_what_is_wrong_is_told_by_line(console: Console, text: str, says: str) -> None:
    """By the same check as the command's; nothing is put in force, whatever button is pressed."""
    file = console.world.gateway.config
    before = file.read_bytes()
    async with console.of("operator") as browser:
        page = await put(browser, text)
        assert page.status == 422
        assert says in words(page)
        assert file.read_bytes() == before


async def test_routes_are_tried_out_on_stored_tickets(console: Console) -> None:
    """What would go elsewhere is listed, and nothing is changed by it."""
    unit = other_than(await unit_of(console))
    file = console.world.gateway.config
    before = file.read_bytes()
    async with console.of("operator") as browser:
        tried = await send(browser, "try", routes(unit), last="200")
        assert tried.status == 200
        assert console.world.office.taken[-1].subject in words(tried)
        assert "件去向会改变" in words(tried)
        assert "检查通过" in words(await send(browser, "check", routes(unit)))
        assert (await send(browser, "put", routes("市城管局"))).status == 400  # no reason
        assert (await send(browser, "drop", routes("市城管局"))).status == 400
    assert file.read_bytes() == before


async def test_the_second_of_two_editors_is_told(console: Console) -> None:
    """Nothing of the first is overwritten, and the second keeps what they typed."""
    async with console.of("operator") as one, console.of("admin") as two:
        base = await base_of(two)
        assert (await put(one, routes("市水利局"))).status == 303
        late = await put(two, routes("市城管局"), base)
        assert late.status == 409
        assert "已被他人改动" in words(late)
        assert "市城管局" in late.text
        same = await put(two, routes("市水利局").replace("\n", "\r\n") + "\r\n")
        assert (same.status, "没有需要生效" in words(same)) == (409, True)


async def test_a_change_by_hand_comes_first(console: Console) -> None:
    """What is in the file but not in force is neither taken for it nor overwritten."""
    gateway = console.world.gateway
    by_hand = gateway.config.read_text() + "  # 手工改动\n"
    head = by_hand.partition("routes:")[0]
    gateway.config.write_text(head + routes("市民政局"))
    async with console.of("operator") as browser:
        page = await browser.get("routes")
        assert "尚未生效" in words(page)
        assert "市民政局" not in words(page)
        assert (await put(browser, routes("市城管局"))).status == 409
        gateway.signal(signal.SIGHUP)

        async def reloaded() -> bool:
            return "市民政局" in words(await browser.get("routes"))

        await eventually(reloaded, "the reload")
        assert forms_of(await browser.get("routes/edit"))[-1].names >= {"text", "why"}


async def test_a_file_that_cannot_be_written_is_told(console: Console) -> None:
    """With what to do; nothing is in force that is not in the file."""
    file = console.world.gateway.config
    before, unit = file.read_bytes(), await unit_of(console)
    in_the_way = file.with_name(f".{file.name}.new")
    in_the_way.mkdir()
    async with console.of("operator") as browser:
        page = await put(browser, routes(other_than(unit)))
        in_the_way.rmdir()
        assert page.status == 503
        assert "无法写入" in words(page)
        assert str(file) in words(page)
        assert file.read_bytes() == before
        assert await unit_of(console) == unit
        assert "未曾生效" in words(await browser.get("routes"))


async def test_a_version_that_is_none_is_not_there(console: Console) -> None:
    """Whatever is written in its place."""
    async with console.of("operator") as browser:
        for path in ("versions/999", "versions/0", "versions/x", "versions/-1", "edit?from=999"):
            assert (await browser.get(f"routes/{path}")).status == 404
        assert (await browser.get("routes/edit?from=%27")).status == 404


async def killed(console: Console, unit: str, moment: Callable[[], bool]) -> None:
    """Kill the gateway at a moment of putting routes in force."""
    async with console.of("operator") as browser:
        sending = asyncio.create_task(put(browser, routes(unit)))
        await until(moment)
        await console.world.gateway.kill()
        with contextlib.suppress(aiohttp.ClientError):
            await sending


async def test_a_gateway_that_is_killed_has_the_old_routes_or_the_new(tmp_path: Path) -> None:
    """Killed before the file is replaced, or just then: it is whole, and what it says is in force."""
    async with running(tmp_path) as console:
        gateway = console.world.gateway
        file, beside = gateway.config, gateway.config.with_name(f".{gateway.config.name}.new")
        old = file.read_bytes()
        new = old[: old.index(b"routes:")] + routes("市城管局").encode()
        await killed(console, "市城管局", lambda: beside.exists() or file.read_bytes() != old)
        assert file.read_bytes() in (old, new)
        kept = file.read_bytes()
        await gateway.start()
        async with console.of("operator") as browser:
            page = words(await browser.get("routes"))
            assert "尚未生效" not in page
            assert f"backoffice {'市城管局' if kept == new else '市长热线办'}" in page
            assert "市城管局" in words(
                await browser.get(f"routes/versions/{await newest(browser)}")
            )
        await killed(console, "市水利局", lambda: file.read_bytes() != kept)
        assert file.read_bytes() == new.replace("市城管局".encode(), "市水利局".encode())
        assert load(file).settings.routes[0].send.unit == "市水利局"
