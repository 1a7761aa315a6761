"""Server-sent events of a desk: the open incidents, then every change.

A message without a name is an incident as the listing shows it; its id is the sequence number of
the incident's newest event. ``synced`` follows the open incidents and names all that are open, so
that a page can take away what was closed while it was not connected; ``beat`` is a sign of life
for pages, which cannot see comments.

Source: WHATWG HTML, "Server-sent events".
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from gateway.clock import Clock
from gateway.desks.feed import Change, Feed, Listener
from gateway.desks.incidents import OPEN
from gateway.desks.liaison import Liaison
from gateway.desks.roster import Roster
from gateway.outbox.answers import concerns
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


async def send(site: Site, response: web.StreamResponse, listener: Listener, since: int) -> None:
    """Send until the listener is dropped.

    Raises:
        ConnectionError: The page has gone.
        TimeoutError: The page does not read.
        StoreError: The open incidents could not be read; the page connects again.
    """
    await _write(response, b"retry: 1000\n\n")
    sent = await _send_open(site, response, listener.desk, since)
    now = site.clock.now().astimezone(site.public.zone)
    await _write(response, _named("synced", {"open": list(sent), "now": now}))
    while not listener.dropped:
        if await site.clock.wait(listener.woken, HEARTBEAT_S):
            for change in listener.take():
                if sent.get(change.incident, 0) < change.version:
                    sent[change.incident] = change.version
                    await _write(response, _event(change))
        else:
            now = site.clock.now().astimezone(site.public.zone)
            await _write(response, b": beat\n\n" + _named("beat", {"now": now}))


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_STALLED_S):
        await response.write(data)


async def _send_open(
    site: Site, response: web.StreamResponse, desk: str, since: int
) -> dict[str, int]:
    """Send open incidents that changed after event ``since``; return the versions of all.

    In the order of their newest events: a page whose connection breaks between two of them asks
    for what came behind the last one it saw, and must not miss an older one for that.
    """
    opened: list[StoredIncident] = []
    after: str | None = ""
    while after is not None:
        found, after = await page_of(site.store, desk, OPEN, PAGE_MOST, after)
        opened += found
    opened.sort(key=lambda stored: stored.events[-1].seq)
    news = [stored for stored in opened if stored.events[-1].seq > since]
    for at in range(0, len(news), _AT_ONCE):
        for change in await site.feed.changes_of(news[at : at + _AT_ONCE]):
            await _write(response, _event(change))
    return {stored.incident.id: stored.version for stored in opened}


def _event(change: Change) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (change.seq, change.body)


def _named(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))
