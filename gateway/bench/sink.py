"""A back office for the benchmark: takes every event and only counts."""

import contextlib
from collections.abc import AsyncIterator

from aiohttp import web


class Sink:
    """Counts events by id; while it holds, it asks for patience."""

    def __init__(self) -> None:
        self.url = ""
        self.taken = 0
        self.repeats = 0
        self._ids: set[str] = set()
        self._held = False

    def hold(self) -> None:
        """Refuse events from now on, so that a backlog grows."""
        self._held = True

    def release(self) -> int:
        """Take events again; return how many were taken before."""
        self._held = False
        return self.taken

    async def take(self, request: web.Request) -> web.Response:
        """Count one event."""
        await request.read()
        if self._held:
            return web.Response(status=503, headers={"Retry-After": "1"})
        id_ = request.headers["webhook-id"]
        if id_ in self._ids:
            self.repeats += 1
        else:
            self._ids.add(id_)
            self.taken += 1
        return web.Response(status=202)


@contextlib.asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    """Serve a sink on a free port of the loopback interface."""
    office = Sink()
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/events", office.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    office.url = f"http://127.0.0.1:{runner.addresses[0][1]}/events"
    try:
        yield office
    finally:
        await runner.cleanup()
