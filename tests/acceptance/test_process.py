"""The process: signals, restarts, health, metrics and logs (contract sections 1 and 8)."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from tests.acceptance.office import Push, accept
from tests.acceptance.polling import eventually
from tests.acceptance.process import run, write_config
from tests.acceptance.signing import OFFICE_SECRET, PARTNER_SECRET, partner_message, push, signed
from tests.acceptance.world import DESK_TOKEN, World, opened, phone

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def flood(world: World, answered: list[dict[str, Any]], workers: int = 8) -> None:
    """File requests until nobody listens any more; keep what was answered 201."""

    async def one(worker: int) -> None:
        for index in range(100_000):
            try:
                answer = await world.citizen.post(
                    "/api/v1/requests", json={"text": f"第{worker}-{index}条：路面坑洼"}
                )
            except (aiohttp.ClientError, OSError):
                return
            assert answer.status in {201, 503}, answer.text
            if answer.status == 201:
                answered.append(answer.json)

    await asyncio.gather(*(one(worker) for worker in range(workers)))


async def tickets(world: World) -> set[str]:
    """Return the numbers of all stored tickets, as reconciliation pages them."""
    found: set[str] = set()
    cursor = ""
    while True:
        answer = await world.citizen.get(
            "/api/v1/backoffice/backoffice/tickets",
            params={"after": cursor} if cursor else {},
            headers=signed(OFFICE_SECRET, ""),
        )
        found |= {ticket["number"] for ticket in answer.json["tickets"]}
        cursor = answer.json["next"]
        if not cursor:
            return found


async def restarted(world: World) -> None:
    """Start the gateway again and let the client find it."""
    await world.gateway.start()
    world.citizen.base = world.gateway.url


async def all_pushed_once(world: World, answered: list[dict[str, Any]]) -> None:
    """Assert that what was answered is stored and pushed, each ticket under one id."""
    numbers = {each["number"] for each in answered}
    assert len(numbers) == len(answered)
    assert numbers <= await tickets(world)
    await world.office.until(
        lambda: numbers <= {each.subject for each in world.office.taken}, "every ticket pushed", 30
    )
    ids: dict[str, set[str]] = {}
    for each in world.office.pushes:
        ids.setdefault(each.subject, set()).add(each.id)
    assert {len(each) for each in ids.values()} == {1}


async def test_ready_line_is_the_only_output(world: World) -> None:
    """Serve prints one line on stdout, and answers at its URL at once."""
    assert world.gateway.out == f"ready {world.gateway.url}\n"
    assert (await world.citizen.get("/healthz")).status == 200


async def test_sigterm_under_load(tmp_path: Path) -> None:
    """SIGTERM under load: exit code 0, no answered request lost, none broken off."""
    answered: list[dict[str, Any]] = []
    async with opened(tmp_path) as world:
        load = asyncio.create_task(flood(world, answered))

        async def enough() -> bool:
            return len(answered) >= 200

        await eventually(enough, "200 answered requests", 20)
        world.gateway.signal(signal.SIGTERM)
        assert await world.gateway.ended() == 0
        await load
        await restarted(world)
        await all_pushed_once(world, answered)


async def test_sigterm_finishes_what_is_under_way(tmp_path: Path) -> None:
    """A request whose body is still coming when SIGTERM arrives is answered before the end."""
    async with opened(tmp_path) as world:
        halfway, go_on = asyncio.Event(), asyncio.Event()

        async def body() -> Any:
            yield '{"text": "路灯'.encode()
            halfway.set()
            await go_on.wait()
            yield '不亮"}'.encode()

        request = asyncio.create_task(
            world.citizen.post(
                "/api/v1/requests", data=body(), headers={"Content-Type": "application/json"}
            )
        )
        await halfway.wait()
        assert (await world.citizen.get("/healthz")).status == 200  # the first part is there
        world.gateway.signal(signal.SIGTERM)

        async def refuses() -> bool:
            try:
                return (await world.citizen.get("/healthz")).status == 503
            except (aiohttp.ClientError, OSError):
                return True

        await eventually(refuses, "no new connections")
        go_on.set()
        answer = await request
        assert answer.status == 201
        assert await world.gateway.ended() == 0


@pytest.mark.parametrize("after", [20, 150])
async def test_kill_and_restart(tmp_path: Path, after: int) -> None:
    """Kill -9 under load: all that was answered is there, and pushed under one id each."""
    answered: list[dict[str, Any]] = []
    async with opened(tmp_path) as world:
        load = asyncio.create_task(flood(world, answered))

        async def enough() -> bool:
            return len(answered) >= after

        await eventually(enough, f"{after} answered requests", 20)
        world.gateway.signal(signal.SIGKILL)
        assert await world.gateway.ended() == -signal.SIGKILL
        await load
        await restarted(world)
        await all_pushed_once(world, answered)
        for filed in answered[-3:]:
            assert (await world.citizen.progress(filed)).status == 200


async def test_incidents_survive_a_kill(tmp_path: Path) -> None:
    """An incident that was raised before kill -9 is at its desk after the restart."""
    async with opened(tmp_path) as world:
        filed = await world.citizen.file("汴河中路9号楼着火了，有人被困！", phone=phone())
        world.gateway.signal(signal.SIGKILL)
        await world.gateway.ended()
        await restarted(world)

        async def listed() -> bool:
            found = await world.incidents("120", "raised")
            return [filed["number"]] in [each["reports"] for each in found]

        await eventually(listed, "the incident at the desk")
        answer = await world.citizen.progress(filed)
        assert answer.status == 200


async def test_key_and_code_hold_after_a_restart(tmp_path: Path) -> None:
    """A repeat after a restart gets the first answer still."""
    async with opened(tmp_path) as world:
        key = {"Idempotency-Key": "after-the-restart"}
        body = {"text": "路灯不亮"}
        message = partner_message("路灯不亮")
        first = await world.citizen.post("/api/v1/requests", json=body, headers=key)
        pushed = await push(world.citizen, message)
        world.gateway.signal(signal.SIGKILL)
        await world.gateway.ended()
        await restarted(world)
        again = await world.citizen.post("/api/v1/requests", json=body, headers=key)
        assert (again.status, again.body) == (200, first.body)
        assert (await push(world.citizen, message)).body == pushed.body


async def test_sighup_reloads_a_route(tmp_path: Path) -> None:
    """SIGHUP puts a changed route in force; a bad file leaves the running one and says why."""
    async with opened(tmp_path) as world:

        async def unit() -> str:
            answer = await push(world.citizen, partner_message("商家不退款", to="12315"))
            ticket = (await world.office.event(answer.json["number"])).ticket
            return str(ticket["route"]["unit"])

        async def reload(change: dict[str, str]) -> None:
            world.settings["routes"][0]["send"] = {"to": "backoffice", **change}
            write_config(world.gateway.config, world.settings)
            world.gateway.signal(signal.SIGHUP)

        assert await unit() == "市市场监管局"
        await reload({"unit": "市商务局"})

        async def in_force() -> bool:
            return await unit() == "市商务局"

        await eventually(in_force, "the new route")
        before = len(world.gateway.err)
        await reload({"unit": "火星事务局"})

        async def said() -> bool:
            return "routes" in world.gateway.err[before:]

        await eventually(said, "the reason in the log")
        assert await unit() == "市商务局"
        assert world.gateway.running


async def test_second_serve_on_the_same_store(tmp_path: Path) -> None:
    """A second process on the same store ends with a clear message; the first goes on."""
    async with opened(tmp_path) as world:
        done = await run("serve", "--config", str(world.gateway.config), cwd=tmp_path)
        assert done.code in {1, 2}
        assert "gateway.db" in done.err
        assert "Traceback" not in done.err
        assert "ready" not in done.out
        filed = await world.citizen.file("路灯不亮")
        await world.office.event(filed["number"])


async def test_port_in_use(tmp_path: Path) -> None:
    """A port that is taken is a clear message, not a traceback."""
    async with opened(tmp_path) as world:
        port = int(world.gateway.url.rpartition(":")[2])
        other = world.settings | {"http": world.settings["http"] | {"port": port}}
        file = write_config(tmp_path / "other" / "gateway.yaml", other)
        done = await run("serve", "--config", str(file), cwd=tmp_path)
        assert done.code in {1, 2}
        assert str(port) in done.err
        assert "Traceback" not in done.err


async def test_readyz(world: World) -> None:
    """/readyz tells each channel's, adapter's, the store's and the queue's state."""
    answer = await world.citizen.get("/readyz")
    assert (answer.status, answer.media_type) == (200, "application/json")
    document = answer.json
    for group, names in {
        "channels": {"portal", "weibo"},
        "adapters": {"backoffice"},
        "store": set(),
        "queue": set(),
    }.items():
        text = str(document[group])
        assert all(name in text for name in names)
        assert "'state': 'ok'" in text
        assert "'since'" in text
        assert "'why'" in text


async def test_metrics(world: World) -> None:
    """/metrics is in the Prometheus text format; every name begins with gateway_."""
    await world.citizen.file("路灯不亮")
    answer = await world.citizen.get("/metrics")
    assert (answer.status, answer.media_type) == (200, "text/plain")
    families = list(text_string_to_metric_families(answer.text))
    assert families
    samples = [sample for family in families for sample in family.samples]
    assert samples
    assert [each.name for each in samples if not each.name.startswith("gateway_")] == []


async def test_logs_hold_no_personal_data_and_no_secret(tmp_path: Path) -> None:
    """Nothing that citizens said, no phone, code or secret is in what the gateway writes."""

    async def fail_once(each: Push) -> Any:
        world.office.answer = accept
        return await _refused(each)

    async with opened(tmp_path) as world:
        world.office.answer = fail_once
        number = phone()
        filed = await world.citizen.file(
            "紫藤花架倒塌，门牌皖L7K8P9，身份证342201199001011234",
            name="某居民",
            phone=number,
            email="wisteria@mail.example",
        )
        fire = await world.citizen.file("紫藤巷9号着火了，有人被困", phone=phone())
        await world.citizen.step(filed, "messages", text="紫藤补充")
        await world.citizen.post("/api/v1/requests", data='{"text": "紫藤'.encode())
        await world.citizen.post("/api/v1/requests", json={"text": 5, "phone": number})
        await world.citizen.progress(filed | {"query_code": "WRONGONE"})
        await push(world.citizen, '{"text": "紫藤"}')
        await push(world.citizen, partner_message("紫藤坏了"))
        await world.office.event(fire["number"])
        await world.office.event(filed["number"], "hotline.ticket.added")
        world.gateway.signal(signal.SIGTERM)
        assert await world.gateway.ended() == 0
        written = world.gateway.out + world.gateway.err
    assert written
    for private in (
        "紫藤",
        "某居民",
        number,
        "wisteria",
        "L7K8P9",
        "342201199001011234",
        filed["query_code"],
        fire["query_code"],
        DESK_TOKEN,
        PARTNER_SECRET.removeprefix("whsec_"),
        OFFICE_SECRET.removeprefix("whsec_"),
    ):
        assert private not in written, private


async def _refused(_push: Push) -> Any:
    return web.Response(status=500, text="紫藤 echoed by the office")
