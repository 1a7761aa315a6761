"""Lexicon and model decide together."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from gateway.judge import model
from gateway.judge.assess import assess
from gateway.judge.model import Artefact, Head
from gateway.judge.rulebook import Rulebook, load
from normalizer.schema import Judged, Urgency

Small = Callable[[str], Rulebook]
Told = Callable[[float, str], Judged]
FRAME = "frames:\n  it: {against: much, reach: text, phrases: [新闻]}\n"


@pytest.fixture
def told(small: Small, tmp_path: Path) -> Told:
    """Judge a text with a model that gives every text the same chance of an emergency."""

    def judge(logit: float, text: str) -> Judged:
        urgent = Head(name="emergency", labels=("emergency",), bias=(logit,))
        service = Head(name="service", labels=("119", "120"), bias=(1.0, -1.0))
        artefact = Artefact(
            card={"version": "m"},
            heads=(urgent, service),
            grams=("龘",),
            norms=(1.0,),
            weights=((0.0, 0.0, 0.0),),
        )
        model.save(artefact, tmp_path / "a.model")
        rulebook = structs.replace(small(FRAME), model=model.load(tmp_path / "a.model"))
        return assess(text, text, rulebook)

    return judge


def state(judged: Judged) -> tuple[Urgency, bool]:
    """Return urgency and whether a human must look."""
    return judged.urgency, judged.verify


CALLED, SHOWN, CALM = (Urgency.EMERGENCY, False), (Urgency.URGENT, True), (Urgency.NORMAL, False)


@pytest.mark.parametrize(
    ("logit", "text", "expected"),
    [
        (3.0, "着火了", CALLED),  # both are sure
        (-5.0, "三楼那户着火了来看", SHOWN),  # what the lexicon calls and the model doubts
        (-9.0, "三楼那户着火了来看", SHOWN),  # … is never silenced
        (-9.0, "着火了", CALLED),  # … and of a few characters the model is not asked
        (-9.0, "救命啊", CALLED),  # … nor a cry for help even doubted
        (-9.0, "着火", CALM),  # what is only likely, and the model sure of nothing
        (-2.5, "着火", SHOWN),
        (3.0, "着火", CALLED),
        (3.0, "今天的天气很好很好", CALLED),  # the lexicon has no word
        (1.0, "天气很好", SHOWN),  # … nor many words to go by
        (3.0, "天气很好", CALLED),  # … of which the model is sure all the same
        (3.0, "爆管", (Urgency.URGENT, False)),  # … unless a failed supply explains them
        (-1.0, "天气很好", SHOWN),
        (-3.0, "天气很好", CALM),
        (-9.0, "新闻着火了", CALM),  # a frame and the model agree that it is nothing
        (-4.0, "新闻着火了", SHOWN),
        (-9.0, "火警!!", CALLED),  # a whole message
    ],
)
def test_both_decide(told: Told, logit: float, text: str, expected: tuple[Urgency, bool]) -> None:
    """Each may raise a text, neither silences the other where it is certain."""
    assert state(told(logit, text)) == expected


def test_a_failed_supply_stands_beside_what_is_let_go(told: Told) -> None:
    """What needs somebody soon is seen though a graver word beside it meant nothing."""
    judged = told(-9.0, "着火，爆管")
    assert (judged.urgency, judged.verify, judged.services) == (Urgency.URGENT, False, ("water",))


def test_beside_a_failed_supply_the_model_must_be_surer(told: Told) -> None:
    """Who tells of a burst pipe is answered by the utility, unless more than that is likely."""
    assert told(-0.4, "楼下那边爆管了水很大").services == ("water",)
    assert state(told(0.4, "楼下那边爆管了水很大")) == CALLED


def test_the_model_names_service_and_kind(told: Told) -> None:
    """Where the lexicon is silent, the model's likeliest service and its least telling kind."""
    judged = told(3.0, "今天的天气很好很好")
    assert judged.services == ("119",)
    assert judged.kind == "fire"
    assert {item.rule for item in judged.evidence} >= {"model.emergency", "model.service"}


def test_the_evidence_tells_which_layer_decided(told: Told) -> None:
    """The model's chance stands beside the phrases, negative where it spoke against them."""
    chance = {item.rule: item.weight for item in told(3.0, "着火了").evidence}["model.emergency"]
    assert chance == pytest.approx(0.95)
    doubt = {item.rule: item.weight for item in told(-5.0, "三楼那户着火了来看").evidence}[
        "model.emergency"
    ]
    assert doubt == pytest.approx(-0.99)


