"""Which step a handling unit may take on a ticket, and what the ticket's state is after it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, tzinfo
from types import MappingProxyType
from typing import NoReturn

from config.calendar import Calendar
from gateway.store.base import StoredTicket
from gateway.view import moves, status_of
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
    extension_days: int | None = None  #: working days that one extension may add
    extension_within_original: bool = False  #: all of them together no longer than the limit was
    extension_before_days: int | None = None  #: working days before the limit to apply in
    extension_basis: str | None = None
    calendar: Calendar | None = None
    zone: tzinfo = UTC  #: of the instance: whose days are counted
    reason_for_return: bool = False  #: a return names its reason
    return_basis: str | None = None


def event_of(step: str) -> str:
    """Return the name of the event that a step writes."""
    return _EVENT.get(step, step)


def check_step(
    step: str, work: Work, stored: StoredTicket, rules: WorkRules, now: datetime
) -> None:
    """Return if the region's rules allow the step ``now``.

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
        _Extension(work, stored, rules).check(now)


def limit_of(stored: StoredTicket) -> datetime | None:
    """Return until when the matter is to be finished, extensions included."""
    moved = [until for e in stored.events for limit, until in moves(e) if limit == "finish_by"]
    return moved[-1] if moved else stored.ticket.limits.finish_by


class _Extension:
    """An application for more time, and what the region says of it."""

    def __init__(self, work: Work, stored: StoredTicket, rules: WorkRules) -> None:
        self._until = work.until
        self._stored = stored
        self._rules = rules

    def check(self, now: datetime) -> None:
        """Return if the extension may be granted; raise as `check_step`."""
        until, rules = self._until, self._rules
        if until is None or until.tzinfo is None:
            raise Malformed("data.until", "an extension says until when: an RFC 3339 instant")
        limit = limit_of(self._stored)
        if until <= (limit or now):
            raise Malformed("data.until", "an extension ends later than the limit it extends")
        done = sum(event.event == "extended" for event in self._stored.events)
        if rules.extensions_max is not None and done >= rules.extensions_max:
            self._refuse("extensions_max", f"at most {rules.extensions_max} extensions")
        if limit is not None and rules.calendar is not None:
            self._check_days(now, until, limit, rules.calendar)

    def _check_days(
        self, now: datetime, until: datetime, limit: datetime, calendar: Calendar
    ) -> None:
        rules = self._rules
        before, each = rules.extension_before_days, rules.extension_days
        last = self._day(limit)
        if before and calendar.after(self._day(now), before) > last:
            self._refuse("extension_in_time", f"apply {before} working day(s) before the limit")
        if each and self._day(until) > calendar.after(last, each):
            self._refuse("extension_days", f"at most {each} working days at a time")
        original = self._stored.ticket.limits.finish_by
        if rules.extension_within_original and original is not None:
            first, end = self._day(self._stored.ticket.received_at), self._day(original)
            days = max(1, sum(calendar.works(day) for day in _days(first, end)))
            if self._day(until) > calendar.after(end, days):
                self._refuse("extension_within_original", "no longer than the limit itself")

    def _day(self, instant: datetime) -> date:
        try:
            return instant.astimezone(self._rules.zone).date()
        except OverflowError:
            raise Malformed("data.until", "an instant within the years 1 to 9999") from None

    def _refuse(self, rule: str, what: str) -> NoReturn:
        raise NotAllowed(rule, f"{what}: {self._rules.extension_basis or 'region rules'}")


def _days(first: date, last: date) -> Iterator[date]:
    """Yield the days behind ``first`` up to ``last``."""
    for ordinal in range(first.toordinal() + 1, last.toordinal() + 1):
        yield date.fromordinal(ordinal)
