"""Which incident an emergency ticket raises or joins, decided before the store is asked.

The index lives in memory and is asked synchronously, so concurrent reports of one happening see
each other before either is stored. It holds guesses only: the store decides whether a report
raises or joins (`IncidentReport`), so an entry whose first report failed to be written is raised
by the next report that joins it, and one closed meanwhile is raised afresh.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any

import msgspec

from gateway.desks.likeness import (
    WINDOW,
    SamePlace,
    Signs,
    Trace,
    group_of,
    likeness,
    trace_of,
)
from gateway.desks.roster import Roster
from gateway.ports import Told
from gateway.store.base import IncidentReport, Lane, NewDelivery, Store, StoredIncident
from normalizer.schema import EMERGENCY_SERVICES, Incident, Place, Service, Ticket, Urgency
from normalizer.text import fold

#: States in which an incident is open, and those in which nobody has answered yet.
OPEN = ("raised", "acknowledged", "escalated", "returned")
UNANSWERED = ("raised", "escalated", "returned")
#: Open happenings remembered; one that is forgotten is only raised twice.
_KEPT = 4096
#: Newest happenings of a kind that a report is held against, and the most whose places are
#: compared in full: a storm of emergencies must not keep the next one waiting.
_LOOKED_AT = 512
_COMPARED = 12
_TRACES = 8
_SUMMARY = 120
_PAGE = 200


def services_concerned(ticket: Ticket) -> tuple[Service, ...]:
    """Return the services that get an incident: those of the four that the judge named.

    An emergency that needs none of them, or only a utility, goes to the police: 110 takes what
    has no other owner (国办发〔2022〕12号: danger to life or property is dispatched by 110 first).
    """
    if ticket.urgency is not Urgency.EMERGENCY:
        return ()
    named = tuple(s for s in dict.fromkeys(ticket.services) if s in EMERGENCY_SERVICES)
    return named or (Service.POLICE,)


def tell(
    what: str,
    destinations: Iterable[str],
    at: datetime,
    new_id: Callable[[], str],
    data: dict[str, Any] | None = None,
) -> tuple[NewDelivery, ...]:
    """Return a delivery of ``hotline.emergency.<what>`` for each destination."""
    return tuple(
        NewDelivery(
            id=new_id(),
            destination=destination,
            lane=Lane.EMERGENCY,
            type=f"hotline.emergency.{what}",
            due_at=at,
            data=data or {},
        )
        for destination in dict.fromkeys(destinations)
    )


def told(deliveries: Iterable[NewDelivery]) -> dict[str, str]:
    """Return the id of each desk's delivery, kept with the event so that a queue can be refilled."""
    return {d.destination: d.id for d in deliveries if d.destination.startswith("liaison:")}


def place_line(place: Place) -> str:
    """Return the place in one line, empty when nothing is known."""
    if place.text:
        return place.text
    line = ""
    if place.district or place.street:  # a city alone may only be assumed
        names = (place.province, place.city, place.district, place.street)
        line = "".join(name for name in names if name)
    if not line and place.latitude is not None and place.longitude is not None:
        line = f"{place.latitude:.5f},{place.longitude:.5f}"
    return line


def summarize(ticket: Ticket, kind_label: str | None) -> str:
    """Return a line that tells a desk what and where."""
    words = ticket.content.title or " ".join(ticket.content.text.split())
    parts = [part for part in (kind_label, place_line(ticket.place), words) if part]
    line = " · ".join(dict.fromkeys(parts))
    if ticket.exercise:
        line = f"【演练】{line}"
    return line if len(line) <= _SUMMARY else line[: _SUMMARY - 1] + "…"


class _Entry:
    """An open incident and the reports it is known by: the first, and the latest others."""

    __slots__ = ("id", "last_at", "signs", "traces")

    def __init__(self, incident_id: str, at: datetime) -> None:
        self.id = incident_id
        self.last_at = at
        self.traces: list[Trace] = []
        self.signs = Signs()

    def add(self, trace: Trace, now: datetime) -> None:
        self.last_at = max(self.last_at, now)
        self.traces.append(trace)
        self.signs.add(trace)
        if len(self.traces) > _TRACES:
            del self.traces[1]
            self.signs = Signs()
            for kept in self.traces:
                self.signs.add(kept)


#: Service, group of kinds, drill or not: only reports that agree in all three can join.
_Key = tuple[str, str | None, bool]


