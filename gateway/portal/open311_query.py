"""What a client of Open311 asks to see: the arguments of GET Service Requests (GeoReport v2)."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from channels.web.georeport import service_of
from gateway.portal.disclosed import CLOSED, OPEN, is_disclosed, state_of
from gateway.store.base import StoredTicket
from normalizer.errors import Malformed
from normalizer.schema import Domain, Value

#: Source: GeoReport v2, "GET Service Requests": span and response volume.
SPAN: Final = timedelta(days=90)
MOST: Final = 1_000
#: Ids that one question may name.
IDS_LIMIT: Final = 100
#: Pages of the largest size that can be turned to.
PAGES_LIMIT: Final = 100
#: W3C, "Date and Time Formats", with a time. A plus that was not encoded arrives as a space.
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[ +-]\d\d:\d\d)\Z", re.ASCII
)
_INSTANT_EXPECTED: Final = "it must be an instant like 2026-11-22T10:00:00+08:00"
_COUNT = re.compile(r"[1-9][0-9]{0,5}\Z")


class Asked(Value, frozen=True, kw_only=True):
    """Which service requests a client wants to see."""

    start: datetime
    end: datetime
    services: frozenset[Domain] = frozenset()  #: empty: all
    states: frozenset[str] = frozenset()  #: empty: all
    skipped: int = 0  #: on the pages before
    most: int = MOST

    def wants(self, stored: StoredTicket) -> bool:
        """Return whether a ticket is among them, and may be read."""
        ticket = stored.ticket
        return (
            self.start <= ticket.received_at <= self.end
            and (not self.services or ticket.domain in self.services)
            and (not self.states or state_of(stored) in self.states)
            and is_disclosed(stored)
        )


def ids_of(query: Mapping[str, str]) -> tuple[str, ...]:
    """Return the ids that a client names, which override every other argument; empty: none.

    Raises:
        Malformed: There are more than `IDS_LIMIT`.
    """
    ids = _list(query, "service_request_id")
    if len(ids) > IDS_LIMIT:
        raise Malformed("service_request_id", f"at most {IDS_LIMIT} at once")
    return ids


def asked_of(query: Mapping[str, str], now: datetime) -> Asked:
    """Return what a client asks for; an empty argument is like none.

    Raises:
        Malformed: Naming the argument.
        UnknownService: A service code is none of ours.
    """
    start, end = _range(query, now)
    states = frozenset(_list(query, "status"))
    if states - {OPEN, CLOSED}:
        raise Malformed("status", f"it must be {OPEN} or {CLOSED}, or both with a comma between")
    most = min(_count(query, "page_size", MOST), MOST)
    page = _count(query, "page", 1)
    if page > PAGES_LIMIT:
        raise Malformed("page", f"at most {PAGES_LIMIT}; ask for an earlier end_date instead")
    return Asked(
        start=start,
        end=end,
        services=frozenset(service_of(code) for code in _list(query, "service_code")),
        states=states,
        skipped=(page - 1) * most,
        most=most,
    )


def _range(query: Mapping[str, str], now: datetime) -> tuple[datetime, datetime]:
    start, end = _instant(query, "start_date"), _instant(query, "end_date")
    if start is None:
        end = end or now
        start = end - SPAN
    elif end is None:
        end = start + SPAN
    if end < start:
        raise Malformed("end_date", "it is before start_date")
    if end - start > SPAN:
        raise Malformed("start_date", f"it is more than {SPAN.days} days before end_date")
    return start, end


def _instant(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    if not _INSTANT.match(text):
        raise Malformed(name, _INSTANT_EXPECTED)
    try:
        at = datetime.fromisoformat(text.replace(" ", "+")).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Malformed(name, _INSTANT_EXPECTED) from None
    if not 1900 < at.year < 2200:
        raise Malformed(name, _INSTANT_EXPECTED)
    return at


def _count(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, "").strip()
    if not text:
        return default
    if not _COUNT.match(text):
        raise Malformed(name, "it must be a number from 1 up")
    return int(text)


def _list(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    parts = (part.strip() for part in query.get(name, "").split(","))
    return tuple(dict.fromkeys(part for part in parts if part))
