"""A gateway with users of its console, and their browsers without script."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any, Self

from gateway.console import passwords
from gateway.console.roles import ROLES
from gateway.store.accounts import NewEntry
from gateway.store.sqlite import SqliteStore
from tests.acceptance.http import Answer, Client
from tests.acceptance.page import Form, forms
from tests.acceptance.world import World, opened
from tests.store.make import NOW

PASSWORD = "correct horse battery staple"
ROOT = "/console/"


@dataclass
class Browser:
    """Somebody's browser: keeps cookies, reads pages, sends their forms."""

    client: Client
    cookies: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **more: Any) -> Answer:
        """Send one request with the cookies that belong there, and keep those that come."""
        sent = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Cookie": sent, **more.pop("headers", {})}
        answer = await self.client.ask(method, path, headers=headers, allow_redirects=False, **more)
        for line in answer.headers.getall("Set-Cookie", ()):  # type: ignore[attr-defined]
            name, value = line.partition(";")[0].split("=", 1)
            if value in ("", '""'):
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    async def get(self, path: str = "", **more: Any) -> Answer:
        """Open a page of the console."""
        return await self.ask("GET", ROOT + path, **more)

    async def post(self, path: str, values: dict[str, str], **more: Any) -> Answer:
        """Send values to a page of the console, whatever its forms are."""
        return await self.ask("POST", ROOT + path, data=values, **more)

    async def submit(
        self, page: Answer, entered: dict[str, str], which: int = -1, **more: Any
    ) -> Answer:
        """Fill in a form of a page and send it."""
        form = forms_of(page)[which]
        assert set(entered) <= form.names, form.names
        return await self.ask("POST", form.action, data=form.values | entered, **more)

    async def login(self, name: str, password: str = PASSWORD) -> Answer:
        """Log in by the page's form."""
        page = await self.get("login")
        return await self.submit(page, {"name": name, "password": password})

    async def logged_in(self, name: str) -> Self:
        """Log in, and return this browser."""
        answer = await self.login(name)
        assert answer.status == 303, answer.text
        return self


def forms_of(page: Answer) -> list[Form]:
    """Return the forms of a page."""
    return forms(page.text)


def words(page: Answer) -> str:
    """Return what a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page.text)).split())


def kept(password: str = PASSWORD) -> str:
    """Return what is kept of a password, quicker to compare than the gateway would have it."""
    return passwords.hashed(password, ln=4, p=1)


async def add_users(database: Path, *names: str, role: str | None = None) -> None:
    """Add users as the command does; each has the role of their name."""
    store = SqliteStore(database, owner=False)
    await store.open()
    for name in names:
        entry = NewEntry(at=NOW, by="", remote="", action="user.added", subject=name)
        assert await store.accounts.add(name, role or name, kept(), entry)
    await store.close()


async def until(seen: Callable[[], bool]) -> None:
    """Look again and again, faster than a loop of events could, until something is seen."""

    def look() -> None:
        while not seen():
            time.sleep(0.0002)

    async with asyncio.timeout(20):
        await asyncio.to_thread(look)


@dataclass
class Console:
    """What a test has at hand."""

    world: World
    database: Path
    sessions: dict[str, dict[str, str]] = field(default_factory=dict)  #: cookies by user

    @asynccontextmanager
    async def browser(self, source: str = "127.0.0.1") -> AsyncIterator[Browser]:
        """Yield a browser that nobody has used."""
        async with Client(self.world.gateway.url, source) as client:
            yield Browser(client)

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[Browser]:
        """Yield the browser of a user who has logged in, at their first use of this gateway."""
        async with self.browser() as browser:
            if name in self.sessions:
                browser.cookies |= self.sessions[name]
            else:
                await browser.logged_in(name)
                self.sessions[name] = dict(browser.cookies)
            yield browser

    @asynccontextmanager
    async def anew(self, name: str) -> AsyncIterator[Browser]:
        """Yield the browser of a user who has just logged in."""
        async with self.browser() as browser:
            yield await browser.logged_in(name)


@asynccontextmanager
async def running(folder: Path, **sections: Any) -> AsyncIterator[Console]:
    """Run a gateway with a user for every role, and end it afterwards."""
    async with opened(folder, **sections) as world:
        database = world.gateway.config.parent / "var" / "gateway.db"
        await add_users(database, *ROLES)
        yield Console(world, database)
