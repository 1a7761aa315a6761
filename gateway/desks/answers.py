"""What a desk's answer does to an incident: a pure table of state, desk and action.

A desk is at *its turn* (the incident lies there), or is the *former* desk (it returned the
incident to duty), or is *duty* called in by the ladder while the incident lies at its service.
The rule behind the table: whoever takes an incident on may do so at any time while it is open,
nobody may end or move what lies at another desk, and an answer that was given already changes
nothing.

| state | turn: acknowledge / return / close | former | duty called in |
|---|---|---|---|
| raised, escalated | acknowledged / returned to duty / closed | taken back / unchanged / 409 | taken over / 409 / closed |
| returned | as above; a second return changes nothing | taken back / unchanged / 409 | taken over / 409 / closed |
| acknowledged | unchanged / returned to duty / closed | unchanged / unchanged / 409 | unchanged / 409 / 409 |
| closed | 409 | 409 | 409 |

The duty desk itself never returns (409): there is nobody behind it.
"""

from collections.abc import Mapping

from gateway.desks.roster import DUTY
from gateway.store.base import StoredIncident
from normalizer.errors import NotAllowed
from normalizer.schema import Value

ACTIONS = ("acknowledge", "return", "close")


class Answer(Value, frozen=True, kw_only=True):
    """A desk's answer to an incident."""

    incident: str
    action: str  #: one of `ACTIONS`
    by: str
    note: str | None = None
    desk: str | None = None  #: who answers; None: whoever's turn it is, as on the stream
    key: str | None = None  #: what a repeat of this answer is known by


class Turn(Value, frozen=True, kw_only=True):
    """Where an answer leaves an incident."""

    state: str
    desk: str


def decide(stored: StoredIncident, answer: Answer, *, has_duty: bool) -> Turn | None:
    """Return where the answer leaves the incident; None: it changes nothing.

    Raises:
        NotAllowed: The state forbids it; the message is for the desk.
    """
    if stored.incident.state == "closed":
        raise NotAllowed("incident.closed", "the incident is closed; a new report raises a new one")
    actor = answer.desk or stored.desk
    if answer.action == "acknowledge":
        return _acknowledge(stored, actor)
    if answer.action == "return":
        return _return(stored, actor, has_duty=has_duty)
    return _close(stored, actor)


def _acknowledge(stored: StoredIncident, actor: str) -> Turn | None:
    if stored.incident.state == "acknowledged":
        return None
    return Turn(state="acknowledged", desk=actor)


def _return(stored: StoredIncident, actor: str, *, has_duty: bool) -> Turn | None:
    if actor == DUTY:
        raise NotAllowed(
            "duty.returns-nothing",
            "the duty desk is the last one: acknowledge the incident, or close it with a reason",
        )
    if stored.desk != actor:
        return None
    if has_duty:
        return Turn(state="returned", desk=DUTY)
    if stored.incident.state == "returned":
        return None
    return Turn(state="returned", desk=actor)


def _close(stored: StoredIncident, actor: str) -> Turn:
    if stored.desk == actor:
        return Turn(state="closed", desk=actor)
    if actor == DUTY and stored.incident.state != "acknowledged":
        return Turn(state="closed", desk=actor)
    raise NotAllowed(
        "incident.elsewhere",
        f"the incident lies at desk {stored.desk}; acknowledge it first to take it on"
        if stored.incident.state != "acknowledged"
        else f"desk {stored.desk} has acknowledged the incident and closes it",
    )


def called_in(stored: StoredIncident) -> bool:
    """Return whether the ladder has called the duty desk in."""
    return any(calls_duty(e.event, e.data) for e in stored.events)


def calls_duty(event: str, data: Mapping[str, object]) -> bool:
    """Return whether an event is the ladder's calling the duty desk in."""
    return event == "escalated" and data.get("to") == DUTY


def concerns(stored: StoredIncident, desk: str) -> bool:
    """Return whether a desk may see and answer an incident."""
    if desk in (stored.desk, stored.incident.service):
        return True
    return desk == DUTY and called_in(stored)


def shown_at(stored: StoredIncident) -> tuple[str, ...]:
    """Return the desks on whose page an open incident stands: whose turn it is, and called in."""
    return stands_at(stored.desk, stored.incident.state, called_in=called_in(stored))


def stands_at(desk: str, state: str, *, called_in: bool) -> tuple[str, ...]:
    """Return the same of an incident at ``desk`` in ``state``."""
    if called_in and state != "acknowledged":
        return tuple(dict.fromkeys((desk, DUTY)))
    return (desk,)
