"""The process that tries routes out: ``python -m gateway.console.trial_child``.

It reads one `Asked` from standard input and writes one `Told` to standard output. It is a process of
its own because what it runs is what somebody typed: a regular expression that never ends holds up this
process, which is killed, and no citizen.
"""

import asyncio
import os
import sys
from pathlib import Path

import msgspec

from config.document import Problem
from config.load import Invalid, Loaded, load
from gateway import plugins
from gateway.compose import Rules
from gateway.configcheck import problems
from gateway.rerouting import Report, replayed
from gateway.rules import compile_rules
from gateway.store.engines import from_url
from normalizer.errors import ConfigError, StoreError
from normalizer.schema import Value

#: How much is left to those who serve citizens.
_NICENESS = 10


class Asked(Value, frozen=True, kw_only=True):
    """What to try."""

    path: str  #: the configuration's file
    raw: bytes  #: what would be in it
    last: int  #: replay so many stored tickets; 0: none


class Wrong(Value, frozen=True, kw_only=True):
    """One problem."""

    line: int  #: of the file
    path: str
    message: str


class Told(Value, frozen=True, kw_only=True):
    """What came of it."""

    wrong: tuple[Wrong, ...] = ()
    report: Report | None = None
    failed: str | None = None  #: why there is no report


def wrong_of(found: Problem) -> Wrong:
    """Return a problem as it crosses to the parent."""
    return Wrong(line=found.line, path=found.path, message=found.message)


def _checked(asked: Asked) -> tuple[Loaded, Rules] | Told:
    """Return the configuration and its rules, or what `gateway check` would say."""
    try:
        loaded = load(Path(asked.path), raw=asked.raw)
    except Invalid as error:
        return Told(wrong=tuple(map(wrong_of, error.problems)))
    kinds = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
    if found := problems(loaded, *kinds):
        return Told(wrong=tuple(map(wrong_of, found)))
    try:
        return loaded, compile_rules(loaded)
    except ConfigError as error:
        return Told(wrong=(Wrong(line=0, path="", message=str(error)),))


async def _report(loaded: Loaded, rules: Rules, last: int) -> Told:
    store = from_url(loaded.settings.store.url, owner=False)
    try:
        await store.open()
        return Told(report=await replayed(store, rules, last))
    except StoreError as error:
        return Told(failed=str(error))
    finally:
        await store.close()


def main() -> int:
    """Try what standard input asks for."""
    os.nice(_NICENESS)
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Asked)
    found = _checked(asked)
    told = found if isinstance(found, Told) else Told()
    if not isinstance(found, Told) and asked.last:
        told = asyncio.run(_report(*found, asked.last))
    sys.stdout.buffer.write(msgspec.msgpack.encode(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
