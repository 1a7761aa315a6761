"""Where stored tickets would go by other rules."""

from pathlib import Path

import msgspec
import pytest

from config.load import load
from gateway.compose import Rules
from gateway.rerouting import Report, moved, newest, shown
from gateway.rules import compile_rules
from gateway.store.base import StoredTicket
from normalizer.schema import Domain, RequestType
from tests.gateway.world import CONFIG, COURT, FIRE, LAMP, World

MILK = "超市卖过期牛奶，要求退款"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Rules by which matters of the market go to a unit of their own."""
    path = tmp_path_factory.mktemp("other") / "gateway.yaml"
    market = 'when: {called: "12315"}, send: {to: office, unit: 市市场监管局}'
    assert market in CONFIG
    changed = "when: {domain: market}, send: {to: office, unit: 市农业农村局}"
    path.write_text(CONFIG.replace(market, changed), encoding="utf-8")
    return compile_rules(load(path))


async def kept(world: World, text: str, **more: object) -> StoredTicket:
    receipt = await world.intake.accept(world.inbound(text, **more))
    return await world.ticket(receipt.number)


@pytest.mark.parametrize("text", [LAMP, FIRE, COURT, MILK])
async def test_by_the_rules_in_force_nothing_moves(world: World, rules: Rules, text: str) -> None:
    """Every ticket goes where it went, whatever it is."""
    assert moved(await kept(world, text), rules, b"") is None


async def test_another_route_is_told_with_its_reason(world: World, other: Rules) -> None:
    """Old and new way stand beside each other, and what differs is named."""
    stored = await kept(world, MILK)
    one = moved(stored, other, b"")
    assert one is not None
    assert (one.number, one.was.unit, one.would_be.unit) == (
        stored.number,
        stored.ticket.route.unit,
        "市农业农村局",
    )
    assert {"route", "unit", "why"} <= set(one.changed)
    assert one.would_be.why == "domain=market"
    told = shown(Report(tickets=1, elsewhere=(one,)))
    assert told.splitlines()[0] == stored.number
    assert f"{stored.ticket.route.unit} → 市农业农村局" in told
    assert told.endswith("1 of 1 tickets would go elsewhere")
    assert MILK[:4] not in told


async def test_a_route_of_another_name_is_no_other_way(world: World, tmp_path: Path) -> None:
    """Who renames a route moves nothing."""
    path = tmp_path / "gateway.yaml"
    path.write_text(CONFIG.replace("name: rest", "name: remainder"), encoding="utf-8")
    assert moved(await kept(world, LAMP), compile_rules(load(path)), b"") is None


async def test_another_lexicon_shows_too(world: World, rules: Rules) -> None:
    """What was an emergency by the old words would call no desk by new ones, and it says so."""
    stored = await kept(world, FIRE)
    calm = msgspec.structs.replace(
        stored.ticket, content=msgspec.structs.replace(stored.ticket.content, text=LAMP, title=None)
    )
    one = moved(msgspec.structs.replace(stored, ticket=calm), rules, b"")
    assert one is not None
    assert one.was.desks[:2] == ("119", "120")
    assert one.would_be.desks == ()
    assert {"desks", "urgency"} <= set(one.changed)


async def test_what_the_citizen_chose_stands(world: World, other: Rules) -> None:
    """A chosen domain and type decide by the other rules as they did."""
    stored = await kept(world, LAMP, domain=Domain.MARKET, type=RequestType.PRAISE)
    raw = b'{"service_code":"market","attribute[type]":"praise"}'
    one = moved(stored, other, raw)
    assert one is not None
    assert (one.would_be.domain, one.would_be.type) == (Domain.MARKET, RequestType.PRAISE)
    assert one.would_be.unit == "市农业农村局"


async def test_the_newest_are_read_and_no_more(world: World) -> None:
    """So many as were asked for, or as there are, with what was kept of the web's."""
    numbers = [(await kept(world, f"{LAMP}{n}")).number for n in range(3)]
    two = [(stored.number, raw) async for stored, raw in newest(world.store, 2)]
    assert [number for number, _ in two] == numbers[:0:-1]
    assert two[0][1].decode() == f"{LAMP}2"
    assert len([1 async for _ in newest(world.store, 99)]) == 3
