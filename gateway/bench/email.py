"""Mails: how many a second are handed over by SMTP and read by IMAP into tickets."""

import asyncio
import contextlib
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp

from gateway.bench.load import ORDINARY
from gateway.bench.peers import NOWHERE, SECRET, Server, start
from gateway.loopback import free_port, listening

_CONFIG = """\
instance: {{name: bench, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {{url: "sqlite:///bench.db"}}
channels:
  - {{kind: email, name: mailbox, address: 12345@city.example, {way}}}
adapters:
  - {{kind: backoffice, name: backoffice, url: "{office}", secret: "{secret}", retry_for: 3d}}
routes:
  - {{name: rest, send: {{to: backoffice}}}}
"""
_CONNECTIONS = 16
_WAITING = 1000  #: mails that wait in the mailbox

_DOVECOT = """\
base_dir = {root}/run
log_path = {root}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{root}/mail
first_valid_uid = 1
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = static
  args = password=bench
}}
userdb {{
  driver = static
  args = uid=mail gid=mail home={root}
}}
"""


async def email(seconds: float) -> dict[str, float]:
    """Return mails a second by SMTP, each answered 250 once durable; by IMAP where Dovecot is.

    The mails are ordinary letters of one part in UTF-8; the store is the embedded one.
    """
    figures = await _by_smtp(seconds)
    if shutil.which("dovecot") and shutil.which("doveadm"):
        figures["imap_per_second"] = await _by_imap()
    return figures


async def _by_smtp(seconds: float) -> dict[str, float]:
    port = free_port()
    way = f"listen: {{host: 127.0.0.1, port: {port}}}"
    async with _gateway(way):
        await listening(port)
        await _flood(port, 1.0)  # caches warm
        began = time.perf_counter()
        took = await _flood(port, seconds)
        lasted = time.perf_counter() - began
    ordered = sorted(took)
    return {
        "smtp_per_second": len(took) / lasted,
        "smtp_p50_ms": statistics.median(ordered) * 1000,
        "smtp_p99_ms": ordered[int(0.99 * len(ordered))] * 1000,
    }


async def _flood(port: int, seconds: float) -> list[float]:
    took: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_connection(port, n, until, took) for n in range(_CONNECTIONS)))
    return took


async def _connection(port: int, offset: int, until: float, took: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    await _say(reader, writer, b"EHLO bench")
    chooser = random.Random(f"{offset}:{until}")  # noqa: S311 - traffic, not secrets
    while time.perf_counter() < until:
        sender = f"u{chooser.randrange(10**9)}@bench.example"
        began = time.perf_counter()
        await _say(reader, writer, f"MAIL FROM:<{sender}>".encode())
        await _say(reader, writer, b"RCPT TO:<12345@city.example>")
        await _say(reader, writer, b"DATA")
        answer = await _say(reader, writer, letter(chooser, sender) + b"\r\n.")
        if not answer.startswith(b"250"):
            raise RuntimeError("a mail was not taken")
        took.append(time.perf_counter() - began)
    writer.close()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    writer.write(line + b"\r\n")
    while True:
        answer = await reader.readline()
        if not answer or answer[3:4] != b"-":
            return answer


def letter(chooser: random.Random, sender: str) -> bytes:
    """Return an ordinary letter that no other is equal to."""
    number = chooser.randrange(10**12)
    text = f"{chooser.choice(ORDINARY)}（{number}）"
    head = (
        f"From: <{sender}>\r\nTo: <12345@city.example>\r\nSubject: bench {number}\r\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0800\r\nMessage-ID: <{number}@bench.example>\r\n"
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Content-Transfer-Encoding: 8bit\r\n\r\n"
    )
    return (head + text).encode()


async def _by_imap() -> float:
    """Return mails a second from a mailbox in which many wait."""
    chooser = random.Random(1)  # noqa: S311 - as above
    async with _dovecot(lambda n: letter(chooser, f"u{n}@bench.example")) as port:
        way = f"imap: {{host: 127.0.0.1, port: {port}, tls: none, user: bench, password: bench}}"
        async with _gateway(way) as server:
            first = began = time.perf_counter()
            before = done = await _accepted(server.url)
            while done < _WAITING:
                await asyncio.sleep(0.05)
                done = await _accepted(server.url)
                if not before and done:
                    before, first = done, time.perf_counter()
                if time.perf_counter() - began > 120:
                    raise RuntimeError("the mailbox was not read")
            return (done - before) / (time.perf_counter() - first)


async def _accepted(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    values = [float(line.rpartition(" ")[2]) for line in lines if _counts(line)]
    return int(sum(values))


def _counts(line: str) -> bool:
    return line.startswith("gateway_tickets_total") and "email" in line


@contextlib.asynccontextmanager
async def _dovecot(make: Callable[[int], bytes]) -> AsyncIterator[int]:
    """Run Dovecot with mails that wait; needs to be root, as Dovecot does."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        port = free_port()
        _fill(root, make, port)
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            "dovecot", "-F", "-c", str(root / "conf"), stdout=quiet, stderr=quiet
        )
        try:
            await listening(port)
            yield port
        finally:
            process.terminate()
            await process.wait()


def _fill(root: Path, make: Callable[[int], bytes], port: int) -> None:
    root.chmod(0o755)
    for each in ("new", "cur", "tmp"):
        (root / "mail" / each).mkdir(parents=True)
    for n in range(_WAITING):
        (root / "mail" / "new" / f"{1_700_000_000 + n}.M{n}.bench").write_bytes(make(n))
    for path in (root / "mail", *(root / "mail").rglob("*")):
        shutil.chown(path, "mail", "mail")
    (root / "conf").write_text(_DOVECOT.format(root=root, port=port))


@contextlib.asynccontextmanager
async def _gateway(way: str) -> AsyncIterator[Server]:
    with tempfile.TemporaryDirectory(prefix="gateway-bench-") as folder:
        path = Path(folder) / "gateway.yaml"
        path.write_text(_CONFIG.format(way=way, office=NOWHERE, secret=SECRET))
        server = await start("-m", "gateway", "serve", "--config", str(path))
        try:
            yield server
        finally:
            await server.stop()
