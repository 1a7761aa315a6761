"""``gateway routes diff``: which stored tickets would go elsewhere by another configuration."""

import argparse
import asyncio
from pathlib import Path

import msgspec

from config.load import DEFAULT, Loaded, load
from gateway.commands.check import is_wrong
from gateway.rerouting import Report, replayed, shown
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
        return await replayed(store, rules, arguments.last)
    finally:
        await store.close()


def _in_force(arguments: argparse.Namespace) -> Path:
    """Return the file whose store is read: a new one that was copied names the same store."""
    given: Path | None = arguments.in_force
    if given is not None:
        return given
    other: Path = arguments.config
    return DEFAULT if DEFAULT.is_file() else other
