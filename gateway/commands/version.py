"""``gateway version``."""

import argparse
from importlib.metadata import version


def run(_arguments: argparse.Namespace) -> int:
    """Print the version and return 0."""
    print(version("intake-gateway"))
    return 0
