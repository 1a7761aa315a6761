"""Dovecot and Postfix on private ports, in folders of their own."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

USER = "hotline@city.example"
_DOVECOT = """
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/dovecot.log
protocols = imap
listen = 127.0.0.1
{ssl}
disable_plaintext_auth = no
default_login_user = {login}
default_internal_user = {internal}
default_internal_group = {group}
mail_location = maildir:{root}/mail/%u
mail_uid = {uid}
mail_gid = {gid}
first_valid_uid = 1
first_valid_gid = 0
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
imap_capability = {capability}
mail_max_userip_connections = 50
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={root}/home/%u
}}
"""


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """Lend a folder that other users of this machine can enter, as the servers' own users must."""
    with tempfile.TemporaryDirectory(prefix="mail-peer-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def free_port() -> int:
    """Return a port that nobody has now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def answers(port: int, greeting: bytes, within_s: float = 15.0) -> None:
    """Return once what listens at a port greets as it should."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            line = await asyncio.wait_for(reader.readline(), 5) if greeting else b""
            writer.close()
            if line.startswith(greeting):
                return
        assert loop.time() < until, "the server did not start"
        await asyncio.sleep(0.05)


@dataclass
class Dovecot:
    """An IMAP server with one mailbox; mails are put there as files, as a delivery agent does."""

    root: Path
    idle: bool = True
    port: int = 0
    certificate: Path | None = None  #: with its key; given one it speaks TLS, at `imaps` at once
    imaps: int = 0
    count: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """The mailbox."""
        return self.root / "mail" / USER

    async def start(self) -> Self:
        """Serve."""
        self.port = self.port or free_port()
        for each in ("run", "home"):
            (self.root / each).mkdir(parents=True, exist_ok=True)
        for each in ("cur", "new", "tmp"):
            (self.folder / each).mkdir(parents=True, exist_ok=True)
        capability = "" if self.idle else "IMAP4rev1 SASL-IR LITERAL+ ID UIDPLUS MOVE"
        owner = self._owner()
        ssl = "ssl = no"
        if self.certificate is not None:
            self.imaps = self.imaps or free_port()
            ssl = f"ssl = yes\nssl_cert = <{self.certificate}\nssl_key = <{self.certificate}"
        config = self.root / "dovecot.conf"
        config.write_text(
            _DOVECOT.format(
                root=self.root,
                port=self.port,
                imaps=self.imaps,
                ssl=ssl,
                capability=capability,
                **owner,
            )
        )
        for path in (self.root / "mail").rglob("*"):
            shutil.chown(path, int(owner["uid"]), int(owner["gid"]))
        shutil.chown(self.root / "mail", int(owner["uid"]), int(owner["gid"]))
        with (self.root / "out").open("ab") as out:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - it starts at once
                ["dovecot", "-F", "-c", str(config)],
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        await answers(self.port, b"* OK")
        return self

    def _owner(self) -> dict[str, str]:
        import grp
        import pwd

        if os.getuid() == 0:
            user = pwd.getpwnam("mail")
            return {
                "uid": str(user.pw_uid),
                "gid": str(user.pw_gid),
                "login": "dovenull",
                "internal": "dovecot",
                "group": "dovecot",
            }
        me, group = pwd.getpwuid(os.getuid()), grp.getgrgid(os.getgid())
        return {
            "uid": str(me.pw_uid),
            "gid": str(group.gr_gid),
            "login": me.pw_name,
            "internal": me.pw_name,
            "group": group.gr_name,
        }

    def put(self, raw: bytes, *, seen: bool = False) -> None:
        """Put a mail into the mailbox, at once and whole."""
        self.count += 1
        name = f"{1700000000 + self.count}.M{self.count}P1.test"
        draft = self.folder / "tmp" / name
        draft.write_bytes(raw)
        owner = self._owner()
        shutil.chown(draft, int(owner["uid"]), int(owner["gid"]))
        draft.rename(self.folder / ("cur" if seen else "new") / (f"{name}:2,S" if seen else name))

    def stop(self, *, now: bool = False) -> None:
        """Serve no more; ``now`` breaks every connection."""
        process, self.process = self.process, None
        if process is None:
            return
        if now:  # with those who serve the sessions
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.terminate()
        process.wait(20)

    def kick(self) -> None:
        """Break every session of the mailbox."""
        subprocess.run(
            ["doveadm", "-c", str(self.root / "dovecot.conf"), "kick", USER],
            check=False,
            capture_output=True,
            timeout=20,
        )

    def settings(self, **more: object) -> dict[str, object]:
        """Return the ``imap`` section of a configuration."""
        at = {"host": "127.0.0.1", "port": self.port, "tls": "none", "user": USER}
        return {**at, "password": "secret", "folder": "INBOX", "timeout": "3s", **more}


class Wire:
    """A proxy that can break a connection, or let it hang as a dead middle box does."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._pairs: list[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.frozen = asyncio.Event()
        self.break_after: int | None = None  #: octets towards the client until it breaks
        #: Hears each line of the client; what it returns is answered instead of the server.
        self.overhear: Callable[[bytes], bytes | None] = lambda _line: None
        self.port = 0

    async def start(self) -> Self:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, ahead = await asyncio.open_connection("127.0.0.1", self._to)
        except OSError:
            writer.close()
            return
        self._pairs.append((writer, ahead))
        for pump in (self._up(reader, ahead, writer), self._down(behind, writer)):
            task = asyncio.create_task(pump)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _up(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
    ) -> None:
        with contextlib.suppress(OSError):
            while line := await source.readline():
                if self.frozen.is_set():
                    await asyncio.Event().wait()
                answer = self.overhear(line)
                (sink if answer is None else back).write(line if answer is None else answer)
                await sink.drain()
        sink.close()

    async def _down(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(4096):
                if self.frozen.is_set():
                    await asyncio.Event().wait()
                if self.break_after is not None:
                    self.break_after -= len(data)
                    if self.break_after <= 0:
                        self.break_after = None
                        break
                sink.write(data)
                await sink.drain()
        sink.close()

    def cut(self) -> None:
        """Break every connection."""
        for pair in self._pairs:
            for writer in pair:
                writer.close()
        self._pairs.clear()

    async def stop(self) -> None:
        """Break everything and listen no more."""
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
