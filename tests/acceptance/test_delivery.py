"""Delivery to a back office that misbehaves (contract section 6)."""

import asyncio
import re
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.acceptance.office import Push, accept
from tests.acceptance.polling import eventually
from tests.acceptance.process import Done, run
from tests.acceptance.world import World, opened, phone

pytestmark = pytest.mark.asyncio(loop_scope="module")

FIRE = "埇桥区汴河中路{}号居民楼着火了，火势很大，有人被困！"


async def all_taken(world: World, numbers: list[str], within_s: float = 30) -> None:
    """Return once the accepted event of every ticket was taken, each under one id."""
    await world.office.until(
        lambda: all(world.office.of(number) for number in numbers),
        f"{len(numbers)} tickets",
        within_s,
    )
    for number in numbers:
        ids = {push.id for push in world.office.pushes if push.subject == number}
        assert len(ids) == 1


async def state_of(world: World, group: str, name: str) -> dict[str, Any]:
    """Return what /readyz tells of one part."""
    answer = await world.citizen.get("/readyz")
    found = answer.json[group]
    part = found[name] if isinstance(found, dict) else next(p for p in found if p["name"] == name)
    assert isinstance(part, dict)
    assert part["state"] in {"ok", "degraded", "down"}
    return part


async def deadletter(world: World, *arguments: str) -> Done:
    """Run ``gateway deadletter`` with the configuration found in ./config."""
    return await run("deadletter", *arguments, cwd=world.folder)


@pytest.mark.parametrize("statuses", [[500, 404], [301, 401]], ids=str)
async def test_failing_office_that_recovers(world: World, statuses: list[int]) -> None:
    """Anything but 2xx and 410 is tried again, under the same id, until it is taken."""
    tries: list[Push] = []

    async def fail_twice(push: Push) -> web.Response:
        tries.append(push)
        return web.Response(status=[*statuses, 202][len(tries) - 1])

    world.office.answer = fail_twice
    filed = await world.citizen.file("垃圾清运不及时")
    await all_taken(world, [filed["number"]])
    world.office.answer = accept
    assert len(tries) == 3
    assert tries[0].event == tries[2].event
    assert tries[2].at - tries[1].at > tries[1].at - tries[0].at > 0.1  # growing delays


async def test_one_ticket_that_is_never_taken(world: World) -> None:
    """A ticket that the office always fails on holds up its own events and nobody else's."""
    poison = await world.citizen.file("围栏倒塌")
    await world.office.event(poison["number"])

    async def choosy(push: Push) -> web.Response:
        return web.Response(status=500 if push.subject == poison["number"] else 202)

    world.office.answer = choosy
    await world.citizen.step(poison, "messages", text="补充一")
    await world.citizen.step(poison, "messages", text="补充二")
    others = [await world.citizen.file("绿地被占") for _ in range(20)]
    await all_taken(world, [each["number"] for each in others], 10)
    assert len(world.office.of(poison["number"])) == 1
    world.office.answer = accept
    await world.office.until(lambda: len(world.office.of(poison["number"])) == 3, "the rest")
    texts = [
        push.event["data"]["message"]["text"] for push in world.office.of(poison["number"])[1:]
    ]
    assert texts == ["补充一", "补充二"]


async def test_too_many_requests_with_retry_after(world: World) -> None:
    """429 with Retry-After is tried again, not before the time that it asks for."""
    tries: list[Push] = []

    async def busy_once(push: Push) -> web.Response:
        tries.append(push)
        if len(tries) == 1:
            return web.Response(status=429, headers={"Retry-After": "2"})
        return web.Response(status=202)

    world.office.answer = busy_once
    filed = await world.citizen.file("树木遮挡信号灯")
    await all_taken(world, [filed["number"]])
    world.office.answer = accept
    assert tries[1].at - tries[0].at >= 1.9


async def test_hanging_push_does_not_hold_up_an_emergency(tmp_path: Path) -> None:
    """While every ordinary push hangs, an emergency is raised at once."""
    released = asyncio.Event()

    async def hang(push: Push) -> web.Response:
        if not push.emergency:
            await released.wait()
        return web.Response(status=202)

    async with opened(tmp_path) as world:
        world.office.answer = hang
        try:
            ordinary = [await world.citizen.file(f"第{i}条：路面破损") for i in range(50)]
            await world.office.until(lambda: len(world.office.pushes) > 0, "a hanging push")
            filed = await world.citizen.file(FIRE.format(7), phone=phone())
            incident = await world.office.raised(filed["number"], "119", within_s=3)
            assert incident["state"] == "raised"
        finally:
            released.set()
        numbers = [each["number"] for each in [*ordinary, filed]]
        await all_taken(world, numbers)


