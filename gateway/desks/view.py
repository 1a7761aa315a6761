"""An incident as a desk sees it: the contract's incident and what its people said."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from gateway.desks.incidents import place_line
from gateway.desks.roster import Roster
from gateway.outbox.answers import shown_at
from gateway.store.base import Event, Store, StoredIncident, StoredTicket
from gateway.view import publish_incident

#: Reports whose words are shown: the first and the latest others.
_WORDS = 5
_TEXT = 600
_STEPS = frozenset({"acknowledged", "returned", "closed", "escalated"})
_STEPS_SHOWN = 6


async def desk_views(
    store: Store, incidents: Sequence[StoredIncident], zone: ZoneInfo, roster: Roster
) -> list[dict[str, Any]]:
    """Return the views of incidents, in their order. Raises `StoreError`."""
    wanted = {i: _shown(stored.tickets) for i, stored in enumerate(incidents)}
    ids = sorted({ticket_id for some in wanted.values() for ticket_id in some})
    tickets = await store.tickets(ids) if ids else {}
    return [
        _view(stored, [tickets[t] for t in wanted[i] if t in tickets], zone, roster)
        for i, stored in enumerate(incidents)
    ]


def _shown(tickets: tuple[str, ...]) -> tuple[str, ...]:
    if len(tickets) <= _WORDS:
        return tickets
    return (tickets[0], *tickets[-(_WORDS - 1) :])


def _view(
    stored: StoredIncident, tickets: Iterable[StoredTicket], zone: ZoneInfo, roster: Roster
) -> dict[str, Any]:
    incident = publish_incident(stored, zone)
    view: dict[str, Any] = msgspec.to_builtins(incident)
    ack_within = roster.desk(stored.desk).ack_within
    view.update(
        label=roster.label(stored.incident.service),
        kind_label=stored.events[0].data.get("kind_label"),
        desk=stored.desk,
        # A desk that the configuration has lost has no page: its incidents stand at their service's.
        desks=[d for d in shown_at(stored) if roster.get(d)] or [stored.incident.service],
        place_text=place_line(incident.place) or None,
        raised_at=_iso(stored.rung_from, zone),
        acknowledge_by=_iso(stored.rung_from + ack_within, zone),
        version=stored.version,
        words=[_words(ticket, zone) for ticket in tickets],
        steps=_steps(stored.events, zone)[-_STEPS_SHOWN:],
    )
    return view


def _steps(events: Sequence[Event], zone: ZoneInfo) -> list[dict[str, Any]]:
    """Return what was done, rungs of the ladder that follow each other as one."""
    steps: list[dict[str, Any]] = []
    for event in events:
        if event.event not in _STEPS:
            continue
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
    return steps


def _words(stored: StoredTicket, zone: ZoneInfo) -> dict[str, Any]:
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
