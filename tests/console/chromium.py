"""A real browser, driven over its own protocol: Chromium, headless."""

import asyncio
import base64
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

#: How a browser is started that shows nothing and asks nobody outside.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--lang=zh-CN",
)


class Tab:
    """One tab of the browser.

    Source: Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the answer to a command."""
        number = next(self._ids)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            message = json.loads((await self._socket.receive()).data)
            if message.get("id") == number:
                assert "error" not in message, message
                found = message["result"]
                assert isinstance(found, dict)
                return found

    async def look(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def resize(self, width: int, height: int = 900) -> None:
        """Give the page another size."""
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def open(self, url: str) -> None:
        """Open a page and wait until it is there."""
        await self.look("window.gone = true")
        await self.ask("Page.navigate", url=url)
        await self.settled()

    async def settled(self) -> None:
        """Wait until another document than before is complete."""
        ready = "!window.gone && document.readyState === 'complete'"
        async with asyncio.timeout(20):
            while True:
                # Between two documents there is nothing to ask.
                with contextlib.suppress(AssertionError):
                    if await self.look(ready):
                        return
                await asyncio.sleep(0.05)

    async def submit(self, **fields: str) -> None:
        """Fill the page's last form in and send it, as a person does."""
        filled = "".join(
            f"document.querySelector('main [name={name}]').value = {json.dumps(value)};"
            for name, value in fields.items()
        )
        await self.look(
            f"window.gone = true; {filled} document.querySelector('main button').click()"
        )
        await self.settled()

    async def picture(self, path: Path) -> None:
        """Write the whole page as a picture."""
        shot = await self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


@asynccontextmanager
async def tab(profile: Path) -> AsyncIterator[Tab]:
    """Yield a tab of a new browser."""
    process = await asyncio.create_subprocess_exec(
        "chromium",
        *FLAGS,
        "--remote-debugging-port=0",
        f"--user-data-dir={profile}",
        "about:blank",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            found = None
            while found is None:
                line = (await process.stderr.readline()).decode()
                assert line, "the browser ended"
                found = re.search(r"ws://([^/]+)/", line)
            async with session.get(f"http://{found[1]}/json") as answer:
                pages = [one for one in await answer.json() if one["type"] == "page"]
            async with session.ws_connect(
                pages[0]["webSocketDebuggerUrl"], max_msg_size=0
            ) as socket:
                yield Tab(socket)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
