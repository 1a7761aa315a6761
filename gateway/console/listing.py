"""Which tickets a page of the console lists, and what it shows of each."""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from gateway.store.base import Store, StoredTicket
from gateway.view import place_of, status_of, urgency_of
from normalizer.errors import Malformed
from normalizer.schema import Domain, RequestType, Status, Urgency, Value

E = TypeVar("E", bound=StrEnum)

#: Tickets on a page, looked at for one page, and read at once.
SHOWN, LOOKED_AT, _AT_ONCE = 50, 1000, 100
#: Behind every day that a number can begin with.
_LAST_DAY = "99991231"
#: Years that a form may ask for: instants before are none of ours, and behind the last is no day.
_YEARS = range(1970, 9999)
#: Characters of a ticket's words where it has no title.
_HEAD = 60


class Row(Value, frozen=True, kw_only=True):
    """A ticket in a list."""

    number: str
    at: datetime
    urgency: Urgency
    verify: bool
    exercise: bool
    channel: str
    account: str
    type: RequestType
    domain: Domain
    title: str
    place: str | None
    unit: str | None
    status: Status


class Wanted(Value, frozen=True, kw_only=True):
    """Which tickets are asked for; None: any."""

    channel: str | None = None
    urgency: Urgency | None = None
    state: Status | None = None
    since: str | None = None  #: the day, ``YYYYMMDD``
    until: str | None = None
    emergencies: bool = False  #: only what was handed to a desk


class Found(Value, frozen=True, kw_only=True):
    """What a search came upon."""

    rows: tuple[Row, ...]
    before: str | None  #: behind which number the search goes on; None: it is at its end


def is_emergency(stored: StoredTicket) -> bool:
    """Return whether a ticket is, or was, an emergency."""
    return bool(stored.incidents) or urgency_of(stored.ticket, stored.events) is Urgency.EMERGENCY


def row_of(stored: StoredTicket) -> Row:
    """Return what a list shows of a ticket."""
    ticket = stored.ticket
    return Row(
        number=stored.number,
        at=ticket.received_at,
        urgency=urgency_of(ticket, stored.events),
        verify=ticket.verify or any(e.data.get("verify") for e in stored.events),
        exercise=ticket.exercise,
        channel=ticket.channel.kind,
        account=ticket.channel.account,
        type=ticket.type,
        domain=ticket.domain,
        title=ticket.content.title or ticket.content.text[:_HEAD],
        place=place_of(ticket, stored.events).text,
        unit=ticket.route.unit,
        status=status_of(stored.events),
    )


def wanted_of(query: Mapping[str, str]) -> Wanted:
    """Return what a search form asks for. Raises `Malformed`."""
    return Wanted(
        channel=query.get("channel") or None,
        urgency=_one_of(Urgency, "urgency", query),
        state=_one_of(Status, "state", query),
        since=day_of("since", query),
        until=day_of("until", query),
    )


def _one_of(kind: type[E], name: str, query: Mapping[str, str]) -> E | None:
    value = query.get(name, "")
    try:
        return kind(value) if value else None
    except ValueError:
        raise Malformed(name, "there is no such value") from None


def day_of(name: str, query: Mapping[str, str]) -> str | None:
    """Return a day of a form as numbers begin with it. Raises `Malformed`."""
    value = query.get(name, "")
    try:
        day = date.fromisoformat(value) if value else None
    except ValueError:
        raise Malformed(name, "a day is YYYY-MM-DD") from None
    if day is None:
        return None
    if day.year not in _YEARS:
        raise Malformed(name, f"its year is not {_YEARS.start} to {_YEARS.stop - 1}")
    return f"{day:%Y%m%d}"


async def search(store: Store, wanted: Wanted, before: str | None = None) -> Found:
    """Return tickets, newest first, behind the number ``before``.

    So many are looked at for one page, whatever is asked for: a rare kind of ticket among a million
    costs several pages, and no index that every citizen's request would have to write.
    """
    rows: list[Row] = []
    for _ in range(LOOKED_AT // _AT_ONCE):
        page = await store.newest(wanted.until or _LAST_DAY, before, _AT_ONCE)
        for stored in page:
            if wanted.since is not None and stored.number[:8] < wanted.since:
                return Found(rows=tuple(rows), before=None)
            before = stored.number
            if _fits(stored, wanted):
                rows.append(row_of(stored))
                if len(rows) == SHOWN:
                    return Found(rows=tuple(rows), before=before)
        if len(page) < _AT_ONCE:
            return Found(rows=tuple(rows), before=None)
    return Found(rows=tuple(rows), before=before)


def _fits(stored: StoredTicket, wanted: Wanted) -> bool:
    channel, urgency, state = wanted.channel, wanted.urgency, wanted.state
    if channel is not None and stored.ticket.channel.kind != channel:
        return False
    if urgency is not None and urgency_of(stored.ticket, stored.events) is not urgency:
        return False
    if state is not None and status_of(stored.events) is not state:
        return False
    return not wanted.emergencies or is_emergency(stored)
