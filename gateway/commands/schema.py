"""``gateway schema``: the JSON Schema of the ticket and of every event."""

import argparse
import json

from gateway.jsonschema import schema


def run(_arguments: argparse.Namespace) -> int:
    """Print the schema and return 0."""
    print(json.dumps(schema(), ensure_ascii=False, indent=2, sort_keys=True))
    return 0
