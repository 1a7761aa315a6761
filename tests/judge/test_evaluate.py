"""Evaluating: the figures, the misses with their evidence, and what a change would do."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.judge.corpus import Example
from gateway.judge.evaluate import Found, Verdict, changed
from gateway.judge.evaluate_figures import (
    average_precision,
    brier,
    calibration,
    classes,
    macro_f1,
    passing,
)
from gateway.judge.evaluate_report import misses, report
from gateway.judge.evaluate_text import markdown
from normalizer.schema import Domain, RequestType, Service, Urgency

Write = Callable[..., Path]


def verdict(
    emergency: bool | None,
    urgency: str,
    *,
    verify: bool = False,
    services: tuple[str, ...] = (),
    named: tuple[str, ...] = (),
    **labels: Any,
) -> Verdict:
    """Return a verdict over an invented text."""
    return Verdict(
        example=Example(
            text="甲",
            where="a:1",
            seed="a",
            emergency=emergency,
            services=tuple(map(Service, services)),
            **labels,
        ),
        found=Found(
            urgency=Urgency(urgency),
            verify=verify,
            services=tuple(map(Service, named)),
            type=RequestType.HELP,
            domain=Domain.SAFETY,
            evidence=(),
            chance=0.5,
        ),
    )


def test_called_and_shown_are_told_apart() -> None:
    """An emergency that only a human sees counts as shown and not as called."""
    found = report(
        [
            verdict(True, "emergency"),
            verdict(True, "urgent", verify=True),
            verdict(True, "urgent"),
            verdict(False, "emergency", reason="past"),
            verdict(False, "normal", verify=True, domain=Domain.HOUSING),
            verdict(False, "normal"),
        ],
        "v",
    ).emergency
    assert (found.true.texts, found.true.called, found.true.shown) == (3, 1, 2)
    every, hard, ordinary = found.false
    assert (every.texts, every.called, every.shown) == (3, 1, 2)
    assert (hard.texts, hard.called) == (1, 1)
    assert (ordinary.texts, ordinary.called, ordinary.shown) == (1, 0, 1)
    assert (found.precision_called, found.precision_shown) == (0.5, 0.5)
    assert found.outcomes["emergency"] == {"emergency": 1, "urgent": 1, "urgent, verify": 1}


def test_a_disputed_text_is_right_once_a_human_sees_it() -> None:
    """It may be called or not; normal without a word is wrong."""
    shown = verdict(None, "normal", verify=True, unclear=True)
    silent = verdict(None, "normal", unclear=True)
    assert (shown.right("emergency"), silent.right("emergency")) == (True, False)
    assert [name for name, _ in misses([shown, silent])] == ["missed"]


def test_services_are_right_when_one_is_named_and_none_is_wrong() -> None:
    """Utilities are no wrong service; naming nobody is not right."""
    needed = ("119", "120")
    right = verdict(True, "emergency", services=needed, named=("120", "gas"))
    wrong = verdict(True, "emergency", services=needed, named=("119", "110"))
    nobody = verdict(True, "emergency", services=needed)
    assert [one.right("services") for one in (right, wrong, nobody)] == [True, False, False]
    found = report([right, wrong, nobody], "v").services
    assert (found.texts, found.first, found.one_right) == (3, 1 / 3, 2 / 3)
    assert (found.none_wrong, found.all_named) == (2 / 3, 0)


def test_any_of_a_sites_labels_is_right() -> None:
    """A label that stands for several of ours is met by each of them."""
    one = verdict(None, "normal", domain=Domain.HOUSING, also=(Domain.SAFETY,))
    other = verdict(None, "normal", domain=Domain.HOUSING)
    assert (one.right("domain"), other.right("domain")) == (True, False)
    assert report([one, other], "v").domain.confused == (("housing", "safety", 1),)


def test_misses_are_in_order_of_danger() -> None:
    """A missed emergency stands before a false alarm, and that before a wrong label."""
    found = misses(
        [
            verdict(None, "normal", type=RequestType.PRAISE),
            verdict(False, "normal", verify=True),
            verdict(False, "emergency"),
            verdict(True, "normal"),
        ]
    )
    assert [name for name, _ in found] == [
        "missed",
        "called without need",
        "shown without need",
        "wrong type",
    ]


def test_a_change_tells_what_became_right_and_what_wrong() -> None:
    """Only what differs is told, each text once."""
    before = [verdict(True, "normal"), verdict(False, "normal"), verdict(True, "emergency")]
    after = [verdict(True, "emergency"), verdict(False, "emergency"), verdict(True, "emergency")]
    gained, lost = changed(before, after, "emergency")
    assert (gained, lost) == ([(before[0], after[0])], [(before[1], after[1])])


def test_figures_of_known_cases() -> None:
    """Worked by hand."""
    scored = [(0.9, True), (0.8, False), (0.7, True), (0.1, False)]
    assert average_precision(scored) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert average_precision([(0.5, True), (0.5, False)]) == 0.5
    assert brier(scored) == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)
    assert passing(scored, 1.0) == (0.7, 2 / 3, 0.5)
    assert [one.texts for one in calibration(scored)] == [0, 1, 0, 0, 2, 1]
    table = classes([("a", "a"), ("a", "b"), ("b", "b")])
    assert [(one.precision, one.recall) for one in table] == [(1.0, 0.5), (0.5, 1.0)]
    assert macro_f1(table) == pytest.approx(2 / 3)


def test_nothing_to_divide_by_is_no_figure() -> None:
    """Without emergencies there is no recall, rather than a perfect one."""
    assert average_precision([(0.3, False)]) is None
    assert passing([(0.3, False)], 0.9) is None
    assert report([], "v").emergency.precision_called is None
    assert markdown(report([], "v")) == "0 texts, judged by v"


ROWS = (
    {"text": "厨房着火了，我妈还在里面", "is_emergency": True, "services": ["119"], "style": "std"},
    {"text": "请问居住证怎么办", "is_emergency": False, "type": "consultation", "domain": "police"},
    {"text": "投诉物业乱收费", "type": "praise", "domain": "城乡建设"},
)


def test_the_command_prints_the_figures_and_each_miss(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table is Markdown; a miss names its line, what was expected, and the evidence."""
    assert main(["evaluate", str(write(*ROWS))]) == 0
    out = capsys.readouterr().out
    assert "| emergencies | 1 | 1 (100.0%) | 1 (100.0%) |" in out
    assert "site.jsonl:3: wrong type: 投诉物业乱收费" in out
    assert "type.complaint '投诉'" in out


