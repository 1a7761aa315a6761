"""Incidents as they stand for the desks: made from what was just stored, encoded once for all pages."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from adapters.base import Item
from gateway.desks.answers import called_in, calls_duty, stands_at
from gateway.desks.roster import DUTY, Roster
from gateway.desks.view import STEPS_SHOWN, WORDS, add_step, standing, view_of
from gateway.outbox.events import item_with
from gateway.outbox.fresh import Build, Fresh
from gateway.ports import Told
from gateway.store.base import (
    Delivery,
    Event,
    IncidentChange,
    IncidentReport,
    StoredIncident,
    StoredTicket,
)
from gateway.view import Public, publish, publish_incident
from normalizer.schema import Incident, Value

_encode = msgspec.json.Encoder().encode


class Change(Value, frozen=True, kw_only=True):
    """The newest state of an incident."""

    incident: str
    version: int
    body: bytes  #: its view as JSON


class Card:
    """An incident as it stands. Used on one event loop."""

    __slots__ = (
        "_called_in",
        "_change",
        "_first",
        "_rung_from",
        "desks",
        "incident",
        "numbers",
        "said",
        "version",
        "view",
    )

    def __init__(self, stored: StoredIncident, view: dict[str, Any], zone: ZoneInfo) -> None:
        self.incident = stored.incident.id
        self.version = stored.version
        self.desks = concerned(stored)
        self._called_in = called_in(stored)
        self._rung_from = stored.rung_from
        self.view = view
        self._first = publish_incident(stored, zone)
        #: Numbers of the reports, and their telephones: only ever appended to.
        self.numbers = dict.fromkeys(self._first.reports)
        self.said = dict.fromkeys(self._first.contacts)
        view["reports"], view["contacts"] = list(self.numbers), list(self.said)
        self._change: Change | None = None

    @property
    def is_open(self) -> bool:
        """Whether further reports may join it."""
        return bool(self.view["state"] != "closed")

    def join(self, number: str, contacts: Sequence[str], words: dict[str, Any]) -> None:
        """Add a report. What it costs does not grow with the reports that are there."""
        view = self.view
        if number not in self.numbers:
            self.numbers[number] = None
            view["reports"].append(number)
            said = view["words"]
            said.append(words)
            if len(said) > WORDS:
                del said[1]
        for contact in contacts:
            if contact not in self.said:
                self.said[contact] = None
                view["contacts"].append(contact)
        self.version += 1
        view["version"] = self.version
        self._change = None

    def step(self, change: IncidentChange, zone: ZoneInfo, roster: Roster) -> None:
        """Take a step: what it costs does not grow with the steps before it."""
        view, event, service = self.view, change.event, self._first.service
        if change.rung_from is not None or change.desk != view["desk"]:
            self._rung_from = change.rung_from or event.at
        self._called_in |= calls_duty(event.event, event.data)
        called = self._called_in
        self.desks = frozenset({change.desk, service} | ({DUTY} if called else set()))
        add_step(view["steps"], event, zone)
        del view["steps"][:-STEPS_SHOWN]
        self._first = msgspec.structs.replace(self._first, state=change.state)
        view.update(state=change.state, desk=change.desk)
        shown = stands_at(change.desk, change.state, called_in=called)
        view.update(standing(change.desk, service, shown, self._rung_from, zone, roster))
        self.version += 1
        view["version"] = self.version
        self._change = None

    def change(self) -> Change:
        """Return the state as it is sent, encoded once however many pages there are."""
        if self._change is None:
            body = _encode(self.view)
            self._change = Change(incident=self.incident, version=self.version, body=body)
        return self._change

    def as_of_now(self) -> Callable[[], Incident]:
        """Return what returns the incident as it is now, whatever joins it later."""
        first, reports, contacts = self._first, len(self.numbers), len(self.said)
        return lambda: msgspec.structs.replace(
            first,
            reports=tuple(islice(self.numbers, reports)),
            contacts=tuple(islice(self.said, contacts)),
        )


def concerned(stored: StoredIncident) -> frozenset[str]:
    """Return the desks that may see and answer an incident; see `gateway.desks.answers.concerns`."""
    desks = {stored.desk, stored.incident.service}
    return frozenset(desks | {DUTY}) if called_in(stored) else frozenset(desks)


def event_of(leased: Sequence[Delivery], incident: str) -> tuple[int | None, bool]:
    """Return the number of the event by which a report came, and whether it raised the incident.

    Known from the deliveries that were handed out with it. None: they wait behind older ones.
    """
    for delivery in leased:
        if delivery.stream == incident:
            return delivery.event_seq, delivery.type == "hotline.emergency.raised"
    return None, False


def raised(
    report: IncidentReport, incident: str, told: Told, seq: int, zone: ZoneInfo, roster: Roster
) -> Card:
    """Return the card of an incident that a report has just raised, as the store would show it."""
    at = report.incident.opened_at
    event = Event(
        seq=seq,
        stream=incident,
        version=1,
        at=at,
        event="raised",
        by="gateway",
        data=report.joined_data,
    )
    stored = StoredIncident(
        incident=msgspec.structs.replace(report.incident, id=incident, reports=(told.number,)),
        desk=report.incident.service,
        rung=0,
        rung_from=at,
        ladder_at=report.ladder_at,
        events=(event,),
        tickets=(told.ticket.id,),
    )
    return Card(stored, view_of(stored, (ticket_of(told),), zone, roster), zone)


def ticket_of(told: Told) -> StoredTicket:
    """Return the ticket as the store would."""
    event = told.event
    first = Event(
        seq=0,
        stream=told.ticket.id,
        version=1,
        at=event.at,
        event=event.event,
        by=event.by,
        text=event.text,
        data=event.data,
    )
    return StoredTicket(
        number=told.number, ticket=told.ticket, events=(first,), incidents=told.incidents
    )


def once(view: Callable[[], Value]) -> Callable[[], msgspec.Raw]:
    """Return what returns a view as an event's data hold it, built and encoded at the first call."""
    return cache(lambda: msgspec.Raw(msgspec.json.encode(view(), order="deterministic")))


