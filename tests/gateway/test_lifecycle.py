"""Which step a handling unit may take in which state: the whole table."""

from datetime import datetime, timedelta

import pytest

from gateway.lifecycle import Work, WorkRules, check_step, event_of
from gateway.view import STATUS_AFTER, status_of
from normalizer.errors import Malformed, NotAllowed
from normalizer.schema import Status
from tests.clock import START
from tests.gateway.world import LIVES, stored

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
        check_step(step, work(), in_state, WorkRules())
        return
    with pytest.raises(NotAllowed) as caught:
        check_step(step, work(), in_state, WorkRules())
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
        check_step("returned", work(text=text), stored("accepted"), rules)
    assert caught.value.rule == "return_with_reason"
    check_step("returned", work(text="不属于本单位职责"), stored("accepted"), rules)


def test_a_return_needs_no_reason_where_the_region_is_silent() -> None:
    """No rule is made up."""
    check_step("returned", work(text=None), stored("accepted"), WorkRules())


@pytest.mark.parametrize("until", [None, UNTIL.replace(tzinfo=None)])
def test_an_extension_says_until_when(until: datetime | None) -> None:
    """An instant without offset is none."""
    with pytest.raises(Malformed) as caught:
        check_step("extension", work(until=until), stored("accepted"), WorkRules())
    assert caught.value.field == "data.until"


def test_extensions_are_limited_where_the_region_says_so() -> None:
    """The first is granted, the second is refused by the rule."""
    rules = WorkRules(extensions_max=1, extension_basis="五(七)")
    check_step("extension", work(), stored("accepted", "signed"), rules)
    with pytest.raises(NotAllowed, match="五\\(七\\)") as caught:
        check_step("extension", work(), stored("accepted", "extended"), rules)
    assert caught.value.rule == "extensions_max"


def test_a_region_may_allow_no_extension_at_all() -> None:
    """Zero is a limit, not silence."""
    with pytest.raises(NotAllowed):
        check_step("extension", work(), stored("accepted"), WorkRules(extensions_max=0))


def test_a_region_without_a_limit_allows_any_number() -> None:
    """What the rules do not limit is not limited."""
    lived = stored("accepted", *["extended"] * 5)
    check_step("extension", work(), lived, WorkRules())


def test_what_is_told_holds_none_of_the_units_words() -> None:
    """The words of a step may hold a citizen's; an error does not repeat them."""
    with pytest.raises(NotAllowed) as caught:
        check_step("signed", work(text="13800138000"), stored("withdrawn"), WorkRules())
    assert "13800138000" not in str(caught.value)
