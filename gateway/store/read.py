"""Questions that change nothing, and how rows become values; an engine brings the rows."""

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from gateway.store.base import (
    Delivery,
    Event,
    Lane,
    Quarantined,
    StoredIncident,
    StoredTicket,
    Watched,
)
from gateway.store.batch import SPAN
from gateway.store.changes import number_of
from gateway.store.commit import Answers
from gateway.store.ops import from_us
from gateway.store.watching import News, Unwatched
from normalizer.number import parse
from normalizer.schema import Incident, Limits, Ticket

#: Tickets that `Reader.conversation` returns at most.
MOST_EARLIER = 20

#: Steps of a ticket that set a limit, or let one run again.
RENEWING = frozenset({"signed", "extended", "reopened"})


class _Limited(msgspec.Struct):
    """A stored ticket of which nothing but its limits is looked at."""

    limits: Limits


_ticket = msgspec.json.Decoder(Ticket).decode
_limits = msgspec.json.Decoder(_Limited).decode
_incident = msgspec.json.Decoder(Incident).decode
_json = msgspec.json.Decoder(dict[str, Any]).decode
_rows = msgspec.json.Decoder(list[list[Any]]).decode
_list = msgspec.json.Encoder().encode


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Return the delivery that a row of the outbox holds."""
    return Delivery(
        seq=row[0],
        id=row[1],
        destination=row[2],
        lane=Lane(row[3]),
        type=row[4],
        stream=row[5],
        ticket_id=row[6],
        event_seq=row[7],
        created_at=from_us(row[8]),
        attempts=row[9],
        due_at=from_us(row[10]),
        data=_json(row[11]) if row[11] else {},
        last_error=row[12],
        state=row[13],
        why=row[14],
    )


def claimed(rows: str) -> list[list[Any]]:
    """Return the rows that a claim took, those that were due first first."""
    return sorted(_rows(rows), key=lambda row: (row[10], row[0]))


def _event_of(stream: str, row: Sequence[Any]) -> Event:
    seq, version, at, event, by, text, data, key = row
    return Event(
        seq=seq,
        stream=stream,
        version=version,
        at=from_us(at),
        event=event,
        by=by,
        text=text,
        data=_json(data) if data else {},
        key=key,
    )


class Reader(ABC):
    """The reading side of a store. Used by one thread at a time."""

    @abstractmethod
    def run(self, questions: Sequence[Callable[[], Any]]) -> Answers:
        """Answer all questions from one state of the store."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the connection."""

    @abstractmethod
    def rows(self, name: str, *bindings: Any) -> list[Any]:
        """Return all rows of a statement; lists are bound as JSON arrays."""

    def _grouped(self, name: str, *of: Iterable[int]) -> dict[int, list[Any]]:
        """Return the rest of each row under its first column."""
        groups: dict[int, list[Any]] = defaultdict(list)
        for stream, *row in self.rows(name, *(_list(tuple(one)).decode() for one in of)):
            groups[stream].append(row)
        return groups

    def _tickets(self, rows: Sequence[Any]) -> list[StoredTicket]:
        if not rows:
            return []
        streams = [row[0] for row in rows]
        later = self._grouped("events_of", streams)
        reports = self._grouped("reports_by_ticket", streams)
        return [
            StoredTicket(
                number=number_of(nr),
                ticket=_ticket(body),
                events=tuple([_event_of(id_, row) for row in ((seq, 1, *first), *later[seq])]),
                incidents=tuple(row[0] for row in reports[seq]),
                digest=digest,
            )
            for seq, nr, id_, digest, body, *first in rows
        ]

    def ticket(self, number: str) -> StoredTicket | None:
        """Return the ticket with this number; a malformed one is like an unknown one."""
        found = parse(number)
        if found is None:
            return None
        tickets = self._tickets(self.rows("ticket_by_nr", int(found[0]) * SPAN + found[1]))
        return tickets[0] if tickets else None

    def tickets(self, ids: Iterable[str]) -> dict[str, StoredTicket]:
        """Return those of the tickets with these ids that exist."""
        rows = self.rows("tickets_by_id", _list(tuple(ids)).decode())
        return {stored.ticket.id: stored for stored in self._tickets(rows)}

    def page(self, after: str, limit: int) -> list[StoredTicket]:
        """Return the first tickets committed behind the one with id ``after``."""
        return self._tickets(self.rows("tickets_after", after, limit))

    def numbered(self, day: int, after: int, limit: int) -> list[StoredTicket]:
        """Return the tickets of a day behind a count, in the order of their numbers."""
        first = day * SPAN
        return self._tickets(self.rows("tickets_numbered", first + after, first + SPAN, limit))

    def newest(self, day: int, before: int, limit: int, *, public: bool) -> list[StoredTicket]:
        """Return tickets of a day below a count (0: all) and of the days before it, newest first."""
        below = day * SPAN + before if before else (day + 1) * SPAN
        name = "public_before" if public else "tickets_before"
        return self._tickets(self.rows(name, below, limit))

    def conversation(
        self, channel: str, account: str, thread: str, since: int
    ) -> list[StoredTicket]:
        """Return tickets of one conversation, newest first."""
        of = (channel, account, thread)
        return self._tickets(self.rows("tickets_of_thread", *of, since, MOST_EARLIER))

    def known(self, channel: str, account: str, key: str) -> str | None:
        """Return the number of the ticket that was made of the message with this key."""
        rows = self.rows("known", channel, account, key)
        return number_of(rows[0][0]) if rows else None

    def raw(self, ticket_id: str) -> tuple[bytes, str] | None:
        """Return a ticket's raw message and its media type."""
        rows = self.rows("raw", ticket_id)
        return (bytes(rows[0][0]), rows[0][1]) if rows else None

    def attached(self, hashes: Iterable[str]) -> set[str]:
        """Return those of the hashes that a ticket or an event names."""
        return {row[0] for row in self.rows("attached", _list(tuple(hashes)).decode())}

    def _incidents(
        self, rows: Sequence[Any], events_too: Iterable[int] = ()
    ) -> list[StoredIncident]:
        if not rows:
            return []
        streams = [row[1] for row in rows]
        events = self._grouped("incident_events", streams, events_too)
        reports = self._grouped("reports_by_incident", streams)
        return [_incident_of(row, events[row[1]], reports[row[1]]) for row in rows]

    def incident(self, incident_id: str, events: Iterable[int] = ()) -> StoredIncident | None:
        """Return the incident with this id, and these of its events however old."""
        found = self._incidents(self.rows("incident_by_id", incident_id), events)
        return found[0] if found else None

    def incidents(
        self, desk: str | None, states: Sequence[str], limit: int, after: str
    ) -> list[StoredIncident]:
        """Return incidents, ids ascending."""
        name = "incidents_in_state" if desk is None else "incidents_at_desk"
        more = () if desk is None else (desk,)
        rows = [row for s in set(states) for row in self.rows(name, s, after, limit, *more)]
        return self._incidents(sorted(rows)[:limit])

    def newest_incidents(self, states: Sequence[str], limit: int) -> list[StoredIncident]:
        """Return incidents, newest first."""
        rows = [row for s in set(states) for row in self.rows("newest_incidents", s, limit)]
        return self._incidents(sorted(rows, reverse=True)[:limit])

    def ladder_due(self, now: int, limit: int) -> list[StoredIncident]:
        """Return incidents whose clock has run out, most overdue first."""
        return self._incidents(self.rows("ladder_due", now, limit))

    def ladder_next(self) -> int | None:
        """Return when the next clock runs out."""
        value: int | None = self.rows("ladder_next")[0][0]
        return value

    def unwatched(self, limit: int) -> Unwatched:
        """Return the oldest news that nobody has seen to."""
        upto: int = self.rows("watch_upto")[0][0]
        tickets = self.rows("limits_since", upto, limit)
        steps = self.rows("steps_since", upto, limit)
        # Behind the end of a full page of one kind there may be older ones of it than of the other.
        ends = [page[-1][0] for page in (tickets, steps) if len(page) == limit]
        end = min(ends, default=max([upto] + [page[-1][0] for page in (tickets, steps) if page]))
        found = [
            News(seq=seq, ticket=seq, at=from_us(at), limits=_limits(body).limits)
            for seq, at, body in tickets
        ]
        found += [
            News(seq=seq, ticket=stream, at=from_us(at), limits=None)
            for seq, stream, at, event in steps
            if event in RENEWING
        ]
        news = sorted((one for one in found if one.seq <= end), key=lambda one: one.seq)
        return Unwatched(news=tuple(news), upto=end, more=bool(ends))

    def watched(self, now: int, limit: int) -> list[Watched]:
        """Return tickets whose time has come, the longest overdue first."""
        tickets = self._tickets(self.rows("watched", now, limit))
        asked = [
            (stored.events[0].seq, stored.ticket.route.to)
            for stored in tickets
            if stored.ticket.limits.dispatch_by is not None
        ]
        rows = self.rows("not_handed_over", _list(asked).decode()) if asked else ()
        waiting = {row[0] for row in rows}
        return [
            Watched(stored=stored, handed_over=stored.events[0].seq not in waiting)
            for stored in tickets
        ]

    def next_due(self, destination: str, lane: int) -> int | None:
        """Return when the next delivery may be claimed."""
        rows = self.rows("next_due", destination, lane)
        return rows[0][0] if rows else None

    def deliveries(self, states: Sequence[str], limit: int) -> list[Delivery]:
        """Return deliveries in these states, oldest first."""
        rows = []
        for state in set(states):
            common = state in ("due", "done")
            rows += self.rows("deliveries_common" if common else "deliveries_rare", state, limit)
        return [delivery_of(row) for row in sorted(rows)[:limit]]

    def deliveries_of(self, events: Iterable[int]) -> list[Delivery]:
        """Return the deliveries that tell of events, oldest first.

        Both are numbered in the order in which they were written, and an event's deliveries with it or
        later: so they are looked for as in a dictionary, and no index has to be written for them.
        """
        last: int = self.rows("last_delivery")[0][0]
        rows: list[Any] = []
        for event in sorted(set(events)) if last else ():
            first = bisect_left(range(last + 1), event, key=self._told_of)
            rows += self.rows("deliveries_from", first, event)
        return [delivery_of(row) for row in rows]

    def _told_of(self, seq: int) -> int:
        """Return the event that the first delivery from a number on tells of."""
        return int(self.rows("told_of", seq)[0][0])

    def destinations(self) -> list[str]:
        """Return the destinations that have unfinished deliveries."""
        return [row[0] for row in self.rows("destinations")]

    def delivery(self, event_id: str) -> Delivery | None:
        """Return the delivery of this event id."""
        rows = self.rows("delivery", event_id)
        return delivery_of(rows[0]) if rows else None

    def quarantined(self, states: Sequence[str], limit: int) -> list[Quarantined]:
        """Return quarantined messages, oldest first."""
        rows = [row for s in set(states) for row in self.rows("quarantined", s, limit)]
        return [_quarantined(r) for r in sorted(rows, key=lambda row: (row[1], row[0]))[:limit]]

    def dead(self, limit: int, after: int) -> list[Delivery]:
        """Return dead deliveries, oldest first."""
        return [delivery_of(row) for row in self.rows("dead", after, limit)]

    def held_heads(self, limit: int, at: int, item_id: str) -> list[Quarantined]:
        """Return what is held, oldest first, without the messages themselves."""
        rows = self.rows("held_heads", limit, at, item_id)
        return [_quarantined((*row[:5], b"", *row[5:])) for row in rows]

    def held(self, item_id: str) -> Quarantined | None:
        """Return the quarantined message with this id, whatever its state."""
        rows = self.rows("held", item_id)
        return _quarantined(rows[0]) if rows else None

    def counts(self) -> dict[str, int]:
        """Return the counters."""
        return dict(self.rows("counters"))


def _quarantined(row: Sequence[Any]) -> Quarantined:
    names = ("id", "at", "channel", "account", "reason", "raw", "raw_type", "state", "why")
    fields = dict(zip(names, row, strict=True))
    return Quarantined(**(fields | {"at": from_us(row[1])}))


def _incident_of(row: Sequence[Any], events: list[Any], reports: list[Any]) -> StoredIncident:
    incident_id, _, state, desk, rung, rung_from, ladder_at, body = row
    incident = msgspec.structs.replace(
        _incident(body),
        id=incident_id,
        state=state,
        reports=tuple(number_of(nr) for _, nr in reports),
    )
    return StoredIncident(
        incident=incident,
        desk=desk,
        rung=rung,
        rung_from=from_us(rung_from),
        ladder_at=None if ladder_at is None else from_us(ladder_at),
        events=tuple(_event_of(incident_id, event) for event in events),
        tickets=tuple(ticket_id for ticket_id, _ in reports),
    )
