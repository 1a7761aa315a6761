"""A whole gateway with a WeChat account, and WeChat's side of it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from channels.wechat.simulator.platform import Platform
from channels.wechat.simulator.pusher import Account, Pusher
from config.load import load
from gateway import plugins
from gateway.app import App, build
from gateway.store.base import Store, StoredTicket
from gateway.store.engines import from_url

TOKEN = "a-token-of-the-tests"
KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
OLD_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
APP = "wx5823bf96d3bd56c7"
SECRET = "the-secret-of-the-account"
LAMP = "埇桥区人民路的路灯坏了三盏，请尽快修好"
FIRE = "埇桥区汴河中路88号三楼着火了，有老人被困出不来，快来人"
PLAIN = Account(app_id=APP, token=TOKEN)
SEALED = Account(app_id=APP, token=TOKEN, encoding_aes_key=KEY, mode="encrypted")

_CONFIG = """\
instance: {{name: 宿州12345, region: suzhou}}
http: {{host: 127.0.0.1, port: 0, public_url: "http://127.0.0.1:8345"}}
store: {store}
channels:
  - {{kind: web, name: portal}}
{channels}
adapters:
  - {{kind: backoffice, name: office, url: "{office}/", secret: whsec_dGVzdHMtdGVzdHMtdGVzdHMtdGVzdHM=}}
routes: [{{name: rest, send: {{to: office}}}}]
"""


def _channels(api: str) -> str:
    """Return the accounts: plain, encrypted, on a slow store, a mini program and a corporation."""
    common: dict[str, Any] = {
        "kind": "wechat",
        "app_id": APP,
        "app_secret": SECRET,
        "token": TOKEN,
        "api_base": api,
        "open_base": api,
    }
    keys = {"encoding_aes_key": [KEY, OLD_KEY]}
    template = {"id": "T-1", "number": "character_string1", "text": "thing2"}
    accounts: list[dict[str, Any]] = [
        {"name": "oa", "menu": True, "subscription": template},
        {"name": "sealed", **keys},
        {"name": "slow", "reply_within_s": 0.4, "fallback": ["sms", "callback"]},
        {"name": "mini", "platform": "miniprogram", "mode": "compatible", **keys},
        {"name": "corp", "platform": "wecom", "poll_s": 3600, **keys},
    ]
    return "\n".join("  - " + json.dumps({**common, **account}) for account in accounts)


class Office:
    """A back office that takes every event and remembers it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Return the address once it listens."""

        async def take(request: web.Request) -> web.Response:
            self.events.append(await request.json())
            return web.Response(status=200)

        app = web.Application()
        app.router.add_post("/", take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return "http://{}:{}".format(*self._runner.addresses[0][:2])

    async def stop(self) -> None:
        """Stop listening."""
        if self._runner is not None:
            await self._runner.cleanup()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return the data of all events of a type."""
        return [e["data"] for e in self.events if e["type"] == kind]


class Gate:
    """A store whose writing of tickets waits while the gate is shut."""

    def __init__(self, inner: Store) -> None:
        self._inner = inner
        self.free = asyncio.Event()
        self.free.set()
        self.adds = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def add(self, acceptance: Any) -> Any:
        """Write once the gate is open."""
        self.adds += 1
        await self.free.wait()
        return await self._inner.add(acceptance)


class World:
    """The gateway, the platform's interface, the back office, and pushers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.platform = Platform(APP, SECRET)
        self.office = Office()
        self.app: App | None = None
        self.gate: Gate | None = None
        self.url = ""

    async def configure(self, name: str = "gateway", store: dict[str, str] | None = None) -> Path:
        """Return the configuration of a gateway, with the peers that it names running.

        Args:
            name: Of the file.
            store: Where its tickets are; None: in a file in the folder.
        """
        path = self.folder / f"{name}.yaml"
        path.write_text(
            _CONFIG.format(
                store=json.dumps(store or {"url": f"sqlite:///{self.folder}/gateway.db"}),
                channels=_channels(self.platform.url or await self.platform.start()),
                office=getattr(self, "_office", None) or await self._open_office(),
            ),
            encoding="utf-8",
        )
        return path

    async def start(self) -> None:
        """Start or start again, on the same folder."""
        path = await self.configure()
        loaded = load(path)
        self.gate = Gate(from_url(loaded.settings.store.url))
        channels, adapters = plugins.load("gateway.channels"), plugins.load("gateway.adapters")
        self.app = await build(loaded, channels, adapters, store=self.gate)  # type: ignore[arg-type]
        self.url = f"{await self.app.start()}/channels/wechat"

    async def _open_office(self) -> str:
        self._office = await self.office.start()
        return self._office

    async def stop(self) -> None:
        """Stop the gateway."""
        if self.app is not None:
            await self.app.stop()
            self.app = None

    async def close(self) -> None:
        """Stop everything."""
        await self.stop()
        await self.platform.stop()
        await self.office.stop()

    def pusher(self, name: str = "oa", account: Account = PLAIN, **more: Any) -> Pusher:
        """Return the platform's end of an account's call-back."""
        return Pusher(account, f"{self.url}/{name}", **more)

    @property
    def store(self) -> Gate:
        """The store, with its gate."""
        assert self.gate is not None
        return self.gate

    async def tickets(self, citizen: str) -> list[StoredTicket]:
        """Return the tickets of a citizen's thread."""
        return [s for s in await self.store.page("", 1000) if s.ticket.channel.thread == citizen]

    def texts_to_office(self, number: str, kind: str = "hotline.ticket.added") -> list[str]:
        """Return the texts of what was pushed about a ticket."""
        return [
            e["data"]["message"]["text"]
            for e in self.office.events
            if e["type"] == kind and e["subject"] == number
        ]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[World]:
    """Give a running world."""
    world = World(folder)
    try:
        await world.start()
        yield world
    finally:
        await world.close()


async def until(holds: Callable[[], Any], within_s: float = 10.0) -> Any:
    """Return what ``holds`` gives once it is true."""

    async def look() -> Any:
        while True:
            found = holds()
            if isinstance(found, Awaitable):
                found = await found
            if found:
                return found
            await asyncio.get_running_loop().run_in_executor(None, _a_moment)

    async with asyncio.timeout(within_s):
        return await look()


def _a_moment() -> None:
    """Let other processes and threads have the machine."""
    threading.Event().wait(0.01)
