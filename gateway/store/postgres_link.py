"""One connection to PostgreSQL for one thread: made again when it breaks, asked without awaiting.

The store's threads work like SQLite's: a change or a question is a plain call. asyncpg has no such
calls, so each link has an event loop of its own that runs only while a call lasts.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import asyncpg

from gateway.store.sql import load
from normalizer.errors import StoreError

T = TypeVar("T")

#: Seconds for a connection, and for any one statement.
CONNECT_S = 5.0
STATEMENT_S = 30.0
#: For how long a server that has just been there is waited for: a restart takes a second or two.
PATIENCE_S = 5.0
_PAUSE_S = 0.2

_SETTINGS = {
    "application_name": "intake-gateway",
    "timezone": "UTC",
    # A gateway whose machine is gone holds the one row that all writers take; the server lets go of
    # it then: of a transaction that nobody goes on with, and of a connection that nobody answers.
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "20s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    # What is answered is durable, whatever the server's default.
    "synchronous_commit": "on",
}

#: The connection is of no more use; what was not committed is undone.
BROKEN = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # the server is told to stop, or starts
    asyncpg.InternalClientError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InvalidCachedStatementError,  # a newer gateway has changed the schema
)

_MEANINGS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (
        (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError),
        "the server refuses this user; check user and password in store.url",
    ),
    (asyncpg.InvalidCatalogNameError, "there is no such database; create it, in UTF-8"),
    (asyncpg.InsufficientPrivilegeError, "the user may not do this; make it the schema's owner"),
    (asyncpg.DiskFullError, "the server's disk is full; free space on it"),
    (asyncpg.TooManyConnectionsError, "the server takes no more connections; raise its limit"),
    (asyncpg.ReadOnlySQLTransactionError, "the server is a replica; name the primary"),
    (asyncpg.LockNotAvailableError, "another gateway holds the store's write lock for too long"),
    (BROKEN, "the server does not answer; start it, or check host and port in store.url"),
)


class Unsure(Exception):
    """The connection broke while a transaction was being committed, and nobody knows its fate."""


def name_of(url: str) -> str:
    """Return what a store is called in errors and logs: its address without user and password."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return f"postgresql://{host}{port}{parts.path}"


def meaning(error: BaseException, name: str) -> str:
    """Return what an error in the store means and what to do, without any stored value."""
    if isinstance(error, StoreError):
        return str(error)
    if isinstance(error, Unsure):
        return f"{name}: the connection broke at a commit, whose fate is not known; ask again"
    for kinds, text in _MEANINGS:
        if isinstance(error, kinds):
            return f"{name}: {text} ({type(error).__name__})"
    if isinstance(error, asyncpg.PostgresError):  # its text may quote what was to be stored
        return f"{name}: the database refused: {type(error).__name__} (SQLSTATE {error.sqlstate})"
    return f"{name}: {type(error).__name__} in the store; this is a fault of the program"


def fitting(value: Any) -> Any:
    """Return a value as PostgreSQL can hold it: its text has no NUL, so U+2400 stands for one.

    What a citizen sent is kept as octets and as JSON, where a NUL is none.
    """
    if type(value) is str and "\0" in value:
        return value.replace("\0", "\u2400")
    return value


def asked(*names: str) -> Mapping[str, str]:
    """Return the statements of ``queries/NAME.sql`` as PostgreSQL takes them."""
    return load(*names, numbered="$")


class Link:
    """A connection that is made at its first use, and again after it broke. For one thread.

    Args:
        url: ``postgresql://…`` as libpq understands it.
        statements: What is asked, by name: see `asked`.
        prepare: Called with each new connection's link.
    """

    def __init__(
        self,
        url: str,
        statements: Mapping[str, str],
        prepare: Callable[["Link"], None] = lambda _: None,
    ) -> None:
        self.name = name_of(url)
        self._url = url
        self._statements = {**asked("postgres_link"), **statements}
        self._prepare = prepare
        self._loop = asyncio.new_event_loop()
        self._connection: asyncpg.Connection[Any] | None = None
        self._well_at = -PATIENCE_S  #: when it last worked, monotonic
        self._session: tuple[Any, ...] | None = None  #: what the server knows the connection by

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def ensure(self) -> None:
        """Have a connection that works, as far as is known.

        Raises:
            OSError: Nobody answers. Or another one of `BROKEN`, or what the server refuses with.
        """
        if self._connection is not None and not self._connection.is_closed():
            return
        until = self._well_at + PATIENCE_S
        while True:
            try:
                self._connect()
            except BROKEN:
                self.drop()
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)
            except BaseException:
                self.drop()  # never used half prepared
                raise
            else:
                return

    def _connect(self) -> None:
        self._connection = self._run(
            asyncpg.connect(
                self._url,
                timeout=CONNECT_S,
                command_timeout=STATEMENT_S,
                server_settings=_SETTINGS,
            )
        )
        session = self.rows("session")[0]
        if self._session is not None:
            # The server may not have missed the connection that broke: what it left unfinished
            # would keep everybody waiting.
            self.rows("end_session", *self._session)
        self._session = session
        self._prepare(self)
        self.well()

    def well(self) -> None:
        """Note that the server answers."""
        self._well_at = time.monotonic()

    def drop(self) -> None:
        """Let go of the connection without a word."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()

    @property
    def _open(self) -> "asyncpg.Connection[Any]":
        if self._connection is None:
            raise ConnectionError("there is no connection")
        return self._connection

    def execute(self, script: str) -> None:
        """Run statements that need no values."""
        self._run(self._open.execute(script))

    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Return all rows of a statement as tuples."""
        values = map(fitting, bindings)
        found = self._run(self._open.fetch(self._statements[name], *values))
        return [tuple(row) for row in found]

    def changed(self, name: str, *bindings: Any) -> int:
        """Run a statement and return how many rows it changed."""
        values = map(fitting, bindings)
        status: str = self._run(self._open.execute(self._statements[name], *values))
        return int(status.rpartition(" ")[2])

    def many(self, name: str, bindings: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these bindings."""
        values = [tuple(map(fitting, one)) for one in bindings]
        self._run(self._open.executemany(self._statements[name], values))

    def close(self) -> None:
        """End the connection and the loop."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            try:
                self._run(connection.close(timeout=CONNECT_S))
            except BROKEN:
                connection.terminate()
        self._run(self._loop.shutdown_asyncgens())
        self._loop.close()
