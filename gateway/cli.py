"""The command line (contract section 1): parses words, runs one command, returns its exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from math import inf
from pathlib import Path

from normalizer.errors import ConfigError, GatewayError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="gateway", description="Citizen-intake gateway for 12345 hotlines."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", type=Path, metavar="FILE", help="configuration file")

    commands.add_parser("serve", parents=[config], help="run the gateway")
    demo = commands.add_parser("demo", help="show the main job on the embedded default")
    demo.add_argument("--once", action="store_true", help="exit when all arrived: 0, else 1")
    demo.add_argument(
        "--port", type=int, help="port of the pages (default: 8345, or any that is free)"
    )
    commands.add_parser("check", parents=[config], help="validate a configuration")
    _explain(commands, config)
    _evaluate(commands, config)
    _train(commands, config)
    _deadletter(commands, config)
    _routes(commands)
    _user(commands, config)
    _simulate(commands)
    bench = commands.add_parser("bench", help="measure the gateway on this machine")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    bench.add_argument("--seconds", type=float, default=5.0, help="length of one measured run")
    bench.add_argument("--rounds", type=int, default=3, help="paired runs a figure")
    bench.add_argument("--postgres", metavar="URL", help="an empty database: measure on it, too")
    bench.add_argument("--redis", metavar="URL", help="with it, the liaison queues are there")
    commands.add_parser("schema", help="print the JSON Schema of the ticket and every event")
    commands.add_parser("migrate", parents=[config], help="bring the store's schema up to date")
    commands.add_parser("version", help="print the version")
    return parser


def _explain(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    config: argparse.ArgumentParser,
) -> None:
    explain = commands.add_parser(
        "explain", parents=[config], help="print the ticket that a text would become"
    )
    explain.add_argument("--channel", default="web", metavar="KIND")
    explain.add_argument("--called", metavar="NUMBER", help="the number that was dialled")
    explain.add_argument("--jsonl", metavar="FILE", help="lines of texts; - is standard input")
    explain.add_argument("text", nargs="?", metavar="TEXT")


def _evaluate(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    config: argparse.ArgumentParser,
) -> None:
    evaluate = commands.add_parser(
        "evaluate", parents=[config], help="figures of the judge on labelled texts, with each miss"
    )
    evaluate.add_argument(
        "file", type=Path, metavar="FILE", help="JSONL lines, or a folder of seeds"
    )
    evaluate.add_argument("--json", action="store_true", help="print JSON")
    evaluate.add_argument(
        "--against",
        type=Path,
        metavar="PATH",
        help="lexicons, a model or a configuration to compare",
    )
    evaluate.add_argument(
        "--labels", type=Path, metavar="YAML", help="the site's names of types and domains"
    )


def _train(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    config: argparse.ArgumentParser,
) -> None:
    train = commands.add_parser(
        "train",
        parents=[config],
        help="make a model from labelled tickets (needs intake-gateway[train])",
    )
    train.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="JSONL lines, or a folder of seeds"
    )
    train.add_argument("--out", type=Path, required=True, metavar="MODEL", help="where it goes")
    train.add_argument("--alone", action="store_true", help="leave the shipped texts out")
    train.add_argument(
        "--labels", type=Path, metavar="YAML", help="the site's names of types and domains"
    )
    train.add_argument("--date", metavar="DATE", help="the card's date; default: today")
    train.add_argument(
        "--seed", type=int, default=12345, metavar="N", help="of the noise and folds"
    )


def _deadletter(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    config: argparse.ArgumentParser,
) -> None:
    group = commands.add_parser("deadletter", help="quarantined and undeliverable items")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("list", parents=[config], help="list them")
    show = actions.add_parser("show", parents=[config], help="print one")
    show.add_argument("id", metavar="ID")
    replay = actions.add_parser("replay", parents=[config], help="try them again")
    replay.add_argument("ids", nargs="+", metavar="ID")
    discard = actions.add_parser("discard", parents=[config], help="give one up, with a reason")
    discard.add_argument("id", metavar="ID")
    discard.add_argument("--why", required=True, metavar="TEXT")


def _user(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    config: argparse.ArgumentParser,
) -> None:
    group = commands.add_parser("user", help="who may use the console")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", parents=[config], help="let somebody in; asks for a password")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--role", required=True, help="admin, operator, liaison or auditor")
    actions.add_parser("list", parents=[config], help="list them with their roles")
    change = actions.add_parser("change", parents=[config], help="another role or password")
    change.add_argument("name", metavar="NAME")
    change.add_argument("--role", help="the new one")
    change.add_argument("--password", action="store_true", help="ask for a new one")
    remove = actions.add_parser("remove", parents=[config], help="let somebody in no more")
    remove.add_argument("name", metavar="NAME")


def _routes(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    group = commands.add_parser("routes", help="try routes on stored tickets")
    actions = group.add_subparsers(dest="action", required=True, metavar="ACTION")
    diff = actions.add_parser("diff", help="which tickets would go elsewhere by another file")
    diff.add_argument(
        "--config", type=Path, required=True, metavar="NEW", help="the other configuration file"
    )
    diff.add_argument(
        "--in-force",
        type=Path,
        metavar="FILE",
        help="the configuration whose store is read (default: ./config/gateway.yaml, else NEW)",
    )
    diff.add_argument(
        "--last", type=_count, default=1000, metavar="N", help="how many tickets (default: 1000)"
    )
    diff.add_argument("--json", action="store_true", help="print JSON")


def _simulate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    simulate = commands.add_parser(
        "simulate",
        help="send what citizens send to a gateway of yours, and count what became of it",
    )
    simulate.add_argument(
        "--to", nargs="+", required=True, metavar="URL", help="where; the scheme is the protocol"
    )
    simulate.add_argument(
        "--rate", type=_positive, required=True, metavar="N", help="acts a second, of all targets"
    )
    simulate.add_argument("--seconds", type=_positive, required=True, metavar="S", help="how long")
    simulate.add_argument(
        "--seed", type=int, default=12345, metavar="N", help="the same acts again"
    )
    simulate.add_argument(
        "--emergencies", type=_share, default=0.02, metavar="SHARE", help="of acts (default: 0.02)"
    )
    simulate.add_argument(
        "--repeats", type=_share, default=0.05, metavar="SHARE", help="sent twice (default: 0.05)"
    )
    simulate.add_argument("--json", action="store_true", help="print JSON")


def _positive(words: str) -> float:
    """Return a finite number above 0. Raises `ValueError` for any other words."""
    number = float(words)
    if not 0 < number < inf:
        raise ValueError
    return number


def _share(words: str) -> float:
    """Return a number from 0 to 1. Raises `ValueError` for any other words."""
    number = float(words)
    if not 0 <= number <= 1:
        raise ValueError
    return number


def _count(words: str) -> int:
    """Return a number from 1 up. Raises `ValueError` for any other words, as argparse wants it."""
    if (number := int(words)) < 1:
        raise ValueError
    return number


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` names and return its exit code."""
    arguments = _parser().parse_args(argv)
    logging.captureWarnings(True)
    command = import_module(f"gateway.commands.{arguments.command}")
    try:
        code: int = command.run(arguments)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    except GatewayError as error:
        print(f"gateway: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130
    return code
