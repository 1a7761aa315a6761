"""What channels are lent: each what it asks for, by one list of ports."""

import ast
from pathlib import Path
from typing import Any

import pytest

from gateway.carriers import CarrierReports, Recollection
from gateway.lending import GIVEN, Means, lend
from tests.clock import FakeClock
from tests.gateway.world import World
from tests.meta.tree import ROOT


@pytest.fixture
def means(world: World, tmp_path: Path) -> Means:
    """Return something of each kind; what it is does not matter here."""
    told: Any = object()
    return Means(
        shared=told,
        folder=tmp_path,
        urgent=lambda _: False,
        line=told,
        memory=Recollection(world.store),
        reports=CarrierReports(world.store, FakeClock()),
        registry=told,
    )


class Asking:
    """A part that has the methods of some ports and remembers what it was given."""

    def __init__(self, *ports: str) -> None:
        self._ports = ports
        self.given: list[tuple[str, tuple[Any, ...]]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._ports:
            raise AttributeError(name)
        return lambda *what: self.given.append((name, what))


def test_a_part_is_given_what_it_asks_for(means: Means) -> None:
    """All of it, once, though it is a channel and a messenger at once; and nothing else."""
    greedy, modest, quiet = Asking(*GIVEN), Asking("heed"), Asking()
    lend(means, [("sms", greedy), ("email", modest), ("web", quiet), ("sms", greedy)])
    assert dict(greedy.given) == {
        "share": (means.shared,),
        "keep_in": (means.folder / "sms",),
        "heed": (means.urgent,),
        "follow": (means.reports.tell,),
        "recall": (means.memory.taken,),
        "equip": (means.line,),
        "entrust": (means.registry,),
    }
    assert len(greedy.given) == len(GIVEN)
    assert modest.given == [("heed", (means.urgent,))]
    assert quiet.given == []


def test_every_port_is_one_that_a_channel_can_ask_by() -> None:
    """Each is the one method of a protocol that the channels' own packages define."""
    files = [ROOT / "channels/base.py", *ROOT.glob("channels/*/ports.py")]
    defined = {
        tuple(n.name for n in node.body if isinstance(n, ast.FunctionDef))
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    assert {(port,) for port in GIVEN} <= defined
