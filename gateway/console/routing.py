"""Changing the routes of a gateway that runs: checked, tried out, kept, written and put in force.

The configuration's file is the truth: what is put in force stands there, so that a restart has it, too.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from config.load import Invalid, Loaded, load, shipped
from config.routes_text import Block, block_of, only_routes, plain, same
from config.settings import Settings
from gateway.console.replacing import ChangedMeanwhile, Unwritable, replace
from gateway.console.trial import Trial, TrialFailed
from gateway.console.trial_child import Told, Wrong
from gateway.store.accounts import NewEntry, RoutesKept
from normalizer.errors import ConfigError, GatewayError, StoreError

log = logging.getLogger(__name__)

#: Stored tickets that routes are tried on before they are put in force, whoever tried them before: an
#: expression that never ends on what citizens write would hold all of them up.
_PROBED = 200
_NOTHING = Told()
#: Octets of routes that are typed: a city's have a tenth of it, and reading YAML holds all others up.
TEXT_MOST = 64 << 10

#: Makes an entry for the audit: action, subject and details.
Entries = Callable[..., NewEntry]


class NotNoted(GatewayError):
    """Routes are in force, but the store could not note it."""

    code = "not_noted"


class Running(Protocol):
    """The gateway that runs."""

    @property
    def loaded(self) -> Loaded:
        """The configuration in force."""
        ...

    async def reload_from(self, path: Path | None) -> None:
        """Read a configuration's file and put it in force. Raises `ConfigError`."""
        ...


