"""Where stored tickets would go by another configuration: for who wants to change one."""

from collections.abc import AsyncIterator

import msgspec

from channels.web.georeport import chosen
from gateway.compose import Rules, reconsider
from gateway.store.base import Store, StoredTicket
from normalizer.schema import (
    EMERGENCY_SERVICES,
    Decision,
    Domain,
    Judged,
    RequestType,
    RouteTaken,
    Service,
    Ticket,
    Urgency,
    Value,
)

#: Tickets read at once.
_PAGE = 200
#: Behind every day that a number can begin with.
_LAST_DAY = "99991231"
#: What says where a ticket goes; the name of its route, for one, does not.
_GOES = ("to", "unit", "assist", "acceptance", "desks")


class Way(Value, frozen=True, kw_only=True):
    """Where a ticket goes, and what that follows from."""

    route: str
    to: str  #: the adapter
    unit: str | None
    assist: tuple[str, ...]
    acceptance: str
    desks: tuple[Service, ...]  #: liaison desks that are alarmed
    urgency: Urgency
    verify: bool
    type: RequestType
    domain: Domain
    why: str  #: of the route


class Moved(Value, frozen=True, kw_only=True):
    """A ticket that would go elsewhere."""

    number: str
    was: Way
    would_be: Way
    changed: tuple[str, ...]  #: names of what differs, what it follows from included


def _way(judged: Judged | Ticket, decision: Decision, route: RouteTaken) -> Way:
    emergency = judged.urgency is Urgency.EMERGENCY
    return Way(
        route=route.name,
        to=route.to,
        unit=route.unit,
        assist=route.assist,
        acceptance=decision.decision,
        desks=tuple(s for s in judged.services if emergency and s in EMERGENCY_SERVICES),
        urgency=judged.urgency,
        verify=judged.verify,
        type=judged.type,
        domain=judged.domain,
        why=route.why,
    )


def moved(stored: StoredTicket, rules: Rules, raw: bytes) -> Moved | None:
    """Return how a ticket would go by these rules; None: where it went.

    The whole journey behind reading is made again, so that another lexicon, model or rule pack shows
    as well as another route. The ticket's first words count, not what was added later.

    Args:
        stored: The ticket.
        rules: Of the other configuration.
        raw: What the web channel kept of its message, which tells what the citizen chose; else empty.
    """
    ticket = stored.ticket
    was = _way(ticket, ticket.acceptance, ticket.route)
    would_be = _way(*reconsider(ticket, rules, *chosen(raw)))
    names = [n for n in Way.__struct_fields__ if getattr(was, n) != getattr(would_be, n)]
    if not set(_GOES).intersection(names):
        return None
    return Moved(number=stored.number, was=was, would_be=would_be, changed=tuple(names))


async def newest(store: Store, last: int) -> AsyncIterator[tuple[StoredTicket, bytes]]:
    """Yield so many of the newest tickets with what tells the citizen's choices, newest first."""
    before: str | None = None
    while last > 0:
        page = await store.newest(_LAST_DAY, before, min(_PAGE, last))
        for stored in page:
            yield stored, await _kept(store, stored.ticket)
        if len(page) < min(_PAGE, last):
            return
        last, before = last - len(page), page[-1].number


async def _kept(store: Store, ticket: Ticket) -> bytes:
    """Return the raw message where the citizen could choose: on the web alone."""
    kept = await store.raw(ticket.id) if ticket.channel.kind == "web" else None
    return kept[0] if kept is not None else b""


class Report(Value, frozen=True, kw_only=True):
    """What became of a replay."""

    tickets: int  #: that were looked at
    elsewhere: tuple[Moved, ...]


async def replayed(store: Store, rules: Rules, last: int) -> Report:
    """Return which of so many of the newest tickets would go elsewhere by other rules."""
    found: list[Moved] = []
    count = 0
    async for stored, raw in newest(store, last):
        count += 1
        if (one := moved(stored, rules, raw)) is not None:
            found.append(one)
    return Report(tickets=count, elsewhere=tuple(found))


def shown(report: Report) -> str:
    """Return a report for people: a ticket's number, and below it what differs, old → new."""
    lines: list[str] = []
    for one in report.elsewhere:
        lines.append(one.number)
        was, would_be = (msgspec.to_builtins(way) for way in (one.was, one.would_be))
        width = max(map(len, one.changed))
        lines += [
            f"  {name:{width}}  {_words(was[name])} → {_words(would_be[name])}"
            for name in one.changed
        ]
    share = f"{len(report.elsewhere)} of {report.tickets}"
    lines.append(f"{share} tickets would go elsewhere")
    return "\n".join(lines)


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else str(value)
