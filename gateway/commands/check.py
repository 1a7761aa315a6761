"""``gateway check``: what is wrong with a configuration, without side effects."""

import argparse
import sys

from config.load import Loaded, load
from gateway import plugins
from gateway.configcheck import problems
from gateway.rules import compile_rules
from normalizer.errors import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Return 0 for a configuration that can be served, else print its problems and return 2."""
    if foreign := plugins.foreign_packages():
        raise ConfigError("\n".join(foreign))
    loaded = load(arguments.config)
    if is_wrong(loaded):
        return 2
    compile_rules(loaded)
    print(f"{loaded.path}: good")
    return 0


def is_wrong(loaded: Loaded) -> bool:
    """Print each problem of a configuration to stderr, and return whether there is any."""
    wrong = problems(loaded, plugins.load("gateway.channels"), plugins.load("gateway.adapters"))
    for problem in wrong:
        print(problem, file=sys.stderr)
    return bool(wrong)