def test_the_command_prints_json(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything that the table tells is in the JSON, the misses with their evidence."""
    assert main(["evaluate", str(write(*ROWS)), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["figures"]["emergency"]["true"]["called"] == 1
    (miss,) = [one for one in told["misses"] if one["miss"] == "wrong type"]
    assert miss["found"]["evidence"]


def test_a_lexicon_is_tried_before_it_is_released(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of lexicons is compared with the one in force on the same texts."""
    text = (
        "settings: {model_agrees: 0, model_yields: 0}\n"
        "kinds:\n  fire: {label: 火灾, services: ['119']}\n"
        "happenings:\n  fire: {certain: [居住证]}\n"
    )
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.yaml").write_text(text, encoding="utf-8")
    path = write(*ROWS)
    assert main(["evaluate", str(path), "--against", str(tmp_path / "new"), "--json"]) == 0
    changes = json.loads(capsys.readouterr().out)["against"]["changes"]["emergency"]
    assert f"{path}:2" in changes["became_wrong"]


def test_no_text_is_logged(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    """The texts go to standard output, which the operator asked for, and nowhere else."""
    with caplog.at_level(logging.DEBUG):
        assert main(["evaluate", str(write(*ROWS))]) == 0
    assert not any(word in caplog.text for word in ("着火", "居住证", "物业"))


def test_a_mistake_in_the_file_is_a_wrong_usage(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 with file and line on standard error."""
    assert main(["evaluate", str(write("{"))]) == 2
    assert "site.jsonl:1: not a JSON object" in capsys.readouterr().err