class IncidentIndex:
    """Open incidents by what their reports say."""

    def __init__(
        self,
        roster: Callable[[], Roster],
        same_place: SamePlace,
        new_id: Callable[[], str],
        kind_label: Callable[[str], str | None] = lambda _: None,
        reported: Callable[[IncidentReport, str, Told | None], None] = lambda *_: None,
        *,
        kept: int = _KEPT,
    ) -> None:
        """Make an empty index; `seed` fills it.

        Args:
            roster: The desks in force.
            same_place: Likeness of two places, 0 to 1.
            new_id: Makes ids.
            kind_label: What people call a kind of happening.
            reported: Told of each confirmed report, the incident that it raised or joined, and
                the ticket if it is at hand.
            kept: Open happenings remembered.
        """
        self._roster = roster
        self._same_place = same_place
        self._new_id = new_id
        self._kind_label = kind_label
        self._reported = reported
        self._kept = kept
        self._open: dict[_Key, OrderedDict[str, _Entry]] = {}
        self._keys: OrderedDict[str, _Key] = OrderedDict()  #: incident id -> where it is
        self._asked: OrderedDict[str, Trace] = OrderedDict()  #: fresh id -> until confirmed

    def __len__(self) -> int:
        return len(self._keys)

    def reports(
        self,
        ticket: Ticket,
        folded: str,
        now: datetime,
        message: Mapping[str, Any] | None = None,
    ) -> tuple[IncidentReport, ...]:
        """Return the incidents that the ticket raises or joins, one a service concerned."""
        services = services_concerned(ticket)
        if not services:
            return ()
        trace = trace_of(ticket, folded)
        group = group_of(ticket.kind)
        kind_label = self._kind_label(ticket.kind) if ticket.kind else None
        summary = summarize(ticket, kind_label)
        same = cache(self._same_place)  # the services' incidents have their places in common
        result = []
        for service in services:
            key = (service.value, group, ticket.exercise)
            incident_id = self._place(key, trace, now, same)
            report = self._report(ticket, service.value, incident_id, summary, now, message)
            self._asked[report.fresh_id] = trace
            result.append(report)
        while len(self._asked) > _KEPT:
            self._asked.popitem(last=False)
        return tuple(result)

    def confirm(
        self, reports: Sequence[IncidentReport], ids: Sequence[str], told: Told | None = None
    ) -> None:
        """Take note of what the store made of the reports, in their order."""
        for report, incident_id in zip(reports, ids, strict=False):
            self._reported(report, incident_id, told)
            trace = self._asked.pop(report.fresh_id, None)
            if incident_id == report.incident.id or trace is None:
                continue
            key = self._keys.get(report.incident.id)
            self.forget(report.incident.id)
            incident = report.incident
            key = key or (incident.service, group_of(incident.kind), incident.exercise)
            self._insert(key, incident_id, incident.opened_at).add(trace, incident.opened_at)

    def forget(self, incident_id: str) -> None:
        """Let no further report join a closed incident."""
        key = self._keys.pop(incident_id, None)
        if key is not None:
            self._open[key].pop(incident_id, None)
            if not self._open[key]:
                del self._open[key]

    async def seed(self, store: Store, now: datetime) -> None:
        """Learn the open incidents of the store, as at a start."""
        after = ""
        while page := await store.incidents(None, OPEN, _PAGE, after):
            for stored in page:
                await self.learn(store, stored, now)
            after = page[-1].incident.id

    def knows(self, incident_id: str) -> bool:
        """Return whether reports may join this incident."""
        return incident_id in self._keys

    async def learn(self, store: Store, stored: StoredIncident, now: datetime) -> None:
        """Learn an open incident that may still be joined. Raises `StoreError`."""
        if now - max(stored.events[-1].at, _last_report(stored)) > WINDOW:
            return
        incident = stored.incident
        key = (incident.service, group_of(incident.kind), incident.exercise)
        wanted = (*stored.tickets[:1], *stored.tickets[1:][-(_TRACES - 1) :])
        tickets = await store.tickets(wanted)
        entry = self._insert(key, incident.id, _last_report(stored))
        for ticket_id in wanted:
            if found := tickets.get(ticket_id):
                ticket = found.ticket
                entry.add(trace_of(ticket, fold(ticket.content.text)), ticket.received_at)

    def _place(self, key: _Key, trace: Trace, now: datetime, same: SamePlace) -> str:
        """Return the id of the incident that a report belongs to, and remember the report."""
        found = self._find(key, trace, now, same)
        if found is None:
            found = self._insert(key, self._new_id(), now)
        else:
            self._open[key].move_to_end(found.id)
            self._keys.move_to_end(found.id)
        found.add(trace, now)
        return found.id

    def _find(self, key: _Key, trace: Trace, now: datetime, same: SamePlace) -> _Entry | None:
        entries, group = self._open.get(key), key[1]
        if not entries or trace.another:
            return None
        promising: list[tuple[int, _Entry]] = []
        for entry in islice(reversed(entries.values()), _LOOKED_AT):
            worth = entry.signs.promise(trace)
            if worth and now - entry.last_at <= WINDOW:
                promising.append((worth, entry))
        promising.sort(key=lambda pair: -pair[0])  # stable: the newest first among equals
        best, score = None, 0.0
        for _, entry in promising[:_COMPARED]:
            alike = likeness(trace, entry.traces, group, same)
            if alike > score:
                best, score = entry, alike
        return best

    def _insert(self, key: _Key, incident_id: str, at: datetime) -> _Entry:
        entry = _Entry(incident_id, at)
        self._open.setdefault(key, OrderedDict())[incident_id] = entry
        self._keys[incident_id] = key
        while len(self._keys) > self._kept:
            self.forget(next(iter(self._keys)))
        return entry

    def _report(
        self,
        ticket: Ticket,
        service: str,
        incident_id: str,
        summary: str,
        now: datetime,
        message: Mapping[str, Any] | None,
    ) -> IncidentReport:
        destinations = (f"liaison:{service}", ticket.route.to)
        data = None if message is None else {"message": message}
        on_raise = tell("raised", destinations, now, self._new_id, data)
        on_join = tell("updated", destinations, now, self._new_id, data)
        contacts = (ticket.requester.phone,) if ticket.requester.phone else ()
        return IncidentReport(
            incident=Incident(
                id=incident_id,
                service=service,
                opened_at=now,
                state="raised",
                kind=ticket.kind,
                place=ticket.place,
                summary=summary,
                contacts=contacts,
                exercise=ticket.exercise,
            ),
            fresh_id=self._new_id(),
            ladder_at=self._roster().first_at(service, now),
            joined_data={
                "summary": summary,
                "contacts": list(contacts),
                "place": msgspec.to_builtins(ticket.place),
                "backoffice": ticket.route.to,
                "kind_label": self._kind_label(ticket.kind) if ticket.kind else None,
                "told": {"raised": told(on_raise), "joined": told(on_join)},
            },
            on_raise=on_raise,
            on_join=on_join,
        )


def _last_report(stored: StoredIncident) -> datetime:
    return max(e.at for e in stored.events if e.event in ("raised", "joined"))
