"""``gateway bench``: the figures of contract section 9, as a table and as JSON."""

import argparse
import asyncio
import json

from gateway.bench.peers import EMBEDDED, Setup
from gateway.bench.run import everything
from gateway.bench.table import rows


def run(arguments: argparse.Namespace) -> int:
    """Measure, print the table, and return 0 unless something accepted was lost."""
    servers = None
    if arguments.postgres is not None:
        servers = Setup(store=arguments.postgres, queue=arguments.redis or EMBEDDED.queue)
    figures = asyncio.run(everything(arguments.rounds, arguments.seconds, servers))
    for line in rows(figures):
        print(line)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 1 if figures["kills"]["lost"] else 0
