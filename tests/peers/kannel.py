"""Kannel between a message centre and an HTTP server: the reference for joining parts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from aiohttp import web

_CONFIG = """\
group = core
admin-port = {admin}
admin-password = secret
smsbox-port = {box}
box-allow-ip = "127.0.0.1"
log-level = 4
sms-combine-concatenated-mo = true

group = smsc
smsc = smpp
smsc-id = peer
host = 127.0.0.1
port = {port}
transceiver-mode = true
smsc-username = kannel
smsc-password = secret
system-type = ""

group = smsbox
bearerbox-host = 127.0.0.1
log-level = 4

group = sms-service
keyword = default
catch-all = true
concatenation = true
max-messages = 0
omit-empty = true
get-url = "{url}/?from=%p&charset=%C&coding=%c&text=%b"
"""
#: What Kannel says of data coding 8.
_UCS2 = "2"


class Kannel:
    """What Kannel made of the messages that it was given."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []  #: sender and text

    async def take(self, request: web.Request) -> web.Response:
        """Note one message."""
        query = dict(pair.split("=", 1) for pair in request.query_string.split("&"))
        octets = unquote_to_bytes(query["text"].replace("+", " "))
        charset = "utf-16-be" if query["coding"] == _UCS2 else "latin-1"
        self.texts.append((unquote_to_bytes(query["from"]).decode(), octets.decode(charset)))
        return web.Response()


@contextlib.asynccontextmanager
async def kannel(port: int, folder: Path) -> AsyncIterator[Kannel]:
    """Run Kannel against the message centre on a port."""
    peer = Kannel()
    app = web.Application()
    app.router.add_get("/", peer.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    admin, box = _free(), _free()
    path = folder / "kannel.conf"
    path.write_text(_CONFIG.format(port=port, admin=admin, box=box, url=url), encoding="utf-8")
    processes = [await _start("bearerbox", path, folder)]
    try:
        await _listens(box)
        processes.append(await _start("smsbox", path, folder))
        yield peer
    finally:
        for process in reversed(processes):
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        await runner.cleanup()


async def _start(program: str, config: Path, folder: Path) -> asyncio.subprocess.Process:
    quiet = asyncio.subprocess.DEVNULL
    return await asyncio.create_subprocess_exec(
        program, str(config), cwd=folder, stdout=quiet, stderr=quiet
    )


async def _listens(port: int) -> None:
    """Return once somebody listens on a port."""
    async with asyncio.timeout(15):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
