"""Which step a handling unit may take in which state: the whole table."""

from datetime import UTC, datetime, timedelta, timezone

import msgspec
import pytest

from gateway.compose import Rules
from gateway.lifecycle import Work, WorkRules, check_step, event_of, limit_of
from gateway.rules import work_rules
from gateway.store.base import StoredTicket
from gateway.view import STATUS_AFTER, status_of
from normalizer.errors import Malformed, NotAllowed
from normalizer.schema import Limits, Status
from tests.clock import START
from tests.gateway.world import LIVES, event, stored, ticket

#: Whether each step is allowed in each state, from the public reference (docs/reference/http.md):
#: signed contacted returned extension answered closed reopened.
STEPS = ("signed", "contacted", "returned", "extension", "answered", "closed", "reopened")
TABLE = {
    Status.DRAFT: "yyyyyyn",
    Status.ACCEPTED: "yyyyyyn",
    Status.REFUSED: "nnnnnny",
    Status.DISPATCHED: "yyyyyyn",
    Status.SIGNED: "yyyyyyn",
    Status.RETURNED: "ynnnnnn",
    Status.EXTENDED: "yyyyyyn",
    Status.ANSWERED: "nnnnyyy",
    Status.CLOSED: "nnnnnny",
    Status.REOPENED: "yyyyyyn",
    Status.WITHDRAWN: "nnnnnnn",
}
CELLS = [
    pytest.param(status, step, allowed == "y", id=f"{status.value}-{step}")
    for status, row in TABLE.items()
    for step, allowed in zip(STEPS, row, strict=True)
]
UNTIL = START + timedelta(days=5)


def work(**more: str | datetime | None) -> Work:
    values = {"number": "20261123-000001-1", "unit": "市城管局", "text": "说明", "until": UNTIL}
    return Work(**(values | more))  # type: ignore[arg-type]  # a test's own values


@pytest.mark.parametrize(("status", "step", "allowed"), CELLS)
def test_a_step_is_allowed_or_forbidden_by_the_state(
    status: Status, step: str, *, allowed: bool
) -> None:
    """What is forbidden names the rule after step and state."""
    in_state = stored(*LIVES[status])
    assert status_of(in_state.events) is status
    if allowed:
        check_step(step, work(), in_state, WorkRules(), START)
        return
    with pytest.raises(NotAllowed) as caught:
        check_step(step, work(), in_state, WorkRules(), START)
    assert caught.value.rule == f"{step}_from_{status.value}"


def test_the_table_holds_every_state() -> None:
    """No state was forgotten."""
    assert set(TABLE) == set(LIVES) == set(Status)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_leaves_the_ticket_in_its_state(step: str) -> None:
    """Each step's event is one that the views know; a contact changes nothing."""
    assert STATUS_AFTER.get(event_of(step)) == (
        None if step == "contacted" else Status.EXTENDED if step == "extension" else Status(step)
    )


@pytest.mark.parametrize("text", [None, "", " \n\u3000"])
def test_a_return_names_its_reason_where_the_region_wants_one(text: str | None) -> None:
    """The refusal cites the region's own rule."""
    rules = WorkRules(reason_for_return=True, return_basis="五(六)")
    with pytest.raises(NotAllowed, match="五\\(六\\)") as caught:
        check_step("returned", work(text=text), stored("accepted"), rules, START)
    assert caught.value.rule == "return_with_reason"
    check_step("returned", work(text="不属于本单位职责"), stored("accepted"), rules, START)


def test_a_return_needs_no_reason_where_the_region_is_silent() -> None:
    """No rule is made up."""
    check_step("returned", work(text=None), stored("accepted"), WorkRules(), START)


@pytest.mark.parametrize("until", [None, UNTIL.replace(tzinfo=None)])
def test_an_extension_says_until_when(until: datetime | None) -> None:
    """An instant without offset is none."""
    with pytest.raises(Malformed) as caught:
        check_step("extension", work(until=until), stored("accepted"), WorkRules(), START)
    assert caught.value.field == "data.until"


def test_extensions_are_limited_where_the_region_says_so() -> None:
    """The first is granted, the second is refused by the rule."""
    rules = WorkRules(extensions_max=1, extension_basis="五(七)")
    check_step("extension", work(), stored("accepted", "signed"), rules, START)
    with pytest.raises(NotAllowed, match="五\\(七\\)") as caught:
        check_step("extension", work(), stored("accepted", "extended"), rules, START)
    assert caught.value.rule == "extensions_max"


