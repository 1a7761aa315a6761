"""The command ``routes diff`` beside a running gateway (contract section 1)."""

import copy
import json

import pytest

from tests.acceptance.process import run, write_config
from tests.acceptance.world import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAMP = "汴河路的路灯不亮了，希望尽快维修"


async def test_tickets_that_would_go_elsewhere_are_told(world: World) -> None:
    """While the gateway serves, from its store, as text and as JSON; only what differs."""
    lamp, other = await world.citizen.file(LAMP), await world.citizen.file("超市卖过期牛奶")
    changed = copy.deepcopy(world.settings)
    changed["routes"][0] = {
        "name": "lamps",
        "when": {"text": "路灯"},
        "send": {"to": "backoffice", "unit": "市城管局"},
    }
    new = write_config(world.folder / "new.yaml", changed)
    done = await run("routes", "diff", "--config", str(new), cwd=world.folder)
    assert done.code == 0, done.err
    assert lamp["number"] in done.out
    assert "市长热线办 → 市城管局" in done.out
    assert other["number"] not in done.out
    more = ("--last", "1", "--in-force", str(world.gateway.config))
    done = await run("routes", "diff", "--config", str(new), "--json", *more, cwd=world.folder)
    assert json.loads(done.out) == {"tickets": 1, "elsewhere": []}


async def test_a_configuration_that_cannot_be_served_is_refused(world: World) -> None:
    """Its problems are told as `gateway check` tells them, with exit code 2."""
    changed = copy.deepcopy(world.settings)
    changed["routes"][0]["send"]["to"] = "nobody"
    new = write_config(world.folder / "wrong.yaml", changed)
    done = await run("routes", "diff", "--config", str(new), cwd=world.folder)
    assert done.code == 2
    assert "wrong.yaml" in done.err
    for wrong in ("0", "-3", "many"):
        words = ("routes", "diff", "--config", str(new), "--last", wrong)
        assert (await run(*words, cwd=world.folder)).code == 2
    assert (await run("routes", "diff", cwd=world.folder)).code == 2
    missing = str(world.folder / "nothing.yaml")
    assert (await run("routes", "diff", "--config", missing, cwd=world.folder)).code == 2


async def test_without_a_store_there_is_nothing_to_replay(world: World) -> None:
    """A store that is not there is an error, and none is made."""
    elsewhere = copy.deepcopy(world.settings)
    elsewhere["store"] = {"url": "sqlite:///nowhere/none.db"}
    new = write_config(world.folder / "lone" / "new.yaml", elsewhere)
    done = await run("routes", "diff", "--config", str(new), cwd=new.parent)
    assert done.code == 1
    assert "none.db" in done.err
    assert not (new.parent / "nowhere").exists()
