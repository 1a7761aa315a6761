"""``gateway simulate``: realistic traffic of citizens into a gateway, over the real protocols."""

import argparse
import asyncio

import msgspec

from gateway.simulate.acts import Manner
from gateway.simulate.report import report, table
from gateway.simulate.run import simulate
from gateway.simulate.targets import end_of
from normalizer.errors import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Send for so long, print what became of it, and return 0 if nothing was lost or doubled, else 1."""
    ends = [end_of(url) for url in arguments.to]
    if len({end.name for end in ends}) < len(ends):
        raise ConfigError("--to: an address is given twice")
    manner = Manner(
        rate=arguments.rate,
        targets=len(ends),
        emergencies=arguments.emergencies,
        repeats=arguments.repeats,
    )
    sent = simulate(ends, manner, arguments.seconds, arguments.seed)
    sendings, lasted = asyncio.run(sent)
    found = report(sendings, (end.name for end in ends), lasted, arguments.seed)
    if arguments.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        print(table(found))
    return 0 if found.total.good else 1