def test_a_region_may_allow_no_extension_at_all() -> None:
    """Zero is a limit, not silence."""
    with pytest.raises(NotAllowed):
        check_step("extension", work(), stored("accepted"), WorkRules(extensions_max=0), START)


def test_a_region_without_a_limit_allows_any_number() -> None:
    """What the rules do not limit is not limited."""
    lived = stored("accepted", *["extended"] * 5)
    check_step("extension", work(), lived, WorkRules(), START)


def limited(days: int, *granted: datetime) -> StoredTicket:
    """Return a ticket that is to be finished so many days after its receipt, then as granted."""
    events = [
        event("accepted"),
        *(
            event("extended", n, data={"until": until.isoformat()})
            for n, until in enumerate(granted, 2)
        ),
    ]
    return stored(
        of=ticket(limits=Limits(finish_by=START + timedelta(days=days))), events=tuple(events)
    )


@pytest.mark.parametrize("days", [5, 4])
def test_an_extension_ends_later_than_the_limit(days: int) -> None:
    """Else it would shorten what the citizen was told."""
    with pytest.raises(Malformed) as caught:
        check_step(
            "extension", work(until=START + timedelta(days=days)), limited(5), WorkRules(), START
        )
    assert caught.value.field == "data.until"


def test_a_second_extension_is_measured_from_the_first() -> None:
    """The limit in force is the one that was granted last."""
    extended = limited(5, START + timedelta(days=9))
    assert limit_of(extended) == START + timedelta(days=9)
    with pytest.raises(Malformed):
        check_step("extension", work(until=START + timedelta(days=9)), extended, WorkRules(), START)
    check_step("extension", work(until=START + timedelta(days=10)), extended, WorkRules(), START)


#: The tests' region: application a working day before, no longer than the limit itself was.
#: START is a Monday; the limit lies on the Friday of the same week.
FRIDAY = 4
MONDAY_AFTER = START + timedelta(days=7)


@pytest.mark.parametrize(
    ("granted_until", "at", "rule"),
    [
        (MONDAY_AFTER, START, None),
        (MONDAY_AFTER, START + timedelta(days=3), None),
        (MONDAY_AFTER, START + timedelta(days=4), "extension_in_time"),
        (MONDAY_AFTER, START + timedelta(days=30), "extension_in_time"),
        (START + timedelta(days=10), START, None),
        (START + timedelta(days=11), START, "extension_within_original"),
        (datetime(2099, 1, 1, tzinfo=UTC), START, "extension_within_original"),
    ],
)
def test_the_regions_own_rules_of_extensions(
    granted_until: datetime, at: datetime, rule: str | None, rules: Rules
) -> None:
    """Received on Monday, due on Friday: four working days more until Thursday, asked by Thursday."""
    region = work_rules(rules)
    asked = work(until=granted_until)
    if rule is None:
        check_step("extension", asked, limited(FRIDAY), region, at)
        return
    with pytest.raises(NotAllowed, match="五\\(二\\)") as caught:
        check_step("extension", asked, limited(FRIDAY), region, at)
    assert caught.value.rule == rule


def test_an_extension_may_have_a_length_of_its_own(rules: Rules) -> None:
    """So many working days at a time, the week-end not counted."""
    region = msgspec.structs.replace(
        work_rules(rules), extension_days=1, extension_within_original=False
    )
    check_step("extension", work(until=MONDAY_AFTER), limited(FRIDAY), region, START)
    with pytest.raises(NotAllowed) as caught:
        check_step(
            "extension",
            work(until=MONDAY_AFTER + timedelta(days=1)),
            limited(FRIDAY),
            region,
            START,
        )
    assert caught.value.rule == "extension_days"


@pytest.mark.parametrize(
    "zone", [UTC, timezone(-timedelta(hours=12)), timezone(timedelta(hours=14))]
)
def test_an_extension_for_ever_is_refused_by_the_rules(zone: timezone, rules: Rules) -> None:
    """The last day of the calendar is an answer of 409, not a fault."""
    for_ever = datetime(9999, 12, 31, 23, 59, tzinfo=zone)
    with pytest.raises((NotAllowed, Malformed)):
        check_step("extension", work(until=for_ever), limited(FRIDAY), work_rules(rules), START)


def test_what_is_told_holds_none_of_the_units_words() -> None:
    """The words of a step may hold a citizen's; an error does not repeat them."""
    with pytest.raises(NotAllowed) as caught:
        check_step("signed", work(text="13800138000"), stored("withdrawn"), WorkRules(), START)
    assert "13800138000" not in str(caught.value)
