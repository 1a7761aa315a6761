"""The reference names every setting, command, metric and error, and none that does not exist."""

import argparse
import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from config import settings
from config.region import RegionPack
from config.settings import Section
from gateway import cli
from gateway.health import Health, Part, State
from gateway.metrics import Metrics
from gateway.store.sqlite import SqliteStore
from normalizer.errors import GatewayError
from tests.clock import FakeClock
from tests.meta.tree import PACKAGES, code, modules, page, says

#: Groups of parts whose readiness is told.
GROUPS = ("channels", "adapters", "queue")
CONFIGURATION = page("reference/configuration.md")


def sections(module: object) -> list[type[Section]]:
    """Return the models of settings that a module defines."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Section)
        and value.__module__ == module.__name__  # type: ignore[attr-defined]
        and value.model_fields
    ]


@pytest.mark.parametrize("model", sections(settings), ids=lambda m: m.__name__)
def test_every_setting_is_documented(model: type[Section]) -> None:
    """Each key of a configuration file is on the page of the configuration."""
    assert [f for f in model.model_fields if not says(CONFIGURATION, f)] == []


@pytest.mark.parametrize("name", ["instance", "http", "store", "queue", "cards"])
def test_the_settings_of_single_sections_are_given_by_path(name: str) -> None:
    """The keys of each section have a row, and there is no row for others."""
    model = settings.Settings.model_fields[name].annotation
    assert isinstance(model, type)
    assert issubclass(model, Section)
    told = set(re.findall(rf"`{name}\.(\w+)`", CONFIGURATION))
    assert told == set(model.model_fields)


def test_every_part_of_a_rule_pack_is_documented() -> None:
    """Each part of a region's rule pack is on the page of the packs."""
    text = page("reference/region-packs.md")
    assert [f for f in RegionPack.model_fields if not says(text, f)] == []


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command, sub-commands too, with its parser."""

    def below(
        parser: argparse.ArgumentParser, words: str
    ) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for name, child in action.choices.items():
                    yield name, child
                    yield from below(child, f"{words} {name}")

    yield from below(cli._parser(), "gateway")


def flags(parser: argparse.ArgumentParser) -> set[str]:
    """Return the options of a command except help."""
    return {s for a in parser._actions for s in a.option_strings if s not in ("-h", "--help")}


COMMANDS = dict(commands())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_flag_is_documented(name: str) -> None:
    """Each command of the command line is on its page, with its flags."""
    text = page("reference/cli.md")
    assert says(text, name)
    assert [flag for flag in flags(COMMANDS[name]) if not says(text, flag)] == []


def test_no_other_flag_is_documented() -> None:
    """A flag on the page is one that a command takes."""
    known = {flag for parser in COMMANDS.values() for flag in flags(parser)}
    told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", code(page("reference/cli.md"))))
    assert told - known == set()


async def names_of_metrics(folder: Path) -> set[str]:
    """Return the names that ``/metrics`` shows, gauges included."""
    store = SqliteStore(folder / "gateway.db")
    await store.open()
    metrics = Metrics()
    probes = {name: lambda: {"x": Part(state=State.OK)} for name in GROUPS}
    await Health(store, FakeClock(), probes).gauges(metrics)
    await store.close()
    return {
        family.name + ("_total" if family.type == "counter" else "")
        for family in metrics.registry.collect()
    }


async def test_every_metric_is_documented_and_no_other(tmp_path: Path) -> None:
    """The page of the metrics and what is scraped hold the same names."""
    told = set(re.findall(r"gateway_[a-z_]+", code(page("reference/metrics.md"))))
    assert told == await names_of_metrics(tmp_path)


def test_the_parts_of_readiness_are_those_that_the_gauges_name() -> None:
    """The groups of parts in this file are those that the gateway is built with."""
    (names,) = [
        [key.value for key in probes.keys if isinstance(key, ast.Constant)]
        for _, tree in modules()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Health"
        for probes in call.args
        if isinstance(probes, ast.Dict)
    ]
    assert names == list(GROUPS)


def counted() -> set[str]:
    """Return every event that is counted, from the calls in the source."""
    found = set()
    for name, tree in modules():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and re.search(
                r"(metrics|counters)\.count$", ast.unparse(node.func)
            ):
                event = node.args[0]
                assert isinstance(event, ast.Constant), f"{name}:{node.lineno}: not a constant"
                found.add(str(event.value))
    return found


def test_every_counted_event_is_documented_and_no_other() -> None:
    """The table of events and the source hold the same names."""
    heading = "## What `gateway_events_total` counts"
    table = page("reference/metrics.md").split(heading)[1].split("|---|---|---|\n")[1]
    told = set(re.findall(r"^\| `(\w+)` \|", table.split("\n## ")[0], re.MULTILINE))
    assert told == counted()


def errors(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    """Yield the whole tree of errors, of every module that defines some."""
    yield kind
    for child in kind.__subclasses__():
        yield from errors(child)


def codes() -> dict[str, list[str]]:
    """Return the errors of the packages by code."""
    for name, tree in modules():
        if any(isinstance(n, ast.ClassDef) and n.bases for n in tree.body):
            import_module(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    found: dict[str, list[str]] = {}
    for error in errors():
        if error.__module__.split(".")[0] in PACKAGES:
            found.setdefault(error.code, []).append(error.__qualname__)
    return found


def test_every_error_has_a_code_of_its_own() -> None:
    """No two errors share a code, so that a code names one thing."""
    assert {code: names for code, names in codes().items() if len(set(names)) > 1} == {}


def test_every_error_code_is_documented_and_no_other() -> None:
    """The page of the errors and the source hold the same codes."""
    text = page("reference/errors.md")
    assert [code for code in codes() if not says(text, code)] == []
    rows = re.findall(r"^\| `(\w+)` \|", text.split("## Rules")[0], re.MULTILINE)
    assert set(rows) - set(codes()) == set()


def test_every_rule_that_forbids_a_step_is_documented() -> None:
    """Whoever gets a 409 finds the rule that it names."""
    text = page("reference/errors.md")
    rules = {
        node.args[0].value
        for _, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"NotAllowed", "self._refuse"}
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(rules) > 5
    assert [rule for rule in rules if not says(text, rule)] == []