def test_of_a_few_characters_the_model_is_not_asked(told: Told) -> None:
    """Neither whether it is an emergency, nor who must come."""
    assert told(-9.0, "着火了").services == ("119",)
    assert state(told(-9.0, "着火了")) == CALLED


@pytest.mark.parametrize(
    ("logit", "length", "expected"),
    [
        (-9.0, 100, CALLED),
        (-4.0, 200, SHOWN),  # somewhere in a long text that the model finds calm
        (-9.0, 200, CALM),  # … and in one that it is certain of, as a whole and in every passage
    ],
)
def test_a_cry_inside_a_letter_needs_the_model(
    told: Told, logit: float, length: int, expected: tuple[Urgency, bool]
) -> None:
    """What is grave in a short message stands; in a letter it may be a figure of speech."""
    assert state(told(logit, "甲" * length + "救命啊")) == expected


@pytest.mark.parametrize(
    ("least", "around", "expected"),
    [
        (2.0, "", CALLED),  # what several words bear out, whatever the model thinks
        (9.0, "", SHOWN),
        (2.0, "甲" * 200, SHOWN),  # … but not in a letter
    ],
)
def test_what_is_beyond_doubt_needs_no_model(
    least: float, around: str, expected: tuple[Urgency, bool], small: Small, tmp_path: Path
) -> None:
    """The lexicon calls alone what many words say; in a letter the model is asked all the same."""
    head = Head(name="emergency", labels=("emergency",), bias=(-5.4,))
    artefact = Artefact(
        card={"version": "m"}, heads=(head,), grams=("龘",), norms=(1.0,), weights=((0.0,),)
    )
    model.save(artefact, tmp_path / "a.model")
    lexicon = small(f"settings: {{beyond_doubt: {least}, long_malus: 0}}\n")
    rulebook = structs.replace(lexicon, model=model.load(tmp_path / "a.model"))
    text = f"{around}刚才着火了，有人受伤，快来"
    assert state(assess(text, text, rulebook)) == expected


#: What a letter is made of: a sentence about each of twenty-two things, none like another.
CALM_THINGS = [one * 2 for one in "甲乙丙丁戊己庚辛壬癸子丑寅卯辰巳午未申酉戌亥"]
LETTER = [thing + "这件事情反映了很多次还没有下文" * 6 + "。" for thing in CALM_THINGS]


@pytest.fixture
def letters(small: Small, tmp_path: Path) -> Callable[[str], Judged]:
    """Judge a text with a model that knows one grave thing, and the calm ones of a letter."""

    def judge(text: str) -> Judged:
        artefact = Artefact(
            card={"version": "m"},
            heads=(
                Head(name="emergency", labels=("emergency",), bias=(-4.5,)),
                Head(name="service", labels=("119", "120"), bias=(-1.0, 1.0)),
            ),
            grams=("喊不应", *CALM_THINGS),
            norms=(1.0,) * (1 + len(CALM_THINGS)),
            weights=((12.0, 0.0, 0.0), *(((-1.5, 0.0, 0.0),) * len(CALM_THINGS))),
        )
        model.save(artefact, tmp_path / "a.model")
        rulebook = structs.replace(small(""), model=model.load(tmp_path / "a.model"))
        return assess(text, text, rulebook)

    return judge


@pytest.mark.parametrize("at", [0, 7, 22])
def test_a_letter_is_read_passage_by_passage(letters: Callable[[str], Judged], at: int) -> None:
    """What would be an emergency alone is shown with its passage, wherever it stands."""
    text = "".join([*LETTER[:at], "隔壁那位喊不应了。", *LETTER[at:]])
    judged = letters(text)
    assert (state(judged), judged.services) == (SHOWN, ("120",))
    why = next(item for item in judged.evidence if item.claim == "verify")
    assert why.rule == "model.passage"
    assert "喊不应" in text[why.start : why.end]
    assert why.end - why.start <= 180
    assert state(letters("".join(LETTER))) == CALM