async def test_office_down_for_a_while(tmp_path: Path) -> None:
    """With connections refused nothing is lost, and each ticket's events come in order."""
    async with opened(tmp_path) as world:
        await world.office.stop()
        filed = [await world.citizen.file(f"第{i}条：路灯不亮") for i in range(10)]
        for one in filed:
            for text in ("补充一", "补充二"):
                assert (await world.citizen.step(one, "messages", text=text)).status == 202
        assert (await world.citizen.get("/healthz")).status == 200
        assert (await world.citizen.get("/readyz")).status == 200  # intake is possible
        await world.office.start()
        await world.office.until(lambda: len(world.office.taken) == 30, "30 events", 30)
        for one in filed:
            events = world.office.of(one["number"])
            assert [push.type for push in events] == ["hotline.ticket.accepted"] + [
                "hotline.ticket.added"
            ] * 2
            texts = [push.event["data"]["message"]["text"] for push in events[1:]]
            assert texts == ["补充一", "补充二"]


async def test_one_event_of_a_ticket_in_flight(tmp_path: Path) -> None:
    """The next event of a ticket is not sent before the last was answered."""
    under_way: dict[str, int] = {}
    most: list[int] = []

    async def slow(push: Push) -> web.Response:
        under_way[push.subject] = under_way.get(push.subject, 0) + 1
        most.append(under_way[push.subject])
        await asyncio.sleep(0.02)
        under_way[push.subject] -= 1
        return web.Response(status=202)

    async with opened(tmp_path) as world:
        world.office.answer = slow
        filed = [await world.citizen.file(f"第{i}条：噪音扰民") for i in range(3)]
        for one in filed:
            for index in range(5):
                await world.citizen.step(one, "messages", text=f"补充{index}")
        await world.office.until(lambda: len(world.office.taken) == 18, "18 events")
    assert set(most) == {1}


async def test_gone_disables_the_adapter(tmp_path: Path) -> None:
    """410 disables the adapter, /readyz says so, nothing is lost; SIGHUP enables it again."""

    async def gone(_push: Push) -> web.Response:
        return web.Response(status=410)

    async with opened(tmp_path) as world:
        assert (await state_of(world, "adapters", "backoffice"))["state"] == "ok"
        world.office.answer = gone
        first = await world.citizen.file("广告牌松动")

        async def disabled() -> dict[str, Any] | None:
            part = await state_of(world, "adapters", "backoffice")
            return part if part["state"] != "ok" else None

        part = await eventually(disabled, "the adapter to be disabled")
        assert part["since"]
        assert part["why"]
        seen = len(world.office.pushes)
        second = await world.citizen.file("台阶破损")
        assert len(world.office.pushes) == seen
        world.office.answer = accept
        world.gateway.signal(signal.SIGHUP)
        await all_taken(world, [first["number"], second["number"]])
        assert (await state_of(world, "adapters", "backoffice"))["state"] == "ok"


async def test_dead_letters(tmp_path: Path) -> None:
    """After retry_for an event is a dead letter: listed, shown, replayed or discarded."""

    async def broken(_push: Push) -> web.Response:
        return web.Response(status=500)

    async with opened(tmp_path, retry_for="2s") as world:
        world.office.answer = broken
        kept, dropped = [await world.citizen.file(f"第{i}条：护栏破损") for i in range(2)]

        async def both_listed() -> list[str] | None:
            lines = (await deadletter(world, "list")).out.splitlines()
            return lines if len(lines) >= 2 else None

        listed = await eventually(both_listed, "two dead letters", 30)
        assert all("hotline.ticket.accepted" in line for line in listed)
        assert all(re.search(r"\d{4}-\d\d-\d\dT\S+\+08:00\b", line) for line in listed)
        ids = {push.id: push.subject for push in world.office.pushes}
        named = {ids[word]: word for line in listed for word in line.split() if word in ids}
        kept_id, dropped_id = named[kept["number"]], named[dropped["number"]]
        shown = await deadletter(world, "show", kept_id)
        assert shown.code == 0
        assert kept_id in shown.out
        world.office.answer = accept
        assert (await deadletter(world, "discard", dropped_id)).code == 2  # --why is missing
        assert (await deadletter(world, "discard", dropped_id, "--why", "演练")).code == 0
        assert (await deadletter(world, "replay", kept_id)).code == 0
        await all_taken(world, [kept["number"]])
        assert world.office.of(dropped["number"]) == []
        assert (await deadletter(world, "list")).out == ""
        assert (await deadletter(world, "show", "no-such-item")).code == 1
