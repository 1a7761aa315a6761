"""A PostgreSQL of the tests' own: a private port and a temporary folder, gone with the test process."""

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.peers.parent import die_with_parent

_PASSWORD = "p@ss:/word"
_QUOTED = "p%40ss%3A%2Fword"

SETTINGS = {
    # What a killed process had written is in the system's cache; only a machine's end would lose it.
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "warning",
}


def program(name: str) -> str:
    """Return the path of one of the server's programs; Debian keeps them off the path."""
    found = shutil.which(name)
    if found is None:
        places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
        assert places, f"these tests need {name}: apt-get install postgresql"
        found = str(places[-1])
    return found


class PostgresServer:
    """One server; its data survive `kill` and `start`."""

    def __init__(self) -> None:
        # Its own user must be able to walk there, which a folder of pytest's does not allow.
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-pg-"))
        # The server refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            known = pwd.getpwnam(self._user)
            os.chown(self.folder, known.pw_uid, known.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count(1)
        self.port = 0

    def create(self) -> None:
        """Make the server's files."""
        secret = self.folder / "password"
        secret.write_text(_PASSWORD + "\n", encoding="utf-8")
        secret.chmod(0o644)  # the folder above is closed
        words = ("-U", "gateway", "-A", "scram-sha-256", "--pwfile", str(secret), "-E", "UTF8")
        subprocess.run(
            [program("initdb"), "-N", "--locale=C.UTF-8", *words, "-D", str(self.folder / "data")],
            check=True,
            capture_output=True,
            user=self._user,
            cwd=self.folder,
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def start(self) -> None:
        """Return once the server takes connections."""
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), "-D", str(self.folder / "data"), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=self._user,
                extra_groups=[] if self._user else None,
                cwd=self.folder,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - no thread of ours holds a lock here
            )
        deadline = time.monotonic() + 30
        while self._ask("postgres", "SELECT 1").returncode:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)

    def _ask(self, database: str, statement: str) -> "subprocess.CompletedProcess[str]":
        address = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "gateway", "-d", database)
        return subprocess.run(
            [program("psql"), *address, "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", statement],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": os.environ.get("PATH", ""), "PGPASSWORD": _PASSWORD},
        )

    def ask(self, database: str, statement: str) -> list[str]:
        """Return the rows of a statement as psql, the server's own client, prints them."""
        done = self._ask(database, statement)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def database(self, more: str = "") -> str:
        """Return the name of a new, empty database."""
        name = f"gateway_{next(self._names)}"
        self.ask("postgres", f"CREATE DATABASE {name} {more}")
        return name

    def url(self, database: str, password: str = _QUOTED) -> str:
        """Return what ``store.url`` says of a database."""
        return f"postgresql://gateway:{password}@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """Kill the server as a crash would, and wait until all of its processes are gone."""
        if self._process is None:
            return
        children = subprocess.run(
            ["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=False
        ).stdout.split()
        self._process.kill()
        self._process.wait()
        self._process = None
        for pid in children:
            _await_end(Path("/proc", pid))

    def pause(self) -> None:
        """Let no backend answer, as a server does whose machine hangs, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let all go on after a `pause`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        found = subprocess.run(
            ["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=True
        )
        for pid in (self._process.pid, *map(int, found.stdout.split())):
            os.kill(pid, number)

    def remove(self) -> None:
        """End the server and remove its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def running() -> Iterator[PostgresServer]:
    """Give a server that takes connections; nothing is left of it afterwards."""
    server = PostgresServer()
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.remove()


def _await_end(process: Path) -> None:
    deadline = time.monotonic() + 10
    while process.exists():
        assert time.monotonic() < deadline, f"{process} outlives its server"
        time.sleep(0.01)
