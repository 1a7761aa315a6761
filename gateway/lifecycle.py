"""Which step a handling unit may take on a ticket, and what the ticket's state is after it."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from gateway.store.base import Event, StoredTicket
from gateway.view import status_of
from normalizer.errors import Malformed, NotAllowed
from normalizer.schema import Status, Value

_OPEN = frozenset(
    {
        Status.DRAFT,
        Status.ACCEPTED,
        Status.DISPATCHED,
        Status.SIGNED,
        Status.EXTENDED,
        Status.REOPENED,
    }
)

#: From which states each step of the back office may be taken (contract section 6).
ALLOWED_FROM: Mapping[str, frozenset[Status]] = MappingProxyType(
    {
        "signed": _OPEN | {Status.RETURNED},
        "contacted": _OPEN,
        "returned": _OPEN,
        "extension": _OPEN,
        "answered": _OPEN | {Status.ANSWERED},
        "closed": _OPEN | {Status.ANSWERED},
        "reopened": frozenset({Status.ANSWERED, Status.CLOSED, Status.REFUSED}),
    }
)

#: The event that a step writes, where its name differs.
_EVENT = {"extension": "extended"}


class Work(Value, frozen=True, kw_only=True):
    """One step of a handling unit: ``data`` of a ``hotline.work.*`` event."""

    number: str
    unit: str
    by: str | None = None
    text: str | None = None
    until: datetime | None = None


class WorkRules(Value, frozen=True, kw_only=True):
    """What a region says about steps; None where its rules are silent."""

    extensions_max: int | None = None
    extension_basis: str | None = None
    reason_for_return: bool = False  #: a return names its reason
    return_basis: str | None = None


def event_of(step: str) -> str:
    """Return the name of the event that a step writes."""
    return _EVENT.get(step, step)


def check_step(step: str, work: Work, stored: StoredTicket, rules: WorkRules) -> None:
    """Return if the region's rules allow the step now.

    Raises:
        NotAllowed: They do not; names the rule.
        Malformed: The step lacks what it cannot do without.
    """
    status = status_of(stored.events)
    if status not in ALLOWED_FROM[step]:
        raise NotAllowed(
            f"{step}_from_{status.value}", f"a request that is {status.value} cannot be {step} now"
        )
    if step == "returned" and rules.reason_for_return and not (work.text or "").strip():
        raise NotAllowed("return_with_reason", rules.return_basis or "a return names its reason")
    if step == "extension":
        _check_extension(work, stored.events, rules)


def _check_extension(work: Work, events: tuple[Event, ...], rules: WorkRules) -> None:
    if work.until is None or work.until.tzinfo is None:
        raise Malformed("data.until", "an extension says until when: an RFC 3339 instant")
    done = sum(event.event == "extended" for event in events)
    if rules.extensions_max is not None and done >= rules.extensions_max:
        raise NotAllowed(
            "extensions_max",
            f"at most {rules.extensions_max} extensions: {rules.extension_basis or 'region rules'}",
        )
