"""Server-sent events of a desk: the open incidents, then every change.

A message without a name is an incident as the listing shows it; its id is the number of the newest
event up to which the page has missed nothing. ``synced`` follows the open incidents and names all that are open, so
that a page can take away what was closed while it was not connected; ``beat`` is a sign of life
for pages, which cannot see comments; ``call`` is a telephone call that is about to ring at the desk.

Source: WHATWG HTML, "Server-sent events".
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from gateway.clock import Clock
from gateway.desks.answers import concerns
from gateway.desks.board import Change
from gateway.desks.feed import Feed, Listener
from gateway.desks.incidents import OPEN
from gateway.desks.liaison import Liaison
from gateway.desks.roster import Roster
from gateway.store.base import Store, StoredIncident
from gateway.view import Public

PAGE_MOST = 500
#: Incidents looked at for one answer: a long past of closed ones is read in several.
_SCANNED = 2000
#: Incidents whose reports are read together.
_AT_ONCE = 32
#: Seconds between signs of life on a quiet stream.
HEARTBEAT_S = 15.0
#: Real seconds after which a page that does not read is cut off.
_STALLED_S = 20.0


@dataclass(frozen=True, slots=True)
class Site:
    """What the handlers work with."""

    store: Store
    roster: Callable[[], Roster]
    liaison: Liaison
    feed: Feed
    clock: Clock
    public: Public
    proxies: Sequence[str] = ()  #: ``http.trusted_proxies``


async def page_of(
    store: Store, desk: str, states: Sequence[str], limit: int, after: str
) -> tuple[list[StoredIncident], str | None]:
    """Return incidents that concern a desk, oldest first, and where the next page begins.

    A page may be short and still have a next one: only so many incidents are looked at.
    """
    found: list[StoredIncident] = []
    for _ in range(_SCANNED // PAGE_MOST):
        some = await store.incidents(None, states, PAGE_MOST, after)
        for stored in some:
            if len(found) == limit:
                return found, found[-1].incident.id
            if concerns(stored, desk):
                found.append(stored)
        if len(some) < PAGE_MOST:
            return found, None
        after = some[-1].incident.id
    return found, after


class Wire:
    """A page's connection, once its headers are sent."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response
        self._transport = request.transport
        if self._transport is not None:
            # What is written goes out at once: the loop would else send it after everything that
            # is ready to run, and what the page does not take is known to be left.
            self._transport.set_write_buffer_limits(high=0)

    async def write(self, data: bytes) -> None:
        """Return once the page has taken everything.

        Raises:
            ConnectionError: The page has gone.
            TimeoutError: The page does not read.
        """
        async with asyncio.timeout(_STALLED_S):
            await self._response.write(data)
            await self._request.writer.drain()

    def write_now(self, data: bytes) -> bool:
        """Send without waiting; return False if the page has not taken everything.

        Raises:
            ConnectionError: The page has gone.
        """
        writing = self._response.write(data)
        try:
            writing.send(None)  # it waits only after everything was given to the transport
        except StopIteration:
            pass
        else:
            writing.close()
        return self._transport is not None and not self._transport.get_write_buffer_size()


async def send(site: Site, wire: Wire, listener: Listener, since: int) -> None:
    """Send until the listener is dropped.

    Raises:
        ConnectionError: The page has gone.
        TimeoutError: The page does not read.
        StoreError: The open incidents could not be read; the page connects again.
    """
    await wire.write(b"retry: 1000\n\n")
    sent, upto = await _send_open(site, wire, listener.desk, since)
    now = site.clock.now().astimezone(site.public.zone)
    waiting = [(c, r) for c, r in listener.take() if sent.get(c.incident, 0) < c.version]
    await wire.write(_named("synced", {"open": list(sent), "now": now}) + _events(waiting, upto))

    def send_now(change: Change, resume: int) -> bool:
        try:
            return wire.write_now(_event(change, max(resume, upto)))
        except ConnectionError:
            listener.drop()
            return True

    while not listener.dropped:
        rings, waiting = listener.rings(), listener.take()
        if rings or waiting:
            calls = b"".join(_named("call", msgspec.Raw(call)) for call in rings)
            await wire.write(calls + _events(waiting, upto))
            continue
        listener.send = send_now  # nothing is under way: whoever has a change sends it himself
        woken = await site.clock.wait(listener.woken, HEARTBEAT_S)
        listener.send = None
        if woken:
            await wire.write(b"")
        else:
            now = site.clock.now().astimezone(site.public.zone)
            await wire.write(b": beat\n\n" + _named("beat", {"now": now}))


async def _send_open(site: Site, wire: Wire, desk: str, since: int) -> tuple[dict[str, int], int]:
    """Send open incidents that changed after event ``since``.

    In the order of their newest events: a page whose connection breaks between two of them asks
    for what came behind the last one it saw, and must not miss an older one for that.

    Returns:
        The versions of all that are open, and the newest event of all.
    """
    opened: list[StoredIncident] = []
    after: str | None = ""
    while after is not None:
        found, after = await page_of(site.store, desk, OPEN, PAGE_MOST, after)
        opened += found
    opened.sort(key=lambda stored: stored.events[-1].seq)
    sent = {stored.incident.id: stored.version for stored in opened}
    news = [stored for stored in opened if stored.events[-1].seq > since]
    for at in range(0, len(news), _AT_ONCE):
        some = news[at : at + _AT_ONCE]
        changes = await site.feed.changes_of(some)
        ids = [stored.events[-1].seq for stored in some]
        await wire.write(_events(zip(changes, ids, strict=True), 0))
        sent.update((change.incident, change.version) for change in changes)
    return sent, opened[-1].events[-1].seq if opened else 0


def _events(changes: Iterable[tuple[Change, int]], upto: int) -> bytes:
    return b"".join([_event(change, max(resume, upto)) for change, resume in changes])


def _event(change: Change, resume: int) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (resume, change.body)


def _named(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
