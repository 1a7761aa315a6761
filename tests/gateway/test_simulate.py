"""What simulated citizens do, and how it is counted."""

from itertools import islice

import pytest

from gateway.simulate.acts import Act, Manner, acts
from gateway.simulate.ends import Outcome
from gateway.simulate.report import Report, report, table
from gateway.simulate.run import Sending
from gateway.simulate.targets import end_of

MANNER = Manner(rate=10, targets=3, emergencies=0.5, repeats=0.5)
END = end_of("http://127.0.0.1:8345")


def many(seed: int, manner: Manner = MANNER) -> list[Act]:
    return list(islice(acts(manner, seed), 400))


def test_a_seed_makes_the_same_acts() -> None:
    """Who wants to see it again gives the same seed; another one makes other acts."""
    assert many(1) == many(1)
    assert many(1) != many(2)


def test_citizens_behave_as_they_are_told_to() -> None:
    """Targets, repeats and pauses are as the manner says; no two acts have one id."""
    made = many(3)
    assert len({act.id for act in made}) == len(made)
    assert {act.target for act in made} == {0, 1, 2}
    again = sum(act.again_after_s is not None for act in made) / len(made)
    assert again == pytest.approx(0.5, abs=0.1)
    assert sum(act.after_s for act in made) == pytest.approx(40, rel=0.2)
    assert all(act.place in act.text for act in made)
    calm = many(3, Manner(rate=10, targets=1, emergencies=0, repeats=0))
    assert all(act.type and act.again_after_s is None for act in calm)


def taken(number: str = "", code: str = "") -> Outcome:
    return Outcome(state="accepted", number=number, code=code, seconds=0.01)


def counted(*outcomes: Outcome, found: bool | None = True) -> Report:
    sending = Sending(many(1)[0], END, list(outcomes), found)
    return report([sending], [END.name], 1.0, 7)


FAILED = Outcome(state="failed")


@pytest.mark.parametrize(
    ("outcomes", "found", "wanted"),
    [
        ([taken("n", "c")], True, {"accepted": 1}),
        ([taken("n", "c")], False, {"accepted": 1, "lost": 1}),
        ([taken()], None, {"accepted": 1, "unchecked": 1}),
        ([taken("n", "c"), taken("n", "c")], True, {"accepted": 1, "duplicate": 1}),
        ([taken("n", "c"), taken("m", "d")], True, {"accepted": 1, "doubled": 1}),
        ([taken("n", "c"), FAILED], True, {"accepted": 1, "failed": 1}),
        ([FAILED, taken("n", "c")], True, {"accepted": 1, "failed": 1}),
        ([FAILED], None, {"failed": 1}),
        ([Outcome(state="refused")], None, {"refused": 1}),
    ],
)
def test_each_message_is_counted_once(
    outcomes: list[Outcome], found: bool | None, wanted: dict[str, int]
) -> None:
    """What was sent is the sum of what became of it; losses and doubles spoil the whole."""
    total = counted(*outcomes, found=found).total
    names = ("accepted", "duplicate", "doubled", "refused", "failed", "lost", "unchecked")
    assert {n: getattr(total, n) for n in names if getattr(total, n)} == wanted
    assert total.sent == len(outcomes)
    assert total.good == (bool(total.accepted) and not {"lost", "doubled", "failed"} & set(wanted))


def test_the_table_has_a_line_for_each_target_and_one_for_all() -> None:
    """And it says by which seed it can be seen again."""
    lines = table(counted(taken("n", "c"))).splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["target", END.name, "all"]
    assert lines[-1] == "seed 7, 1.0 s"


@pytest.mark.parametrize(
    "url", ["webhook+http://hush@h:1/a", "wechat+https://app:hush@h/a", "smpp://u:hush@h/1"]
)
def test_a_targets_name_holds_no_secret(url: str) -> None:
    """What is printed can be shown to anybody."""
    assert "hush" not in end_of(url).name
