"""``gateway routes diff``: which stored tickets would go elsewhere by another configuration."""

import argparse
import asyncio
from pathlib import Path

import msgspec

from config.load import DEFAULT, Loaded, load
from gateway.commands.check import is_wrong
from gateway.rerouting import Moved, Report, moved, newest, shown
from gateway.rules import compile_rules
from gateway.store.engines import from_url


def run(arguments: argparse.Namespace) -> int:
    """Print the differences and return 0, or the problems of the other configuration and 2.

    Reads the store, writes nothing, and works beside a running gateway.
    """
    other = load(arguments.config)
    if is_wrong(other):
        return 2
    report = asyncio.run(_report(other, arguments))
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        print(shown(report))
    return 0


async def _report(other: Loaded, arguments: argparse.Namespace) -> Report:
    rules = await asyncio.to_thread(compile_rules, other)
    in_force = load(_in_force(arguments))
    store = from_url(in_force.settings.store.url, owner=False)
    await store.open()
    try:
        found: list[Moved] = []
        count = 0
        async for stored, raw in newest(store, arguments.last):
            count += 1
            if (one := moved(stored, rules, raw)) is not None:
                found.append(one)
        return Report(tickets=count, elsewhere=tuple(found))
    finally:
        await store.close()


def _in_force(arguments: argparse.Namespace) -> Path:
    """Return the file whose store is read: a new one that was copied names the same store."""
    given: Path | None = arguments.in_force
    if given is not None:
        return given
    other: Path = arguments.config
    return DEFAULT if DEFAULT.is_file() else other
