"""Mails: how many a second are handed over by SMTP and read by IMAP into tickets."""

import asyncio
import contextlib
import random
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp

from gateway.bench import roundup
from gateway.bench.load import EMERGENCY, ORDINARY
from gateway.bench.peers import NOWHERE, SECRET, Server, start, watch
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
_TO_ROUNDUP = 100
_CRIES = 10  #: emergencies that come one after another once the mailbox is empty

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

    The mails are ordinary letters of one part in UTF-8; the store is the embedded one. Roundup,
    where it is installed, gets the first of the mailbox's.
    """
    figures = await _by_smtp(seconds)
    if shutil.which("dovecot"):
        figures |= await _by_imap()
    if roundup.is_there():
        figures["roundup_per_second"] = await roundup.per_second(_waiting(_TO_ROUNDUP))
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
        # At once, as mail servers do where it is offered (RFC 2920).
        writer.write(f"MAIL FROM:<{sender}>\r\nRCPT TO:<12345@city.example>\r\n".encode())
        await _say(reader, writer, b"DATA")
        await _answer(reader)
        await _answer(reader)
        answer = await _say(reader, writer, letter(chooser, sender) + b"\r\n.")
        if not answer.startswith(b"250"):
            raise RuntimeError("a mail was not taken")
        took.append(time.perf_counter() - began)
    writer.close()


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: bytes) -> bytes:
    writer.write(line + b"\r\n")
    return await _answer(reader)


async def _answer(reader: asyncio.StreamReader) -> bytes:
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


def _waiting(count: int) -> Iterator[bytes]:
    """Yield the mails that wait in the mailbox, the same ones each time."""
    chooser = random.Random(1)  # noqa: S311 - as above
    for n in range(count):
        yield letter(chooser, f"u{n}@bench.example")


async def _by_imap() -> dict[str, float]:
    """Return mails a second from a mailbox in which many wait, and how soon a cry is at a desk."""
    async with _dovecot() as (port, mailbox):
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
            rate = (done - before) / (time.perf_counter() - first)
            waits = sorted([wait async for wait in _cries(server.url, mailbox)])
    return {
        "imap_per_second": rate,
        "idle_to_desk_p50_ms": statistics.median(waits) * 1000,
        "idle_to_desk_slowest_ms": waits[-1] * 1000,
    }


async def _cries(url: str, mailbox: Path) -> AsyncIterator[float]:
    """Yield seconds from an emergency's arrival in the mailbox to its desk's consumer."""
    seen: dict[str, float] = {}
    desk = asyncio.create_task(watch(url, "119", seen))
    await asyncio.sleep(1.0)  # the mailbox is in IDLE again
    try:
        for n in range(_CRIES):
            raw = letter(random.Random(n), f"cry{n}@bench.example")  # noqa: S311 - as above
            head = raw.partition(b"\r\n\r\n")[0]
            before, began = len(seen), time.time()
            _put(mailbox, _WAITING + n, head + b"\r\n\r\n" + EMERGENCY.format(n=n).encode())
            while len(seen) == before:
                await asyncio.sleep(0.005)
                if time.time() - began > 30:
                    raise RuntimeError("an emergency did not reach its desk")
            yield max(seen.values()) - began
            await asyncio.sleep(0.3)
    finally:
        desk.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await desk


async def _accepted(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    values = [float(line.rpartition(" ")[2]) for line in lines if _counts(line)]
    return int(sum(values))


def _counts(line: str) -> bool:
    return line.startswith("gateway_tickets_total") and "email" in line


@contextlib.asynccontextmanager
async def _dovecot() -> AsyncIterator[tuple[int, Path]]:
    """Run Dovecot with mails that wait; give its port and the mailbox. Needs to be root."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        port = free_port()
        _fill(root, port)
        quiet = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            "dovecot", "-F", "-c", str(root / "conf"), stdout=quiet, stderr=quiet
        )
        try:
            await listening(port)
            yield port, root / "mail"
        finally:
            process.terminate()
            await process.wait()


def _put(mailbox: Path, n: int, raw: bytes) -> None:
    """Put a mail into a mailbox, at once and whole."""
    name = f"{1_700_000_000 + n}.M{n}.bench"
    draft = mailbox / "tmp" / name
    draft.write_bytes(raw)
    shutil.chown(draft, "mail", "mail")
    draft.rename(mailbox / "new" / name)


def _fill(root: Path, port: int) -> None:
    root.chmod(0o755)
    for each in ("new", "cur", "tmp"):
        (root / "mail" / each).mkdir(parents=True)
    for n, raw in enumerate(_waiting(_WAITING)):
        _put(root / "mail", n, raw)
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