def shown_once(told: Told, public: Public) -> Callable[[], msgspec.Raw]:
    """Return what returns the view of a ticket that was just stored, the same for all who ask."""
    return once(lambda: publish(ticket_of(told), public))


def leave_items(
    fresh: Fresh,
    report: IncidentReport,
    told: Told,
    card: Card,
    public: Public,
    whole: Callable[[str], bool],
    shown: Callable[[], msgspec.Raw],
) -> None:
    """Leave the items of an incident's deliveries, and of the ticket's own, to who carries them.

    Args:
        fresh: Where to leave them.
        report: What has just raised or joined the incident.
        told: Its ticket.
        card: The incident.
        public: What views need to know.
        whole: Whether anybody reads what comes to a destination.
        shown: Returns the ticket's view, `shown_once`.
    """
    # Built at the first of its deliveries, for all of them.
    as_of_now = once(card.as_of_now())
    at = told.event.at

    def build(delivery: Delivery) -> Item:
        data: dict[str, object] = {**delivery.data}
        subject = told.number
        if delivery.stream != told.ticket.id:
            subject, data["incident"] = card.incident, as_of_now()
        data["ticket"] = shown()
        return item_with(delivery, subject, at, data, public)

    _, is_new = event_of(told.leased, card.incident)
    for new in report.on_raise if is_new else report.on_join:
        fresh.put(new.id, build if whole(new.destination) else announcing(at, public))
    for delivery in told.leased:
        if delivery.stream == told.ticket.id and delivery.type.startswith("hotline.ticket."):
            fresh.put(delivery.id, build)


def announcing(at: datetime, public: Public) -> Build:
    """Return what builds the item of an event that nobody reads: that it happened, and to what."""
    return lambda delivery: Item(
        id=delivery.id,
        destination=delivery.destination,
        type=delivery.type,
        subject=delivery.stream,
        time=at.astimezone(public.zone),
        urgent=True,
        body=b"",
    )