def test_what_a_passage_says_is_never_cleared(letters: Callable[[str], Judged]) -> None:
    """A cry for help in a letter counts where its own passage is doubtful, not as one of many."""
    calm = "".join(LETTER)
    assert state(letters(calm + "救命啊")) == CALM
    assert state(letters(calm + "喊不应,救命啊")) == SHOWN


def test_what_people_dispute_is_shown(small: Small, tmp_path: Path) -> None:
    """Though lexicon and model call nothing, and with the reason."""
    heads = (
        Head(name="emergency", labels=("emergency",), bias=(-5.0,)),
        Head(name="unclear", labels=("unclear",), bias=(-3.0,)),
    )
    artefact = Artefact(
        card={"version": "m"},
        heads=heads,
        grams=("消失",),
        norms=(1.0,),
        weights=((0.0, 6.0),),
    )
    model.save(artefact, tmp_path / "a.model")
    rulebook = structs.replace(small(""), model=model.load(tmp_path / "a.model"))
    judged = assess("有时候想就这么消失", "有时候想就这么消失", rulebook)
    assert (state(judged), judged.services) == (SHOWN, ())
    assert "model.unclear" in {item.rule for item in judged.evidence}
    assert state(assess("路灯不亮了", "路灯不亮了", rulebook)) == CALM


def test_a_cry_to_nobody_is_answered_by_whom_the_model_names(small: Small, tmp_path: Path) -> None:
    """What an unnamed kind names counts little beside the model's likeliest service."""
    more = """\
kinds:
  cry: {label: 呼救, services: ["110"], generic: yes, unnamed: yes}
  patrol: {label: 叫警察, services: ["110"], generic: yes}
happenings:
  cry: {certain: [快来人救救我们]}
  patrol: {certain: [快叫警察到这里来]}
"""
    heads = (
        Head(name="emergency", labels=("emergency",), bias=(3.0,)),
        Head(name="service", labels=("110", "119"), bias=(-0.5, 0.0)),
    )
    artefact = Artefact(
        card={"version": "m"}, heads=heads, grams=("龘",), norms=(1.0,), weights=((0.0,) * 3,)
    )
    model.save(artefact, tmp_path / "a.model")
    rulebook = structs.replace(small(more), model=model.load(tmp_path / "a.model"))
    named = {
        text: assess(text, text, rulebook).services
        for text in ("快来人救救我们这里有水", "快叫警察到这里来有人打")
    }
    assert list(named.values()) == [("119",), ("110",)]


@pytest.mark.parametrize(
    ("bias", "services"),
    [(-3.0, ("120", "gas")), (-1.0, ("120", "119", "gas")), (0.0, ("119", "gas"))],
    ids=["none", "little", "enough"],
)
def test_a_service_that_the_model_thinks_little_of_gives_way(
    bias: float, services: tuple[str, ...], small: Small, tmp_path: Path
) -> None:
    """The model names another where those of a happening are unlikely; utilities still come."""
    more = """\
kinds:
  seep: {label: 漏气, services: ["119", gas]}
happenings:
  seep: {certain: [管子那里在漏]}
"""
    heads = (
        Head(name="emergency", labels=("emergency",), bias=(3.0,)),
        Head(name="service", labels=("119", "120"), bias=(bias, 1.0)),
    )
    artefact = Artefact(
        card={"version": "m"}, heads=heads, grams=("龘",), norms=(1.0,), weights=((0.0,) * 3,)
    )
    model.save(artefact, tmp_path / "a.model")
    rulebook = structs.replace(small(more), model=model.load(tmp_path / "a.model"))
    text = "厨房管子那里在漏他倒在地上"
    assert assess(text, text, rulebook).services == services


def test_the_version_names_both(told: Told, tmp_path: Path) -> None:
    """A ticket tells which lexicon and which model judged it."""
    told(0.0, "着火了")
    lexicon, _, version = load(tmp_path, tmp_path / "a.model").version.partition("+")
    assert (lexicon, version) == (load(tmp_path).version, "m")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fire in the kitchen", (Urgency.NORMAL, True)),  # nobody here can read it
        ("ok thanks", CALM),  # … and this is hardly a sentence
        ("", (Urgency.NORMAL, True)),
    ],
)
def test_what_the_model_was_not_taught_it_does_not_judge(
    told: Told, text: str, expected: tuple[Urgency, bool]
) -> None:
    """English and nothing at all are left to the lexicon, and to a human where it is silent."""
    assert state(told(9.0, text)) == expected
