"""An incident as a desk sees it: the contract's incident and what its people said."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.desks.answers import shown_at
from gateway.desks.incidents import place_line
from gateway.desks.roster import Roster
from gateway.store.base import Event, NewEvent, Store, StoredIncident, StoredTicket
from gateway.view import publish_incident

#: Reports whose words are shown: the first and the latest others.
WORDS = 5
_TEXT = 600
_STEPS = frozenset({"acknowledged", "returned", "closed", "escalated"})
STEPS_SHOWN = 6


async def desk_views(
    store: Store, incidents: Sequence[StoredIncident], zone: ZoneInfo, roster: Roster
) -> list[dict[str, Any]]:
    """Return the views of incidents, in their order. Raises `StoreError`."""
    wanted = {i: _shown(stored.tickets) for i, stored in enumerate(incidents)}
    ids = sorted({ticket_id for some in wanted.values() for ticket_id in some})
    tickets = await store.tickets(ids) if ids else {}
    return [
        view_of(stored, [tickets[t] for t in wanted[i] if t in tickets], zone, roster)
        for i, stored in enumerate(incidents)
    ]


def _shown(tickets: tuple[str, ...]) -> tuple[str, ...]:
    if len(tickets) <= WORDS:
        return tickets
    return (tickets[0], *tickets[-(WORDS - 1) :])


def view_of(
    stored: StoredIncident, tickets: Iterable[StoredTicket], zone: ZoneInfo, roster: Roster
) -> dict[str, Any]:
    """Return the view of an incident with the words of these reports."""
    incident = publish_incident(stored, zone)
    view: dict[str, Any] = msgspec.to_builtins(incident)
    service, shown = stored.incident.service, shown_at(stored)
    view.update(
        label=roster.label(service),
        kind_label=stored.events[0].data.get("kind_label"),
        desk=stored.desk,
        **standing(stored.desk, service, shown, stored.rung_from, zone, roster),
        place_text=place_line(incident.place) or None,
        version=stored.version,
        words=[words_of(ticket, zone) for ticket in tickets],
        steps=_steps(stored.events, zone)[-STEPS_SHOWN:],
    )
    return view


def standing(
    desk: str,
    service: str,
    shown: Sequence[str],
    rung_from: datetime,
    zone: ZoneInfo,
    roster: Roster,
) -> dict[str, Any]:
    """Return on whose pages an incident stands, since when, and until when it must be answered."""
    return {
        # A desk that the configuration has lost has no page: its incidents stand at their service's.
        "desks": [d for d in shown if roster.get(d)] or [service],
        "raised_at": _iso(rung_from, zone),
        "acknowledge_by": _iso(rung_from + roster.desk(desk).ack_within, zone),
    }


def _steps(events: Sequence[Event], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return what was done, oldest first."""
    steps: list[dict[str, Any]] = []
    version = 0
    for event in events:
        if missing := event.version - version - 1:
            _add_repetitions(steps, missing, event, zone)
        add_step(steps, event, zone)
        version = event.version
    return steps


def _add_repetitions(
    steps: list[dict[str, Any]], times: int, before: Event, zone: ZoneInfo
) -> None:
    """Add rungs of the ladder that were left out before an event."""
    if not steps or steps[-1]["event"] != "escalated":
        add_step(
            steps, msgspec.structs.replace(before, event="escalated", by="gateway", text=None), zone
        )
        times -= 1
    steps[-1]["times"] += times


def add_step(steps: list[dict[str, Any]], event: Event | NewEvent, zone: ZoneInfo) -> None:
    """Add what an event did, rungs of the ladder that follow each other as one."""
    if event.event not in _STEPS:
        return
    step = {
        "at": _iso(event.at, zone),
        "event": event.event,
        "by": event.by,
        "text": event.text,
        "times": 1,
    }
    if steps and event.event == "escalated" == steps[-1]["event"]:
        step["times"] = steps.pop()["times"] + 1
    steps.append(step)


def words_of(stored: StoredTicket, zone: ZoneInfo) -> dict[str, Any]:
    """Return who said what of an incident: a report as it is shown."""
    ticket = stored.ticket
    return {
        "number": stored.number,
        "at": _iso(ticket.received_at, zone),
        "channel": ticket.channel.kind,
        "text": _said(stored),
        "place": place_line(ticket.place) or None,
        "phone": ticket.requester.phone,
        "confidential": ticket.requester.confidential or ticket.requester.anonymous,
    }


def _said(stored: StoredTicket) -> str:
    """Return the first words and those added since, which may be what made it an emergency."""
    text = stored.ticket.content.text
    added = "".join(
        f" 【补充】{e.data['message']['text']}" for e in stored.events if "message" in e.data
    )
    if not added:
        return text if len(text) <= _TEXT else text[: _TEXT - 1] + "…"
    half = _TEXT // 2
    text = text if len(text) <= half else text[: half - 1] + "…"
    return text + (added if len(added) <= half else "…" + added[1 - half :])


def _iso(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).isoformat()
