"""Until when the region's rules want each step done.

How time is counted, where the region's own source does not say otherwise:

- A limit in days does not count the day it begins on and runs to the end of its last day, 24:00
  in the instance's time zone, written 23:59:59. Source: Civil Code of China, art. 201 and 203;
  a hotline that answers 7×24 has no earlier closing time.
- A limit in hours runs from the minute. Source: Civil Code, art. 201.
- Working days are those of the region's calendar, days worked to make up for holidays included.
  Urgent matters counted in calendar days are not put off by a holiday.
- No step before the last is due later than the last.
- The gateway hands a ticket to the back office at once, so a limit that runs from dispatch is
  counted from receipt, its earliest reading. A limit that runs from the unit's signature is
  unknown until it has signed: `contact_by`.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from config.region import RegionPack, Step, Urgent
from normalizer.schema import Limits, RequestType, Service, Urgency, Value

_LAST_SECOND = time(23, 59, 59)


class _Plan(Value, frozen=True, kw_only=True):
    """The rules that matters of one sort are under."""

    running: dict[str, Step]  #: by step: whose clock runs from receipt
    counted: tuple[str, ...]  #: those counted in working days
    to_the_minute: bool  #: one of them is counted in hours
    basis: str


def limits(
    type: RequestType,  # noqa: A002 - the field's name throughout
    urgency: Urgency,
    received_at: datetime,
    pack: RegionPack,
    *,
    requester: str = "person",
    services: Sequence[Service] = (),
) -> Limits:
    """Return the limits of a matter; None wherever the region's rules are silent.

    Args:
        type: What the citizen wants.
        urgency: How urgent the matter was judged.
        received_at: When it came, in the instance's time zone, which the limits are in too.
        pack: The region's rules.
        requester: ``person`` or ``enterprise``.
        services: Emergency services and utilities concerned.
    """
    key = (limits, type, urgency, requester == "enterprise", *services)
    plan: _Plan | None = pack.memo.get(key)
    if plan is None:
        plan = pack.memo[key] = _plan(type, urgency, pack, requester, services)
    if plan.to_the_minute:
        return _from(plan, received_at, pack)
    # Limits in days are the same for everything that comes on one day: only that is kept.
    day = (received_at.toordinal(), received_at.tzinfo)
    kept: tuple[object, Limits] | None = pack.memo.get((key, "today"))
    if kept is None or kept[0] != day:
        kept = pack.memo[key, "today"] = (day, _from(plan, received_at, pack))
    return kept[1]


def _from(plan: _Plan, received_at: datetime, pack: RegionPack) -> Limits:
    """Return the limits of a plan that begins at an instant."""
    instants = {name: due(step, received_at, pack) for name, step in plan.running.items()}
    finish = instants.get("finish")
    if finish is not None:
        instants = {name: min(instant, finish) for name, instant in instants.items()}
    basis = plan.basis
    if plan.counted:
        last = max(instants[name] for name in plan.counted)
        basis += _estimated(pack, received_at, last)
    return Limits(
        dispatch_by=instants.get("dispatch"),
        sign_by=instants.get("sign"),
        contact_by=instants.get("contact"),
        finish_by=finish,
        policy=pack.name,
        basis=basis or None,
    )


def contact_by(
    type: RequestType,  # noqa: A002 - the field's name throughout
    signed_at: datetime,
    pack: RegionPack,
) -> datetime | None:
    """Return until when a unit that signed is to contact the citizen; None: no such rule."""
    step = pack.limits.contact.get(type)
    return due(step, signed_at, pack) if step is not None and step.since == "signed" else None


def due(step: Step, start: datetime, pack: RegionPack) -> datetime:
    """Return when a step that began at ``start`` is to be done, in the zone of ``start``."""
    if step.hours is not None:
        later = start.astimezone(UTC) + timedelta(hours=step.hours)
        return later.astimezone(start.tzinfo)
    if step.working_days is not None:
        return _end_of(pack.calendar.after(start.date(), step.working_days), start)
    return _end_of(start.date() + timedelta(days=step.days or 0), start)


def _end_of(day: date, start: datetime) -> datetime:
    return datetime.combine(day, _LAST_SECOND, tzinfo=start.tzinfo)


def _plan(
    type: RequestType,  # noqa: A002 - the field's name throughout
    urgency: Urgency,
    pack: RegionPack,
    requester: str,
    services: Sequence[Service],
) -> _Plan:
    """Return what such matters are under, whenever they come."""
    rules = pack.limits
    finish = rules.finish.get(type)
    if requester == "enterprise" and rules.enterprise is not None:
        finish = rules.enterprise
    steps = {
        "dispatch": rules.dispatch,
        "sign": rules.sign,
        "contact": rules.contact.get(type),
        "finish": finish,
    }
    if rules.urgent is not None and _applies(rules.urgent, urgency, services):
        steps = {name: getattr(rules.urgent, name) or step for name, step in steps.items()}
    running = {name: step for name, step in steps.items() if step and step.since != "signed"}
    return _Plan(
        running=running,
        counted=tuple(name for name, step in running.items() if step.working_days),
        to_the_minute=any(step.hours for step in running.values()),
        basis=pack.cite(*(step.basis for step in running.values())),
    )


def _applies(urgent: Urgent, urgency: Urgency, services: Sequence[Service]) -> bool:
    return urgency in urgent.urgency or any(each in urgent.services for each in services)


def _estimated(pack: RegionPack, first: datetime, last: datetime) -> str:
    """Return a remark where the working days between two instants are only estimated."""
    years = pack.calendar.estimated(first.date(), last.date())
    if not years:
        return ""
    return f"；{'、'.join(map(str, years))}年放假安排尚未公布或录入，按周末和法定节假日推算"