@dataclass(frozen=True, slots=True)
class Current:
    """The routes as they stand in the file."""

    path: Path
    #: Why they cannot be changed from here: shipped, unreadable, no_block, wrong or not_loaded.
    trouble: str | None = None
    detail: str = ""
    raw: bytes = b""
    block: Block | None = None

    @property
    def text(self) -> str:
        """The routes, empty where they cannot be told."""
        return plain(self.block.text) if self.block is not None else ""

    @property
    def digest(self) -> str:
        """What tells these routes from others."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Looked:
    """What a check or a try found, or why it was not made."""

    current: Current
    trouble: str | None = None  #: as of `Current`, or conflict, unchanged
    told: Told = _NOTHING

    @property
    def good(self) -> bool:
        """Whether the routes can be put in force."""
        return self.trouble is None and not self.told.wrong and self.told.failed is None


class Routing:
    """Changes the routes of one gateway.

    Args:
        kept: Where versions are kept.
    """

    def __init__(self, kept: RoutesKept) -> None:
        self._kept = kept
        self._trial = Trial()
        self._one = asyncio.Lock()
        self._gateway: Running | None = None

    def run_by(self, gateway: Running) -> None:
        """Change the routes of this gateway."""
        self._gateway = gateway

    @property
    def running(self) -> Running:
        """The gateway. Raises `ConfigError` while there is none."""
        if self._gateway is None:
            raise ConfigError("the gateway does not run yet")
        return self._gateway

    async def current(self) -> Current:
        """Return the routes as they stand in the file."""
        return await asyncio.to_thread(_current, self.running.loaded)

    async def look(self, text: str, base: str, last: int = 0) -> Looked:
        """Return what is wrong with other routes, or which of the last tickets would go elsewhere.

        Args:
            text: The routes.
            base: Digest of those that they were made from.
            last: Replay so many tickets; 0: none.

        Raises:
            TrialFailed: That took too long.
        """
        current = await self.current()
        if (trouble := _trouble(current, base)) is not None or current.block is None:
            return Looked(current, trouble)
        block = current.block
        if own := tuple(await asyncio.to_thread(_own_rules, text)):
            return Looked(current, told=Told(wrong=own))
        raw = block.replaced(text)
        told = await self._trial.run(current.path, raw, last)
        if not told.wrong and not await asyncio.to_thread(self._touches_routes_alone, current, raw):
            message = "this would change more than the routes: an anchor (&) that others use?"
            told = Told(wrong=(Wrong(line=block.line, path="", message=message),))
        return Looked(current, told=_from_its_line(told, block.line))

    def _touches_routes_alone(self, current: Current, raw: bytes) -> bool:
        try:
            changed = load(current.path, raw=raw).settings
        except ConfigError:
            return False
        return _but_routes(changed, self.running.loaded.settings)

    async def put(self, text: str, base: str, why: str, entry: Entries) -> Looked:
        """Put other routes in force, as a new version, and return what was found before.

        Only if `Looked.good` were they put in force.

        Raises:
            TrialFailed: The check took too long, or could not look at the last tickets.
            Unwritable: The file cannot be written; nothing has changed.
            ConfigError: They were refused after all; the old ones are in the file again.
            NotNoted: They are in force; only the store does not know.
            StoreError: They could not be kept; nothing has changed.
        """
        current = await self.current()
        if _trouble(current, base) is None and _is_short(text) and same(text, current.text):
            return Looked(current, "unchanged")
        looked = await self.look(text, base, _PROBED)
        if looked.trouble is None and not looked.told.wrong and looked.told.report is None:
            why = looked.told.failed or "there is no report"
            raise TrialFailed(f"the last tickets could not be tried, try again: {why}")
        if not looked.good:
            return looked
        async with self._one:
            # Somebody else may have been faster while the check ran.
            current = await self.current()
            trouble = _trouble(current, base)
            if trouble is not None or current.block is None:
                return Looked(current, trouble)
            try:
                await self._put(current, current.block.replaced(text), text, why, entry)
            except ChangedMeanwhile:
                return Looked(await self.current(), "conflict")
        return looked

    async def _put(self, current: Current, raw: bytes, text: str, why: str, entry: Entries) -> None:
        number = await self._kept.keep(plain(text), why, current.text, entry("routes.change"))
        try:
            await asyncio.to_thread(replace, current.path, current.raw, raw)
        except GatewayError as error:
            await self._kept.failed(entry("routes.failed", str(number), why=error.code))
            raise
        try:
            await self.running.reload_from(current.path)
        except (GatewayError, OSError) as error:
            why = error.code if isinstance(error, GatewayError) else "os"
            await self._back(current, raw, entry("routes.failed", str(number), why=why))
            raise ConfigError(str(error)) from error
        log.info("console.routes_in_force", extra={"version": number})
        try:
            await self._kept.came_into_force(number, entry("routes.in_force", str(number)))
        except StoreError as error:
            raise NotNoted(str(error)) from error

    async def _back(self, current: Current, raw: bytes, failed: NewEntry) -> None:
        """Note that routes were refused, then put the old ones in the file again, noted or not."""
        try:
            await self._kept.failed(failed)
        finally:
            try:
                await asyncio.to_thread(replace, current.path, raw, current.raw)
            except Unwritable as error:
                message = f"they are not in force, but they are still in the file: {error}"
                raise ConfigError(message) from error


def _current(loaded: Loaded) -> Current:
    path = loaded.path
    if path.parent == shipped().resolve():
        return Current(path, "shipped")
    try:
        raw = path.read_bytes()
        block = block_of(raw)
        found = load(path, raw=raw)
    except OSError as error:
        return Current(path, "unreadable", error.strerror or "")
    except Invalid as error:
        return Current(path, "wrong", str(error.problems[0]) if error.problems else "")
    except ConfigError as error:
        return Current(path, "no_block", str(error))
    as_it_runs = found.settings == loaded.settings
    return Current(path, None if as_it_runs else "not_loaded", raw=raw, block=block)


def _trouble(current: Current, base: str) -> str | None:
    if current.trouble is not None:
        return current.trouble
    return None if current.digest == base else "conflict"


def _but_routes(one: Settings, other: Settings) -> bool:
    """Return whether two configurations are the same but for their routes."""
    return one.model_copy(update={"routes": other.routes}) == other


def _is_short(text: str) -> bool:
    return len(text.encode(errors="replace")) <= TEXT_MOST


def _own_rules(text: str) -> list[Wrong]:
    """Return what may stand in a file but not in what is typed into a page."""
    if not _is_short(text):
        message = f"more than {TEXT_MOST >> 10} KB are not taken here; edit the file itself"
        return [Wrong(line=1, path="", message=message)]
    wrong = [
        # It would show the machine's variables and files to whoever may change routes.
        Wrong(line=at, path="", message="${…} is for who edits the file itself; write it out")
        for at, line in enumerate(plain(text).splitlines(), 1)
        if "${" in line
    ]
    if not wrong and not only_routes(text):
        wrong.append(Wrong(line=1, path="", message="routes: alone can be changed here"))
    return wrong


def _from_its_line(told: Told, first: int) -> Told:
    """Return problems with the lines of the text instead of those of the file."""
    wrong = tuple(
        Wrong(line=max(each.line - first + 1, 0), path=each.path, message=each.message)
        for each in told.wrong
    )
    return Told(wrong=wrong, report=told.report, failed=told.failed)
