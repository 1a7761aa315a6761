"""``gateway check``: what is wrong with a configuration, without side effects."""

import argparse
import sys

from config.load import load
from gateway import plugins
from gateway.configcheck import problems
from gateway.rules import compile_rules
from normalizer.errors import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Return 0 for a configuration that can be served, else print its problems and return 2."""
    if foreign := plugins.foreign_packages():
        raise ConfigError("\n".join(foreign))
    loaded = load(arguments.config)
    wrong = problems(loaded, plugins.load("gateway.channels"), plugins.load("gateway.adapters"))
    for problem in wrong:
        print(problem, file=sys.stderr)
    if wrong:
        return 2
    compile_rules(loaded)
    print(f"{loaded.path}: good")
    return 0
