"""The store of several gateways: a PostgreSQL database."""

import asyncio
import json
import os
import secrets
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg

from channels.base import Entry
from gateway.store import ops
from gateway.store.lined import LinedStore
from gateway.store.locking import take_lock
from gateway.store.postgres_commit import LOCKS, PostgresCommitter
from gateway.store.postgres_link import BROKEN, Link, asked, meaning, name_of
from gateway.store.postgres_migrate import migrate, version_of
from gateway.store.postgres_read import PostgresReader
from gateway.store.sql import migrations, too_old
from gateway.store.watching import Moved
from normalizer.errors import ConfigError, StoreError

SECRET_OCTETS = 32


def from_url(url: str, *, owner: bool = True, folder: Path | None = None) -> "PostgresStore":
    """Return the store of ``postgresql://user:pw@host/db``.

    Raises:
        ConfigError: The URL names no database.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres") or len(parts.path) < 2:
        raise ConfigError("store.url: expected postgresql://user:pw@host/db")
    return PostgresStore(url, owner=owner, folder=folder)


class PostgresStore(LinedStore):
    """A `gateway.store.base.Store` in a database that several gateways may share.

    Args:
        url: Where it is. Not through a pooler that changes the connection between transactions:
            what a gateway has leased is bound to its own.
        owner: Whether this is a gateway. A command that works beside it is not: it leases nothing
            and does not bring the schema up to date.
        folder: Of this gateway alone: no other on this machine may have the same.
    """

    def __init__(self, url: str, *, owner: bool = True, folder: Path | None = None) -> None:
        super().__init__(name_of(url))
        self._url = url
        self._owner = owner
        self._folder = folder
        self._lock: int | None = None

    async def open(self) -> None:
        """Bring the schema up to date and take a number for this gateway.

        Raises:
            StoreError: The database cannot be used as it is, or another gateway has the folder.
        """
        if self._folder is not None and self._owner:
            self._lock = take_lock(self._folder / "gateway")
            if self._lock is None:
                raise StoreError(
                    f"{self._folder}: another gateway process runs on this folder; "
                    "give each a store.folder of its own"
                )
        try:
            self._secret, node = await asyncio.to_thread(self._prepare)
        except (*BROKEN, asyncpg.PostgresError, StoreError, ValueError) as error:
            await self.close()
            raise StoreError(meaning(error, self._name)) from error
        self._read_by(PostgresReader(self._url))
        writer = PostgresCommitter(self._url, node)
        self._write_by(writer.run, lambda _: None, writer.close)  # the server tidies up by itself

    def _prepare(self) -> tuple[bytes, int]:
        """Return the store's secret and this gateway's number, 0 for a command."""
        scripts = migrations("postgres")
        link = Link(self._url, asked("read", "postgres_life", "postgres_write"))
        try:
            link.ensure()
            if self._owner:
                migrate(link, self._name, scripts)
                link.changed("keep_secret", secrets.token_bytes(SECRET_OCTETS))
                gone = [row[0] for row in link.rows("gone", LOCKS)]
                link.changed("free_leases", json.dumps(gone))
            elif version_of(link, self._name, len(scripts)) < len(scripts):
                raise too_old(self._name)
            secret = bytes(link.rows("secret")[0][0])
            return secret, link.rows("next_node")[0][0] if self._owner else 0
        finally:
            link.close()

    async def close(self) -> None:
        """Finish what was asked and let go of the store. May be called twice."""
        await super().close()
        if self._lock is not None:
            os.close(self._lock)
        self._lock = None

    async def shared(self, name: str) -> Entry | None:
        """Return what all gateways see under a name. Raises `StoreError`."""
        return await self._read(lambda reader: cast("PostgresReader", reader).shared(name))

    async def swap(self, name: str, value: bytes, version: int) -> bool:
        """Put a value where this version lies (0: nothing); False where another one does.

        Raises:
            StoreError: The server refused; nothing was written.
        """
        return bool(await self._write(ops.Swap(name, value, version)))

    async def tend(self) -> int:
        """Make due what gateways that are gone had leased; return how many deliveries.

        One that has only lost its connection has until the next call but one to come back.
        """
        freed: Any = await self._write(ops.Tend())
        return int(freed)

    async def moved(self, since: int | None) -> tuple[list[Moved], int]:
        """Return the incidents that have changed behind an event, and the newest event there is.

        ``since`` None: only where the events end now. Raises `StoreError`.
        """
        return await self._read(lambda reader: cast("PostgresReader", reader).moved(since))
